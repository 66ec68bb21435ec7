//! How much a generator takes on: sequences at once, a chunk of a prompt, requests waiting, caches kept, items unread.

/// Bounds of a [`TextGenerator`](crate::TextGenerator).
///
/// A value of 0 is taken as 1, except for `waiting` and `prefix_bytes`.
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
    /// Bytes of the caches of earlier requests that are kept for prompts that begin alike; the least recently used leave
    /// first. 0 keeps none. Caches of running sequences come on top.
    pub prefix_bytes: usize,
    /// Chunks that may lie unread between the worker and one reader. A sequence whose reader is so far
    /// behind rests until it has read on.
    pub unread: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            running: 16,
            prefill_chunk: 128,
            waiting: 256,
            prefix_bytes: 1 << 30,
            unread: 64,
        }
    }
}
