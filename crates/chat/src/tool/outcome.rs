//! How a call ended, and what the model is shown of that.

use std::time::Duration;

use thiserror::Error;

/// A call that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The id of the call.
    pub id: String,
    /// The tool that was called.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Time that it ran; zero where nothing ran.
    pub took: Duration,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The tool gave something back.
    Content {
        /// What the model is shown, cut at the role's limit.
        text: String,
        /// Bytes that were cut off.
        omitted: usize,
    },
    /// The call failed, or could not be run.
    Failed(ToolFault),
    /// It was not allowed; nothing ran.
    Refused {
        /// Why, for the model to read.
        reason: Option<String>,
    },
}

/// Why a call gave nothing. The message is what the model is shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ToolFault {
    /// There is no such tool; nothing ran.
    #[error("there is no tool {name:?}; there are: {known}")]
    Unknown {
        /// The name that was called.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The arguments are not what the tool takes; nothing ran.
    #[error("the arguments do not fit: {reason}")]
    Arguments {
        /// What does not fit, and where.
        reason: String,
    },
    /// The arguments are too long to be read; nothing ran.
    #[error("the arguments have {bytes} bytes, more than the {limit} that are allowed")]
    ArgumentsTooLong {
        /// Bytes that they have.
        bytes: usize,
        /// Bytes that they may have.
        limit: usize,
    },
    /// The model was cut off at its length while it called; nothing ran.
    #[error("not run: the answer was cut off at its length")]
    CutOff,
    /// More calls than one round may have; nothing ran.
    #[error("not run: more than {limit} calls at once")]
    TooMany {
        /// Calls that are run at most.
        limit: usize,
    },
    /// The call took too long and was dropped.
    #[error("the tool did not answer within {} ms", limit.as_millis())]
    TimedOut {
        /// The time that it had.
        limit: Duration,
    },
    /// The tool panicked.
    #[error("the tool panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The answer was stopped before the call ended.
    #[error("cancelled: the answer was stopped before the call ended")]
    Cancelled,
    /// The tool itself says that it failed.
    #[error("{message}")]
    Failed {
        /// What it says, cut at the role's limit.
        message: String,
    },
}

impl Outcome {
    /// What the model is shown: the text, with a note where it was cut; or a line that begins with `error:` or
    /// `refused`.
    pub fn shown(&self) -> String {
        match self {
            Outcome::Content { text, omitted: 0 } => text.clone(),
            Outcome::Content { text, omitted } => format!("{text}\n[cut here: {omitted} more bytes]"),
            Outcome::Failed(fault) => format!("error: {fault}"),
            Outcome::Refused { reason: None } => "refused: the user did not allow this call".to_owned(),
            Outcome::Refused { reason: Some(reason) } => format!("refused: {reason}"),
        }
    }

    /// Whether the tool gave something back.
    pub fn is_content(&self) -> bool {
        matches!(self, Outcome::Content { .. })
    }
}

/// The first `limit` bytes of a text, to a whole character, and how many are left out.
pub(crate) fn cut(mut text: String, limit: usize) -> (String, usize) {
    let whole = text.len();
    if whole > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    let omitted = whole - text.len();
    (text, omitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_whole_character() {
        assert_eq!(cut("aé".to_owned(), 2), ("a".to_owned(), 2));
        assert_eq!(cut("aé".to_owned(), 3), ("aé".to_owned(), 0));
        assert_eq!(cut("é".to_owned(), 0), (String::new(), 2));
    }
}
