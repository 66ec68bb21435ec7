//! What outlasts a chat: conversations as they were held, and facts that are worth knowing later.
//!
//! [`Memory`] is what a chat needs of a store; [`Archive`] is one in a file of SQLite. Invariants:
//!
//! * **A turn is kept whole or not at all**, in one transaction, once it is complete: whoever is killed in the midst of a
//!   turn loses that turn alone.
//! * **The system prompt is no memory**: it belongs to the role, and is never written.
//! * **What is deleted is gone**, from the index too; nothing is kept back.

mod archive;
mod portable;
mod query;

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use engine::Message;
use serde::{Deserialize, Serialize};

pub use archive::Archive;
pub use portable::{Portable, PortableConversation};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A store of conversations and facts.
///
/// Calls block for as long as a file takes: milliseconds. All of them may be made from several threads and processes at
/// the same time.
pub trait Memory: fmt::Debug + Send + Sync {
    /// Begins to keep a conversation.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn begin(&self, title: &str) -> Result<ConversationId, MemoryError>;

    /// Keeps a turn.
    ///
    /// * `number`: of the turn, counted from 0.
    ///
    /// # Errors
    ///
    /// * [`MemoryError::NoConversation`] if there is none of this id.
    /// * [`MemoryError::TurnNumber`] if it has other than `number` turns: somebody else has added to it.
    fn append(&self, id: ConversationId, number: usize, turn: &KeptTurn) -> Result<(), MemoryError>;

    /// Forgets all turns of a conversation from number `turns` on.
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

    /// What shares words with `text`, the best first: facts, and turns of every conversation but `except`.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn recall(
        &self,
        text: &str,
        limit: usize,
        except: Option<ConversationId>,
    ) -> Result<Vec<Recalled>, MemoryError>;

    /// Deletes everything.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn clear(&self) -> Result<(), MemoryError>;
}

/// Why a memory cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// There is no conversation of this id.
    #[error("there is no conversation {id}")]
    NoConversation {
        /// The id.
        id: ConversationId,
    },
    /// A turn does not follow the last one: the conversation was changed elsewhere.
    #[error(
        "turn {number} does not follow the {found} turns that conversation {id} has; it was changed elsewhere"
    )]
    TurnNumber {
        /// The conversation.
        id: ConversationId,
        /// Number of the turn that was to be kept.
        number: usize,
        /// Turns that there are.
        found: usize,
    },
    /// A fact says nothing.
    #[error("the fact is empty")]
    EmptyFact,
    /// A file that holds something else, or is damaged. It is left as it is.
    #[error(
        "{} holds no memory that can be read: {reason}; it is left as it is: move it away to begin anew, or restore a copy",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a later version of this program.
    #[error("{} was written by a later version (format {found}, this one reads up to {known})", path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// The folder of the file cannot be made.
    #[error("cannot make the folder of {}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An export that cannot be read.
    #[error("what is to be imported is no export of a memory")]
    Import(#[source] serde_json::Error),
    /// The store failed.
    #[error("the memory {} failed", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
