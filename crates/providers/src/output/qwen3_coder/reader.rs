//! The state machine that reads one choice.
//!
//! Every step consumes text, changes the state, or waits for more text; text is looked at a bounded number of
//! times however it is split.

use std::mem;
use std::sync::Arc;

use engine::{Events, ToolDefinition};

use super::call::Argument;
use crate::output::ID;
use crate::output::argument::Types;
use crate::output::call::Call;
use crate::output::marker::{Start, find, start};
use crate::output::pending::{Pending, is_space};
use crate::output::prose::Prose;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
const FUNCTION: &str = "<function=";
const FUNCTION_END: &str = "</function>";
const PARAMETER: &str = "<parameter=";
const PARAMETER_END: &str = "</parameter>";
const LINE_PARAMETER_END: &str = "\n</parameter>";

/// What ends a piece of text.
const IN_TEXT: [&str; 3] = [OPEN, FUNCTION, CLOSE];
/// What may stand in a call outside of values.
const IN_CALL: [&str; 5] = [PARAMETER, FUNCTION_END, CLOSE, OPEN, FUNCTION];
/// What may end a value.
const IN_VALUE: [&str; 2] = [LINE_PARAMETER_END, PARAMETER_END];

/// Bytes that a parameter's name may have.
const MAX_KEY: usize = 256;

/// One choice as it is read.
pub(super) struct Reader {
    tools: Arc<[ToolDefinition]>,
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
    /// In the name of a function; `lead` repeats all tags before it.
    Name { lead: String, wrapped: bool },
    /// In a call, outside of parameters.
    Body(Call),
    /// In the name of a parameter.
    Key(Call),
    /// At the beginning of a value.
    Begin(Call, Argument),
    /// In a value.
    Value(Call, Argument),
    /// After `close`, which may have ended the value; of the whitespace behind it, `seen` bytes are known.
    Closing {
        call: Call,
        argument: Argument,
        close: &'static str,
        seen: usize,
    },
}

/// What a step came to.
enum Step {
    /// Another step can be made.
    Go(State),
    /// More text is needed.
    Wait(State),
}

use Step::{Go, Wait};

