//! Calls of tools, put together from their pieces.
//!
//! Servers agree on little: some send the id and the name with the first piece and some with every one, some number the
//! calls from somewhere else than 0 or not at all, some send whole calls at once. An id is kept to the letter; only a call
//! without any gets one here. A call is told of when its name is known, and is complete when its choice ends, since pieces
//! of several may come mixed.

use std::hash::{BuildHasher as _, RandomState};

use engine::{CandleCompletionChunk, ToolCall};
use serde_json::Value;

use super::wire;

/// Calls that one answer may have.
const MAX_CALLS: usize = 1_024;
/// Bytes that the arguments of one call may have.
const MAX_ARGUMENTS: usize = 16 << 20;

/// The calls of one choice.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    /// The server's number for it.
    number: Option<u32>,
    call: ToolCall,
    begun: bool,
}

impl Calls {
    /// Takes a piece of a call; what it says of it goes to `out`.
    ///
    /// # Errors
    ///
    /// What is wrong with the piece.
    pub(crate) fn push(
        &mut self,
        choice: u32,
        piece: wire::Call,
        out: &mut Vec<CandleCompletionChunk>,
    ) -> Result<(), &'static str> {
        let place = self.place(&piece)?;
        let index = u32::try_from(place).unwrap_or(u32::MAX);
        let Some(Call { call, begun, .. }) = self.calls.get_mut(place) else {
            return Ok(());
        };
        if call.id.is_empty()
            && let Some(id) = piece.id
        {
            call.id = id;
        }
        let (name, arguments) = piece
            .function
            .map_or((None, None), |function| (function.name, function.arguments));
        if call.name.is_empty()
            && let Some(name) = name
        {
            call.name = name;
        }
        let arguments = match arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(object) => object.to_string(),
        };
        if call.arguments.len() + arguments.len() > MAX_ARGUMENTS {
            return Err("calls a tool with arguments beyond all measure");
        }
        call.arguments.push_str(&arguments);
        if *begun {
            delta(choice, index, arguments, out);
        } else if !call.name.is_empty() {
            *begun = true;
            start(choice, index, call, out);
        }
        Ok(())
    }

    /// Which call `piece` belongs to; a new one where it begins one.
    fn place(&mut self, piece: &wire::Call) -> Result<usize, &'static str> {
        let id = piece.id.as_deref().unwrap_or_default();
        let known = match piece.index {
            Some(number) => self.calls.iter().position(|call| call.number == Some(number)),
            // Without a number: the call of the same id, or the last where the piece has none.
            None if id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().position(|call| call.call.id == id),
        };
        if let Some(place) = known {
            return Ok(place);
        }
        if self.calls.len() >= MAX_CALLS {
            return Err("calls tools without end");
        }
        self.calls.push(Call {
            number: piece.index,
            call: ToolCall::new(String::new(), String::new(), String::new()),
            begun: false,
        });
        Ok(self.calls.len() - 1)
    }

    /// The end of the choice: every call is complete.
    ///
    /// # Errors
    ///
    /// Where a call has no name.
    pub(crate) fn finish(
        &mut self,
        choice: u32,
        out: &mut Vec<CandleCompletionChunk>,
    ) -> Result<(), &'static str> {
        for (index, Call { call, begun, .. }) in (0..).zip(self.calls.drain(..)) {
            if !begun {
                return Err("calls a tool without a name");
            }
            out.push(CandleCompletionChunk::ToolCallComplete { choice, index, call });
        }
        Ok(())
    }
}

/// A call begins, with what there is of its arguments.
fn start(choice: u32, index: u32, call: &mut ToolCall, out: &mut Vec<CandleCompletionChunk>) {
    if call.id.is_empty() {
        call.id = format!("call_{:016x}", RandomState::new().hash_one(index));
    }
    out.push(CandleCompletionChunk::ToolCallStart {
        choice,
        index,
        id: call.id.clone(),
        name: call.name.clone(),
    });
    delta(choice, index, call.arguments.clone(), out);
}

fn delta(choice: u32, index: u32, arguments: String, out: &mut Vec<CandleCompletionChunk>) {
    if !arguments.is_empty() {
        out.push(CandleCompletionChunk::ToolCallDelta {
            choice,
            index,
            arguments,
            tokens: vec![],
        });
    }
}
