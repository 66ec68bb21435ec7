//! An answer to a chat as a stream of events.

use axum::response::sse::Event;
use engine::{CandleCompletionChunk, TokenLogprobs};
use serde::Serialize;
use utoipa::ToSchema;

use super::response::{Head, StopReason};
use crate::answer::{End, UsageBody, choice_of};
use crate::error::Failure;
use crate::logprobs::{ChatLogprobs, Spelling};
use crate::sse::{self, Frames};

/// A piece of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatChunk {
    id: String,
    #[schema(example = "chat.completion.chunk")]
    object: &'static str,
    created: u64,
    model: String,
    /// One, or none in the piece that tells the usage.
    choices: Vec<ChunkChoice>,
    /// In the last piece, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageBody>,
    /// With the usage. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChunkChoice {
    index: u32,
    delta: Delta,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<ChatLogprobs>,
    /// In the last piece of the choice.
    finish_reason: Option<&'static str>,
    /// In the last piece of the choice. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<StopReason>,
}

/// What a piece adds to the message.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallDelta; 1]>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallDelta {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: FunctionDelta,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FunctionDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

/// Writes an answer piece by piece.
#[derive(Debug)]
pub(crate) struct Writer {
    head: Head,
    choices: Vec<Progress>,
    spelling: Option<Spelling>,
    include_usage: bool,
}

/// How far a choice is.
#[derive(Debug, Default)]
struct Progress {
    begun: bool,
    /// Those of tokens whose piece is still to come.
    logprobs: Vec<TokenLogprobs>,
}

impl Writer {
    pub(crate) fn new(head: Head, choices: u32, spelling: Option<Spelling>, include_usage: bool) -> Self {
        Self {
            head,
            choices: (0..choices).map(|_| Progress::default()).collect(),
            spelling,
            include_usage,
        }
    }

    fn body(&self, choices: Vec<ChunkChoice>) -> ChatChunk {
        ChatChunk {
            id: self.head.id.clone(),
            object: "chat.completion.chunk",
            created: self.head.created,
            model: self.head.model.clone(),
            choices,
            usage: None,
            seed: None,
        }
    }

    /// A piece of a choice, with the log-probabilities that wait for it; the first says who speaks.
    fn piece(
        &mut self,
        index: u32,
        mut delta: Delta,
        finish: Option<&'static str>,
        stop: Option<StopReason>,
    ) -> Event {
        let mut waiting = Vec::new();
        if let Some(choice) = self.choices.get_mut(index as usize) {
            if !std::mem::replace(&mut choice.begun, true) {
                delta.role = Some("assistant");
            }
            waiting = std::mem::take(&mut choice.logprobs);
        }
        let spelling = self.spelling.as_ref().filter(|_| !waiting.is_empty());
        let logprobs = spelling.map(|spelling| spelling.chat(&waiting));
        sse::data(&self.body(vec![ChunkChoice {
            index,
            delta,
            logprobs,
            finish_reason: finish,
            stop_reason: stop,
        }]))
    }

    fn waits(&self, index: u32) -> bool {
        let choice = self.choices.get(index as usize);
        choice.is_some_and(|choice| !choice.logprobs.is_empty())
    }

    fn end(&self, end: &End) -> Vec<Event> {
        let done = Event::default().data("[DONE]");
        if !self.include_usage {
            return vec![done];
        }
        let mut chunk = self.body(Vec::new());
        chunk.usage = Some(end.into());
        chunk.seed = end.seed;
        vec![sse::data(&chunk), done]
    }
}

impl Frames for Writer {
    fn chunk(&mut self, chunk: CandleCompletionChunk) -> Vec<Event> {
        if let Some(end) = End::of(&chunk) {
            return self.end(&end);
        }
        let Some(index) = choice_of(&chunk) else {
            return Vec::new();
        };
        let delta = match chunk {
            CandleCompletionChunk::Text { text, .. } if text.is_empty() && !self.waits(index) => {
                return Vec::new();
            }
            CandleCompletionChunk::Text { text, .. } => Delta {
                content: Some(text),
                ..Delta::default()
            },
            CandleCompletionChunk::Reasoning { text, .. } => Delta {
                reasoning_content: Some(text),
                ..Delta::default()
            },
            CandleCompletionChunk::ToolCallStart { index, id, name, .. } => Delta {
                tool_calls: Some([CallDelta {
                    index,
                    id: Some(id),
                    kind: Some("function"),
                    function: FunctionDelta {
                        name: Some(name),
                        arguments: String::new(),
                    },
                }]),
                ..Delta::default()
            },
            CandleCompletionChunk::ToolCallDelta { index, arguments, .. } => Delta {
                tool_calls: Some([CallDelta {
                    index,
                    id: None,
                    kind: None,
                    function: FunctionDelta {
                        name: None,
                        arguments,
                    },
                }]),
                ..Delta::default()
            },
            CandleCompletionChunk::Logprobs { logprobs, .. } => {
                if let Some(choice) = self.choices.get_mut(index as usize) {
                    choice.logprobs.extend(logprobs);
                }
                return Vec::new();
            }
            CandleCompletionChunk::Finish { finish, stop, .. } => {
                let stop = StopReason::of(stop);
                return vec![self.piece(index, Delta::default(), Some(finish.as_str()), stop)];
            }
            _ => return Vec::new(),
        };
        vec![self.piece(index, delta, None, None)]
    }

    fn failure(&mut self, failure: &Failure) -> Vec<Event> {
        vec![sse::data(&failure.body())]
    }
}
