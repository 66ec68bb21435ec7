//! How much a generator takes on: sequences at once, a chunk of a prompt, requests waiting, caches kept, items unread.

/// Bounds of a [`TextGenerator`](crate::TextGenerator).
///
/// A value of 0 is taken as 1, except for `waiting` and those in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sequences run at once, each with a cache of its own; no more than the model can.
    pub running: usize,
    /// Prompt tokens run in one step, over all sequences together. Between two steps the others decode,
    /// and a request that was dropped is noticed.
    pub prefill_chunk: usize,
    /// Requests held beyond those that run at once; one more is refused with
    /// [`GenerateError::Overloaded`](crate::GenerateError::Overloaded).
    pub waiting: usize,
    /// Bytes that the caches of running sequences may come to have, each counted as long as it can become, with all of
    /// its prompt and of the tokens that may follow. A request that needs more alone is refused with
    /// [`GenerateError::CacheTooLarge`](crate::GenerateError::CacheTooLarge); one that needs more than is left waits.
    /// `None`: half of the memory that is free when the generator is made, or 4 GiB where the system does not say.
    pub cache_bytes: Option<usize>,
    /// Bytes of the caches of earlier requests that are kept for prompts that begin alike; the least recently used leave
    /// first. 0 keeps none. Caches of running sequences are not among them.
    pub prefix_bytes: usize,
    /// Chunks of each choice that may lie unread between the worker and one reader. A choice whose reader is so far
    /// behind rests until it has read on.
    pub unread: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            running: 16,
            prefill_chunk: 128,
            waiting: 256,
            cache_bytes: None,
            prefix_bytes: 1 << 30,
            unread: 64,
        }
    }
}

/// Bytes of running caches where the system does not say how much memory is free.
const UNKNOWN: usize = 4 << 30;

impl Limits {
    /// The bytes that running caches may come to have.
    pub(crate) fn running_bytes(&self) -> usize {
        let half = || models::free_memory().and_then(|free| usize::try_from(free / 2).ok());
        self.cache_bytes.or_else(half).unwrap_or(UNKNOWN)
    }
}
