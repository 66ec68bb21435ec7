//! The state machine that reads one choice.

use std::mem;

use engine::{Events, ToolDefinition};

use crate::output::call::Call;
use crate::output::marker::{Start, find};
use crate::output::pending::{Pending, is_space};
use crate::output::prose::Prose;

/// What begins a section of calls.
pub(in crate::output) const SECTIONS: [&str; 2] =
    ["<|tool_calls_section_begin|>", "<|tool_call_section_begin|>"];
const SECTION_END: &str = "<|tool_calls_section_end|>";
const SINGULAR_SECTION_END: &str = "<|tool_call_section_end|>";
const CALL: &str = "<|tool_call_begin|>";
const ARGUMENTS: &str = "<|tool_call_argument_begin|>";
const CALL_END: &str = "<|tool_call_end|>";

/// All of them: none is ever part of the answer.
pub(in crate::output) const TAGS: [&str; 7] = [
    SECTIONS[0],
    SECTIONS[1],
    SECTION_END,
    SINGULAR_SECTION_END,
    CALL,
    ARGUMENTS,
    CALL_END,
];

/// What an id begins with.
const NAMESPACE: &str = "functions.";
/// Bytes that an id may have, with whitespace around it.
const MAX_ID: usize = 256;

/// One choice as it is read.
pub(super) struct Reader {
    /// The place of the next call among the calls.
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
    /// In the id of a call.
    Id,
    /// In the arguments of a call; `space` is whitespace that is theirs if more follows.
    Arguments { call: Call, space: String },
}

impl Reader {
    pub(super) fn new(choice: u32) -> Self {
        Self {
            next_index: 0,
            state: State::Text,
            pending: Pending::default(),
            prose: Prose::new(choice),
        }
    }

    /// Takes more text, with the ids of its tokens.
    pub(super) fn push(&mut self, text: &str, tokens: &[u32], events: &mut Events) {
        self.prose.tokens.extend_from_slice(tokens);
        self.pending.push(text);
        while self.step(events) {}
        if let State::Arguments { call, .. } = &mut self.state {
            call.stream(&mut self.prose, events);
        }
    }

    /// No text follows.
    pub(super) fn finish(mut self, events: &mut Events) {
        let rest = self.pending.rest().to_owned();
        match mem::take(&mut self.state) {
            State::Text | State::Id => self.prose.say(&rest, events),
            State::Arguments { mut call, mut space } => {
                extend(&mut call, &mut space, &rest);
                call.complete(&mut self.prose, events);
            }
        }
        self.prose.finish(events);
    }

    /// Whether another step can be made.
    fn step(&mut self, events: &mut Events) -> bool {
        match mem::take(&mut self.state) {
            State::Text => self.text(events),
            State::Id => self.id(events),
            State::Arguments { call, space } => self.arguments(call, space, events),
        }
    }

    fn text(&mut self, events: &mut Events) -> bool {
        let (certain, tag) = self.up_to_tag();
        self.prose.say(&certain, events);
        let Some(tag) = tag else { return false };
        self.enter(tag);
        true
    }

    fn id(&mut self, events: &mut Events) -> bool {
        let rest = self.pending.rest();
        let found = find(rest, &TAGS);
        let id = rest
            .get(..found.map_or(rest.len(), |(at, _)| at))
            .unwrap_or_default();
        let name = name_of(id.trim());
        let may_be = id.len() <= MAX_ID && (id.trim().is_empty() || ToolDefinition::is_name(name));
        match found {
            Some((at, Start::Marker(tag))) if may_be && !id.trim().is_empty() => {
                let call = Call::new(self.next_index, id.trim().to_owned(), name.to_owned());
                self.next_index = self.next_index.saturating_add(1);
                call.announce(&self.prose, events);
                self.pending.skip(at + tag.len());
                if tag == ARGUMENTS {
                    let space = String::new();
                    self.state = State::Arguments { call, space };
                } else {
                    self.close(call, events);
                    self.enter(tag);
                }
                true
            }
            None | Some((_, Start::Open)) if may_be || is_open(id) => {
                self.state = State::Id;
                false
            }
            // No name: what stands there is looked at anew, as text.
            _ => true,
        }
    }

    fn arguments(&mut self, mut call: Call, mut space: String, events: &mut Events) -> bool {
        let (certain, tag) = self.up_to_tag();
        extend(&mut call, &mut space, &certain);
        let Some(tag) = tag else {
            self.state = State::Arguments { call, space };
            return false;
        };
        self.close(call, events);
        self.enter(tag);
        true
    }

    /// Takes the text before the next tag, and the tag if it is whole.
    fn up_to_tag(&mut self) -> (String, Option<&'static str>) {
        let rest = self.pending.rest();
        let found = find(rest, &TAGS);
        let certain = self.pending.take(found.map_or(rest.len(), |(at, _)| at));
        let Some((_, Start::Marker(tag))) = found else {
            return (certain, None);
        };
        self.pending.skip(tag.len());
        (certain, Some(tag))
    }

    /// Goes to where a tag leads from outside of a call.
    fn enter(&mut self, tag: &str) {
        self.prose.tag();
        self.state = match tag {
            CALL => State::Id,
            _ => State::Text,
        };
    }

    /// Ends a call.
    fn close(&mut self, mut call: Call, events: &mut Events) {
        if call.arguments().is_empty() {
            call.write("{}");
        }
        call.complete(&mut self.prose, events);
    }
}

/// Adds to the arguments of `call`, less the whitespace around them.
fn extend(call: &mut Call, space: &mut String, piece: &str) {
    let solid = piece.trim_end_matches(is_space);
    if !solid.is_empty() {
        let solid = match call.arguments().is_empty() {
            true => solid.trim_start_matches(is_space),
            false => {
                call.write(space);
                solid
            }
        };
        call.write(solid);
        space.clear();
    }
    space.push_str(
        piece
            .get(piece.trim_end_matches(is_space).len()..)
            .unwrap_or_default(),
    );
}

/// The name in an id: without the namespace before it and the number behind it.
fn name_of(id: &str) -> &str {
    let id = id.strip_prefix(NAMESPACE).unwrap_or(id);
    match id.rsplit_once(':') {
        Some((name, number)) if number.chars().all(|c| c.is_ascii_digit()) => name,
        _ => id,
    }
}

/// Whether an id that is no name yet may become one: what follows its last colon may be a number.
fn is_open(id: &str) -> bool {
    let id = id.trim_start();
    id.len() <= MAX_ID && (NAMESPACE.starts_with(id) || name_of(id).is_empty())
}
