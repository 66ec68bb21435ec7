//! Counts of what an engine has done, as plain numbers.
//!
//! At any moment `requests = waiting + in_flight + completed + failed + cancelled + rejected`.

use std::fmt;
use std::time::Duration;

use crate::breaker::BreakerState;

/// A snapshot of an engine's counts since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Whether requests are taken.
    pub state: EngineState,
    /// Requests made, refused ones included.
    pub requests: u64,
    /// Streams whose work has not begun: not yet polled, or waiting for their turn.
    pub waiting: u64,
    /// Requests that are being worked on.
    pub in_flight: u64,
    /// Requests that ended with `Complete`.
    pub completed: u64,
    /// Requests that ended with an error after their work had begun, and that were not found to be invalid by it.
    pub failed: u64,
    /// Requests whose stream was dropped before its end.
    pub cancelled: u64,
    /// Requests refused before any token: invalid, no place in the queue, too long in it, circuit open, not ready.
    pub rejected: u64,
    /// Choices of completed requests that the model ended, or a stop string.
    pub stopped: u64,
    /// Choices of completed requests that were cut off at their length.
    pub cut_off: u64,
    /// Choices of completed requests that end in calls of tools.
    pub called_tools: u64,
    /// Tokens of the prompts of completed requests.
    pub prompt_tokens: u64,
    /// Those of them that an earlier request's cache held.
    pub cached_tokens: u64,
    /// Tokens generated; of requests that failed or were cancelled, those that had been received.
    pub completion_tokens: u64,
    /// Tokens guessed for completed requests.
    pub guessed_tokens: u64,
    /// Those of them that were right.
    pub accepted_tokens: u64,
    /// Sum of the times that requests waited for their turn before their work began.
    pub queued: Duration,
    /// Sum of the times to first token of completed requests, waiting included.
    pub time_to_first_token: Duration,
    /// Sum of the times from first to last token of completed requests.
    pub decode: Duration,
    /// Whether requests reach the backend.
    pub breaker: BreakerState,
}

/// Whether an engine takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineState {
    /// Not yet: its backend is being made ready.
    Loading,
    /// It does.
    #[default]
    Ready,
    /// No more; those that it has are served to their end.
    Draining,
    /// No more, and it has none.
    Stopped,
}

impl fmt::Display for EngineState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        })
    }
}
