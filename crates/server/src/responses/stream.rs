//! A response as a stream of numbered, named events.
//!
//! One item is open at a time: it is done when another kind of piece, or the end, comes.

use axum::response::sse::Event;
use engine::{CandleCompletionChunk, FinishReason, TokenLogprobs, ToolCall};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::response::{Outline, OutputItem, OutputPart, ResponseBody, ResponseStatus};
use crate::answer::End;
use crate::error::Failure;
use crate::logprobs::{ChatToken, Spelling};
use crate::sse::{self, Frames};

/// An event of a stream; which further fields it has depends on its type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResponseEvent {
    /// Such as `response.output_text.delta`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// From 0.
    sequence_number: u64,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    more: Map<String, Value>,
}

/// Writes a response event by event.
#[derive(Debug)]
pub(crate) struct Writer {
    outline: Outline,
    spelling: Option<Spelling>,
    number: u64,
    done: Vec<OutputItem>,
    open: Option<Open>,
    /// Those of tokens whose piece is still to come.
    waiting: Vec<TokenLogprobs>,
    reasoning_tokens: usize,
    finish: Option<FinishReason>,
}

/// The item that is open.
#[derive(Debug)]
struct Open {
    id: String,
    kind: Kind,
    text: String,
    logprobs: Vec<ChatToken>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Reasoning,
    Message,
    Call { id: String, name: String },
}

impl Open {
    fn item(&self, status: ResponseStatus) -> OutputItem {
        let is_begun = status == ResponseStatus::InProgress;
        let parts = |part: OutputPart| if is_begun { Vec::new() } else { vec![part] };
        match &self.kind {
            Kind::Reasoning => OutputItem::reasoning(self.id.clone(), parts(self.part())),
            Kind::Message => OutputItem::message(self.id.clone(), status, parts(self.part())),
            Kind::Call { id, name } => {
                let call = ToolCall::new(id, name, self.text.as_str());
                OutputItem::call(self.id.clone(), status, call)
            }
        }
    }

    fn part(&self) -> OutputPart {
        match self.kind {
            Kind::Reasoning => OutputPart::ReasoningText {
                text: self.text.clone(),
            },
            _ => OutputPart::said(self.text.clone(), self.logprobs.clone()),
        }
    }
}

impl Writer {
    pub(crate) fn new(outline: Outline, spelling: Option<Spelling>) -> Self {
        Self {
            outline,
            spelling,
            number: 0,
            done: Vec::new(),
            open: None,
            waiting: Vec::new(),
            reasoning_tokens: 0,
            finish: None,
        }
    }

    fn event(&mut self, kind: &'static str, more: Value) -> Event {
        let sequence_number = self.number;
        self.number += 1;
        let more = match more {
            Value::Object(more) => more,
            _ => Map::new(),
        };
        sse::named(
            kind,
            &ResponseEvent {
                kind,
                sequence_number,
                more,
            },
        )
    }

    /// Opens an item, unless one of the kind is open and goes on.
    fn begin(&mut self, kind: Kind, events: &mut Vec<Event>) {
        let goes_on = self.open.as_ref().is_some_and(|open| open.kind == kind);
        if goes_on && !matches!(kind, Kind::Call { .. }) {
            return;
        }
        self.close(ResponseStatus::Completed, events);
        let index = self.done.len();
        let prefix = match kind {
            Kind::Reasoning => "rs",
            Kind::Message => "msg",
            Kind::Call { .. } => "fc",
        };
        let open = Open {
            id: self.outline.item_id(prefix, index),
            kind,
            text: String::new(),
            logprobs: Vec::new(),
        };
        let item = open.item(ResponseStatus::InProgress);
        events.push(self.event(
            "response.output_item.added",
            json!({"output_index": index, "item": item}),
        ));
        if !matches!(open.kind, Kind::Call { .. }) {
            let more = json!({
                "item_id": open.id, "output_index": index, "content_index": 0, "part": open.part(),
            });
            events.push(self.event("response.content_part.added", more));
        }
        self.open = Some(open);
    }

