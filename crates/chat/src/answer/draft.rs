//! A turn as it comes about.
//!
//! Every call in it that is not its last word has a result.

use std::mem;
use std::time::Duration;

use engine::{CandleCompletionChunk, EngineError, Message, ToolCall};
use generator::FinishReason;

use super::event::Event;
use super::{Outcome, ToolFault, ToolResult};
use crate::conversation::{Ending, Summary, Turn, user_message};
use crate::recall::Injection;
use crate::tool::round::with_own_id;

pub(super) struct Draft {
    /// Which turn it will be.
    pub(super) number: usize,
    pub(super) user: String,
    pub(super) recalled: Option<Injection>,
    /// Calls and results of the rounds before.
    pub(super) between: Vec<Message>,
    /// What was said in this round.
    pub(super) answer: String,
    pub(super) reasoning: String,
    /// What was called in this round.
    pub(super) tool_calls: Vec<ToolCall>,
    finish: Option<FinishReason>,
    /// The rounds that have ended.
    summary: Option<Summary>,
    /// Rounds whose calls have their results.
    pub(super) rounds: usize,
    /// Tokens that have arrived.
    pub(super) tokens: u64,
}

/// What a chunk is to the reader.
pub(super) enum Read {
    Nothing,
    Event(Event),
    /// The round is over.
    End(Summary),
}

impl Draft {
    pub(super) fn new(user: String, number: usize) -> Self {
        Self {
            number,
            user,
            recalled: None,
            between: Vec::new(),
            answer: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            finish: None,
            summary: None,
            rounds: 0,
            tokens: 0,
        }
    }

    /// The turn so far, as the model is shown it.
    pub(super) fn messages(&self) -> Vec<Message> {
        let mut messages = vec![user_message(&self.user, self.recalled.as_ref())];
        messages.extend(self.between.iter().cloned());
        messages
    }

    /// The message without what was recalled for it, where that is not yet shown and may be left out.
    pub(super) fn without_recalled(&self) -> Option<Message> {
        let may = self.rounds == 0 && self.recalled.is_some();
        may.then(|| user_message(&self.user, None))
    }

    pub(super) fn read(&mut self, chunk: CandleCompletionChunk) -> Result<Read, EngineError> {
        Ok(match chunk {
            CandleCompletionChunk::Text { text, .. } if !text.is_empty() => {
                self.answer.push_str(&text);
                Read::Event(Event::Text(text))
            }
            CandleCompletionChunk::Reasoning { text, .. } if !text.is_empty() => {
                self.reasoning.push_str(&text);
                Read::Event(Event::Reasoning(text))
            }
            CandleCompletionChunk::ToolCallComplete { mut call, .. } => {
                with_own_id(&self.tool_calls, &mut call);
                self.tool_calls.push(call.clone());
                Read::Event(Event::ToolCall(call))
            }
            CandleCompletionChunk::Logprobs { logprobs, .. } => Read::Event(Event::Logprobs(logprobs)),
            CandleCompletionChunk::PromptLogprobs { logprobs } => {
                Read::Event(Event::PromptLogprobs(logprobs))
            }
            CandleCompletionChunk::Finish { finish, .. } => {
                self.finish = Some(finish);
                Read::Nothing
            }
            CandleCompletionChunk::Complete {
                usage,
                timings,
                seed,
                cache_miss,
                drafts,
            } => {
                let fault = "has no finish before the end";
                let finish = self.finish.take();
                Read::End(Summary {
                    finish: finish.ok_or(EngineError::OutOfOrder { choice: 0, fault })?,
                    usage,
                    timings,
                    seed,
                    cache_miss,
                    drafts,
                    rounds: 1,
                })
            }
            _ => Read::Nothing,
        })
    }

    /// Counts a round that has ended; all of them together.
    pub(super) fn add(&mut self, round: Summary) -> Summary {
        let summary = match self.summary.take() {
            Some(before) => before.and(round),
            None => round,
        };
        self.summary = Some(summary.clone());
        summary
    }

    /// Ends a round of calls with these results, in the order of the calls; a call without one gets `fault`, and the
    /// results that were made so are returned.
    pub(super) fn fail_calls(
        &mut self,
        results: &mut Vec<Option<ToolResult>>,
        fault: impl Fn() -> ToolFault,
    ) -> Vec<ToolResult> {
        let calls = mem::take(&mut self.tool_calls);
        results.resize(calls.len(), None);
        let mut failed = Vec::new();
        let mut shown = Vec::with_capacity(calls.len());
        for (call, result) in calls.iter().zip(results) {
            let outcome = match result {
                Some(result) => result.outcome.shown(),
                None => {
                    let result = ToolResult {
                        id: call.id.clone(),
                        name: call.name.clone(),
                        outcome: Outcome::Failed(fault()),
                        took: Duration::ZERO,
                    };
                    let outcome = result.outcome.shown();
                    failed.push(result);
                    outcome
                }
            };
            shown.push(Message::tool_result(&call.id, outcome));
        }
        let said = mem::take(&mut self.answer);
        self.between.push(Message::assistant(said).with_tool_calls(calls));
        self.between.extend(shown);
        if !self.reasoning.is_empty() {
            self.reasoning.push('\n');
        }
        self.rounds += 1;
        failed
    }

    /// Whether nothing was said, called or done.
    pub(super) fn is_empty(&self) -> bool {
        self.answer.is_empty() && self.tool_calls.is_empty() && self.between.is_empty()
    }

    /// The turn, and its number; the draft is empty then.
    pub(super) fn turn(&mut self, ending: Ending) -> (usize, Turn) {
        let turn = Turn {
            user: mem::take(&mut self.user),
            recalled: self.recalled.take(),
            between: mem::take(&mut self.between),
            answer: mem::take(&mut self.answer),
            reasoning: mem::take(&mut self.reasoning),
            tool_calls: mem::take(&mut self.tool_calls),
            ending,
        };
        (self.number, turn)
    }
}
