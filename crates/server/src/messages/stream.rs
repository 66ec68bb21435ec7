//! An answer in Anthropic's shape as a stream of named events.
//!
//! One block is open at a time: it ends when another kind of piece, or the end, comes.

use axum::response::sse::Event;
use engine::{CandleCompletionChunk, FinishReason, StopCause, Usage};
use serde::Serialize;
use serde_json::Map;
use utoipa::ToSchema;

use super::Refusal;
use super::response::{ContentBlock, MessageAnswer, MessageUsage, stop};
use crate::answer::End;
use crate::error::Failure;
use crate::sse::{self, Frames};

/// An event of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum StreamEvent {
    MessageStart {
        message: MessageAnswer,
    },
    ContentBlockStart {
        index: usize,
        content_block: ContentBlock,
    },
    ContentBlockDelta {
        index: usize,
        delta: BlockDelta,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        delta: MessageEnd,
        usage: MessageUsage,
    },
    MessageStop,
}

/// What is added to a block.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type")]
pub(crate) enum BlockDelta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    /// A piece of the arguments' JSON text.
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
}

/// Why the answer ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageEnd {
    stop_reason: &'static str,
    stop_sequence: Option<String>,
}

impl StreamEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }
}

/// Writes an answer event by event.
#[derive(Debug)]
pub(crate) struct Writer {
    start: Option<MessageAnswer>,
    open: Option<Open>,
    /// Blocks that were begun.
    blocks: usize,
    ended: (Option<FinishReason>, Option<StopCause>),
}

/// The kind of the block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Call,
}

impl Writer {
    /// * `prompt_tokens`: of the prompt; how many of them were cached is known at the end.
    pub(crate) fn new(id: String, model: String, prompt_tokens: usize) -> Self {
        let usage = Usage {
            prompt_tokens,
            ..Usage::default()
        };
        Self {
            start: Some(MessageAnswer::empty(id, model, usage.into())),
            open: None,
            blocks: 0,
            ended: (None, None),
        }
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        if self.open.take().is_some() {
            let index = self.blocks.saturating_sub(1);
            events.push(StreamEvent::ContentBlockStop { index });
        }
    }

    /// Begins a block, unless one of the kind is open and goes on.
    fn begin(&mut self, kind: Open, block: ContentBlock, events: &mut Vec<StreamEvent>) {
        if self.open == Some(kind) && kind != Open::Call {
            return;
        }
        self.close(events);
        self.open = Some(kind);
        events.push(StreamEvent::ContentBlockStart {
            index: self.blocks,
            content_block: block,
        });
        self.blocks += 1;
    }

    fn delta(&self, delta: BlockDelta, events: &mut Vec<StreamEvent>) {
        let index = self.blocks.saturating_sub(1);
        events.push(StreamEvent::ContentBlockDelta { index, delta });
    }

    fn take(&mut self, chunk: CandleCompletionChunk, events: &mut Vec<StreamEvent>) {
        match chunk {
            CandleCompletionChunk::Text { text, .. } if !text.is_empty() => {
                let block = ContentBlock::Text { text: String::new() };
                self.begin(Open::Text, block, events);
                self.delta(BlockDelta::Text { text }, events);
            }
            CandleCompletionChunk::Reasoning { text, .. } if !text.is_empty() => {
                let block = ContentBlock::Thinking {
                    thinking: String::new(),
                    signature: String::new(),
                };
                self.begin(Open::Thinking, block, events);
                self.delta(BlockDelta::Thinking { thinking: text }, events);
            }
            CandleCompletionChunk::ToolCallStart { id, name, .. } => {
                let input = Map::new();
                self.begin(Open::Call, ContentBlock::ToolUse { id, name, input }, events);
            }
            CandleCompletionChunk::ToolCallDelta { arguments, .. } if !arguments.is_empty() => {
                let partial_json = arguments;
                self.delta(BlockDelta::InputJson { partial_json }, events);
            }
            CandleCompletionChunk::ToolCallComplete { .. } => self.close(events),
            CandleCompletionChunk::Finish { finish, stop, .. } => {
                self.close(events);
                self.ended = (Some(finish), stop);
            }
            _ => {}
        }
    }
}

impl Frames for Writer {
    fn begin(&mut self) -> Vec<Event> {
        let start = self
            .start
            .take()
            .map(|message| StreamEvent::MessageStart { message });
        start
            .iter()
            .map(|event| sse::named(event.name(), event))
            .collect()
    }

    fn chunk(&mut self, chunk: CandleCompletionChunk) -> Vec<Event> {
        let mut events = Vec::new();
        match End::of(&chunk) {
            Some(end) => {
                self.close(&mut events);
                let (finish, cause) = std::mem::take(&mut self.ended);
                let (stop_reason, stop_sequence) = stop(finish, cause);
                events.push(StreamEvent::MessageDelta {
                    delta: MessageEnd {
                        stop_reason,
                        stop_sequence,
                    },
                    usage: end.usage.into(),
                });
                events.push(StreamEvent::MessageStop);
            }
            None => self.take(chunk, &mut events),
        }
        events
            .iter()
            .map(|event| sse::named(event.name(), event))
            .collect()
    }

    fn failure(&mut self, failure: &Failure) -> Vec<Event> {
        vec![sse::named("error", &Refusal(failure.clone()).body())]
    }
}
