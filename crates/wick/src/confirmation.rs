//! A person's yes before something is lost.

use std::io::{BufRead as _, IsTerminal as _};

use crate::failure;

/// Whether a person says yes to `what`, or has said so with `--yes`.
///
/// # Errors
///
/// Nobody can be asked: standard input is no terminal.
pub(crate) fn given(what: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "{what} wants --yes where nobody can be asked"
    );
    failure::complain(&format!("wick: {}? [y/N] ", failure::one_line(what)));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
