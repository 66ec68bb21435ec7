//! What a request streams: text with the token ids behind it, and at the very end how it ended.
//!
//! Every chunk's text is whole UTF-8. Exactly one chunk of each choice carries an end, its last; the stream ends with the
//! last of them.

use std::time::Duration;

use simd_sampling::TokenLogprob;

/// A piece of generated text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CandleStringChunk {
    /// Which of the request's choices this belongs to, from 0.
    pub choice: u32,
    /// Text that became complete with this chunk. Empty where a token shows nothing, or where its bytes
    /// only begin a character or perhaps a stop string; the rest comes with a later chunk.
    pub text: String,
    /// The token ids generated for this chunk, the one that ended the generation included.
    pub tokens: Vec<u32>,
    /// What the model gave each of the tokens, where the request asks for it; else empty.
    pub logprobs: Vec<TokenLogprobs>,
    /// What the model gave the tokens of the prompt, where the request asks for it: from the second on, in order, in chunks
    /// of choice 0 before its first token.
    pub prompt_logprobs: Vec<TokenLogprobs>,
    /// How the choice ended; only in its last chunk.
    pub end: Option<GenerationEnd>,
}

/// Log-probabilities of one generated token and of those that could have stood in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprobs {
    /// The token that was chosen.
    pub chosen: TokenLogprob,
    /// The most probable tokens, the best first, among equals the lowest id first; masked ones are left out.
    pub best: Vec<TokenLogprob>,
}

/// How a generation ended, with its counts and times.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationEnd {
    /// Why it ended.
    pub finish: FinishReason,
    /// What stopped it, where it ended with [`FinishReason::Stop`].
    pub stop: Option<StopCause>,
    /// Tokens read and written.
    pub usage: Usage,
    /// Why no more of the prompt was taken from an earlier request's cache; `None` where all of it was but the last
    /// token, which has to be run for the logits after it.
    pub cache_miss: Option<CacheMiss>,
    /// How many tokens were guessed, and how many of them rightly.
    pub drafts: Drafts,
    /// Where the time went.
    pub timings: Timings,
    /// The seed of the draws: the one asked for, or the one drawn fresh, with the number of the choice added. A request
    /// with it for one choice gives the same tokens again.
    pub seed: u64,
}

/// Tokens that were guessed from the context and verified several at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Drafts {
    /// Tokens guessed.
    pub guessed: usize,
    /// Those of them that were then drawn, so that no forward pass of their own was needed.
    pub accepted: usize,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended its answer, came to a stop string, or wrote all that its constraint allows.
    Stop,
    /// `max_tokens` or the end of the context was reached.
    Length,
    /// The model ended its answer after calling tools, whose results it waits for. A generator does not know
    /// calls and never says this: whoever reads its text does.
    ToolCalls,
}

impl FinishReason {
    /// The usual name: `stop`, `length` or `tool_calls`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
        }
    }
}

impl std::fmt::Display for FinishReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stopped a generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopCause {
    /// One of the request's end tokens, by id.
    Token(u32),
    /// One of the request's stop strings.
    Text(String),
    /// The request's constraint: nothing more could follow.
    Constraint,
}

/// Why a prompt, or the rest of it, was not in the cache of an earlier request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheMiss {
    /// The model's caches cannot be shared.
    Unsupported,
    /// [`Limits::prefix_bytes`](crate::Limits::prefix_bytes) is 0.
    Off,
    /// No cache is kept: nothing has run, or nothing fits the limit.
    Empty,
    /// A cache that is kept could not be shared: the device has no memory for its last block.
    Failed,
    /// The prompt is scored, which takes all of its logits.
    Scored,
    /// No sequence that is kept goes on like the prompt behind its `cached_tokens`.
    Differs,
}

impl std::fmt::Display for CacheMiss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "the model's caches cannot be shared",
            Self::Off => "caches are not kept",
            Self::Empty => "no cache was kept yet",
            Self::Failed => "a kept cache could not be shared",
            Self::Scored => "the prompt is scored",
            Self::Differs => "the rest is new",
        })
    }
}

/// Tokens read and written by one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Tokens of the prompt, with the beginning-of-sequence token where the tokenizer adds one.
    pub prompt_tokens: usize,
    /// Those of them that were not run, since an earlier request's cache held them.
    pub cached_tokens: usize,
    /// Tokens generated, the end token included.
    pub completion_tokens: usize,
}

impl Usage {
    /// Prompt and completion together.
    pub fn total_tokens(&self) -> usize {
        self.prompt_tokens + self.completion_tokens
    }
}

/// Where the time of one request went, by the worker's monotonic clock.
///
/// The times of a request that shared its steps with others, or that waited for its reader, contain that
/// sharing and that waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timings {
    /// From the request until the worker took it up; the encoding of the prompt is part of it.
    pub queued: Duration,
    /// From there until the logits after the whole prompt.
    pub prefill: Duration,
    /// From the request until its first token.
    pub time_to_first_token: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

impl Timings {
    /// Prompt tokens that were run, per second; `None` where no time was measured.
    pub fn prefill_tok_s(&self, usage: &Usage) -> Option<f64> {
        rate(
            usage.prompt_tokens.saturating_sub(usage.cached_tokens),
            self.prefill,
        )
    }

    /// Generated tokens per second after the first one; `None` where there was only one.
    pub fn decode_tok_s(&self, usage: &Usage) -> Option<f64> {
        rate(usage.completion_tokens.saturating_sub(1), self.decode)
    }
}

fn rate(tokens: usize, time: Duration) -> Option<f64> {
    (tokens > 0 && !time.is_zero()).then(|| tokens as f64 / time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_count_the_tokens_that_the_time_was_spent_on() {
        let usage = Usage {
            prompt_tokens: 107,
            cached_tokens: 7,
            completion_tokens: 11,
        };
        let timings = Timings {
            prefill: Duration::from_millis(500),
            decode: Duration::from_secs(2),
            ..Timings::default()
        };
        assert_eq!(timings.prefill_tok_s(&usage), Some(200.0));
        assert_eq!(timings.decode_tok_s(&usage), Some(5.0));
        assert_eq!(usage.total_tokens(), 118);
    }

    #[test]
    fn a_single_token_has_no_decode_rate() {
        let usage = Usage {
            prompt_tokens: 1,
            cached_tokens: 0,
            completion_tokens: 1,
        };
        assert_eq!(Timings::default().decode_tok_s(&usage), None);
        assert_eq!(Timings::default().prefill_tok_s(&usage), None);
    }
}
