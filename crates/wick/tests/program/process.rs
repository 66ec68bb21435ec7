//! Runs the program and gives up on it after a while.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time after which the program counts as hanging; generous, since other tests run beside this one.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output of a run that succeeded.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        self.text_beside("")
    }

    /// Standard output of a run that succeeded and said this on standard error.
    #[track_caller]
    pub(crate) fn text_beside(&self, said: &str) -> String {
        assert!(self.status.success(), "{self:?}");
        assert_eq!(self.stderr, said, "what is said on standard error");
        String::from_utf8(self.stdout.clone()).expect("output is UTF-8")
    }

    /// The one line of a run that failed.
    #[track_caller]
    pub(crate) fn complaint(&self) -> &str {
        assert!(!self.status.success(), "{self:?}");
        assert!(self.status.code().is_some(), "killed: {self:?}");
        assert_eq!(self.stdout, b"", "{self:?}");
        let line = self
            .stderr
            .strip_suffix('\n')
            .expect("the complaint ends its line");
        assert!(line.starts_with("wick: ") && !line.contains('\n'), "{self:?}");
        assert!(!line.contains("panicked"), "{self:?}");
        line
    }
}

/// Runs `command` to its end, without input.
pub(crate) fn run(command: &mut Command) -> Ended {
    let ended = command.stdin(Stdio::null()).output().expect("the program runs");
    Ended {
        status: ended.status,
        stdout: ended.stdout,
        stderr: String::from_utf8(ended.stderr).expect("complaints are UTF-8"),
    }
}

/// The program, without the configuration and the memory of whoever runs the tests.
pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_wick"));
    alone(&mut program);
    program
}

/// Takes the configuration and the memory of whoever runs the tests from a command.
pub(crate) fn alone(program: &mut Command) {
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nobody");
    for folder in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        program.env(folder, nowhere.join(folder));
    }
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("WICK_")) {
            program.env_remove(name);
        }
    }
}

/// Runs `wick` with these arguments and no input.
pub(crate) fn wick(arguments: &[&str]) -> Ended {
    wick_with_input(arguments, b"")
}

/// Runs `wick` with these arguments and this standard input, a pipe.
pub(crate) fn wick_with_input(arguments: &[&str], input: &[u8]) -> Ended {
    with_input(program().args(arguments), input)
}

/// Runs `command` with this standard input, a pipe.
pub(crate) fn with_input(command: &mut Command, input: &[u8]) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // A program that ends without reading its input is no failure of the test.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let stdout = reading(child.stdout.take().expect("stdout is piped"));
    let stderr = reading(child.stderr.take().expect("stderr is piped"));
    let status = wait(&mut child);
    writing.join().expect("the writer does not panic");
    let stdout = stdout.join().expect("the reader does not panic");
    let stderr =
        String::from_utf8(stderr.join().expect("the reader does not panic")).expect("errors are UTF-8");
    Ended {
        status,
        stdout,
        stderr,
    }
}

fn reading(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("the pipe can be read");
        bytes
    })
}

/// Waits for the program to end; kills it and fails where it does not.
#[track_caller]
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().expect("the program can be waited for") {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().expect("the program can be killed");
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The path as an argument.
pub(crate) fn argument(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
