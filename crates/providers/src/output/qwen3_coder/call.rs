//! A call that is being read: its arguments as JSON text that only ever grows.
//!
//! What has been streamed is never taken back, so every piece is written once it is certain.

use engine::{Events, ToolCall};

use crate::output::argument::{Types, escaped, string};

/// A call that is being read.
pub(super) struct Call {
    index: u32,
    call: ToolCall,
    /// Bytes of the arguments that have been streamed.
    streamed: usize,
}

/// An argument that is being read.
pub(super) enum Argument {
    /// A string, written as it comes.
    Text,
    /// A value that is written when all of its text is there.
    Value {
        /// Its name.
        key: String,
        /// What it may be.
        types: Types,
        /// Its text so far.
        text: String,
    },
}

impl Call {
    /// Call `index` of its choice, of the tool `name`.
    pub(super) fn new(index: u32, id: String, name: String) -> Self {
        Self {
            index,
            call: ToolCall::new(id, name, "{"),
            streamed: 0,
        }
    }

    /// The tool called.
    pub(super) fn name(&self) -> &str {
        &self.call.name
    }

    /// Begins an argument.
    pub(super) fn open(&mut self, key: &str, types: Types) -> Argument {
        if types.only_string() {
            self.key(key);
            self.write("\"");
            return Argument::Text;
        }
        Argument::Value {
            key: key.to_owned(),
            types,
            text: String::new(),
        }
    }

    /// Takes more text of an argument.
    pub(super) fn extend(&mut self, argument: &mut Argument, piece: &str) {
        match argument {
            Argument::Text => self.write(&escaped(piece)),
            Argument::Value { text, .. } => text.push_str(piece),
        }
    }

    /// Ends an argument.
    pub(super) fn close(&mut self, argument: Argument) {
        match argument {
            Argument::Text => self.write("\""),
            Argument::Value { key, types, text } => {
                self.key(&key);
                self.write(&types.json(&text));
            }
        }
    }

    /// The output ends inside an argument: what there is of it becomes a string without an end.
    pub(super) fn cut(&mut self, argument: Argument) {
        if let Argument::Value { key, text, .. } = argument {
            self.key(&key);
            self.write("\"");
            self.write(&escaped(&text));
        }
    }

    /// The output ends inside the name of an argument.
    pub(super) fn cut_key(&mut self, key: &str) {
        self.separate();
        self.write("\"");
        self.write(&escaped(key));
    }

    /// No argument follows.
    pub(super) fn end(&mut self) {
        self.write("}");
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.write(&string(key));
        self.write(":");
    }

    fn separate(&mut self) {
        if self.call.arguments.len() > 1 {
            self.write(",");
        }
    }

    fn write(&mut self, json: &str) {
        self.call.arguments.push_str(json);
    }

    /// Tells that the call has begun.
    pub(super) fn announce(&self, choice: u32, events: &mut Events) {
        let ToolCall { id, name, .. } = self.call.clone();
        events.tool_call_start(choice, self.index, id, name);
    }

    /// Streams what has been written since, with `tokens`; they stay where there is nothing.
    pub(super) fn stream(&mut self, choice: u32, tokens: &mut Vec<u32>, events: &mut Events) {
        let written = self.call.arguments.get(self.streamed..).unwrap_or_default();
        if !written.is_empty() {
            let tokens = std::mem::take(tokens);
            events.tool_call_delta(choice, self.index, written.to_owned(), tokens);
            self.streamed = self.call.arguments.len();
        }
    }

    /// Streams the rest and the whole.
    pub(super) fn complete(mut self, choice: u32, tokens: &mut Vec<u32>, events: &mut Events) {
        self.stream(choice, tokens, events);
        events.tool_call_complete(choice, self.index, self.call);
    }
}
