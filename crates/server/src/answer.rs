//! A whole answer, gathered from its pieces.

use engine::{
    CandleCompletionChunk, Drafts, FinishReason, StopCause, Timings, TokenLogprobs, ToolCall, Usage,
};
use futures::StreamExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Failure;
use crate::model::Chunks;

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) choices: Vec<Choice>,
    /// What the model gave the tokens of the prompt, where that was asked for.
    pub(crate) prompt_logprobs: Vec<TokenLogprobs>,
    pub(crate) end: End,
}

/// One of the answers that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    /// Tokens of the reasoning, where they are known.
    pub(crate) reasoning_tokens: usize,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) logprobs: Vec<TokenLogprobs>,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) stop: Option<StopCause>,
}

/// The figures of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    pub(crate) usage: Usage,
    pub(crate) timings: Timings,
    pub(crate) seed: Option<u64>,
    pub(crate) drafts: Drafts,
}

impl End {
    /// The figures of the last piece of an answer.
    pub(crate) fn of(chunk: &CandleCompletionChunk) -> Option<Self> {
        match chunk {
            CandleCompletionChunk::Complete {
                usage,
                timings,
                seed,
                drafts,
                ..
            } => Some(Self {
                usage: *usage,
                timings: *timings,
                seed: *seed,
                drafts: *drafts,
            }),
            _ => None,
        }
    }
}

/// Reads an answer of `choices` choices to its end.
pub(crate) async fn gather(mut chunks: Chunks, choices: u32) -> Result<Answer, Failure> {
    let mut answer = Answer::of(choices);
    while let Some(chunk) = chunks.next().await {
        if answer.take(chunk?) {
            return Ok(answer);
        }
    }
    // A provider's stream ends with its figures or an error.
    Err(Failure::internal())
}

impl Answer {
    /// One of `choices` choices, of which nothing has come.
    pub(crate) fn of(choices: u32) -> Self {
        let mut answer = Self::default();
        answer.choices.resize_with(choices as usize, Choice::default);
        answer
    }

    /// Takes a piece in; whether it was the last.
    pub(crate) fn take(&mut self, chunk: CandleCompletionChunk) -> bool {
        if let Some(end) = End::of(&chunk) {
            self.end = end;
            return true;
        }
        if let CandleCompletionChunk::PromptLogprobs { logprobs } = chunk {
            self.prompt_logprobs.extend(logprobs);
            return false;
        }
        let Some(choice) = choice_of(&chunk).and_then(|choice| self.choices.get_mut(choice as usize)) else {
            return false;
        };
        match chunk {
            CandleCompletionChunk::Text { text, .. } => choice.text.push_str(&text),
            CandleCompletionChunk::Reasoning { text, tokens, .. } => {
                choice.reasoning.push_str(&text);
                choice.reasoning_tokens += tokens.len();
            }
            CandleCompletionChunk::ToolCallComplete { call, .. } => choice.calls.push(call),
            CandleCompletionChunk::Logprobs { logprobs, .. } => choice.logprobs.extend(logprobs),
            CandleCompletionChunk::Finish { finish, stop, .. } => {
                choice.finish = Some(finish);
                choice.stop = stop;
            }
            _ => {}
        }
        false
    }
}

/// The choice that a piece belongs to.
pub(crate) fn choice_of(chunk: &CandleCompletionChunk) -> Option<u32> {
    match chunk {
        CandleCompletionChunk::Text { choice, .. }
        | CandleCompletionChunk::Reasoning { choice, .. }
        | CandleCompletionChunk::ToolCallStart { choice, .. }
        | CandleCompletionChunk::ToolCallDelta { choice, .. }
        | CandleCompletionChunk::ToolCallComplete { choice, .. }
        | CandleCompletionChunk::Logprobs { choice, .. }
        | CandleCompletionChunk::Finish { choice, .. } => Some(*choice),
        _ => None,
    }
}

/// Tokens read and generated, in OpenAI's shape.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct UsageBody {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptTokensDetails,
    /// Where the time went. An extension.
    timings: TimingsBody,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PromptTokensDetails {
    /// Tokens of the prompt that an earlier request's cache held.
    cached_tokens: usize,
}

/// Where the time of an answer went, in milliseconds, and how fast it was, in tokens per second; a rate that was not
/// measured is null.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TimingsBody {
    queued_ms: f64,
    prefill_ms: f64,
    time_to_first_token_ms: f64,
    decode_ms: f64,
    prefill_tokens_per_second: Option<f64>,
    decode_tokens_per_second: Option<f64>,
    /// Tokens that were guessed from the context.
    guessed_tokens: usize,
    /// Those of them that were right.
    accepted_tokens: usize,
}

impl From<&End> for UsageBody {
    fn from(end: &End) -> Self {
        Self {
            prompt_tokens: end.usage.prompt_tokens,
            completion_tokens: end.usage.completion_tokens,
            total_tokens: end.usage.total_tokens(),
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: end.usage.cached_tokens,
            },
            timings: end.into(),
        }
    }
}

impl From<&End> for TimingsBody {
    fn from(end: &End) -> Self {
        let End {
            usage,
            timings,
            drafts,
            ..
        } = end;
        let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        Self {
            queued_ms: milliseconds(timings.queued),
            prefill_ms: milliseconds(timings.prefill),
            time_to_first_token_ms: milliseconds(timings.time_to_first_token),
            decode_ms: milliseconds(timings.decode),
            prefill_tokens_per_second: timings.prefill_tok_s(usage),
            decode_tokens_per_second: timings.decode_tok_s(usage),
            guessed_tokens: drafts.guessed,
            accepted_tokens: drafts.accepted,
        }
    }
}
