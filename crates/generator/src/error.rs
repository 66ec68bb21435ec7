//! Why a request was refused or failed. An error is the only item of its stream, or the last.

use std::sync::Arc;
use std::time::Duration;

use models::{Device, ModelError};
use simd_sampling::{LogitsError, ParamsError};

/// Every failure of this crate; each message names the offending value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The prompt has no tokens: nothing to continue. An empty text is a prompt only where the tokenizer
    /// adds a beginning-of-sequence token.
    #[error("the prompt has no tokens")]
    EmptyPrompt,
    /// The prompt leaves no room for one new token. Nothing is cut silently.
    #[error("the prompt has {prompt_tokens} tokens, which leaves no room in the context of {context}")]
    ContextOverflow {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Positions that the model has.
        context: usize,
    },
    /// `max_tokens` is 0.
    #[error("max_tokens is {max_tokens}, but at least 1 is needed")]
    InvalidMaxTokens {
        /// The value given.
        max_tokens: u32,
    },
    /// `min_tokens` is more than can be generated.
    #[error("min_tokens is {min_tokens}, but at most {most} tokens can be generated")]
    InvalidMinTokens {
        /// The value given.
        min_tokens: u32,
        /// `max_tokens`, or what the context leaves after the prompt.
        most: usize,
    },
    /// No choices are asked for, or more than run at once.
    #[error("{choices} choices are asked for, expected 1 to {most}, as many as run at once")]
    InvalidChoices {
        /// The value given.
        choices: u32,
        /// Sequences that run at once.
        most: usize,
    },
    /// More log-probabilities are asked for with each token than there are tokens.
    #[error("the {top} most probable tokens are asked for, but the vocabulary has {vocab}")]
    InvalidLogprobs {
        /// The value given.
        top: usize,
        /// Size of the model's vocabulary.
        vocab: usize,
    },
    /// The constraint cannot be followed: it does not parse, or is too large.
    #[error("the constraint cannot be followed: {fault}")]
    InvalidConstraint {
        /// What is wrong with it.
        fault: String,
    },
    /// The constraint took too much work at some place of the text.
    #[error("the constraint could not be followed any further: {fault}")]
    ConstraintFailed {
        /// What happened.
        fault: String,
    },
    /// A stop string is empty: it would end every generation before it begins.
    #[error("the stop string at index {index} is empty")]
    EmptyStop {
        /// Its index in the list.
        index: usize,
    },
    /// A token id in the request is not in the model's vocabulary.
    #[error("{place} holds token {token}, outside the vocabulary of {vocab} tokens")]
    TokenOutOfVocabulary {
        /// Where the id stands: the prompt or the end tokens.
        place: TokenPlace,
        /// The id.
        token: u32,
        /// Size of the model's vocabulary.
        vocab: usize,
    },
    /// The sampling parameters are not ones that can be followed.
    #[error("the sampling parameters are invalid")]
    Params(#[source] Arc<ParamsError>),
    /// The prompt's text could not be encoded.
    #[error("the prompt could not be encoded")]
    Encode(#[source] Arc<ModelError>),
    /// The generator already holds as many requests as it may; try again when one has ended.
    #[error("{held} requests are running or waiting, and no more than {limit} may")]
    Overloaded {
        /// Requests held.
        held: usize,
        /// The most that are held.
        limit: usize,
    },
    /// The request's caches could become larger than all running caches together may be.
    #[error(
        "{positions} tokens of prompt and completion need caches of {needed} bytes, and no more than {most} may be used"
    )]
    CacheTooLarge {
        /// Positions of each choice's cache at its longest.
        positions: usize,
        /// Bytes of so many positions, for all choices together.
        needed: usize,
        /// The bytes that running caches may have.
        most: usize,
    },
    /// The model computes on another device than the one asked for.
    #[error("the model computes on {found}, not on {wanted}")]
    DeviceMismatch {
        /// The device asked for.
        wanted: Device,
        /// The model's device.
        found: Device,
    },
    /// The worker thread could not be started.
    #[error("the worker thread could not be started")]
    Thread(#[source] Arc<std::io::Error>),
    /// The model refused or failed a step.
    #[error("the model failed")]
    Model(#[source] Arc<ModelError>),
    /// The model's logits allow no draw.
    #[error("token {index} could not be drawn from the model's logits")]
    Logits {
        /// Index of the token in the completion.
        index: usize,
        /// What is wrong with the row.
        #[source]
        source: Arc<LogitsError>,
    },
    /// The model broke its contract in a step that it reported as done.
    #[error("the model left {what} at {found} after a step, not at {expected}")]
    BrokenModel {
        /// What was counted.
        what: &'static str,
        /// The count that the step should have left.
        expected: usize,
        /// The count found.
        found: usize,
    },
    /// A step of this request panicked; the worker serves others on.
    #[error("a step panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The request's deadline came before its end.
    #[error("the deadline came {} ms after the request was made, with {tokens} tokens generated", after.as_millis())]
    DeadlineExceeded {
        /// From the request until it was given up.
        after: Duration,
        /// Tokens generated by then, of the choice that noticed it first.
        tokens: usize,
    },
    /// The worker thread ended before the request did.
    #[error("the worker thread has ended")]
    WorkerGone,
}

/// Where in a request a token id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenPlace {
    /// The prompt, at this index.
    Prompt(usize),
    /// The end tokens, at this index.
    EndTokens(usize),
}

impl std::fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prompt(index) => write!(f, "the prompt at index {index}"),
            Self::EndTokens(index) => write!(f, "the list of end tokens at index {index}"),
        }
    }
}

impl GenerateError {
    /// Whether a draw had nothing left to choose from, since the request bans what its constraint, or the vocabulary,
    /// leaves. A model itself always leaves something.
    pub fn leaves_nothing(&self) -> bool {
        matches!(self, Self::Logits { source, .. } if matches!(**source, LogitsError::AllMasked { .. }))
    }
}
