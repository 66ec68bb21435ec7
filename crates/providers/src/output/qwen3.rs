//! Qwen3's format: calls as JSON between tags.
//!
//! ```text
//! <tool_call>
//! {"name": "get_weather", "arguments": {"city": "Paris"}}
//! </tool_call>
//! ```
//!
//! Qwen2.5 and the Hermes models write it too. What it makes of sloppy output:
//!
//! * Whitespace next to a call is the format's; all other text is the answer, be it before, between or after.
//! * A `<tool_call>` that no such object follows is text with what follows it, until a name is known; from then on it is a
//!   call, which ends where its object does or breaks off. A `</tool_call>` that closes nothing is swallowed.
//! * Arguments may be called `parameters`, and may be a string that spells an object. Where there are none, they are `{}`.
//! * Where the output ends inside the arguments, they are what there was: not valid JSON, so that nobody can run the call
//!   by mistake.
//!
//! The format has no ids: they are `call_` and a number that grows by one with each call of a choice.
//!
//! # Source
//!
//! The chat template of Qwen3.

use std::collections::BTreeMap;
use std::mem;

use engine::{CandleStringChunk, Events, OutputParser};

use super::ID;
use super::call::ObjectCall;
use super::marker::{Start, find, start};
use super::object::{CallObject, Progress};
use super::pending::Pending;
use super::prose::Prose;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// Reads Qwen3's output: text, and calls as they come in.
#[derive(Default)]
pub struct Qwen3 {
    first_call: u32,
    choices: BTreeMap<u32, Reader>,
}

impl Qwen3 {
    /// A parser for one request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Numbers calls from `number` instead of 0: ids are unique in a chat where it is larger than those of all
    /// calls before.
    #[must_use]
    pub fn with_first_call(self, number: u32) -> Self {
        Self {
            first_call: number,
            ..self
        }
    }
}

impl std::fmt::Debug for Qwen3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qwen3").finish_non_exhaustive()
    }
}

impl OutputParser for Qwen3 {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        let reader = self.choices.entry(chunk.choice);
        let reader = reader.or_insert_with(|| Reader::new(chunk.choice, self.first_call));
        reader.push(&chunk.text, &chunk.tokens, events);
    }

    fn finish(&mut self, choice: u32, events: &mut Events) {
        if let Some(reader) = self.choices.remove(&choice) {
            reader.finish(events);
        }
    }
}

/// One choice as it is read.
struct Reader {
    /// The number of the next call's id, and its place among the calls.
    next_id: u32,
    next_index: u32,
    state: State,
    /// Text that is not decided yet.
    pending: Pending,
    prose: Prose,
}

/// Where the reader is.
#[derive(Default)]
enum State {
    /// Outside of calls.
    #[default]
    Text,
    /// After `<tool_call>`, which `lead` repeats with the whitespace behind it.
    Opened { lead: String },
    /// In an object whose name is not known yet.
    Unnamed { lead: String, object: CallObject },
    /// In the object of a call.
    Named(ObjectCall),
}

impl Reader {
    fn new(choice: u32, first_call: u32) -> Self {
        Self {
            next_id: first_call,
            next_index: 0,
            state: State::Text,
            pending: Pending::default(),
            prose: Prose::new(choice),
        }
    }

    /// Takes more text, with the ids of its tokens.
    fn push(&mut self, text: &str, tokens: &[u32], events: &mut Events) {
        self.prose.tokens.extend_from_slice(tokens);
        self.pending.push(text);
        while self.step(events) {}
        if let State::Named(call) = &mut self.state {
            call.stream(&mut self.prose, events);
        }
    }

    /// No text follows.
    fn finish(mut self, events: &mut Events) {
        let rest = self.pending.rest().to_owned();
        match mem::take(&mut self.state) {
            State::Text => self.prose.say(&rest, events),
            State::Opened { lead } => self.prose.say(&(lead + &rest), events),
            State::Unnamed { lead, object } => self.prose.say(&(lead + object.raw() + &rest), events),
            State::Named(call) => call.complete(&mut self.prose, events),
        }
        self.prose.finish(events);
    }

    /// Whether another step can be made.
    fn step(&mut self, events: &mut Events) -> bool {
        match mem::take(&mut self.state) {
            State::Text => self.text(events),
            State::Opened { lead } => self.opened(lead),
            State::Unnamed { lead, object } => self.unnamed(lead, object, events),
            State::Named(call) => self.named(call, events),
        }
    }

    fn text(&mut self, events: &mut Events) -> bool {
        let rest = self.pending.rest();
        let found = find(rest, &[OPEN, CLOSE]);
        let certain = self.pending.take(found.map_or(rest.len(), |(at, _)| at));
        self.prose.say(&certain, events);
        let Some((_, Start::Marker(marker))) = found else {
            return false;
        };
        let lead = self.pending.take(marker.len());
        if marker == OPEN {
            self.state = State::Opened { lead };
        }
        true
    }

    fn opened(&mut self, mut lead: String) -> bool {
        lead += &self.pending.take_space();
        if start(self.pending.rest(), &["{"]) == Start::Open {
            self.state = State::Opened { lead };
            return false;
        }
        let object = CallObject::default();
        self.state = State::Unnamed { lead, object };
        true
    }

    fn unnamed(&mut self, lead: String, mut object: CallObject, events: &mut Events) -> bool {
        let (taken, progress) = object.read(self.pending.rest());
        self.pending.skip(taken);
        if let Some(name) = object.name() {
            let (index, id) = (self.next_index, format!("{ID}{}", self.next_id));
            let name = name.to_owned();
            self.next_id = self.next_id.saturating_add(1);
            self.next_index = self.next_index.saturating_add(1);
            self.prose.tag();
            let call = ObjectCall::begin(index, id, name, object, &self.prose, events);
            let call = call.advance(progress, &mut self.prose, events);
            return self.go_on(call);
        }
        if progress == Progress::Open {
            self.state = State::Unnamed { lead, object };
            return false;
        }
        self.prose.say(&(lead + object.raw()), events);
        true
    }

    fn named(&mut self, call: ObjectCall, events: &mut Events) -> bool {
        let call = call.read(&mut self.pending, &mut self.prose, events);
        self.go_on(call)
    }

    /// Whether another step can be made after `call`, which is none where it is complete.
    fn go_on(&mut self, call: Option<ObjectCall>) -> bool {
        let complete = call.is_none();
        self.state = call.map_or(State::Text, State::Named);
        complete
    }
}

#[cfg(test)]
mod tests;
