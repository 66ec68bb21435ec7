//! A token stream read through an output parser: the chunks of a completion.
//!
//! Ends with the generation's end or error; whatever the token stream holds after that is never polled.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Stream, ready};
use generator::{AsyncStream, CandleStringChunk, FinishReason, GenerateError, StopCause};

use crate::chunk::CandleCompletionChunk;
use crate::error::EngineError;
use crate::parser::{Events, OutputParser};

/// A generation read through a parser.
pub(crate) struct Parsed {
    generation: AsyncStream<Result<CandleStringChunk, GenerateError>>,
    parser: Box<dyn OutputParser>,
    events: Events,
    ended: bool,
}

impl Parsed {
    pub(crate) fn new(
        generation: AsyncStream<Result<CandleStringChunk, GenerateError>>,
        parser: Box<dyn OutputParser>,
    ) -> Self {
        Self {
            generation,
            parser,
            events: Events::new(),
            ended: false,
        }
    }

    fn read(&mut self, chunk: CandleStringChunk) {
        self.parser.push(&chunk, &mut self.events);
        let Some(end) = chunk.end else { return };
        self.ended = true;
        self.parser.finish(&mut self.events);
        let finish = match end.finish {
            // A stop string cuts off, be it inside a call: the model has not ended it.
            FinishReason::Stop if matches!(end.stop, Some(StopCause::Text(_))) => FinishReason::Stop,
            FinishReason::Stop if self.events.calls_tools(chunk.choice) => FinishReason::ToolCalls,
            finish => finish,
        };
        self.events.end(CandleCompletionChunk::Finish {
            choice: chunk.choice,
            finish,
            stop: end.stop,
        });
        self.events.end(CandleCompletionChunk::Complete {
            usage: end.usage,
            timings: end.timings,
            seed: Some(end.seed),
        });
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
