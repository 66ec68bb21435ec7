//! Where a chat's lines come from: an editor at a terminal, plain reading everywhere else.
//!
//! At a terminal a message may have several lines, and what was typed is kept in a file that only its owner reads. In a
//! pipe every line is a message, to the letter.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use anyhow::Context as _;
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::{FileHistory, History as _};
use rustyline::{Cmd, CompletionType, Config, Editor, EventHandler, KeyCode, KeyEvent, Modifiers};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::completion::Assistant;
#[cfg(unix)]
use super::suspension::{self, Suspension};
use super::{draft, place};
use crate::interrupt::{self, Outcome};
use crate::{failure, settings};

/// What stands before a line at a terminal.
const PROMPT: &str = "> ";

/// Lines that are kept from one chat to the next.
const MOST_KEPT: usize = 1000;

/// Bytes above which an entry is not kept among the lines.
const LONGEST_KEPT: usize = 16 << 10;

/// The next thing that came in.
pub(super) enum Line {
    /// A line without its end; at a terminal perhaps several.
    Text(String),
    /// Ctrl-C.
    Interrupted,
    /// There is nothing more, or Ctrl-D.
    End,
}

/// Lines of standard input.
pub(super) enum Lines {
    /// Edited at a terminal, with the lines so far to go back to.
    Edited(Box<Edited>),
    /// Read by a thread, so that Ctrl-C is heard while it waits.
    Read(mpsc::Receiver<io::Result<String>>),
}

/// An editor and the file of its lines.
pub(super) struct Edited {
    editor: Editor<Assistant, FileHistory>,
    file: Option<PathBuf>,
    #[cfg(unix)]
    suspension: Suspension,
}

impl Lines {
    /// Edits lines where both ends are a terminal, and reads them otherwise.
    ///
    /// # Errors
    ///
    /// Where the terminal cannot be set up or no thread can be started.
    pub(super) fn of_standard_input() -> anyhow::Result<Self> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            return Ok(Self::Edited(Box::new(Edited::new()?)));
        }
        let (sender, receiver) = mpsc::channel(1);
        let reading = std::thread::Builder::new()
            .name("standard-input".to_owned())
            .spawn(move || {
                for line in io::stdin().lock().lines() {
                    let failed = line.is_err();
                    if sender.blocking_send(line).is_err() || failed {
                        return;
                    }
                }
            });
        reading.context("cannot read standard input")?;
        Ok(Self::Read(receiver))
    }

    /// Whether a person sits at a terminal.
    pub(super) fn interactive(&self) -> bool {
        matches!(self, Self::Edited(_))
    }

    /// Offers these titles where one is to be typed.
    pub(super) fn offer(&mut self, titles: Vec<String>) {
        if let Self::Edited(edited) = self
            && let Some(assistant) = edited.editor.helper_mut()
        {
            assistant.titles = titles;
        }
    }

    /// Waits for the next line.
    ///
    /// # Errors
    ///
    /// Where standard input cannot be read or is not UTF-8.
    pub(super) fn next(&mut self, runtime: &Runtime) -> anyhow::Result<Line> {
        match self {
            Self::Edited(edited) => edited.next(),
            Self::Read(lines) => match runtime.block_on(interrupt::or_interrupt(lines.recv()))? {
                Outcome::Interrupted => Ok(Line::Interrupted),
                Outcome::Done(None) => Ok(Line::End),
                Outcome::Done(Some(line)) => line.map(Line::Text).context("cannot read standard input"),
            },
        }
    }
}

impl Edited {
    fn new() -> anyhow::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(MOST_KEPT)
            .context("cannot set up the terminal")?
            .build();
        let mut editor = Editor::with_config(config).context("cannot set up the terminal")?;
        editor.set_auto_add_history(false);
        editor.set_helper(Some(Assistant::default()));
        for key in [KeyCode::Enter, KeyCode::Char('\r'), KeyCode::Char('\n')] {
            editor.bind_sequence(KeyEvent(key, Modifiers::ALT), EventHandler::Simple(Cmd::Newline));
        }
        #[cfg(unix)]
        let suspension = Suspension::default();
        #[cfg(unix)]
        editor.bind_sequence(
            KeyEvent::ctrl('Z'),
            EventHandler::Conditional(Box::new(suspension.clone())),
        );
        let mut edited = Self {
            editor,
            file: settings::history(),
            #[cfg(unix)]
            suspension,
        };
        edited.load();
        Ok(edited)
    }

    /// Reads the lines of earlier chats. Where that fails the chat goes on without them, and says so.
    fn load(&mut self) {
        let Some(file) = self.file.clone() else { return };
        let made = place::make_folder(&file);
        let loaded = made
            .map_err(ReadlineError::from)
            .and_then(|()| match file.exists() {
                true => self.editor.load_history(&file),
                false => Ok(()),
            });
        if let Err(error) = loaded {
            let error = anyhow::Error::new(error).context(format!("no lines are kept in {}", file.display()));
            failure::complain(&format!("wick: {}\n", failure::chain(error.as_ref())));
            self.file = None;
        }
    }

    fn next(&mut self) -> anyhow::Result<Line> {
        match self.edit() {
            Ok(text) => {
                self.keep(&text)?;
                Ok(Line::Text(draft::message(&text)))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(error).context("cannot read the terminal"),
        }
    }

    /// The next line; one that Ctrl-Z was pressed in is gone on with.
    #[cfg(unix)]
    fn edit(&mut self) -> rustyline::Result<String> {
        let mut begun = (String::new(), String::new());
        loop {
            let read = self.editor.readline_with_initial(PROMPT, (&begun.0, &begun.1));
            match self.suspension.take() {
                Some(line) if read.is_err() => begun = line,
                _ => return read,
            }
            suspension::suspend();
        }
    }

    /// The next line.
    #[cfg(not(unix))]
    fn edit(&mut self) -> rustyline::Result<String> {
        self.editor.readline(PROMPT)
    }

    fn keep(&mut self, text: &str) -> anyhow::Result<()> {
        if text.len() > LONGEST_KEPT || text.trim().is_empty() {
            return Ok(());
        }
        let added = self
            .editor
            .add_history_entry(text)
            .context("cannot keep the line")?;
        if let (true, Some(file)) = (added, &self.file) {
            // A line that cannot be written is still there until the chat ends.
            let kept = self.editor.history_mut().append(file);
            if kept.is_err() {
                self.file = None;
            }
        }
        Ok(())
    }
}
