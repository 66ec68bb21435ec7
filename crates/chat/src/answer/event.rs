//! What an answer tells while it streams in.

use engine::ToolCall;
use generator::TokenLogprobs;

use crate::conversation::Summary;
use crate::history::{Summarised, Trimmed};
use crate::recall::{Injection, MemoryFault};
use crate::tool::ToolResult;

/// One event of an answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// What was found in memory, and stands before the message in the prompt exactly as told here.
    Recalled(Injection),
    /// The oldest turns are not shown to the model any more.
    Trimmed(Trimmed),
    /// The oldest turns are shown to the model as a summary.
    Summarised(Summarised),
    /// A piece of the answer: whole characters, never empty.
    Text(String),
    /// A piece of the model's reasoning, which is no part of the answer: whole characters, never empty.
    Reasoning(String),
    /// Log-probabilities of the tokens of the piece that follows, where the role's parameters ask for them.
    Logprobs(Vec<TokenLogprobs>),
    /// Log-probabilities of the prompt's tokens, where the role's parameters ask for them.
    PromptLogprobs(Vec<TokenLogprobs>),
    /// The model calls a tool. Arguments that are cut off are not valid JSON. Where the role has a toolbox, its result
    /// follows; else nothing here runs it.
    ToolCall(ToolCall),
    /// A call has ended; those of one round end in any order.
    ToolResult(ToolResult),
    /// The model has ended a round with calls, which run next: the figures of this round alone.
    Round(Summary),
    /// Memory failed, and the answer goes on without it. Nothing is lost silently: a turn that could not be stored stands
    /// in the chat, and is stored with the next; [`Chat::unsaved`](crate::Chat::unsaved) counts such turns.
    MemoryFailed(MemoryFault),
    /// The answer is complete and its turn is kept; the last event.
    Done(Summary),
}
