//! Why a request was refused or failed.
//!
//! Whose fault an error is decides what follows from it: the caller's own errors never count against a
//! backend.

use std::error::Error;
use std::time::Duration;

use generator::GenerateError;
use thiserror::Error;

use crate::statistics::EngineState;

/// Why a request was refused or failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A parameter of the request is out of its range: change it.
    #[error("{field} is {value}, expected {expected}")]
    InvalidParameter {
        /// Name of the parameter.
        field: &'static str,
        /// The value given.
        value: String,
        /// The values allowed.
        expected: &'static str,
    },

    /// A setting of the engine is out of its range: change it.
    #[error("engine setting {field} is {value}, expected {expected}")]
    InvalidConfig {
        /// Name of the setting.
        field: &'static str,
        /// The value given.
        value: String,
        /// The values allowed.
        expected: &'static str,
    },

    /// The prompt holds nothing to complete.
    #[error("the prompt is empty")]
    EmptyPrompt,

    /// Messages and tools do not fit together: mend the message.
    #[error("message {index} {fault}")]
    InvalidMessage {
        /// Which message of the chat, from 0.
        index: usize,
        /// What is wrong with it.
        fault: &'static str,
    },

    /// The provider takes no tools: ask without them, or ask another.
    #[error("the provider takes no tools, and {field} holds {value}")]
    ToolsUnsupported {
        /// The part of the request that holds some: `tools` or `messages`.
        field: &'static str,
        /// The first that was found.
        value: String,
    },

    /// The provider makes no embeddings: ask one that does.
    #[error("{provider:?} makes no embeddings")]
    EmbeddingsUnsupported {
        /// Name of the provider.
        provider: String,
    },

    /// The prompt leaves no room for an answer: shorten it.
    #[error("the prompt has {prompt_tokens} tokens and leaves no room in a context of {context}")]
    ContextOverflow {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens that the context holds.
        context: usize,
    },

    /// As many requests as may wait are waiting already: try again later.
    #[error("{waiting} requests are waiting already, which is the most allowed")]
    QueueFull {
        /// Requests waiting, which is the limit.
        waiting: usize,
    },

    /// The engine takes no requests: it is still loading, or it drains and has stopped or will.
    #[error("the engine is {state} and takes no requests")]
    NotReady {
        /// What it does instead.
        state: EngineState,
    },

    /// The request's time is over: ask for less, or give it more.
    #[error("{what} took longer than {} ms", limit.as_millis())]
    DeadlineExceeded {
        /// What took too long.
        what: DeadlineKind,
        /// The time that it had.
        limit: Duration,
    },

    /// The backend failed too often and is left alone for a while: try again after `retry_after`.
    #[error("the circuit breaker is open, retry in {:.1} s", retry_after.as_secs_f64())]
    CircuitOpen {
        /// Time until the backend is tried again; the whole pause while it is being tried.
        retry_after: Duration,
    },

    /// The backend stopped in the middle of a completion without saying why.
    #[error("the completion broke off after {tokens} tokens without an end")]
    BrokenOff {
        /// Tokens received until then.
        tokens: u64,
    },

    /// The backend's chunks came in an order that makes no sense.
    #[error("the backend's chunks are out of order: choice {choice} {fault}")]
    OutOfOrder {
        /// The choice concerned.
        choice: u32,
        /// What is wrong with it.
        fault: &'static str,
    },

    /// The backend panicked.
    #[error("the backend panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },

    /// The backend failed.
    #[error("{kind}")]
    Backend {
        /// Whose fault it is, and whether trying again can help.
        kind: BackendErrorKind,
        /// The failure itself.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Which of a request's deadlines passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineKind {
    /// The work had not begun.
    Queue,
    /// Nothing of the answer had come.
    FirstToken,
    /// The answer had not ended.
    Total,
}

impl std::fmt::Display for DeadlineKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Queue => "waiting for its turn",
            Self::FirstToken => "the first token",
            Self::Total => "the whole answer",
        })
    }
}

/// Whose fault a backend's error is, and whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// The backend refuses what was asked: a caller's error.
    #[error("the backend refused the request")]
    Request,
    /// The backend cannot be reached, or has gone away.
    #[error("the backend is not available")]
    Unavailable,
    /// The backend has more work than it can take.
    #[error("the backend is overloaded")]
    Overloaded,
    /// The backend took too long.
    #[error("the backend took too long")]
    Timeout,
    /// The backend said something that makes no sense.
    #[error("the backend's answer is malformed")]
    Malformed,
    /// The backend failed while working.
    #[error("the backend failed")]
    Internal,
}

