//! The calls of one round: checked, asked about, run side by side, each to one result.
//!
//! Every call gives exactly one result, in whatever order they end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Clock, Delay, ToolCall};
use futures::future::{Either, ready, select};
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{FutureExt as _, StreamExt as _, stream};

use super::outcome::cut;
use super::toolbox::Prepared;
use super::{CallContext, Cancellation, Outcome, ToolFault, ToolLimits, ToolResult, Toolbox};
use crate::approval::{Approval, Decision, Proposal};
use crate::errand::message;

/// What a round needs of its role.
#[derive(Clone)]
pub(crate) struct Workshop {
    pub(crate) tools: Toolbox,
    pub(crate) approval: Arc<dyn Approval>,
    pub(crate) limits: ToolLimits,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Runs `calls`; each result comes with the place of its call.
///
/// Calls are decided in order and begin once all are decided. Dropping the stream drops what runs.
pub(crate) fn run(workshop: Workshop, calls: Vec<ToolCall>) -> BoxStream<'static, (usize, ToolResult)> {
    let begun = async move {
        let running = FuturesUnordered::new();
        for (place, call) in calls.into_iter().enumerate() {
            let decided = workshop.decide(place, &call).await;
            let ToolCall { id, name, .. } = call;
            let run = match decided {
                Ok(prepared) => {
                    let (limits, clock) = (workshop.limits, Arc::clone(&workshop.clock));
                    run_one(prepared, id.clone(), limits, clock).boxed()
                }
                Err(outcome) => ready((outcome, Duration::ZERO)).boxed(),
            };
            running.push(run.map(move |(outcome, took)| {
                let result = ToolResult {
                    id,
                    name,
                    outcome,
                    took,
                };
                (place, result)
            }));
        }
        running
    };
    stream::once(begun).flatten().boxed()
}

impl Workshop {
    /// The call, ready to run, or how it ends without running.
    async fn decide(&self, place: usize, call: &ToolCall) -> Result<Prepared, Outcome> {
        let limit = self.limits.calls;
        if place >= limit {
            return Err(Outcome::Failed(ToolFault::TooMany { limit }));
        }
        let prepared = self.tools.prepare(call, &self.limits).map_err(Outcome::Failed)?;
        let proposal = Proposal {
            call: call.clone(),
            arguments: prepared.arguments.clone(),
            tool: prepared.definition.clone(),
        };
        let decision = async { self.approval.decide(proposal).await };
        match AssertUnwindSafe(decision).catch_unwind().await {
            Ok(Decision::Allow) => Ok(prepared),
            Ok(Decision::Refuse { reason }) => Err(Outcome::Refused { reason }),
            Err(panic) => Err(Outcome::Refused {
                reason: Some(format!(
                    "the question whether it may run panicked: {}",
                    message(&*panic)
                )),
            }),
        }
    }
}

/// Runs one call to its end or to its time.
async fn run_one(
    prepared: Prepared,
    id: String,
    limits: ToolLimits,
    clock: Arc<dyn Clock>,
) -> (Outcome, Duration) {
    let Prepared { tool, arguments, .. } = prepared;
    let begun = Instant::now();
    let cancellation = Cancellation::new();
    let context = CallContext {
        id,
        cancellation: cancellation.clone(),
    };
    // Also where this future itself is dropped.
    let _cancel = cancellation.on_drop();
    let call = AssertUnwindSafe(async move { tool.call(arguments, context).await }).catch_unwind();
    let limit = limits.call_time;
    let ended = match Delay::after(clock, limit) {
        Some(delay) => match select(Box::pin(call), delay).await {
            Either::Left((ended, _)) => Some(ended),
            Either::Right(((), _)) => None,
        },
        // More time than a clock can count.
        None => Some(call.await),
    };
    let outcome = match ended {
        None => Outcome::Failed(ToolFault::TimedOut { limit }),
        Some(Err(panic)) => Outcome::Failed(ToolFault::Panicked {
            message: cut(message(&*panic), limits.result_bytes).0,
        }),
        Some(Ok(Ok(text))) => {
            let (text, omitted) = cut(text, limits.result_bytes);
            Outcome::Content { text, omitted }
        }
        Some(Ok(Err(error))) => Outcome::Failed(ToolFault::Failed {
            message: cut(error.to_string(), limits.result_bytes).0,
        }),
    };
    (outcome, begun.elapsed())
}

/// Gives a call an id that none of `before`, the calls of its round, has: its own, or with a number behind it.
pub(crate) fn with_own_id(before: &[ToolCall], call: &mut ToolCall) {
    let taken = |id: &str| before.iter().any(|other| other.id == id);
    if taken(&call.id) {
        let own = (2..).map(|number: usize| format!("{}-{number}", call.id));
        if let Some(id) = own.into_iter().find(|id| !taken(id)) {
            call.id = id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_one_id_get_their_own() {
        let mut calls: Vec<ToolCall> = Vec::new();
        for id in ["a", "a", "b", "a-2", "a", ""] {
            let mut call = ToolCall::new(id, "now", "{}");
            with_own_id(&calls, &mut call);
            calls.push(call);
        }
        let ids: Vec<_> = calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["a", "a-2", "b", "a-2-2", "a-3", ""]);
    }
}
