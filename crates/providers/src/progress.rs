//! What a loading model is doing, told to whoever listens.
//!
//! It owns one invariant: a listener never delays the loader. Events go into a bounded queue of each listener;
//! one that lags finds the latest count of a stage instead of every count, and a listener that stops reading
//! costs a fixed amount of memory.

#[cfg(feature = "indicatif")]
pub mod bars;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Events a listener may leave unread; the oldest goes when one more arrives.
const CAPACITY: usize = 256;

/// A step of loading one model, in the order in which they come.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProgressEvent {
    /// A model of a hub was asked for and is being looked for.
    Look {
        /// Its name, `owner/name:PATTERN`.
        model: String,
    },
    /// A file is being downloaded.
    Download {
        /// Its path in the repository.
        file: String,
        /// Bytes that are there.
        done: u64,
        /// Bytes that it has.
        total: u64,
        /// How fast it comes, since the connection was made.
        bytes_per_second: u64,
    },
    /// A downloaded file is being checked.
    Verify {
        /// Its path in the repository.
        file: String,
        /// Bytes checked.
        done: u64,
        /// Bytes that it has.
        total: u64,
    },
    /// A model was asked for and is being opened.
    Resolve {
        /// Its file or folder.
        path: PathBuf,
    },
    /// Its headers are read and its data mapped.
    Map {
        /// Its file or folder.
        path: PathBuf,
        /// Size of its files in bytes.
        bytes: u64,
    },
    /// Weights are being made ready.
    Load {
        /// Bytes of tensors done.
        done: u64,
        /// Bytes of tensors in all.
        total: u64,
    },
    /// The model answers prompts.
    Ready {
        /// Time since `Resolve`.
        elapsed: Duration,
    },
    /// Loading ended with an error; its whole chain of causes, in one line.
    Failed {
        /// The error's text.
        message: String,
    },
}

impl ProgressEvent {
    /// Whether `self` says all that `earlier` said, so that `earlier` need not be read any more.
    fn supersedes(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Load { .. }, Self::Load { .. }) => true,
            (Self::Download { file, .. }, Self::Download { file: before, .. })
            | (Self::Verify { file, .. }, Self::Verify { file: before, .. }) => file == before,
            _ => false,
        }
    }
}

/// Where a loader says what it does; clones are the same hub.
///
/// A hub without listeners costs nothing but a lock per event.
#[derive(Clone, Debug, Default)]
pub struct ProgressHub {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    listeners: Mutex<Vec<Weak<Queue>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let listeners = self.listeners.get_mut().unwrap_or_else(PoisonError::into_inner);
        for queue in listeners.iter().filter_map(Weak::upgrade) {
            queue.lock().closed = true;
            queue.arrived.notify_all();
        }
    }
}

impl ProgressHub {
    /// A hub that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hears every event sent from now on.
    pub fn subscribe(&self) -> ProgressListener {
        let queue = Arc::new(Queue::default());
        lock(&self.shared.listeners).push(Arc::downgrade(&queue));
        ProgressListener { queue }
    }

    /// Tells every listener; never waits for one.
    pub fn send(&self, event: &ProgressEvent) {
        lock(&self.shared.listeners).retain(|listener| match listener.upgrade() {
            Some(queue) => {
                queue.push(event.clone());
                true
            }
            None => false,
        });
    }
}

/// One listener's end of a [`ProgressHub`]; dropping it unsubscribes.
#[derive(Debug)]
pub struct ProgressListener {
    queue: Arc<Queue>,
}

impl ProgressListener {
    /// The next event, waited for; none once the hub and all its clones are dropped.
    pub fn recv(&self) -> Option<ProgressEvent> {
        let mut state = self.queue.lock();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Some(event);
            }
            if state.closed {
                return None;
            }
            state = self
                .queue
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next event, waited for no longer than `limit`.
    ///
    /// # Errors
    ///
    /// * [`Silence::Waited`] if none came.
    /// * [`Silence::Closed`] if none will come.
    pub fn recv_timeout(&self, limit: Duration) -> Result<ProgressEvent, Silence> {
        let deadline = Instant::now() + limit;
        let mut state = self.queue.lock();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Ok(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed {
                return Err(Silence::Closed);
            }
            if left.is_zero() {
                return Err(Silence::Waited);
            }
            let waited = self.queue.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The next event if one is there.
    pub fn try_recv(&self) -> Option<ProgressEvent> {
        self.queue.lock().events.pop_front()
    }
}

/// Why a listener heard nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing was sent in the time given.
    Waited,
    /// The hub and all its clones are dropped.
    Closed,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<QueueState>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    events: VecDeque<ProgressEvent>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        lock(&self.state)
    }

    fn push(&self, event: ProgressEvent) {
        let mut state = self.lock();
        match state.events.back_mut() {
            Some(last) if event.supersedes(last) => *last = event,
            _ => {
                if state.events.len() == CAPACITY {
                    state.events.pop_front();
                }
                state.events.push_back(event);
            }
        }
        drop(state);
        self.arrived.notify_one();
    }
}

/// Locks; what a panicking holder left behind is whole, since every change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
