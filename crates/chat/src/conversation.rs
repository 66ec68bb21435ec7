//! A conversation: the turns that were answered, oldest first, in memory.
//!
//! What stands here is exactly what the model is shown next time, after the system prompt, which is no
//! part of it. A turn whose answer failed, or was cancelled before it said anything, does not stand here.

use engine::{Message, ToolCall};
use generator::{CacheMiss, Drafts, FinishReason, Timings, Usage};

/// The turns of a conversation, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    turns: Vec<Turn>,
}

/// One message of the user and the model's answer to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What the user said, to the letter.
    pub user: String,
    /// What the model answered; of an interrupted answer, what had arrived.
    pub answer: String,
    /// What the model thought; kept for the reader, not shown to the model again.
    pub reasoning: String,
    /// The tools that the model called in its answer.
    pub tool_calls: Vec<ToolCall>,
    /// How the answer ended.
    pub ending: Ending,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Generation came to its end.
    Finished(Summary),
    /// The caller stopped reading before that.
    Interrupted,
}

/// The end of an answer that was generated to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Why it ended: by itself, or cut at its length.
    pub finish: FinishReason,
    /// Tokens read and generated.
    pub usage: Usage,
    /// Where the time went.
    pub timings: Timings,
    /// Seed that the draws were made with, where the provider tells.
    pub seed: Option<u64>,
    /// Why no more of the prompt was taken from an earlier turn's cache, where the provider tells.
    pub cache_miss: Option<CacheMiss>,
    /// Tokens that were guessed.
    pub drafts: Drafts,
}

impl Conversation {
    /// An empty conversation.
    pub fn new() -> Self {
        Self::default()
    }

    /// The turns, oldest first.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Whether nothing has been said yet.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The turns as the model is shown them: alternating messages of user and assistant.
    pub fn messages(&self) -> impl Iterator<Item = Message> + '_ {
        self.turns.iter().flat_map(|turn| {
            let answer = Message::assistant(&turn.answer).with_tool_calls(turn.tool_calls.clone());
            [Message::user(&turn.user), answer]
        })
    }

    pub(crate) fn push(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    pub(crate) fn pop(&mut self) -> Option<Turn> {
        self.turns.pop()
    }

    pub(crate) fn clear(&mut self) {
        self.turns.clear();
    }
}