    /// Adds to the item that is open.
    fn push(&mut self, delta: &str, events: &mut Vec<Event>) {
        let spelling = self.spelling.as_ref();
        let waiting = std::mem::take(&mut self.waiting);
        let logprobs = spelling
            .map(|spelling| spelling.tokens(&waiting))
            .unwrap_or_default();
        let index = self.done.len();
        let Some(open) = &mut self.open else { return };
        open.text.push_str(delta);
        let id = open.id.clone();
        let (kind, more) = match open.kind {
            Kind::Reasoning => (
                "response.reasoning_text.delta",
                json!({"item_id": id, "output_index": index, "content_index": 0, "delta": delta}),
            ),
            Kind::Message => {
                open.logprobs.extend(logprobs.iter().cloned());
                let more = json!({"item_id": id, "output_index": index, "content_index": 0,
                    "delta": delta, "logprobs": logprobs});
                ("response.output_text.delta", more)
            }
            Kind::Call { .. } => (
                "response.function_call_arguments.delta",
                json!({"item_id": id, "output_index": index, "delta": delta}),
            ),
        };
        events.push(self.event(kind, more));
    }

    /// Ends the item that is open.
    fn close(&mut self, status: ResponseStatus, events: &mut Vec<Event>) {
        let Some(open) = self.open.take() else { return };
        let (id, index) = (&open.id, self.done.len());
        let ends = match &open.kind {
            Kind::Call { name, .. } => vec![(
                "response.function_call_arguments.done",
                json!({"item_id": id, "output_index": index, "name": name, "arguments": open.text}),
            )],
            kind => {
                let (name, mut more) = match kind {
                    Kind::Reasoning => ("response.reasoning_text.done", json!({})),
                    _ => ("response.output_text.done", json!({"logprobs": open.logprobs})),
                };
                let place = json!({"item_id": id, "output_index": index, "content_index": 0});
                let mut part = place.clone();
                part["part"] = json!(open.part());
                for (field, value) in place.as_object().into_iter().flatten() {
                    more[field] = value.clone();
                }
                more["text"] = open.text.as_str().into();
                vec![(name, more), ("response.content_part.done", part)]
            }
        };
        for (kind, more) in ends {
            let event = self.event(kind, more);
            events.push(event);
        }
        let item = open.item(status);
        let more = json!({"output_index": index, "item": item});
        events.push(self.event("response.output_item.done", more));
        self.done.push(item);
    }

    fn take(&mut self, chunk: CandleCompletionChunk, events: &mut Vec<Event>) {
        match chunk {
            CandleCompletionChunk::Text { text, .. } => {
                let waits = !self.waiting.is_empty() && self.open.is_some();
                if !text.is_empty() {
                    self.begin(Kind::Message, events);
                }
                if !text.is_empty() || waits {
                    self.push(&text, events);
                }
            }
            CandleCompletionChunk::Reasoning { text, tokens, .. } => {
                self.reasoning_tokens += tokens.len();
                if !text.is_empty() {
                    self.begin(Kind::Reasoning, events);
                    self.push(&text, events);
                }
            }
            CandleCompletionChunk::ToolCallStart { id, name, .. } => {
                self.begin(Kind::Call { id, name }, events);
            }
            CandleCompletionChunk::ToolCallDelta { arguments, .. } if !arguments.is_empty() => {
                self.push(&arguments, events);
            }
            CandleCompletionChunk::Logprobs { logprobs, .. } => self.waiting.extend(logprobs),
            CandleCompletionChunk::Finish { finish, .. } => {
                self.finish = Some(finish);
                let status = match finish {
                    FinishReason::Length => ResponseStatus::Incomplete,
                    _ => ResponseStatus::Completed,
                };
                self.close(status, events);
            }
            _ => {}
        }
    }
}

impl Frames for Writer {
    fn begin(&mut self) -> Vec<Event> {
        let body = json!({"response": ResponseBody::begun(&self.outline)});
        vec![
            self.event("response.created", body.clone()),
            self.event("response.in_progress", body),
        ]
    }

    fn chunk(&mut self, chunk: CandleCompletionChunk) -> Vec<Event> {
        let mut events = Vec::new();
        let Some(end) = End::of(&chunk) else {
            self.take(chunk, &mut events);
            return events;
        };
        self.close(ResponseStatus::Completed, &mut events);
        let output = std::mem::take(&mut self.done);
        let body = ResponseBody::ended(&self.outline, output, self.finish, &end, self.reasoning_tokens);
        let kind = match self.finish {
            Some(FinishReason::Length) => "response.incomplete",
            _ => "response.completed",
        };
        events.push(self.event(kind, json!({"response": body})));
        events
    }

    fn failure(&mut self, failure: &Failure) -> Vec<Event> {
        let mut events = Vec::new();
        self.close(ResponseStatus::Incomplete, &mut events);
        let output = std::mem::take(&mut self.done);
        let body = ResponseBody::failed(&self.outline, output, failure);
        events.push(self.event("response.failed", json!({"response": body})));
        events
    }
}
