//! Settings of an engine, fixed for its lifetime.

use std::sync::Arc;
use std::time::Duration;

use crate::breaker::BreakerConfig;
use crate::clock::{Clock, SystemClock};
use crate::error::EngineError;

/// Settings of an engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Name in traces, such as the model's.
    pub name: String,
    /// Requests that run at once; at least 1. A stream that is held and never polled keeps its place among them, past its
    /// deadlines too: whoever may stop reading should drop the stream.
    pub max_running: usize,
    /// Requests that may wait for their turn beyond those; with 0 nobody waits.
    pub max_waiting: usize,
    /// How long requests may take that do not say so themselves.
    pub deadlines: Deadlines,
    /// When the backend is left alone.
    pub breaker: BreakerConfig,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// How long a request may take, counted from when it was made; what is absent has no limit.
///
/// The first deadline that passes ends the stream with [`EngineError::DeadlineExceeded`] and drops the backend's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// Until the work begins.
    pub queue: Option<Duration>,
    /// Until the first piece of the answer. A backend that says nothing for so long after its work began counts as failed.
    pub first_token: Option<Duration>,
    /// Until the end.
    pub total: Option<Duration>,
}

impl Deadlines {
    /// These, and those of `defaults` where there are none.
    #[must_use]
    pub fn or(self, defaults: Self) -> Self {
        Self {
            queue: self.queue.or(defaults.queue),
            first_token: self.first_token.or(defaults.first_token),
            total: self.total.or(defaults.total),
        }
    }
}

/// Eight at once, sixty-four waiting, no deadlines, the default breaker and the system's clock.
impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            name: "engine".to_owned(),
            max_running: 8,
            max_waiting: 64,
            deadlines: Deadlines::default(),
            breaker: BreakerConfig::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Outcomes that a breaker looks back on.
const LONGEST_WINDOW: u32 = 10_000;

impl EngineConfig {
    /// The default settings under `name`.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`EngineError::InvalidConfig`] for the first setting out of its range.
    pub fn validate(&self) -> Result<(), EngineError> {
        let at_least_one = |field, value: u64| match value {
            0 => Err(EngineError::InvalidConfig {
                field,
                value: "0".to_owned(),
                expected: "at least 1",
            }),
            _ => Ok(()),
        };
        at_least_one("max_running", self.max_running as u64)?;
        at_least_one("breaker.failures", u64::from(self.breaker.failures))?;
        if !(1..=LONGEST_WINDOW).contains(&self.breaker.window) {
            return Err(EngineError::InvalidConfig {
                field: "breaker.window",
                value: self.breaker.window.to_string(),
                expected: "1 to 10,000",
            });
        }
        if !(self.breaker.rate > 0.0 && self.breaker.rate <= 1.0) {
            return Err(EngineError::InvalidConfig {
                field: "breaker.rate",
                value: self.breaker.rate.to_string(),
                expected: "more than 0 and at most 1",
            });
        }
        Ok(())
    }
}
