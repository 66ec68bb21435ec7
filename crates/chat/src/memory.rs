//! What outlasts a chat: conversations as they were held, and facts that are worth knowing later.
//!
//! [`Memory`] is what a chat needs of a store; [`Archive`] is one in a file of SQLite. Invariants:
//!
//! * **A turn is kept whole or not at all**, in one transaction, once it is complete: whoever is killed in the midst of a
//!   turn loses that turn alone.
//! * **The system prompt is no memory**: it belongs to the role, and is never written.
//! * **What is deleted is gone**, from the index and the log too; nothing is kept back.
//! * **Who writes to a conversation that somebody else has changed meanwhile is told so**, and neither loses a turn.

mod archive;
mod embedder;
mod error;
mod pairs;
mod portable;
mod query;

use std::fmt;
use std::time::SystemTime;

use engine::{Message, ToolCall};
use serde::{Deserialize, Serialize};

pub use archive::Archive;
pub use embedder::{Embedder, ProviderEmbedder, index};
pub use error::MemoryError;
pub use portable::{Portable, PortableConversation, PortableTurn};

/// A kept conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConversationId(pub i64);

/// A kept fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FactId(pub i64);

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What tells a store from every other: however often one is opened, it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreId(String);

impl StoreId {
    /// The store of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

/// How often the turns of a conversation have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub i64);

impl Revision {
    /// Of a conversation that has just begun.
    pub const FIRST: Self = Self(0);
}

/// A conversation as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its title, which may be empty.
    pub title: String,
    /// Its turns, oldest first.
    pub turns: Vec<KeptTurn>,
    /// What [`Memory::replace`] has to be told for a write that follows this moment.
    pub revision: Revision,
}

/// One turn as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTurn {
    /// What the user said.
    pub user: String,
    /// What the model answered in the end.
    pub answer: String,
    /// What the model thought; for the reader.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// Everything between the two that the model is shown again: calls of tools and their results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub between: Vec<Message>,
    /// Calls of tools that the answer ended with and that nothing ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Whether the answer was stopped before its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
}

/// A conversation without its turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Which one.
    pub id: ConversationId,
    /// Its title, which may be empty.
    pub title: String,
    /// Turns that it has.
    pub turns: usize,
    /// When it was last added to.
    pub updated: SystemTime,
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Which one.
    pub id: FactId,
    /// What is known.
    pub text: String,
    /// Since when.
    pub created: SystemTime,
}

/// Where something that was recalled stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A fact.
    Fact(FactId),
    /// A turn, counted from 0, of a conversation.
    Turn(ConversationId, usize),
}

/// Something that fits what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalled {
    /// Where it stands.
    pub origin: Origin,
    /// The fact, or what was said and answered.
    pub text: String,
    /// When it was kept.
    pub kept: SystemTime,
    /// How well it fits and how recent it is; more is better, and only to be compared within one recall.
    pub score: f64,
}

/// What is to be recalled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Query<'a> {
    /// Whose words are looked for: what shares any of them is found. Of Chinese, Japanese and Korean, any two characters that
    /// stand together are a word.
    pub text: &'a str,
    /// Whether words that every text has, such as "the", are looked for too: by somebody who has typed them, and not for the
    /// sake of what was said in a chat.
    pub common_words: bool,
    /// Name of an embedding model, and the vector that it makes of the text, for what is near it in meaning. Only vectors
    /// of the same model and length are compared.
    pub meaning: Option<(&'a str, &'a [f32])>,
    /// Whether facts are looked through.
    pub facts: bool,
    /// Whether turns are.
    pub turns: bool,
    /// The most that is returned.
    pub limit: usize,
    /// A conversation whose turns from this number on, counted from 0, are left out.
    pub shown: Option<(ConversationId, usize)>,
}

impl<'a> Query<'a> {
    /// Facts, and turns of every conversation, that share words with `text` which not every text has.
    pub fn words(text: &'a str, limit: usize) -> Self {
        Self {
            text,
            common_words: false,
            meaning: None,
            facts: true,
            turns: true,
            limit,
            shown: None,
        }
    }
}

/// Something that has a vector for each embedding model, or should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A fact.
    Fact(FactId),
    /// A turn, by a number that no other turn of the store ever has.
    Turn(i64),
}

/// A text that lacks a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unindexed {
    /// What it is.
    pub item: Item,
    /// The text.
    pub text: String,
}

/// A store of conversations and facts.
///
/// Calls block for as long as a file takes: milliseconds. All of them may be made from several threads and processes at
/// the same time.
pub trait Memory: fmt::Debug + Send + Sync {
    /// Which store it is.
    fn store(&self) -> StoreId;

    /// Begins to keep a conversation.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn begin(&self, title: &str) -> Result<ConversationId, MemoryError>;

    /// Keeps a whole conversation, in one transaction.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn begin_with(&self, title: &str, turns: &[KeptTurn]) -> Result<ConversationId, MemoryError>;

