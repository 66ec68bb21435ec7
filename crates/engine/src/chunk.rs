//! What a completion streams: pieces of the answer, the end of each choice, the end of the whole.
//!
//! A stream that succeeds holds any number of text and reasoning chunks and of tool calls, a
//! [`Finish`](CandleCompletionChunk::Finish) for each choice after its last piece, and one
//! [`Complete`](CandleCompletionChunk::Complete) as its last item. A stream that fails ends with an error
//! in its place.
//!
//! A call of a tool is a [`ToolCallStart`](CandleCompletionChunk::ToolCallStart), its arguments piece by piece, and a
//! [`ToolCallComplete`](CandleCompletionChunk::ToolCallComplete) with all of it: who does not stream calls reads the
//! last alone.
//!
//! **Each token of a completion is in exactly one chunk's [`tokens`](CandleCompletionChunk::tokens)**, in order,
//! where the backend knows them: in the first text, reasoning or arguments that came with it or after it, or
//! in an empty text at the end. Where log-probabilities are asked for, those of a token come before the chunk that it is
//! in: the `n`-th of a choice are those of its `n`-th token.

use generator::{CacheMiss, Drafts, FinishReason, StopCause, Timings, TokenLogprobs, Usage};

use crate::tool::ToolCall;

/// One item of a completion.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CandleCompletionChunk {
    /// A piece of the answer.
    Text {
        /// Which of the answers asked for, from 0.
        choice: u32,
        /// Whole characters of UTF-8; empty where tokens add no visible text, as the end token does.
        text: String,
        /// Ids of the tokens consumed for this piece, where the backend knows them.
        tokens: Vec<u32>,
    },
    /// A piece of the model's reasoning, which is no part of the answer.
    Reasoning {
        /// Which of the answers asked for, from 0.
        choice: u32,
        /// Whole characters of UTF-8.
        text: String,
        /// Ids of the tokens consumed for this piece, where the backend knows them.
        tokens: Vec<u32>,
    },
    /// The model begins to call a tool.
    ToolCallStart {
        /// Which of the answers asked for, from 0.
        choice: u32,
        /// Which of the choice's calls, from 0.
        index: u32,
        /// The id of the call.
        id: String,
        /// The tool called; nothing says that it was declared.
        name: String,
    },
    /// A piece of a call's arguments.
    ToolCallDelta {
        /// Which of the answers asked for, from 0.
        choice: u32,
        /// Which of the choice's calls, from 0.
        index: u32,
        /// A piece of JSON text; all pieces joined are the arguments of the complete call.
        arguments: String,
        /// Ids of the tokens consumed for this piece, where the backend knows them.
        tokens: Vec<u32>,
    },
    /// A call is complete, or as complete as it will ever be: no piece of it follows. Where the model was
    /// cut off inside an argument, the arguments are not valid JSON, so that nobody runs them by mistake.
    ToolCallComplete {
        /// Which of the answers asked for, from 0.
        choice: u32,
        /// Which of the choice's calls, from 0.
        index: u32,
        /// The whole call.
        call: ToolCall,
    },
    /// What the model gave the next tokens of a choice, where it was asked for.
    Logprobs {
        /// Which of the answers asked for, from 0.
        choice: u32,
        /// One for each token, in order.
        logprobs: Vec<TokenLogprobs>,
    },
    /// What the model gave the tokens of the prompt, where it was asked for: from the second on, in order.
    PromptLogprobs {
        /// One for each token.
        logprobs: Vec<TokenLogprobs>,
    },
    /// A choice has ended; no piece of it follows.
    Finish {
        /// Which of the answers asked for, from 0.
        choice: u32,
        /// Why it ended: with [`FinishReason::ToolCalls`] where the model ended it after calling tools, and with
        /// [`FinishReason::Length`] where it was cut off, be it inside a call or between two.
        finish: FinishReason,
        /// What ended it, where generation stopped by itself and the backend tells.
        stop: Option<StopCause>,
    },
    /// The completion has ended; the last item of a stream that succeeds.
    Complete {
        /// Tokens read and generated; those generated of all choices together.
        usage: Usage,
        /// Where the time went: until the first token of any choice, and until the last of any.
        timings: Timings,
        /// Seed that the draws of choice 0 were made with, where the backend tells; choice `n` draws with `n` more.
        seed: Option<u64>,
        /// Why no more of the prompt was taken from an earlier request's cache, where the backend tells.
        cache_miss: Option<CacheMiss>,
        /// Tokens that were guessed, of all choices together.
        drafts: Drafts,
    },
}

impl CandleCompletionChunk {
    /// The piece of the answer, if this chunk is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            CandleCompletionChunk::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The whole call of a tool, if this chunk completes one.
    pub fn tool_call(&self) -> Option<&ToolCall> {
        match self {
            CandleCompletionChunk::ToolCallComplete { call, .. } => Some(call),
            _ => None,
        }
    }

    /// Ids of the tokens consumed for this chunk; none for the begin and end of a call, for log-probabilities, and for
    /// the two kinds of end.
    pub fn tokens(&self) -> &[u32] {
        match self {
            CandleCompletionChunk::Text { tokens, .. }
            | CandleCompletionChunk::Reasoning { tokens, .. }
            | CandleCompletionChunk::ToolCallDelta { tokens, .. } => tokens,
            CandleCompletionChunk::ToolCallStart { .. }
            | CandleCompletionChunk::ToolCallComplete { .. }
            | CandleCompletionChunk::Logprobs { .. }
            | CandleCompletionChunk::PromptLogprobs { .. }
            | CandleCompletionChunk::Finish { .. }
            | CandleCompletionChunk::Complete { .. } => &[],
        }
    }
}
