//! Standard input as a prompt, or as what stands before one.
//!
//! A terminal is never waited for. What is piped in is read to its end by a thread, so that Ctrl-C is heard meanwhile.

use std::io::{self, IsTerminal as _, Read as _};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::arguments::RunArguments;
use crate::failure::{self, Usage};
use crate::interrupt::{self, Outcome};

/// The most bytes that are read: more than any context has room for.
const MOST_BYTES: u64 = 64 << 20;

/// How long standard input may take before it is said that it is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why standard input is no prompt.
#[derive(Debug, thiserror::Error)]
enum InputError {
    #[error("cannot read standard input")]
    Read(#[source] io::Error),
    #[error("standard input has more than {MOST_BYTES} bytes, which is more than a prompt may have")]
    TooLong,
    #[error("standard input is not UTF-8 at byte {at}")]
    NotText { at: usize },
    #[error("cannot start a thread to read standard input")]
    Thread(#[source] io::Error),
}

/// The prompt of `arguments`: what `--prompt` says, what is piped in, or both with a blank line between them.
///
/// # Errors
///
/// [`Usage`] where there is neither; input that cannot be read, is no text or too long.
pub(crate) async fn prompt(arguments: &RunArguments) -> anyhow::Result<Outcome<String>> {
    let piped = match io::stdin().is_terminal() {
        true => None,
        false => match interrupt::or_interrupt(told(piped(), arguments.prompt.is_some())).await? {
            Outcome::Done(piped) => Some(piped?),
            Outcome::Interrupted => return Ok(Outcome::Interrupted),
        },
    };
    joined(piped, arguments.prompt.as_deref(), arguments.raw)
        .map(Outcome::Done)
        .map_err(Into::into)
}

/// * `piped`: what standard input holds; none where it is a terminal.
/// * `raw`: whether a text alone is kept to the letter, line ends at its end included.
fn joined(piped: Option<String>, prompt: Option<&str>, raw: bool) -> Result<String, Usage> {
    let whole = piped.unwrap_or_default();
    let text = whole.trim_end_matches(['\r', '\n']);
    match prompt {
        Some(prompt) if text.is_empty() => Ok(prompt.to_owned()),
        Some(prompt) => Ok(format!("{text}\n\n{prompt}")),
        None if text.is_empty() => Err(Usage(
            "there is nothing to answer; name a text with --prompt, or pipe one in".to_owned(),
        )),
        None if raw => Ok(whole),
        None => Ok(text.to_owned()),
    }
}

/// Says what is waited for where that takes long and there is a prompt already: nobody may have meant to pipe anything in.
async fn told<T>(work: impl Future<Output = T>, prompted: bool) -> T {
    let mut work = pin!(work);
    if prompted && let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    if prompted {
        failure::complain(
            "wick: waiting for the end of standard input, which stands before the prompt; </dev/null gives none\n",
        );
    }
    work.await
}

async fn piped() -> Result<String, InputError> {
    let (sender, receiver) = oneshot::channel();
    let read = move || {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes);
        // Nobody waits any more after Ctrl-C.
        let _ = sender.send(read.map(|_| bytes));
    };
    std::thread::Builder::new()
        .name("standard-input".to_owned())
        .spawn(read)
        .map_err(InputError::Thread)?;
    let gone = |_| InputError::Read(io::Error::from(io::ErrorKind::BrokenPipe));
    let bytes = receiver.await.map_err(gone)?.map_err(InputError::Read)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(InputError::TooLong);
    }
    String::from_utf8(bytes).map_err(|error| InputError::NotText {
        at: error.utf8_error().valid_up_to(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_piped_in_stands_before_the_prompt() {
        let joined = |piped: &str, prompt, raw| joined(Some(piped.to_owned()), prompt, raw).ok();
        assert_eq!(
            joined("a\nb\n", Some("c\n"), false).as_deref(),
            Some("a\nb\n\nc\n")
        );
        assert_eq!(joined("\n", Some("c"), false).as_deref(), Some("c"));
        assert_eq!(joined(" a\r\n", None, false).as_deref(), Some(" a"));
        assert_eq!(joined(" a\n", None, true).as_deref(), Some(" a\n"));
        assert_eq!(joined("\n", None, true), None);
    }
}
