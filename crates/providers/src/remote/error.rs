//! What can go wrong between here and a server, and what follows from it.
//!
//! No message holds the API key, and none is longer than [`MAX_MESSAGE`] characters and a line around it.

use std::time::Duration;

use engine::{BackendErrorKind, EngineError};

/// Characters of a server's message that are kept.
pub const MAX_MESSAGE: usize = 1_000;

/// Why a server gave no answer, or none that can be used. The endpoint is the one asked last.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// A setting is out of its range: change it.
    #[error("setting {field} is {value}, expected {expected}")]
    InvalidConfig {
        /// Name of the setting.
        field: &'static str,
        /// The value given.
        value: String,
        /// The values allowed.
        expected: &'static str,
    },
    /// The environment variable that is to hold the API key holds none: set it.
    #[error("the environment variable {variable} holds no API key")]
    NoKey {
        /// Name of the variable.
        variable: String,
    },
    /// No model was named, and the server has none or several: name one.
    #[error("{endpoint} serves none or several models, name one: {}", models.join(", "))]
    NoModel {
        /// The server's address.
        endpoint: String,
        /// Those that it serves, up to twenty.
        models: Vec<String>,
    },
    /// No thread could be started for the connections.
    #[error("cannot start the thread of the connections")]
    Thread(#[source] std::io::Error),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The thread of the connections is gone.
    #[error("the thread of the connections is gone")]
    ThreadGone,
    /// Nobody answers at the address: nothing listens there, the name is unknown, TLS fails.
    #[error("cannot reach {endpoint}")]
    Unreachable {
        /// The server's address.
        endpoint: String,
        /// What the HTTP client says.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke in the middle of the answer.
    #[error("the connection to {endpoint} broke")]
    Broken {
        /// The server's address.
        endpoint: String,
        /// What the HTTP client says.
        #[source]
        source: reqwest::Error,
    },
    /// The server took too long.
    #[error("{endpoint} took more than {} ms for {what}", limit.as_millis())]
    Timeout {
        /// The server's address.
        endpoint: String,
        /// What was waited for.
        what: &'static str,
        /// The time that it had.
        limit: Duration,
    },
    /// The server refuses, or failed before its answer.
    #[error("{endpoint} answers with status {status}: {message}")]
    Status {
        /// The server's address.
        endpoint: String,
        /// The status of HTTP.
        status: u16,
        /// What the server says.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The server reports an error in the middle of its answer.
    #[error("{endpoint} reports an error: {message}")]
    Reported {
        /// The server's address.
        endpoint: String,
        /// The code that it gives, where that is a status of HTTP.
        code: Option<u16>,
        /// What the server says.
        message: String,
    },
    /// The answer came to its end without a finish.
    #[error("the answer of {endpoint} ended without a finish")]
    Unfinished {
        /// The server's address.
        endpoint: String,
    },
    /// The server holds back what the model wrote.
    #[error("{endpoint} filtered the answer")]
    Filtered {
        /// The server's address.
        endpoint: String,
    },
    /// Something in the answer is longer than anything a server should send.
    #[error("{what} of {endpoint} has more than {limit} bytes")]
    TooLong {
        /// The server's address.
        endpoint: String,
        /// Which part of the answer.
        what: &'static str,
        /// Bytes that it may have.
        limit: usize,
    },
    /// The answer is not JSON of the shape expected.
    #[error("the answer of {endpoint} cannot be read: {fault}")]
    Unreadable {
        /// The server's address.
        endpoint: String,
        /// What the parser says. Not its error, which repeats values of the answer as they are.
        fault: String,
    },
    /// The answer says something that makes no sense.
    #[error("the answer of {endpoint} {fault}")]
    Malformed {
        /// The server's address.
        endpoint: String,
        /// What is wrong with it.
        fault: String,
    },
    /// The server counts no tokens of such a prompt.
    #[error("{endpoint} counts no tokens of {of}")]
    CannotCount {
        /// The server's address.
        endpoint: String,
        /// What it was asked to count.
        of: &'static str,
    },
}

impl RemoteError {
    /// Whose fault it is.
    pub fn kind(&self) -> BackendErrorKind {
        match self {
            Self::InvalidConfig { .. }
            | Self::NoKey { .. }
            | Self::NoModel { .. }
            | Self::Filtered { .. }
            | Self::CannotCount { .. } => BackendErrorKind::Request,
            Self::Thread(_)
            | Self::Client(_)
            | Self::ThreadGone
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Unfinished { .. } => BackendErrorKind::Unavailable,
            Self::Timeout { .. } => BackendErrorKind::Timeout,
            Self::Status { status, .. } => of_status(*status),
            Self::Reported { code, .. } => code.map_or(BackendErrorKind::Internal, of_status),
            Self::TooLong { .. } | Self::Unreadable { .. } | Self::Malformed { .. } => {
                BackendErrorKind::Malformed
            }
        }
    }

    /// Whether the same request may succeed a little later or elsewhere. Not after a timeout: the time is spent, and the
    /// server may be at work on the request.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Unfinished { .. } => true,
            Self::Status { status, .. } => may_pass(*status),
            Self::Reported { code, .. } => code.is_none_or(may_pass),
            _ => false,
        }
    }

    /// When the server wants to be asked again, where it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The status of HTTP, where the server answered with one that is no success.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Statuses after which a request may pass later.
fn may_pass(status: u16) -> bool {
    matches!(status, 425 | 429 | 500 | 502..=504 | 506..=599)
}

fn of_status(status: u16) -> BackendErrorKind {
    match status {
        408 | 504 => BackendErrorKind::Timeout,
        429 | 529 => BackendErrorKind::Overloaded,
        502 | 503 => BackendErrorKind::Unavailable,
        500..=599 => BackendErrorKind::Internal,
        _ => BackendErrorKind::Request,
    }
}

impl From<RemoteError> for EngineError {
    fn from(error: RemoteError) -> Self {
        EngineError::backend(error.kind(), error)
    }
}