impl Reader {
    pub(super) fn new(choice: u32, tools: Arc<[ToolDefinition]>, first_call: u32) -> Self {
        Self {
            tools,
            next_id: first_call,
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
        loop {
            match self.step(events) {
                Go(state) => self.state = state,
                Wait(state) => {
                    self.state = state;
                    break;
                }
            }
        }
        if let State::Body(call)
        | State::Key(call)
        | State::Begin(call, _)
        | State::Value(call, _)
        | State::Closing { call, .. } = &mut self.state
        {
            call.stream(&mut self.prose, events);
        }
    }

    /// No text follows.
    pub(super) fn finish(mut self, events: &mut Events) {
        let mut rest = self.pending.rest().to_owned();
        match mem::take(&mut self.state) {
            State::Text => self.prose.say(&rest, events),
            State::Opened { lead } | State::Name { lead, .. } => self.prose.say(&(lead + &rest), events),
            State::Body(call) => self.end_in_body(call, &rest, events),
            State::Key(mut call) => {
                call.cut_key(&rest);
                call.complete(&mut self.prose, events);
            }
            State::Begin(mut call, mut argument) | State::Value(mut call, mut argument) => {
                call.extend(&mut argument, &rest);
                call.cut(argument);
                call.complete(&mut self.prose, events);
            }
            State::Closing {
                mut call,
                argument,
                seen,
                ..
            } => {
                call.close(argument);
                self.end_in_body(call, &rest.split_off(seen), events);
            }
        }
        self.prose.finish(events);
    }

    /// The output ends between the parameters of a call, or in the tag `rest`: where that can only be the next
    /// parameter's, the arguments are not whole.
    fn end_in_body(&mut self, mut call: Call, rest: &str, events: &mut Events) {
        if !(PARAMETER.starts_with(rest) && rest.len() > 1) {
            call.end();
        }
        call.complete(&mut self.prose, events);
    }

    fn step(&mut self, events: &mut Events) -> Step {
        match mem::take(&mut self.state) {
            State::Text => self.text(events),
            State::Opened { lead } => self.opened(lead, events),
            State::Name { lead, wrapped } => self.name(lead, wrapped, events),
            State::Body(call) => self.body(call, events),
            State::Key(call) => self.key(call, events),
            State::Begin(call, argument) => self.begin(call, argument),
            State::Value(call, argument) => self.value(call, argument),
            State::Closing {
                call,
                argument,
                close,
                seen,
            } => self.closing(call, argument, close, seen),
        }
    }

    fn text(&mut self, events: &mut Events) -> Step {
        let rest = self.pending.rest();
        let found = find(rest, &IN_TEXT);
        let certain = self.pending.take(found.map_or(rest.len(), |(at, _)| at));
        self.prose.say(&certain, events);
        let Some((_, Start::Marker(marker))) = found else {
            return Wait(State::Text);
        };
        let lead = self.pending.take(marker.len());
        Go(match marker {
            OPEN => State::Opened { lead },
            FUNCTION => State::Name { lead, wrapped: false },
            // It closes nothing.
            _ => State::Text,
        })
    }

    fn opened(&mut self, mut lead: String, events: &mut Events) -> Step {
        lead += &self.pending.take_space();
        match start(self.pending.rest(), &[FUNCTION]) {
            Start::Marker(marker) => {
                lead += &self.pending.take(marker.len());
                Go(State::Name { lead, wrapped: true })
            }
            Start::Open => Wait(State::Opened { lead }),
            Start::Other => {
                self.prose.say(&lead, events);
                Go(State::Text)
            }
        }
    }

    fn name(&mut self, lead: String, wrapped: bool, events: &mut Events) -> Step {
        let rest = self.pending.rest();
        let end = rest.find('>');
        let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let may_be = name.is_empty() && end.is_none() || ToolDefinition::is_name(name);
        let known = wrapped || self.tools.iter().any(|tool| tool.name == name);
        match end {
            None if may_be => Wait(State::Name { lead, wrapped }),
            Some(end) if may_be && known => {
                let name = self.pending.take(end);
                self.pending.skip(1);
                self.prose.tag();
                let id = format!("{ID}{}", self.next_id);
                let mut call = Call::new(self.next_index, id, name);
                self.next_id = self.next_id.saturating_add(1);
                self.next_index = self.next_index.saturating_add(1);
                call.begin();
                call.announce(&self.prose, events);
                Go(State::Body(call))
            }
            _ => {
                self.prose.say(&lead, events);
                Go(State::Text)
            }
        }
    }

    fn body(&mut self, mut call: Call, events: &mut Events) -> Step {
        let space = self.pending.take_space();
        self.prose.say(&space, events);
        match start(self.pending.rest(), &IN_CALL) {
            Start::Open => Wait(State::Body(call)),
            Start::Marker(PARAMETER) => {
                self.pending.skip(PARAMETER.len());
                Go(State::Key(call))
            }
            Start::Marker(marker) => {
                self.prose.tag();
                let lead = self.pending.take(marker.len());
                call.end();
                call.complete(&mut self.prose, events);
                Go(match marker {
                    OPEN => State::Opened { lead },
                    FUNCTION => State::Name { lead, wrapped: false },
                    _ => State::Text,
                })
            }
            Start::Other => {
                let rest = self.pending.rest();
                // The first character begins no tag, the next `<` may.
                let tag = rest.char_indices().skip(1).find(|(_, c)| *c == '<');
                let stray = self.pending.take(tag.map_or(rest.len(), |(at, _)| at));
                call.stream(&mut self.prose, events);
                self.prose.say(&stray, events);
                Go(State::Body(call))
            }
        }
    }

    fn key(&mut self, mut call: Call, events: &mut Events) -> Step {
        let rest = self.pending.rest();
        let end = rest.find(['>', '<', '\n']);
        match end.and_then(|end| rest.get(..end).zip(rest[end..].chars().next())) {
            None if rest.len() <= MAX_KEY && end.is_none() => Wait(State::Key(call)),
            Some((key, '>')) if (1..=MAX_KEY).contains(&key.len()) => {
                let tool = self.tools.iter().find(|tool| tool.name == call.name());
                let argument = call.open(key, Types::declared(tool, key));
                let len = key.len() + 1;
                self.pending.skip(len);
                self.prose.tag();
                Go(State::Begin(call, argument))
            }
            _ => {
                call.stream(&mut self.prose, events);
                self.prose.say(PARAMETER, events);
                Go(State::Body(call))
            }
        }
    }

    fn begin(&mut self, call: Call, argument: Argument) -> Step {
        match self.pending.rest().chars().next() {
            None => return Wait(State::Begin(call, argument)),
            Some('\n') => self.pending.skip(1),
            Some(_) => {}
        }
        Go(State::Value(call, argument))
    }

    fn value(&mut self, mut call: Call, mut argument: Argument) -> Step {
        let rest = self.pending.rest();
        let found = find(rest, &IN_VALUE);
        let at = found.map_or(rest.len(), |(at, _)| at);
        call.extend(&mut argument, rest.get(..at).unwrap_or_default());
        self.pending.skip(at);
        let Some((_, Start::Marker(close))) = found else {
            return Wait(State::Value(call, argument));
        };
        self.pending.skip(close.len());
        let seen = 0;
        Go(State::Closing {
            call,
            argument,
            close,
            seen,
        })
    }

    fn closing(
        &mut self,
        mut call: Call,
        mut argument: Argument,
        close: &'static str,
        mut seen: usize,
    ) -> Step {
        let unseen = self.pending.rest().get(seen..).unwrap_or_default();
        let behind = unseen.trim_start_matches(is_space);
        seen += unseen.len() - behind.len();
        match start(behind, &IN_CALL) {
            Start::Marker(_) => {
                self.pending.skip(seen);
                call.close(argument);
                Go(State::Body(call))
            }
            Start::Open => Wait(State::Closing {
                call,
                argument,
                close,
                seen,
            }),
            Start::Other => {
                call.extend(&mut argument, close);
                Go(State::Value(call, argument))
            }
        }
    }
}
