//! Why a message got no answer, or not all of it.

use engine::EngineError;
use thiserror::Error;

use crate::memory::MemoryError;

/// Why a message got no answer, or not all of it.
///
/// Whatever it is, the conversation can go on. It is as it was before the message, unless tools had run for it: then the
/// turn is kept as [interrupted](crate::Ending::Interrupted), with what they did.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The message says nothing.
    #[error("the message is empty")]
    EmptyMessage,

    /// There is no turn of this number. The message counts from 1.
    #[error("there is no turn {}: the conversation has {turns}", turn.saturating_add(1))]
    NoTurn {
        /// The number, counted from 0.
        turn: usize,
        /// Turns that there are.
        turns: usize,
    },

    /// The conversation with the new message leaves no room for an answer: undo or clear some of it, or
    /// send less.
    #[error(
        "the conversation has {prompt_tokens} tokens with this message and leaves no room in a context of {context}"
    )]
    ContextOverflow {
        /// Tokens of system prompt, conversation and new message together.
        prompt_tokens: usize,
        /// Tokens that the context holds.
        context: usize,
    },

    /// The conversation with the new message has more tokens than its budget: undo or clear some of it, send less, or
    /// let old turns be dropped.
    #[error(
        "the conversation has {prompt_tokens} tokens with this message, more than the {budget} of its budget"
    )]
    OverBudget {
        /// Tokens of system prompt, conversation and new message together, without what could be dropped.
        prompt_tokens: usize,
        /// Tokens that a prompt may have: those of the budget without its reserve for the answer.
        budget: usize,
    },

    /// The model called tools again and again: raise the limit, or ask for less.
    #[error("the model called tools in more than {limit} rounds without an answer")]
    RoundLimit {
        /// Rounds that were run.
        limit: usize,
    },

    /// Tools are declared twice: in the parameters, which do not run them, and in a toolbox, which does. Use one.
    #[error("the parameters declare the tool {name:?} beside a toolbox")]
    ToolsTwice {
        /// The first that the parameters declare.
        name: String,
    },

    /// A chat has one answer for each message: ask for one.
    #[error("choices is {choices}, expected 1 in a chat")]
    Choices {
        /// The choices asked for.
        choices: u32,
    },

    /// The role has no memory: give it one.
    #[error("the role has no memory")]
    NoMemory,

    /// The store of the role's memory failed.
    #[error(transparent)]
    Memory(#[from] MemoryError),

    /// Work beside the answer, such as counting tokens, could not be run.
    #[error("{what} failed: {reason}")]
    Worker {
        /// The work.
        what: &'static str,
        /// Why.
        reason: String,
    },

    /// The provider refused the request or failed.
    #[error(transparent)]
    Provider(EngineError),
}

impl From<EngineError> for ChatError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::ContextOverflow {
                prompt_tokens,
                context,
            } => ChatError::ContextOverflow {
                prompt_tokens,
                context,
            },
            error => ChatError::Provider(error),
        }
    }
}
