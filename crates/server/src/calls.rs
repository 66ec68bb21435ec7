//! Calls of tools as clients see them: under ids that no other answer has, and without what is only their markup.
//!
//! **An id that the model's format writes is the model's**, which reads it in the next turn; others are made here.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use engine::{CandleCompletionChunk, CandleCompletionParams};
use providers::{Dialect, OutputFormat};

/// What is done to the pieces of an answer.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Whether ids are made here.
    names: bool,
    /// Whether a call has to be all that is said: a text is the beginning of one that was cut off.
    forced: bool,
    /// The ids of the calls, by choice and place.
    ids: HashMap<(u32, u32), String>,
}

impl Calls {
    /// * `dialect`: how the model is talked to, where that is known; else all is left as it comes.
    pub(crate) fn new(dialect: Option<&Dialect>, params: &CandleCompletionParams) -> Self {
        let format = dialect.and_then(|dialect| dialect.output_format().ok());
        Self {
            names: format.is_some_and(|format| format != OutputFormat::KimiK2),
            forced: format.is_some() && params.tool_choice.is_forced(),
            ids: HashMap::new(),
        }
    }

    /// The piece as it is told, if it is.
    pub(crate) fn told(&mut self, mut chunk: CandleCompletionChunk) -> Option<CandleCompletionChunk> {
        match &mut chunk {
            CandleCompletionChunk::Text { .. } if self.forced => return None,
            CandleCompletionChunk::ToolCallStart {
                choice, index, id, ..
            } if self.names => id.clone_from(self.id(*choice, *index)),
            CandleCompletionChunk::ToolCallComplete {
                choice, index, call, ..
            } if self.names => call.id.clone_from(self.id(*choice, *index)),
            _ => {}
        }
        Some(chunk)
    }

    fn id(&mut self, choice: u32, index: u32) -> &String {
        self.ids.entry((choice, index)).or_insert_with(|| {
            // Each has keys of its own, so that no two numbers are alike but by chance.
            let number = || RandomState::new().hash_one((choice, index));
            let digits = format!("{:016x}{:016x}", number(), number());
            format!("call_{}", digits.get(..24).unwrap_or(&digits))
        })
    }
}
