//! Kimi K2's format: calls as JSON between tokens of their own.
//!
//! ```text
//! <|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>
//! {"city": "Paris"}<|tool_call_end|><|tool_calls_section_end|>
//! ```
//!
//! What it makes of sloppy output:
//!
//! * A section need not be opened nor closed, and its tags may have the singular form (`<|tool_call_section_begin|>`).
//!   A tag that closes nothing is swallowed. Whitespace next to a tag is the format's; text between calls is the answer's.
//! * The id of a call is kept to the letter: `functions.NAME:INDEX`. Where the model leaves parts of that out, the name is
//!   what there is of it. What cannot be a name is text.
//! * A call ends with `<|tool_call_end|>`, or where any other tag stands. Its arguments are the text in between to the
//!   letter, `{}` where there is none.
//!
//! Where the output ends inside a call:
//!
//! * Before its arguments begin, all of it is text.
//! * In its arguments, they are what there was: valid JSON only if they were whole, so that nobody can run a call by
//!   mistake that was cut off.
//!
//! # Source
//!
//! The chat template of Kimi K2, and the guide to tool calls in its repository.

mod reader;

use std::collections::BTreeMap;

use engine::{CandleStringChunk, Events, OutputParser};

use reader::Reader;
pub(super) use reader::{SECTIONS, TAGS as MARKS};

/// Reads Kimi K2's output: text, and calls as they come in.
#[derive(Default)]
pub struct KimiK2 {
    choices: BTreeMap<u32, Reader>,
}

impl KimiK2 {
    /// A parser for one request.
    pub fn new() -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for KimiK2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KimiK2").finish_non_exhaustive()
    }
}

impl OutputParser for KimiK2 {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        let reader = self.choices.entry(chunk.choice);
        let reader = reader.or_insert_with(|| Reader::new(chunk.choice));
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
