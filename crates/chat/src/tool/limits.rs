//! How much a role's tools may take: rounds, time, bytes.

use std::time::Duration;

/// Bounds of the use of tools within one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolLimits {
    /// Rounds of calls that are run for one message; a model that calls once more ends its answer with
    /// [`ChatError::RoundLimit`](crate::ChatError::RoundLimit).
    pub rounds: usize,
    /// Calls of one round that are run; those beyond are told to the model as [`ToolFault::TooMany`](crate::ToolFault).
    pub calls: usize,
    /// Time that one call may take, from the moment it is approved.
    pub call_time: Duration,
    /// Bytes that the arguments of a call may have as JSON text.
    pub argument_bytes: usize,
    /// Bytes of a call's result that the model is shown; the rest is cut, and the model told how much.
    pub result_bytes: usize,
}

/// Eight rounds of at most 16 calls, a minute for each, 256 KiB of arguments and 32 KiB of result.
impl Default for ToolLimits {
    fn default() -> Self {
        Self {
            rounds: 8,
            calls: 16,
            call_time: Duration::from_secs(60),
            argument_bytes: 256 << 10,
            result_bytes: 32 << 10,
        }
    }
}
