//! A terminal for the program: keys go in, and a screen is looked at as a person would.
//!
//! Nothing sleeps but between two Ctrl-C: a test waits until the screen is as it should be, and fails with the screen after a while. The program
//! is killed when the value is dropped, and its home is a folder of the test.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rexpect::process::{PtyProcess, Signal, WaitStatus};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::process::LIMIT;

/// Lines above the screen that are remembered.
const SCROLLED: usize = 2000;

/// The program at a terminal.
pub(crate) struct Screen {
    process: PtyProcess,
    keys: File,
    shown: Arc<Shown>,
    /// Times that the program had asked for a line when the last key was pressed that it may have asked for.
    asked: usize,
}

#[derive(Default)]
struct Shown {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    /// All bytes that came, as they came.
    bytes: Vec<u8>,
    asked: usize,
    ended: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            parser: vt100::Parser::new(cells(24), cells(80), SCROLLED),
            bytes: Vec::new(),
            asked: 0,
            ended: false,
        }
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has cells")
}

/// How a program is started at a terminal.
pub(crate) struct Start {
    rows: u16,
    columns: u16,
    variables: Vec<(String, String)>,
    folder: Option<PathBuf>,
}

impl Start {
    /// A terminal of 24 lines and 80 columns, whose programs have `home` for their home.
    pub(crate) fn at(home: &Path) -> Self {
        let home = home.to_str().expect("temporary paths are UTF-8");
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            rows: 24,
            columns: 80,
            variables: vec![
                set("HOME", home),
                set("XDG_DATA_HOME", &format!("{home}/data")),
                set("XDG_STATE_HOME", &format!("{home}/state")),
                set("XDG_CONFIG_HOME", &format!("{home}/config")),
                set("TERM", "xterm-256color"),
                set("NO_COLOR", ""),
            ],
            folder: None,
        }
    }

    pub(crate) fn size(mut self, rows: u16, columns: u16) -> Self {
        (self.rows, self.columns) = (rows, columns);
        self
    }

    /// Runs the program in this folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether the terminal can do nothing but print.
    pub(crate) fn is_dumb(&self) -> bool {
        self.variables
            .iter()
            .any(|(name, value)| name == "TERM" && value == "dumb")
    }

    /// Runs `wick` with these arguments.
    pub(crate) fn wick(self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Screen {
        self.shell("exec \"$0\" \"$@\"", arguments)
    }

    /// Runs `script` in a shell, whose `"$0" "$@"` is `wick` with these arguments.
    pub(crate) fn shell(
        self,
        script: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Screen {
        // The size is set before the program looks; letters that are typed are shown, as a terminal does.
        let set = format!("stty rows {} cols {} echo; {script}", self.rows, self.columns);
        let mut command = Command::new("sh");
        command
            .args(["-c", &set, env!("CARGO_BIN_EXE_wick")])
            .args(arguments)
            .envs(self.variables.clone());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        for unset in ["HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "WICK_API_KEY"] {
            command.env_remove(unset);
        }
        let mut process = PtyProcess::new(command).expect("the program starts at a terminal");
        process.set_kill_timeout(Some(100));
        let keys = process.get_file_handle().expect("the terminal can be written to");
        let output = process.get_file_handle().expect("the terminal can be read");
        let shown = Arc::new(Shown::default());
        shown
            .state()
            .parser
            .screen_mut()
            .set_size(cells(self.rows), cells(self.columns));
        let theirs = Arc::clone(&shown);
        std::thread::spawn(move || theirs.read(output));
        Screen {
            process,
            keys,
            shown,
            asked: 0,
        }
    }
}

/// What the program writes when it begins to read a line: pastes are to be marked.
const ASKING: &[u8] = b"\x1b[?2004h";

impl State {
    /// Times that the program has asked for a line.
    fn asked(&self) -> usize {
        self.asked
    }

    fn take(&mut self, piece: &[u8]) {
        self.parser.process(piece);
        // What asks may lie across two pieces.
        let from = self.bytes.len().saturating_sub(ASKING.len() - 1);
        self.bytes.extend_from_slice(piece);
        let new = self.bytes.get(from..).unwrap_or_default();
        self.asked += new.windows(ASKING.len()).filter(|found| *found == ASKING).count();
    }
}

impl Shown {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut output: File) {
        let mut piece = [0; 65536];
        loop {
            // The end of a terminal is an error of its reader.
            let count = output.read(&mut piece).unwrap_or(0);
            let mut state = self.state();
            state.ended = count == 0;
            state.take(&piece[..count]);
            self.changed.notify_all();
            if count == 0 {
                return;
            }
        }
    }
}

