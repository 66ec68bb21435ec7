//! Why a model of a hub could not be had.

use std::path::PathBuf;
use std::time::Duration;

/// Everything that getting a model from a hub can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The text names no model.
    #[error("{text:?} is no model of a hub: {fault}")]
    InvalidModel {
        /// The text.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The hub has no such thing: mend the name.
    #[error("the hub has no {what}")]
    NotFound {
        /// The repository, revision or file that is missing.
        what: String,
    },
    /// The hub refuses: a token is missing, or has no access.
    #[error(
        "the hub refuses {what}: {}", 
        if *token { "the token has no access; ask for it on the model's page" }
        else { "it may need a token, in HF_TOKEN, or not exist" }
    )]
    Unauthorized {
        /// The repository.
        what: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The hub wants to be asked more slowly: wait.
    #[error("the hub has been asked too often; it wants {} s of patience", wait.as_secs())]
    RateLimited {
        /// How long it wants to be left alone.
        wait: Duration,
    },
    /// The hub failed, again and again.
    #[error("the hub answers {status} for {what}")]
    Status {
        /// The status of HTTP.
        status: u16,
        /// What was asked for.
        what: String,
    },
    /// The hub cannot be reached, or the connection breaks again and again.
    #[error("no connection for {what}")]
    Network {
        /// What was asked for.
        what: String,
        /// What the connection says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The hub says something that makes no sense.
    #[error("the hub's answer for {what} makes no sense: {fault}")]
    Answer {
        /// What was asked for.
        what: String,
        /// What is wrong.
        fault: String,
    },
    /// No client can be made.
    #[error("no connection to a hub can be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is more than one model: choose.
    #[error("{model} leaves a choice: name one of {}", choices.join(", "))]
    Ambiguous {
        /// The model asked for.
        model: String,
        /// What could be meant.
        choices: Vec<String>,
    },
    /// No file is meant by the pattern.
    #[error("no file of {model} is meant by its pattern; there are {}", if choices.is_empty() { "none".to_owned() } else { choices.join(", ") })]
    NoMatch {
        /// The model asked for.
        model: String,
        /// What could be meant.
        choices: Vec<String>,
    },
    /// The repository holds nothing that can be loaded.
    #[error("{model} holds neither GGUF files nor safetensors with a config.json")]
    NoModel {
        /// The model asked for.
        model: String,
    },
    /// It is not cached, and must not be asked for.
    #[error("{model} is not in the cache, and the hub is not to be asked")]
    Offline {
        /// The model asked for.
        model: String,
    },
    /// Nothing of it is cached.
    #[error("nothing of {model} is in the cache")]
    NotCached {
        /// The model asked for.
        model: String,
    },
    /// The disk does not hold it: make room, or take a smaller quantization.
    #[error("{needed} bytes are to be downloaded, and {} has room for {free}", folder.display())]
    NoSpace {
        /// Bytes to download.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// The cache.
        folder: PathBuf,
    },
    /// A file is longer or shorter than the hub said.
    #[error("{file} has {found} bytes, and the hub said {expected}")]
    Size {
        /// The file.
        file: String,
        /// Bytes it should have.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
    /// A file is not what the hub said.
    #[error("{file} has the SHA-256 {found}, and the hub said {expected}")]
    Checksum {
        /// The file.
        file: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The caller stopped it.
    #[error("the download was stopped; it goes on the next time")]
    Cancelled,
    /// The cache cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl HubError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
