//! When a request reached which stage.

use std::time::{Duration, Instant};

use crate::Timings;

/// The times of one request so far, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    asked: Instant,
    started: Option<Instant>,
    prefilled: Option<Instant>,
    first_token: Option<Instant>,
    last_token: Option<Instant>,
}

impl Clock {
    /// A request made at `asked`.
    pub(crate) fn new(asked: Instant) -> Self {
        Self {
            asked,
            started: None,
            prefilled: None,
            first_token: None,
            last_token: None,
        }
    }

    /// The time from the request until `now`.
    pub(crate) fn since_asked(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.asked)
    }

    /// The worker takes the request up; later calls change nothing.
    pub(crate) fn start(&mut self) {
        self.started.get_or_insert_with(Instant::now);
    }

    /// The logits after the whole prompt were there at `ready`; later calls change nothing.
    pub(crate) fn prefilled(&mut self, ready: Instant) {
        self.prefilled.get_or_insert(ready);
    }

    /// A token was drawn.
    pub(crate) fn token(&mut self) {
        let now = Instant::now();
        self.first_token.get_or_insert(now);
        self.last_token = Some(now);
    }

    /// The times between the stages; a stage not reached counts as of no length.
    pub(crate) fn timings(&self) -> Timings {
        let started = self.started.unwrap_or(self.asked);
        let prefilled = self.prefilled.unwrap_or(started);
        let first_token = self.first_token.unwrap_or(prefilled);
        let last_token = self.last_token.unwrap_or(first_token);
        Timings {
            queued: started.saturating_duration_since(self.asked),
            prefill: prefilled.saturating_duration_since(started),
            time_to_first_token: first_token.saturating_duration_since(self.asked),
            decode: last_token.saturating_duration_since(first_token),
        }
    }
}
