//! Llama 3's format: a call as the whole answer, in JSON.
//!
//! ```text
//! {"name": "get_weather", "parameters": {"city": "Paris"}}
//! ```
//!
//! No tag says that it is a call, so it is one only at the beginning of an answer, and only of a tool that is declared; any
//! other JSON is text. `<|python_tag|>` in front makes it a call of whatever it names. Further calls may follow, behind a
//! semicolon or a new line. Where the output ends inside the arguments, they are what there was: not valid JSON, so that
//! nobody can run the call by mistake.
//!
//! The format has no ids: they are `call_` and a number that grows by one with each call of a choice.
//!
//! # Source
//!
//! The chat template of Llama 3.1 and its model card.

use std::collections::BTreeMap;
use std::mem;

use engine::{CandleStringChunk, Events, OutputParser, ToolDefinition};

use super::ID;
use super::call::ObjectCall;
use super::marker::{Start, start};
use super::object::{CallObject, Progress};
use super::pending::Pending;
use super::prose::Prose;

/// The token that may stand before a call.
pub(super) const TAG: &str = "<|python_tag|>";

/// Reads Llama 3's output: text, or calls as they come in.
pub struct Llama3 {
    /// Names of the tools that are declared.
    declared: Vec<String>,
    first_call: u32,
    choices: BTreeMap<u32, Reader>,
}

impl Llama3 {
    /// A parser for one request with these tools.
    pub fn new(tools: &[ToolDefinition]) -> Self {
        Self {
            declared: tools.iter().map(|tool| tool.name.clone()).collect(),
            first_call: 0,
            choices: BTreeMap::new(),
        }
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

impl std::fmt::Debug for Llama3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Llama3").finish_non_exhaustive()
    }
}

impl OutputParser for Llama3 {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        let reader = self.choices.entry(chunk.choice);
        let reader = reader.or_insert_with(|| Reader::new(chunk.choice, self.first_call));
        reader.push(&chunk.text, &chunk.tokens, &self.declared, events);
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
enum State {
    /// Where a call may begin; `lead` is what has been read since the answer or the call before.
    Start { lead: String, tagged: bool },
    /// In an object that is no call yet.
    Unnamed {
        lead: String,
        tagged: bool,
        object: CallObject,
    },
    /// In the object of a call.
    Named(ObjectCall),
    /// In text, up to the end.
    Text,
}

impl Reader {
    fn new(choice: u32, first_call: u32) -> Self {
        Self {
            next_id: first_call,
            next_index: 0,
            state: beginning(),
            pending: Pending::default(),
            prose: Prose::new(choice),
        }
    }

    /// Takes more text, with the ids of its tokens.
    fn push(&mut self, text: &str, tokens: &[u32], declared: &[String], events: &mut Events) {
        self.prose.tokens.extend_from_slice(tokens);
        self.pending.push(text);
        while self.step(declared, events) {}
        if let State::Named(call) = &mut self.state {
            call.stream(&mut self.prose, events);
        }
    }

    /// No text follows.
    fn finish(mut self, events: &mut Events) {
        let rest = self.pending.rest().to_owned();
        match self.state {
            // What stands between calls is the format's.
            State::Start { .. } if self.next_index > 0 && rest.is_empty() => {}
            State::Start { lead, .. } => self.prose.say(&(lead + &rest), events),
            State::Unnamed { lead, object, .. } => self.prose.say(&(lead + object.raw() + &rest), events),
            State::Named(call) => call.complete(&mut self.prose, events),
            State::Text => self.prose.say(&rest, events),
        }
        self.prose.finish(events);
    }

    /// Whether another step can be made.
    fn step(&mut self, declared: &[String], events: &mut Events) -> bool {
        match mem::replace(&mut self.state, State::Text) {
            State::Start { lead, tagged } => self.start(lead, tagged),
            State::Unnamed { lead, tagged, object } => self.unnamed(lead, tagged, object, declared, events),
            State::Named(call) => {
                let call = call.read(&mut self.pending, &mut self.prose, events);
                self.go_on(call)
            }
            State::Text => {
                let rest = self.pending.take(self.pending.rest().len());
                self.prose.say(&rest, events);
                false
            }
        }
    }

    fn start(&mut self, mut lead: String, tagged: bool) -> bool {
        lead += &self.pending.take_space();
        let between = if self.next_index > 0 { ";" } else { TAG };
        match start(self.pending.rest(), &[TAG, "{", between]) {
            Start::Open => {
                self.state = State::Start { lead, tagged };
                false
            }
            Start::Marker("{") => {
                let object = CallObject::default();
                self.state = State::Unnamed { lead, tagged, object };
                true
            }
            Start::Marker(marker) => {
                lead += &self.pending.take(marker.len());
                let tagged = tagged || marker == TAG;
                self.state = State::Start { lead, tagged };
                true
            }
            Start::Other => {
                // It is text after all, and stands before what is pending.
                let rest = self.pending.take(self.pending.rest().len());
                self.pending.push(&(lead + &rest));
                true
            }
        }
    }

    fn unnamed(
        &mut self,
        lead: String,
        tagged: bool,
        mut object: CallObject,
        declared: &[String],
        events: &mut Events,
    ) -> bool {
        let (taken, progress) = object.read(self.pending.rest());
        self.pending.skip(taken);
        match object.name() {
            Some(name) if tagged || declared.iter().any(|known| known == name) => {
                let (index, id) = (self.next_index, format!("{ID}{}", self.next_id));
                let name = name.to_owned();
                self.next_id = self.next_id.saturating_add(1);
                self.next_index = self.next_index.saturating_add(1);
                self.prose.tag();
                let call = ObjectCall::begin(index, id, name, object, &self.prose, events);
                let call = call.advance(progress, &mut self.prose, events);
                self.go_on(call)
            }
            None if progress == Progress::Open => {
                self.state = State::Unnamed { lead, tagged, object };
                false
            }
            _ => {
                self.prose.say(&(lead + object.raw()), events);
                true
            }
        }
    }

    /// Whether another step can be made after `call`, which is none where it is complete.
    fn go_on(&mut self, call: Option<ObjectCall>) -> bool {
        let complete = call.is_none();
        self.state = call.map_or_else(beginning, State::Named);
        complete
    }
}

fn beginning() -> State {
    State::Start {
        lead: String::new(),
        tagged: false,
    }
}

#[cfg(test)]
mod tests;
