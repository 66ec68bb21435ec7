//! The order of a completion: pieces of a choice, its finish, and one end when every choice has finished.
//!
//! Holds for whatever a backend sends; a stream that breaks it fails.

use crate::chunk::CandleCompletionChunk;
use crate::error::EngineError;

/// Follows a completion and refuses the first chunk that is out of order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    open: Vec<u32>,
    finished: Vec<u32>,
    calls: Vec<Call>,
}

/// A call of a tool that has begun.
#[derive(Debug)]
struct Call {
    choice: u32,
    complete: bool,
}

impl Order {
    /// Takes the next chunk.
    ///
    /// # Errors
    ///
    /// [`EngineError::OutOfOrder`] if it may not stand here.
    pub(crate) fn accept(&mut self, chunk: &CandleCompletionChunk) -> Result<(), EngineError> {
        match *chunk {
            CandleCompletionChunk::Text { choice, .. }
            | CandleCompletionChunk::Reasoning { choice, .. }
            | CandleCompletionChunk::Logprobs { choice, .. } => self.piece(choice),
            // Stands beside the choices.
            CandleCompletionChunk::PromptLogprobs { .. } => Ok(()),
            CandleCompletionChunk::ToolCallStart { choice, index, .. } => {
                self.piece(choice)?;
                let begun = self.calls.iter().filter(|call| call.choice == choice).count();
                if usize::try_from(index) != Ok(begun) {
                    return Err(out_of_order(choice, "begins a call out of turn"));
                }
                let complete = false;
                self.calls.push(Call { choice, complete });
                Ok(())
            }
            CandleCompletionChunk::ToolCallDelta { choice, index, .. } => {
                self.piece(choice)?;
                self.call(choice, index).map(|_| ())
            }
            CandleCompletionChunk::ToolCallComplete { choice, index, .. } => {
                self.piece(choice)?;
                self.call(choice, index)?.complete = true;
                Ok(())
            }
            CandleCompletionChunk::Finish { choice, .. } => {
                self.not_finished(choice, "finishes twice")?;
                if self
                    .calls
                    .iter()
                    .any(|call| call.choice == choice && !call.complete)
                {
                    return Err(out_of_order(choice, "finishes inside a call"));
                }
                self.open.retain(|open| *open != choice);
                self.finished.push(choice);
                Ok(())
            }
            CandleCompletionChunk::Complete { .. } => match (self.open.first(), self.finished.is_empty()) {
                (Some(choice), _) => Err(out_of_order(*choice, "has no finish before the end")),
                (None, true) => Err(out_of_order(0, "has no finish before the end")),
                (None, false) => Ok(()),
            },
        }
    }

    fn piece(&mut self, choice: u32) -> Result<(), EngineError> {
        self.not_finished(choice, "goes on after its finish")?;
        if !self.open.contains(&choice) {
            self.open.push(choice);
        }
        Ok(())
    }

    /// A call that goes on.
    fn call(&mut self, choice: u32, index: u32) -> Result<&mut Call, EngineError> {
        let mut calls = self.calls.iter_mut().filter(|call| call.choice == choice);
        let call = usize::try_from(index).ok().and_then(|index| calls.nth(index));
        call.filter(|call| !call.complete)
            .ok_or_else(|| out_of_order(choice, "goes on with a call that is not open"))
    }

    fn not_finished(&self, choice: u32, fault: &'static str) -> Result<(), EngineError> {
        if self.finished.contains(&choice) {
            Err(out_of_order(choice, fault))
        } else {
            Ok(())
        }
    }
}

fn out_of_order(choice: u32, fault: &'static str) -> EngineError {
    EngineError::OutOfOrder { choice, fault }
}
