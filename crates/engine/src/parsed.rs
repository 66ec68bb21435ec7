//! A token stream read through an output parser: the chunks of a completion.
//!
//! Ends with the end of the last choice or an error; whatever the token stream holds after that is never polled.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Stream, ready};
use generator::{
    AsyncStream, CacheMiss, CandleStringChunk, Drafts, FinishReason, GenerateError, GenerationEnd, StopCause,
    Timings, Usage,
};

use crate::chunk::CandleCompletionChunk;
use crate::error::EngineError;
use crate::parser::{Events, OutputParser};

/// A generation read through a parser.
pub(crate) struct Parsed {
    generation: AsyncStream<Result<CandleStringChunk, GenerateError>>,
    parser: Box<dyn OutputParser>,
    events: Events,
    /// Choices that have not ended.
    open: u32,
    /// What the ends of choices add up to.
    total: Option<Total>,
    ended: bool,
}

/// The whole of a completion, from the ends of its choices.
#[derive(Clone, Copy)]
struct Total {
    usage: Usage,
    timings: Timings,
    seed: u64,
    cache_miss: Option<CacheMiss>,
    drafts: Drafts,
}

impl Total {
    fn of(choice: u32, end: &GenerationEnd) -> Self {
        Self {
            usage: end.usage,
            timings: end.timings,
            seed: end.seed.wrapping_sub(u64::from(choice)),
            cache_miss: end.cache_miss,
            drafts: end.drafts,
        }
    }

    /// With another choice of the same prompt.
    fn and(self, other: Self) -> Self {
        let (first, last) = (&self.timings, &other.timings);
        let time_to_first_token = first.time_to_first_token.min(last.time_to_first_token);
        let until = |timings: &Timings| timings.time_to_first_token + timings.decode;
        Self {
            usage: Usage {
                completion_tokens: self.usage.completion_tokens + other.usage.completion_tokens,
                ..self.usage
            },
            timings: Timings {
                time_to_first_token,
                decode: until(first).max(until(last)).saturating_sub(time_to_first_token),
                ..self.timings
            },
            drafts: Drafts {
                guessed: self.drafts.guessed + other.drafts.guessed,
                accepted: self.drafts.accepted + other.drafts.accepted,
            },
            ..self
        }
    }
}

impl Parsed {
    pub(crate) fn new(
        generation: AsyncStream<Result<CandleStringChunk, GenerateError>>,
        parser: Box<dyn OutputParser>,
        choices: u32,
    ) -> Self {
        Self {
            generation,
            parser,
            events: Events::new(),
            open: choices,
            total: None,
            ended: false,
        }
    }

    fn read(&mut self, mut chunk: CandleStringChunk) {
        let prompt = std::mem::take(&mut chunk.prompt_logprobs);
        if !prompt.is_empty() {
            let logprobs = prompt;
            self.events
                .append(CandleCompletionChunk::PromptLogprobs { logprobs });
        }
        let (choice, logprobs) = (chunk.choice, std::mem::take(&mut chunk.logprobs));
        if !logprobs.is_empty() {
            self.events
                .append(CandleCompletionChunk::Logprobs { choice, logprobs });
        }
        self.parser.push(&chunk, &mut self.events);
        let Some(end) = chunk.end else { return };
        self.parser.finish(choice, &mut self.events);
        let total = Total::of(choice, &end);
        let total = self.total.map_or(total, |before| before.and(total));
        self.total = Some(total);
        let finish = match end.finish {
            // A stop string cuts off, be it inside a call: the model has not ended it.
            FinishReason::Stop if matches!(end.stop, Some(StopCause::Text(_))) => FinishReason::Stop,
            FinishReason::Stop if self.events.calls_tools(choice) => FinishReason::ToolCalls,
            finish => finish,
        };
        self.events.append(CandleCompletionChunk::Finish {
            choice,
            finish,
            stop: end.stop,
        });
        self.open = self.open.saturating_sub(1);
        if self.open == 0 {
            self.ended = true;
            self.events.append(CandleCompletionChunk::Complete {
                usage: total.usage,
                timings: total.timings,
                seed: Some(total.seed),
                cache_miss: total.cache_miss,
                drafts: total.drafts,
            });
        }
    }
}

impl Stream for Parsed {
    type Item = Result<CandleCompletionChunk, EngineError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.events.pop() {
                return Poll::Ready(Some(Ok(event)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.generation).poll_next(cx)) {
                Some(Ok(chunk)) => this.read(chunk),
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => this.ended = true,
            }
        }
    }
}