impl BackendErrorKind {
    /// Whether the backend has failed: neither the caller's own error nor a backend that works to capacity.
    pub fn is_failure(self) -> bool {
        !matches!(self, BackendErrorKind::Request | BackendErrorKind::Overloaded)
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            BackendErrorKind::Unavailable | BackendErrorKind::Overloaded | BackendErrorKind::Timeout
        )
    }
}

impl EngineError {
    /// A backend's error of `kind`.
    pub fn backend(kind: BackendErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        EngineError::Backend {
            kind,
            source: source.into(),
        }
    }

    /// Whether what was asked is refused, and nothing has failed: a caller's own error.
    pub fn is_refusal(&self) -> bool {
        match self {
            EngineError::InvalidParameter { .. }
            | EngineError::EmptyPrompt
            | EngineError::InvalidMessage { .. }
            | EngineError::ToolsUnsupported { .. }
            | EngineError::EmbeddingsUnsupported { .. }
            | EngineError::ContextOverflow { .. } => true,
            EngineError::Backend { kind, source } => {
                // What another machine refuses, it has worked on.
                *kind == BackendErrorKind::Request
                    && source.downcast_ref::<GenerateError>().is_some_and(|error| {
                        !matches!(
                            error,
                            GenerateError::DeadlineExceeded { .. } | GenerateError::ConstraintFailed { .. }
                        )
                    })
            }
            _ => false,
        }
    }

    /// Whether the backend is to blame, so that the circuit breaker counts it.
    pub fn is_backend_failure(&self) -> bool {
        match self {
            EngineError::BrokenOff { .. } | EngineError::OutOfOrder { .. } | EngineError::Panicked { .. } => {
                true
            }
            EngineError::Backend { kind, .. } => kind.is_failure(),
            // Says nothing by itself: what the time was spent on is known where it was spent.
            EngineError::DeadlineExceeded { .. } => false,
            EngineError::InvalidParameter { .. }
            | EngineError::InvalidConfig { .. }
            | EngineError::EmptyPrompt
            | EngineError::InvalidMessage { .. }
            | EngineError::ToolsUnsupported { .. }
            | EngineError::EmbeddingsUnsupported { .. }
            | EngineError::ContextOverflow { .. }
            | EngineError::QueueFull { .. }
            | EngineError::NotReady { .. }
            | EngineError::CircuitOpen { .. } => false,
        }
    }
}

impl From<GenerateError> for EngineError {
    fn from(error: GenerateError) -> Self {
        let kind = match error {
            GenerateError::EmptyPrompt => return EngineError::EmptyPrompt,
            GenerateError::ContextOverflow {
                prompt_tokens,
                context,
            } => {
                return EngineError::ContextOverflow {
                    prompt_tokens,
                    context,
                };
            }
            GenerateError::InvalidMaxTokens { max_tokens } => {
                return EngineError::InvalidParameter {
                    field: "max_tokens",
                    value: max_tokens.to_string(),
                    expected: "at least 1",
                };
            }
            GenerateError::InvalidMinTokens { min_tokens, most } => {
                return EngineError::InvalidParameter {
                    field: "min_tokens",
                    value: format!("{min_tokens} where {most} can be generated"),
                    expected: "no more than can be generated",
                };
            }
            GenerateError::InvalidChoices { choices, most } => {
                return EngineError::InvalidParameter {
                    field: "choices",
                    value: format!("{choices} where {most} run at once"),
                    expected: "at least 1 and no more than run at once",
                };
            }
            GenerateError::InvalidLogprobs { top, vocab } => {
                return EngineError::InvalidParameter {
                    field: "logprobs",
                    value: format!("{top} where there are {vocab} tokens"),
                    expected: "no more than there are tokens",
                };
            }
            GenerateError::EmptyStop { index } => {
                return EngineError::InvalidParameter {
                    field: "stop",
                    value: format!("\"\" at index {index}"),
                    expected: "strings that are not empty",
                };
            }
            GenerateError::Panicked { message } => return EngineError::Panicked { message },
            GenerateError::Params(_)
            | GenerateError::TokenOutOfVocabulary { .. }
            | GenerateError::Encode(_)
            | GenerateError::CacheTooLarge { .. } => BackendErrorKind::Request,
            GenerateError::Overloaded { .. } => BackendErrorKind::Overloaded,
            // The caller's own deadline, which says nothing about the generator.
            GenerateError::DeadlineExceeded { .. } => BackendErrorKind::Request,
            GenerateError::InvalidConstraint { .. } | GenerateError::ConstraintFailed { .. } => {
                BackendErrorKind::Request
            }
            ref banned if banned.leaves_nothing() => BackendErrorKind::Request,
            GenerateError::Thread(_) | GenerateError::WorkerGone => BackendErrorKind::Unavailable,
            _ => BackendErrorKind::Internal,
        };
        EngineError::backend(kind, error)
    }
}
