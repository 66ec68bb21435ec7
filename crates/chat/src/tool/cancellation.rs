//! Whether a call is still wanted.
//!
//! It goes one way: what is cancelled stays so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is raised when a call is not wanted any more.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// One that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the call is over: at its time limit, or with its answer.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Raises it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Raises it when this is dropped.
    pub(crate) fn on_drop(self) -> CancelOnDrop {
        CancelOnDrop(self)
    }
}

/// Raises its flag when it is dropped.
pub(crate) struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