impl Screen {
    /// Types `text` and the Enter key.
    pub(crate) fn say(&mut self, text: &str) {
        self.asked = self.shown.state().asked();
        self.keys(text);
        self.keys("\r");
    }

    /// Presses keys.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.keys
            .write_all(keys.as_bytes())
            .and_then(|()| self.keys.flush())
            .expect("keys can be pressed");
    }

    /// Pastes `text`, as terminals do that mark what is pasted.
    pub(crate) fn paste(&mut self, text: &str) {
        self.keys("\u{1b}[200~");
        self.keys(text);
        self.keys("\u{1b}[201~");
    }

    /// Presses Ctrl-C, as long after the key before as a person takes.
    pub(crate) fn ctrl_c(&mut self) {
        std::thread::sleep(Duration::from_millis(100));
        self.asked = self.shown.state().asked();
        self.keys("\u{3}");
    }

    /// Gives the terminal another size, and tells the program.
    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        self.shown
            .state()
            .parser
            .screen_mut()
            .set_size(cells(rows), cells(columns));
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.keys, size).expect("the terminal can be resized");
    }

    /// Waits until the screen is as `wanted` says.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        self.wait(what, |state| wanted(&state.parser.screen().contents()));
    }

    #[track_caller]
    fn wait(&self, what: &str, wanted: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut state = self.shown.state();
        while !wanted(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !state.ended,
                "{what} is not seen; the screen is:\n{}\n({})",
                state.parser.screen().contents(),
                if state.ended {
                    "the program has ended"
                } else {
                    "time is over"
                }
            );
            let waited = self.shown.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the screen holds `text`.
    #[track_caller]
    pub(crate) fn sees(&self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    /// Waits until the program asks for a line again, after the last one that was typed.
    #[track_caller]
    pub(crate) fn asks(&self) {
        self.wait("a free prompt", |state| {
            let text = state.parser.screen().contents();
            let last = text.trim_end_matches('\n').lines().last().map(str::trim_end);
            state.asked() > self.asked && last == Some(">")
        });
    }

    /// Types a line once the program asks for one.
    #[track_caller]
    pub(crate) fn answer(&mut self, line: &str) {
        self.asks();
        self.say(line);
    }

    /// Waits until the program has written so many bytes more than `before`.
    #[track_caller]
    pub(crate) fn grows(&self, before: usize, bytes: usize) {
        self.wait("an answer", |state| state.bytes.len() >= before + bytes);
    }

    /// Whether the first `word` on the screen is bold.
    pub(crate) fn is_bold(&self, word: &str) -> bool {
        self.first(word).bold()
    }

    /// Whether the first `word` on the screen is faint.
    pub(crate) fn is_faint(&self, word: &str) -> bool {
        self.first(word).dim()
    }

    /// The cell that the first `word` on the screen begins in; everything before it in its line has to be narrow.
    fn first(&self, word: &str) -> vt100::Cell {
        let state = self.shown.state();
        let screen = state.parser.screen();
        let (_, columns) = screen.size();
        for (row, line) in (0..).zip(screen.rows(0, columns.into())) {
            if let Some(at) = line.find(word) {
                let column = u16::try_from(line[..at].chars().count()).expect("a line is short");
                return screen.cell(row, column).expect("a cell of the screen").clone();
            }
        }
        panic!("{word} is not on the screen:\n{}", screen.contents());
    }

    /// The screen as it is.
    pub(crate) fn text(&self) -> String {
        self.shown.state().parser.screen().contents()
    }

    /// All that the program wrote so far, as it wrote it.
    pub(crate) fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.shown.state().bytes).into_owned()
    }

    /// Kills the program as `kill -9` does, and waits for it.
    pub(crate) fn kill(mut self) {
        self.process
            .kill(Signal::SIGKILL)
            .expect("the program can be killed");
    }

    /// Waits until the program has ended; its exit status.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> i32 {
        let deadline = Instant::now() + LIMIT;
        let mut state = self.shown.state();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            let text = state.parser.screen().contents();
            assert!(!left.is_zero(), "the program goes on; the screen is:\n{text}");
            let waited = self.shown.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        match self.process.wait().expect("the program can be waited for") {
            WaitStatus::Exited(_, status) => status,
            other => panic!("the program ended with {other:?}"),
        }
    }

    /// Leaves, once the program asks for a line.
    #[track_caller]
    pub(crate) fn leave(&mut self) {
        self.answer("/exit");
        assert_eq!(self.ends(), 0);
    }
}
