//! `wick completions`: scripts that let a shell complete command lines.

use std::process::ExitCode;

use crate::arguments::{self, CompletionArguments};
use crate::output;

/// Prints the script for the shell of `arguments`.
///
/// # Errors
///
/// Where standard output cannot be written.
pub(crate) fn completions(arguments: &CompletionArguments) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut arguments::described(), "wick", &mut script);
    output::write(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
