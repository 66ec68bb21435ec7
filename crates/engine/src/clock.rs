//! Time as the engine sees it: monotonic, and given from outside where a test wants to hold it still.

use std::fmt;
use std::task::Waker;
use std::time::Instant;

use crate::timer;

/// A clock that never goes back.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Instant;

    /// Wakes `waker` at `time` or a little later; at once, where that has passed. Never before, and once for each call,
    /// whether the waker is still needed or not.
    fn wake_at(&self, time: Instant, waker: Waker);
}

/// The system's monotonic clock. One thread of the process, started with the first call, wakes whoever asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wake_at(&self, time: Instant, waker: Waker) {
        timer::wake_at(time, waker);
    }
}
