//! The bounded door between the callers and the worker: who waits, who is held, who is gone.
//!
//! A request that is let in holds a [`Place`] until it is over, so that requests waiting, running and set
//! aside together never exceed the limit. The worker is woken by the [`Doorbell`] that everything here
//! rings: a new request, the last handle going; readers ring it themselves.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::GenerateError;
use crate::doorbell::Doorbell;
use crate::embedding::Embedding;
use crate::sequence::Sequence;

/// What the handles and the worker of one generator share.
pub(crate) struct Admission {
    door: Mutex<Door>,
    bell: Arc<Doorbell>,
    held: Arc<AtomicUsize>,
    limit: usize,
}

#[derive(Default)]
struct Door {
    waiting: VecDeque<Sequence>,
    embeddings: VecDeque<Embedding>,
    handles_gone: bool,
    worker_gone: bool,
}

/// The right of one request to be held by the worker; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    held: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    /// A door for at most `limit` requests at once.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            door: Mutex::default(),
            bell: Arc::default(),
            held: Arc::default(),
            limit,
        }
    }

    /// The worker's bell.
    pub(crate) fn bell(&self) -> &Arc<Doorbell> {
        &self.bell
    }

    /// A place for one more request.
    ///
    /// # Errors
    ///
    /// * [`GenerateError::WorkerGone`] if nobody would serve it.
    /// * [`GenerateError::Overloaded`] if all places are taken, also after those whose waiting reader has
    ///   left were given back.
    pub(crate) fn place(&self) -> Result<Place, GenerateError> {
        if self.door().worker_gone {
            return Err(GenerateError::WorkerGone);
        }
        if let Some(place) = self.take_place() {
            return Ok(place);
        }
        self.sweep(Instant::now());
        self.take_place().ok_or_else(|| GenerateError::Overloaded {
            held: self.held.load(Ordering::Acquire),
            limit: self.limit,
        })
    }

    /// Lets a sequence in and wakes the worker. Without a worker it fails at once.
    pub(crate) fn submit(&self, mut sequence: Sequence) {
        {
            let mut door = self.door();
            if !door.worker_gone {
                door.waiting.push_back(sequence);
                drop(door);
                self.bell.ring();
                return;
            }
        }
        sequence.fail(GenerateError::WorkerGone);
    }

    /// Lets a request for vectors in and wakes the worker. Without a worker it fails at once.
    pub(crate) fn submit_embedding(&self, embedding: Embedding) {
        let mut door = self.door();
        if door.worker_gone {
            drop(door);
            embedding.fail(GenerateError::WorkerGone);
            return;
        }
        door.embeddings.push_back(embedding);
        drop(door);
        self.bell.ring();
    }

    /// The request for vectors that has waited longest, if `fits` says so of it.
    pub(crate) fn next_embedding(&self, fits: impl FnOnce(&Embedding) -> bool) -> Option<Embedding> {
        let mut door = self.door();
        door.embeddings.retain(|embedding| !embedding.is_over());
        if door.embeddings.front().is_some_and(fits) {
            door.embeddings.pop_front()
        } else {
            None
        }
    }

    /// Whether a request for vectors waits.
    pub(crate) fn has_embedding(&self) -> bool {
        !self.door().embeddings.is_empty()
    }

    /// The sequence that has waited longest.
    pub(crate) fn next(&self) -> Option<Sequence> {
        self.door().waiting.pop_front()
    }

    /// Puts a sequence back in the place that [`Self::next`] took it from.
    pub(crate) fn put_back(&self, sequence: Sequence) {
        self.door().waiting.push_front(sequence);
    }

    /// Whether a sequence waits.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.door().waiting.is_empty()
    }

    /// Whether nothing waits and nothing more can come.
    pub(crate) fn is_finished(&self) -> bool {
        let door = self.door();
        door.handles_gone && door.waiting.is_empty() && door.embeddings.is_empty()
    }

    /// Forgets the waiting sequences whose readers are gone, and those whose time is over, which fail.
    pub(crate) fn sweep(&self, now: Instant) {
        let late = {
            let mut door = self.door();
            door.waiting.retain(|sequence| !sequence.is_over());
            door.embeddings.retain(|embedding| !embedding.is_over());
            let (late, waiting): (VecDeque<_>, _) = std::mem::take(&mut door.waiting)
                .into_iter()
                .partition(|waits| waits.is_late(now));
            door.waiting = waiting;
            late
        };
        for mut sequence in late {
            sequence.expire(now);
        }
    }

    /// The earliest deadline of those that wait.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.door().waiting.iter().filter_map(Sequence::deadline).min()
    }

    /// No handle is left to make requests.
    pub(crate) fn handles_gone(&self) {
        self.door().handles_gone = true;
        self.bell.ring();
    }

    /// The worker has ended: what waits fails, what comes is refused.
    pub(crate) fn worker_gone(&self) {
        let (waiting, embeddings) = {
            let mut door = self.door();
            door.worker_gone = true;
            (
                std::mem::take(&mut door.waiting),
                std::mem::take(&mut door.embeddings),
            )
        };
        for embedding in embeddings {
            embedding.fail(GenerateError::WorkerGone);
        }
        for mut sequence in waiting {
            sequence.fail(GenerateError::WorkerGone);
        }
    }

    fn take_place(&self) -> Option<Place> {
        self.held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| {
                (held < self.limit).then_some(held + 1)
            })
            .ok()
            .map(|_| Place {
                held: Arc::clone(&self.held),
            })
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
