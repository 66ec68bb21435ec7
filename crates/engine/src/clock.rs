//! Time as the engine sees it: monotonic, and given from outside where a test wants to hold it still.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use crate::timer;

/// A clock that never goes back.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Instant;

    /// Rings `alarm` at `time` or a little later; at once, where that has passed. Never before.
    fn ring_at(&self, time: Instant, alarm: Alarm);
}

/// The system's monotonic clock. One thread of the process, started with the first alarm, rings them all.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn ring_at(&self, time: Instant, alarm: Alarm) {
        timer::ring_at(time, alarm);
    }
}

/// What wakes a stream for its deadline, unless the stream has ended before: a clock keeps clones of it, and may forget
/// those that nobody needs any more.
#[derive(Clone, Debug, Default)]
pub struct Alarm(Arc<Mutex<Option<Waker>>>);

impl Alarm {
    /// Wakes whoever waits, once.
    pub fn ring(&self) {
        // A waker may do anything, such as setting an alarm.
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether anybody waits for it.
    pub fn is_needed(&self) -> bool {
        self.waker().is_some()
    }

    /// Makes it wake `waker`, and nobody else; says whether it was needed already.
    pub(crate) fn set(&self, waker: &Waker) -> bool {
        let mut slot = self.waker();
        match &mut *slot {
            Some(set) => {
                set.clone_from(waker);
                true
            }
            None => {
                *slot = Some(waker.clone());
                false
            }
        }
    }

    /// Makes it wake nobody.
    pub(crate) fn clear(&self) {
        let waker = self.waker().take();
        drop(waker);
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
