//! Ctrl-C while something runs.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Time within which several Ctrl-C are one: a terminal and a shell may both send it, and a person's are further apart.
pub(crate) const TOGETHER: Duration = Duration::from_millis(50);

/// How often Ctrl-C was pressed with nothing between.
#[derive(Debug, Default)]
pub(crate) struct Presses {
    last: Option<Instant>,
}

/// What a Ctrl-C is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Press {
    First,
    /// The same as the one just before.
    Same,
    Again,
}

impl Presses {
    /// Counts one that comes at `now`.
    pub(crate) fn press(&mut self, now: Instant) -> Press {
        match self.last {
            None => {
                self.last = Some(now);
                Press::First
            }
            Some(last) if now.saturating_duration_since(last) < TOGETHER => Press::Same,
            Some(_) => Press::Again,
        }
    }

    /// Something else came between.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

/// What became of work that Ctrl-C may stop.
pub(crate) enum Outcome<T> {
    /// It ended by itself.
    Done(T),
    /// Ctrl-C came first; the work was dropped.
    Interrupted,
}

/// A runtime for the streams of one command.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Runs `work` until it ends or Ctrl-C is pressed.
///
/// # Errors
///
/// Where the signal cannot be listened for.
pub(crate) async fn or_interrupt<T>(work: impl Future<Output = T>) -> anyhow::Result<Outcome<T>> {
    tokio::select! {
        biased;
        signal = tokio::signal::ctrl_c() => {
            signal.context("cannot listen for Ctrl-C")?;
            Ok(Outcome::Interrupted)
        }
        value = work => Ok(Outcome::Done(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_together_is_one() {
        let mut presses = Presses::default();
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        assert_eq!(presses.press(at(0)), Press::First);
        assert_eq!(presses.press(at(3)), Press::Same);
        assert_eq!(presses.press(at(49)), Press::Same);
        assert_eq!(presses.press(at(50)), Press::Again);
        presses.forget();
        assert_eq!(presses.press(at(60)), Press::First);
    }
}
