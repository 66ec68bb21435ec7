//! Why a memory cannot be read or written.

use std::path::PathBuf;

use engine::EngineError;

use super::{ConversationId, Revision};

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
    /// The conversation was changed elsewhere since it was read. Nothing is written.
    #[error("conversation {id} was changed elsewhere")]
    Changed {
        /// The conversation.
        id: ConversationId,
        /// Its revision when it was read.
        known: Revision,
        /// The one that it has.
        found: Revision,
    },
    /// A turn does not follow the last one: the conversation was changed elsewhere. The message counts from 1.
    #[error(
        "turn {} does not follow the {found} turns that conversation {id} has; it was changed elsewhere",
        number.saturating_add(1)
    )]
    TurnNumber {
        /// The conversation.
        id: ConversationId,
        /// Number of the turn that was to be kept, counted from 0.
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
    /// A file of an earlier version of this program, which is brought to the format of today where it may be written.
    #[error(
        "{} was written by an earlier version (format {found}, this one reads {known}) and may only be read, so that it \
         cannot be brought up to date",
        path.display()
    )]
    Earlier {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The one of today.
        known: i64,
    },
    /// Something was to be written to a file that may only be read.
    #[error("the memory {} may only be read", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// What was given is no path.
    #[error("{path:?} is no path of a memory")]
    Path {
        /// What was given.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file, or its folder, cannot be made.
    #[error("cannot make the memory {}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The embedding model failed.
    #[error("the embedding model failed")]
    Embed(#[source] EngineError),
    /// The embedding model gave another number of vectors than of texts.
    #[error("the embedding model made {got} vectors of {asked} texts")]
    Vectors {
        /// Texts.
        asked: usize,
        /// Vectors.
        got: usize,
    },
    /// A vector is not as long as the others of its model: the model is another than it was, under the same name.
    #[error(
        "a vector of {model:?} has {got} numbers, and those that are kept have {known}; delete those, or name the model otherwise"
    )]
    Dimension {
        /// The model.
        model: String,
        /// Numbers of its vectors.
        known: usize,
        /// Numbers of this one.
        got: usize,
    },
    /// The thread that works for the store failed.
    #[error("the memory's work {0}")]
    Worker(String),
    /// A page of Markdown that is no export of a memory.
    #[error("line {line} of the page {reason}")]
    Markdown {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An export in JSON that cannot be read.
    #[error("what is to be imported is no export of a memory")]
    Import(#[source] serde_json::Error),
    /// The store failed.
    #[error("the memory {} failed: {cause}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why. The message says it, so that it is no source beside that.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}
