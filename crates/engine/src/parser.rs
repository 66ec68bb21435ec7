//! Output parsers: from the text of a model to the pieces that its maker meant.
//!
//! A parser gives the same events, up to how neighbouring pieces are joined, at every split of its input.

use std::collections::VecDeque;

use generator::CandleStringChunk;

use crate::chunk::CandleCompletionChunk;
use crate::tool::ToolCall;

/// Splits a model's text into answer, reasoning and calls of tools as it streams.
///
/// One parser serves one request. Text that could still become a marker is held back until it is decided;
/// nothing of a marker reaches the events and nothing else is lost. Every token id of the input is in exactly
/// one event, in order.
pub trait OutputParser: Send {
    /// Takes the next piece of the model's output and appends what it decides to `events`.
    ///
    /// `chunk.end` is the engine's to handle.
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events);

    /// The output of a choice is complete: appends what was held back of it.
    ///
    /// Called once for each choice, after its last [`push`](Self::push), unless the generation fails or is cancelled; then
    /// the parser is just dropped.
    fn finish(&mut self, choice: u32, events: &mut Events);
}

impl<P: OutputParser + ?Sized> OutputParser for Box<P> {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        (**self).push(chunk, events);
    }

    fn finish(&mut self, choice: u32, events: &mut Events) {
        (**self).finish(choice, events);
    }
}

/// Takes a model's text as the answer, whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainText;

impl OutputParser for PlainText {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        events.text(chunk.choice, chunk.text.clone(), chunk.tokens.clone());
    }

    fn finish(&mut self, _choice: u32, _events: &mut Events) {}
}

/// What a parser has decided, in order, waiting to be streamed.
///
/// Only pieces of answer, reasoning and calls can be appended from outside; ends are the engine's alone.
#[derive(Debug, Default)]
pub struct Events {
    queue: VecDeque<CandleCompletionChunk>,
    /// Choices that called a tool.
    calling: Vec<u32>,
}

impl Events {
    /// No events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a piece of the answer; one with neither text nor tokens is left out.
    pub fn text(&mut self, choice: u32, text: String, tokens: Vec<u32>) {
        if !(text.is_empty() && tokens.is_empty()) {
            self.queue
                .push_back(CandleCompletionChunk::Text { choice, text, tokens });
        }
    }

    /// Appends a piece of reasoning; one with neither text nor tokens is left out.
    pub fn reasoning(&mut self, choice: u32, text: String, tokens: Vec<u32>) {
        if !(text.is_empty() && tokens.is_empty()) {
            self.queue
                .push_back(CandleCompletionChunk::Reasoning { choice, text, tokens });
        }
    }

    /// Begins call `index` of a choice, the calls of each being counted from 0.
    pub fn tool_call_start(&mut self, choice: u32, index: u32, id: String, name: String) {
        if !self.calling.contains(&choice) {
            self.calling.push(choice);
        }
        self.queue.push_back(CandleCompletionChunk::ToolCallStart {
            choice,
            index,
            id,
            name,
        });
    }

    /// Appends a piece of a call's arguments, which is JSON text; one with neither text nor tokens is left out.
    pub fn tool_call_delta(&mut self, choice: u32, index: u32, arguments: String, tokens: Vec<u32>) {
        if !(arguments.is_empty() && tokens.is_empty()) {
            self.queue.push_back(CandleCompletionChunk::ToolCallDelta {
                choice,
                index,
                arguments,
                tokens,
            });
        }
    }

    /// Ends a call, whose arguments are the pieces appended for it, joined.
    pub fn tool_call_complete(&mut self, choice: u32, index: u32, call: ToolCall) {
        self.queue
            .push_back(CandleCompletionChunk::ToolCallComplete { choice, index, call });
    }

    /// Whether `choice` has called a tool.
    pub(crate) fn calls_tools(&self, choice: u32) -> bool {
        self.calling.contains(&choice)
    }

    /// Takes the oldest event.
    pub fn pop(&mut self) -> Option<CandleCompletionChunk> {
        self.queue.pop_front()
    }

    /// Appends what no parser decides: log-probabilities, an end.
    pub(crate) fn append(&mut self, chunk: CandleCompletionChunk) {
        self.queue.push_back(chunk);
    }
}