    /// Forgets all turns of a conversation from number `from` on, counted from 0, and keeps `turns` in their place, in one
    /// transaction: where its turns are those of `known`, so that of several who write none undoes what another wrote.
    /// The revision that it has then.
    ///
    /// # Errors
    ///
    /// * [`MemoryError::NoConversation`] if there is none of this id: somebody has deleted it. Nothing is kept then.
    /// * [`MemoryError::Changed`] if it has another revision: somebody else has changed it.
    /// * [`MemoryError::TurnNumber`] if it has fewer turns than `from`.
    fn replace(
        &self,
        id: ConversationId,
        from: usize,
        known: Revision,
        turns: &[KeptTurn],
    ) -> Result<Revision, MemoryError>;

    /// [`Memory::replace`] for a writer that has nothing but the number of turns to go by: it does not see that somebody
    /// else has put another turn in the place of one.
    ///
    /// * `expected`: turns that the conversation has before.
    ///
    /// # Errors
    ///
    /// * [`MemoryError::NoConversation`] if there is none of this id.
    /// * [`MemoryError::TurnNumber`] if it has another number of turns than expected, or fewer than `from`: somebody else
    ///   has changed it.
    fn rewrite(
        &self,
        id: ConversationId,
        from: usize,
        expected: usize,
        turns: &[KeptTurn],
    ) -> Result<(), MemoryError>;

    /// Keeps a turn.
    ///
    /// * `number`: of the turn, counted from 0.
    ///
    /// # Errors
    ///
    /// * [`MemoryError::NoConversation`] if there is none of this id.
    /// * [`MemoryError::TurnNumber`] if it has other than `number` turns: somebody else has added to it.
    fn append(&self, id: ConversationId, number: usize, turn: &KeptTurn) -> Result<(), MemoryError> {
        self.rewrite(id, number, number, std::slice::from_ref(turn))
    }

    /// Forgets all turns of a conversation but the first `turns`.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoConversation`] if there is none of this id.
    fn truncate(&self, id: ConversationId, turns: usize) -> Result<(), MemoryError>;

    /// The turns of a conversation, oldest first.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoConversation`] if there is none of this id.
    fn turns(&self, id: ConversationId) -> Result<Vec<KeptTurn>, MemoryError>;

    /// A conversation as it is at one moment.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoConversation`] if there is none of this id.
    fn snapshot(&self, id: ConversationId) -> Result<Snapshot, MemoryError>;

    /// A conversation without its turns.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoConversation`] if there is none of this id.
    fn outline(&self, id: ConversationId) -> Result<Outline, MemoryError>;

    /// A conversation as it is at one moment, with its times.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoConversation`] if there is none of this id.
    fn export(&self, id: ConversationId) -> Result<PortableConversation, MemoryError>;

    /// Keeps a conversation as a new one, with the times that it has, in one transaction.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn import(&self, conversation: &PortableConversation) -> Result<ConversationId, MemoryError>;

    /// All conversations, the one that was last added to first.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn conversations(&self) -> Result<Vec<Outline>, MemoryError>;

    /// Gives a conversation another title.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoConversation`] if there is none of this id.
    fn rename(&self, id: ConversationId, title: &str) -> Result<(), MemoryError>;

    /// Copies the first `turns` turns of a conversation into a new one.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoConversation`] if there is none of this id.
    fn branch(&self, id: ConversationId, turns: usize, title: &str) -> Result<ConversationId, MemoryError>;

    /// Deletes a conversation with all its turns; `false` if there is none of this id.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn delete(&self, id: ConversationId) -> Result<bool, MemoryError>;

    /// Keeps a fact; the one that says the same already is made new instead.
    ///
    /// # Errors
    ///
    /// [`MemoryError::EmptyFact`] if it says nothing.
    fn remember(&self, fact: &str) -> Result<FactId, MemoryError>;

    /// All facts, the newest first.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn facts(&self) -> Result<Vec<Fact>, MemoryError>;

    /// Deletes a fact; `false` if there is none of this id.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn forget(&self, id: FactId) -> Result<bool, MemoryError>;

    /// What fits a query, the best first.
    ///
    /// By words alone, the score is that of the full-text index, which halves at most with age. With a meaning too, what
    /// is nearest in meaning, with age as well, is a second ranking, and the score is the sum of both rankings' `1 / (60 +
    /// place)`, places counted from 1 (reciprocal rank fusion).
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn recall(&self, query: &Query<'_>) -> Result<Vec<Recalled>, MemoryError>;

    /// The newest texts, `limit` at most, that have no vector of this embedding model.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn unindexed(&self, model: &str, limit: usize) -> Result<Vec<Unindexed>, MemoryError>;

    /// Keeps vectors that an embedding model made, in one transaction; those of what was deleted meanwhile are let go.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Dimension`] of a vector whose length is not that of the model's other ones.
    fn keep_vectors(&self, model: &str, vectors: &[(Item, Vec<f32>)]) -> Result<(), MemoryError>;

    /// Deletes all vectors of an embedding model; `false` if there are none.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn forget_vectors(&self, model: &str) -> Result<bool, MemoryError>;

    /// Deletes everything.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn clear(&self) -> Result<(), MemoryError>;
}
