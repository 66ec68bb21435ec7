//! A call that is being read: its arguments as JSON text that only ever grows.
//!
//! What has been streamed is never taken back, so every piece is written once it is certain.

use engine::{Events, ToolCall};

use super::object::{CallObject, Progress};
use super::pending::Pending;
use super::prose::Prose;

/// A call that is being read.
pub(super) struct Call {
    index: u32,
    call: ToolCall,
    /// Bytes of the arguments that have been streamed.
    streamed: usize,
}

impl Call {
    /// Call `index` of its choice, of the tool `name`, without arguments yet.
    pub(super) fn new(index: u32, id: String, name: String) -> Self {
        Self {
            index,
            call: ToolCall::new(id, name, ""),
            streamed: 0,
        }
    }

    /// The tool called.
    pub(super) fn name(&self) -> &str {
        &self.call.name
    }

    /// The arguments so far.
    pub(super) fn arguments(&self) -> &str {
        &self.call.arguments
    }

    /// Adds to the arguments.
    pub(super) fn write(&mut self, json: &str) {
        self.call.arguments.push_str(json);
    }

    /// Tells that the call has begun.
    pub(super) fn announce(&self, prose: &Prose, events: &mut Events) {
        let ToolCall { id, name, .. } = self.call.clone();
        events.tool_call_start(prose.choice(), self.index, id, name);
    }

    /// Streams what has been written since, with the tokens that wait; they stay where there is nothing.
    pub(super) fn stream(&mut self, prose: &mut Prose, events: &mut Events) {
        let written = self.call.arguments.get(self.streamed..).unwrap_or_default();
        if !written.is_empty() {
            let tokens = std::mem::take(&mut prose.tokens);
            events.tool_call_delta(prose.choice(), self.index, written.to_owned(), tokens);
            self.streamed = self.call.arguments.len();
        }
    }

    /// Streams the rest and the whole.
    pub(super) fn complete(mut self, prose: &mut Prose, events: &mut Events) {
        self.stream(prose, events);
        events.tool_call_complete(prose.choice(), self.index, self.call);
    }
}

/// A call that is one JSON object, from where its name is known.
pub(super) struct ObjectCall {
    call: Call,
    object: CallObject,
}

impl ObjectCall {
    /// Tells that the call of `object` has begun.
    pub(super) fn begin(
        index: u32,
        id: String,
        name: String,
        object: CallObject,
        prose: &Prose,
        events: &mut Events,
    ) -> Self {
        let call = Call::new(index, id, name);
        call.announce(prose, events);
        Self { call, object }
    }

    /// Reads on; itself, while more text is needed.
    pub(super) fn read(
        mut self,
        pending: &mut Pending,
        prose: &mut Prose,
        events: &mut Events,
    ) -> Option<Self> {
        let (taken, progress) = self.object.read(pending.rest());
        pending.skip(taken);
        self.advance(progress, prose, events)
    }

    /// Writes what is new of the arguments, and ends the call with its object.
    pub(super) fn advance(
        mut self,
        progress: Progress,
        prose: &mut Prose,
        events: &mut Events,
    ) -> Option<Self> {
        let arguments = self.object.arguments();
        let new = arguments
            .get(self.call.arguments().len()..)
            .unwrap_or_default()
            .to_owned();
        self.call.write(&new);
        if progress == Progress::Open {
            return Some(self);
        }
        if self.call.arguments().is_empty() {
            self.call.write("{}");
        }
        self.call.complete(prose, events);
        None
    }

    /// Streams what has been written since.
    pub(super) fn stream(&mut self, prose: &mut Prose, events: &mut Events) {
        self.call.stream(prose, events);
    }

    /// Streams the rest and the whole, however far it came.
    pub(super) fn complete(self, prose: &mut Prose, events: &mut Events) {
        self.call.complete(prose, events);
    }
}
