//! Settings of a server, fixed for its lifetime.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::keys::Keys;
use crate::metrics::Meters;

/// Settings of a [`Server`](crate::Server).
#[derive(Clone)]
pub struct Settings {
    /// Who may ask. Absent: everybody who reaches the address.
    pub keys: Option<Keys>,
    /// Origins whose pages may read answers, such as `https://example.org`; none of them: no other page may. `*` is every
    /// origin.
    pub cors_origins: Vec<String>,
    /// Bytes that the body of a request may have.
    pub body_bytes: usize,
    /// How long a client may take to send the headers of a request.
    pub header_time: Duration,
    /// How long a client may take to send the body of a request.
    pub body_time: Duration,
    /// How long a client may read nothing of an answer before it counts as gone.
    pub write_time: Duration,
    /// Time between two comments in a stream in which nothing else comes.
    pub keep_alive: Duration,
    /// How long the first piece of a streamed answer is waited for before the head is sent. A failure until then has a status
    /// of its own; one after it is an event.
    pub head_time: Duration,
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Folder that conversations are kept in, a file for each key. Absent: none are kept.
    pub conversations: Option<PathBuf>,
    /// The figures of `/metrics`. Absent: none are shown.
    pub meters: Option<Meters>,
    /// Hears of each request when its answer has been sent. It is told no prompt and no query.
    pub log: Option<Log>,
}

/// Hears of requests; called on the threads that serve, so that it should be quick.
pub type Log = Arc<dyn Fn(&Served) + Send + Sync>;

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The method.
    pub method: String,
    /// The route, such as `/v1/models/{model}`; the path itself is not told. `-` where there is none.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
    /// From the headers of the request to the end of the answer.
    pub elapsed: Duration,
    /// Whether the answer was sent to its end.
    pub whole: bool,
}

/// No keys, no other origins, 8 MiB of body, 10 s for headers and 60 s for bodies and for reading, comments every 10 s, a
/// head after 5 s, 1,024 connections, nothing kept and nothing told.
impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: None,
            cors_origins: Vec::new(),
            body_bytes: 8 << 20,
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(60),
            write_time: Duration::from_secs(60),
            keep_alive: Duration::from_secs(10),
            head_time: Duration::from_secs(5),
            connections: 1_024,
            conversations: None,
            meters: None,
            log: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("keys", &self.keys)
            .field("cors_origins", &self.cors_origins)
            .field("body_bytes", &self.body_bytes)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
