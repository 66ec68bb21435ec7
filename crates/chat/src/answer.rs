//! An answer as it streams in, and what becomes of its turn.
//!
//! The turn is settled exactly once: kept whole, kept as interrupted, or not kept.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use engine::{CandleCompletionChunk, EngineError, ToolCall};
use futures::Stream;
use generator::{AsyncStream, FinishReason};

use crate::chat::Chat;
use crate::conversation::{Ending, Summary, Turn};
use crate::error::ChatError;

/// One event of an answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A piece of the answer: whole characters, never empty.
    Text(String),
    /// A piece of the model's reasoning, which is no part of the answer: whole characters, never empty.
    Reasoning(String),
    /// The model calls a tool, which nothing here runs. Arguments that are cut off are not valid JSON.
    ToolCall(ToolCall),
    /// The answer is complete and its turn is kept; the last event.
    Done(Summary),
}

/// An answer as it streams in: a stream of [`Event`]s that ends with [`Event::Done`] or an error.
///
/// What becomes of the turn:
///
/// * **Read to `Done`:** it is kept, [finished](Ending::Finished), whether the model came to its end or
///   to its length.
/// * **Dropped before that (cancellation):** generation stops. If any text of the answer, or a whole call
///   of a tool, had been read, the turn is kept with that, marked [interrupted](Ending::Interrupted), and
///   the model is shown it next time, so that it can be asked to go on; [`Chat::undo`] takes it back. If
///   none had, the turn is not kept, and the message stands in [`Chat::unanswered`].
/// * **Ended with an error:** the turn is not kept, whatever had been read, and the message stands in
///   [`Chat::unanswered`]. The conversation is as before and can go on.
#[derive(Debug)]
#[must_use = "an answer that is dropped is cancelled"]
pub struct Answer<'a> {
    chat: &'a mut Chat,
    source: Source,
    user: String,
    answer: String,
    reasoning: String,
    tool_calls: Vec<ToolCall>,
    finish: Option<FinishReason>,
    tokens: u64,
}

#[derive(Debug)]
enum Source {
    Refused(ChatError),
    Completion(AsyncStream<Result<CandleCompletionChunk, EngineError>>),
    /// The turn is settled.
    Ended,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(
        chat: &'a mut Chat,
        user: String,
        completion: AsyncStream<Result<CandleCompletionChunk, EngineError>>,
    ) -> Self {
        Self::from_source(chat, user, Source::Completion(completion))
    }

    pub(crate) fn refused(chat: &'a mut Chat, user: String, error: ChatError) -> Self {
        Self::from_source(chat, user, Source::Refused(error))
    }

    fn from_source(chat: &'a mut Chat, user: String, source: Source) -> Self {
        Self {
            chat,
            source,
            user,
            answer: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            finish: None,
            tokens: 0,
        }
    }

    /// The text of the answer so far.
    pub fn text(&self) -> &str {
        &self.answer
    }

    /// The event that a chunk is, if it is one to be seen.
    fn event(&mut self, chunk: CandleCompletionChunk) -> Result<Option<Event>, ChatError> {
        Ok(match chunk {
            CandleCompletionChunk::Text { text, .. } if !text.is_empty() => {
                self.answer.push_str(&text);
                Some(Event::Text(text))
            }
            CandleCompletionChunk::Reasoning { text, .. } if !text.is_empty() => {
                self.reasoning.push_str(&text);
                Some(Event::Reasoning(text))
            }
            CandleCompletionChunk::ToolCallComplete { call, .. } => {
                self.tool_calls.push(call.clone());
                Some(Event::ToolCall(call))
            }
            CandleCompletionChunk::Finish { finish, .. } => {
                self.finish = Some(finish);
                None
            }
            CandleCompletionChunk::Complete {
                usage,
                timings,
                seed,
                cache_miss,
                drafts,
            } => {
                let fault = "has no finish before the end";
                let finish = self.finish.ok_or(EngineError::OutOfOrder { choice: 0, fault })?;
                let summary = Summary {
                    finish,
                    usage,
                    timings,
                    seed,
                    cache_miss,
                    drafts,
                };
                self.keep(Ending::Finished(summary.clone()));
                Some(Event::Done(summary))
            }
            _ => None,
        })
    }

    /// The message got no turn; one that says nothing is no loss.
    fn set_aside(&mut self) {
        self.source = Source::Ended;
        if !self.user.is_empty() {
            self.chat.set_aside(mem::take(&mut self.user));
        }
    }

    fn keep(&mut self, ending: Ending) {
        self.source = Source::Ended;
        self.chat.keep(Turn {
            user: mem::take(&mut self.user),
            answer: mem::take(&mut self.answer),
            reasoning: mem::take(&mut self.reasoning),
            tool_calls: mem::take(&mut self.tool_calls),
            ending,
        });
    }
}

impl Stream for Answer<'_> {
    type Item = Result<Event, ChatError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let event = match &mut this.source {
                Source::Completion(completion) => match ready!(Pin::new(completion).poll_next(cx)) {
                    Some(Ok(chunk)) => {
                        this.tokens += chunk.tokens().len() as u64;
                        this.event(chunk)
                    }
                    Some(Err(error)) => Err(error.into()),
                    None => Err(EngineError::BrokenOff { tokens: this.tokens }.into()),
                },
                Source::Refused(_) | Source::Ended => {
                    let source = mem::replace(&mut this.source, Source::Ended);
                    let Source::Refused(error) = source else {
                        return Poll::Ready(None);
                    };
                    Err(error)
                }
            };
            match event {
                Ok(Some(event)) => return Poll::Ready(Some(Ok(event))),
                Ok(None) => {}
                Err(error) => {
                    this.set_aside();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// Settles the turn of an answer that was not read to its end.
impl Drop for Answer<'_> {
    fn drop(&mut self) {
        match self.source {
            Source::Ended => {}
            Source::Completion(_) if !(self.answer.is_empty() && self.tool_calls.is_empty()) => {
                self.keep(Ending::Interrupted);
            }
            Source::Completion(_) | Source::Refused(_) => self.set_aside(),
        }
    }
}
