//! How the program fails: one line that says what and why, and an exit status.

use std::error::Error;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use crate::output;
use crate::settings::SettingsError;

/// Exit status where the command line or the configuration cannot be understood.
pub(crate) const USAGE: u8 = 2;

/// Exit status after Ctrl-C, as shells count it: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;

/// What exit statuses mean, for help and manual.
pub(crate) const STATUS: &str = "\
Exit status:
  0    finished, or the reader of standard output has gone, which is 1 in a chat
  1    failed; one line on standard error says why
  2    the command line or the configuration cannot be understood
  129  ended by SIGHUP
  130  interrupted by Ctrl-C
  131  ended by SIGQUIT
  143  ended by SIGTERM";

/// A command line that each option allows, and all of them together do not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Standard output was closed by its reader, who has seen enough.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(crate) struct OutputClosed;

/// Prints `error` with all its causes and gives the exit status.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_output_closed(error) {
        return ExitCode::SUCCESS;
    }
    complain(&format!("wick: {}\n", chain(error.as_ref())));
    if error.is::<Usage>() || error.is::<SettingsError>() {
        return ExitCode::from(USAGE);
    }
    ExitCode::FAILURE
}

/// Whether the reader of standard output has gone.
pub(crate) fn is_output_closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<OutputClosed>())
}

/// Writes to standard error; where that is closed too there is nobody to tell.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The error and its causes in one line; a cause that its parent already quotes is not said twice.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = one_line(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = one_line(&error.to_string());
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// `text` on one line, with nothing in it that a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines
        .join(" ")
        .chars()
        .map(|c| {
            if output::steers(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// The error of a failed write to standard output.
pub(crate) fn of_write(error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => anyhow::Error::new(OutputClosed),
        _ => anyhow::Error::new(error).context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_that_a_terminal_does_not_obey() {
        assert_eq!(one_line(" a  b\n\n   c\u{1b}[2J\r\nd"), "a  b c\u{fffd}[2J d");
    }
}
