//! Qwen3-Coder's format: calls as tags around each value.
//!
//! ```text
//! <tool_call>
//! <function=get_weather>
//! <parameter=city>
//! Paris
//! </parameter>
//! </function>
//! </tool_call>
//! ```
//!
//! What it makes of sloppy output:
//!
//! * Whitespace next to a call is the format's; all other text is the answer, be it before, between or after.
//! * `<tool_call>` may be missing where the function is a declared one. A bare `<function=…>` of another name,
//!   and a `<tool_call>` that no function follows, are text. A `</tool_call>` that closes nothing is swallowed.
//! * A call ends with `</function>`, with `</tool_call>`, or where the next begins. Text inside it that belongs to
//!   no parameter is the answer's.
//! * A value is text to the letter but for one newline after its opening tag and one before its closing tag.
//!   `</parameter>` closes it only where a tag that may stand behind it follows, or the end: so a value can
//!   hold such tags itself. What its text becomes is said below.
//!
//! Values, by the schema that the tool declares for them:
//!
//! * A string is the text. So is a value without a declared type, and whatever is no value of its type.
//! * Any other value is the text as JSON, to the letter; `True`, `False` and `None` are taken as Python's words. Where
//!   strings are allowed beside other types, and for a parameter that is not declared, a string is what is no
//!   other value.
//!
//! Where the output ends inside a call:
//!
//! * Before its name is whole, all of it is text.
//! * Inside a parameter or its name, the arguments hold what there was as a string that does not end: they are
//!   not valid JSON, and nobody can run the call by mistake.
//! * Anywhere else the call is complete with the parameters that it has. Whether the model meant to stop
//!   there is told by the reason for the end.
//!
//! The format has no ids: they are `call_` and a number that grows by one with each call of a choice.
//!
//! # Source
//!
//! The chat template of Qwen3-Coder.

mod call;
mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{CandleStringChunk, Events, OutputParser, ToolDefinition};

use reader::Reader;

/// Reads Qwen3-Coder's output: text, and calls as they come in.
///
/// The arguments of a call stream as JSON text: strings character by character, other values when they are whole.
pub struct Qwen3Coder {
    tools: Arc<[ToolDefinition]>,
    first_call: u32,
    choices: BTreeMap<u32, Reader>,
}

impl Qwen3Coder {
    /// A parser for one request with these tools.
    pub fn new(tools: impl Into<Arc<[ToolDefinition]>>) -> Self {
        Self {
            tools: tools.into(),
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

impl std::fmt::Debug for Qwen3Coder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.tools.iter().map(|tool| &tool.name);
        f.debug_list().entries(names).finish()
    }
}

impl OutputParser for Qwen3Coder {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        let new = || Reader::new(chunk.choice, Arc::clone(&self.tools), self.first_call);
        let reader = self.choices.entry(chunk.choice).or_insert_with(new);
        reader.push(&chunk.text, &chunk.tokens, events);
    }

    fn finish(&mut self, choice: u32, events: &mut Events) {
        if let Some(reader) = self.choices.remove(&choice) {
            reader.finish(events);
        }
    }
}

#[cfg(test)]
mod tests;
