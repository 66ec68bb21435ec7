//! Tools of servers that speak the Model Context Protocol, over the standard streams of a child process or over HTTP.
//!
//! A [`Server`]'s tools are [`Tool`]s like any other: declared, held against their schema, asked about, given
//! a time. Invariants:
//!
//! * **A server that dies, hangs or talks nonsense is an error**: of [`Server::connect`] within its time, and of a call
//!   later, which the model sees as its result.
//! * **A child process ends with its server's last tool**, and sees no variable of the environment but those that it is
//!   given and the few that programs need to run.
//! * **No name is changed silently**: a tool is called `server__tool`, and one that cannot be called so is an error.

mod cause;
mod content;
mod process;
mod tool;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::ToolDefinition;
use rmcp::ServiceExt as _;
use rmcp::service::{ClientInitializeError, RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use thiserror::Error;
use tokio::runtime::Handle;

use crate::tool::{Tool, Toolbox, ToolboxError};
use process::{Process, Said};
use tool::RemoteTool;

/// What stands between the names of a server and of its tool.
const BETWEEN: &str = "__";

/// Where a server is.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// A program that is started, and spoken to by its standard input and output.
    Process {
        /// The program.
        program: OsString,
        /// Its arguments.
        arguments: Vec<OsString>,
        /// Variables of its environment, beside the few that programs need to run, such as `PATH` and `HOME`.
        environment: Vec<(OsString, OsString)>,
        /// The folder that it runs in; `None`: that of this program.
        folder: Option<PathBuf>,
    },
    /// A server that runs, spoken to over HTTP (the protocol's streamable transport).
    Http {
        /// Its address, `http://` or `https://`.
        url: String,
        /// A token that is sent with every request; never shown. `None`: none is.
        token: Option<Secret>,
    },
}

impl Endpoint {
    /// A program with arguments, in this program's folder.
    pub fn process<A: Into<OsString>>(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Endpoint::Process {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            folder: None,
        }
    }

    /// A server at `url` that asks for no token.
    pub fn http(url: impl Into<String>) -> Self {
        Endpoint::Http {
            url: url.into(),
            token: None,
        }
    }

    /// Checks what can be known of it before anything is started or asked.
    ///
    /// * `server`: the name that the error is to have.
    ///
    /// # Errors
    ///
    /// [`McpError::Http`] of an address that is none, that is no HTTP, or that has a user or a password in it.
    pub fn check(&self, server: &str) -> Result<(), McpError> {
        match self {
            Endpoint::Process { .. } => Ok(()),
            Endpoint::Http { url, .. } => asked(url).map(drop).map_err(|reason| McpError::Http {
                server: server.to_owned(),
                reason,
            }),
        }
    }
}

/// A program and how many arguments it has, or an address; neither with what may be secret: arguments, a password, a query.
impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Process {
                program, arguments, ..
            } => {
                write!(f, "{program:?}")?;
                match arguments.len() {
                    0 => Ok(()),
                    1 => f.write_str(" with 1 argument"),
                    count => write!(f, " with {count} arguments"),
                }
            }
            Endpoint::Http { url, .. } => f.write_str(&address(url)),
        }
    }
}

/// An address without name, password and query.
fn address(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(mut url) if url.has_host() => {
            url.set_query(None);
            url.set_fragment(None);
            // An address with a host can have both, but that of a file, which has neither.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.into()
        }
        _ => outline(url),
    }
}

/// What may be shown of a text that is no address: where a name and a password would end is not known.
fn outline(text: &str) -> String {
    if text.contains('@') {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        return match scheme.filter(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric())) {
            Some(scheme) => format!("{scheme}://..."),
            None => "...".to_owned(),
        };
    }
    let shown = text.split(['?', '#']).next().unwrap_or_default();
    shown.to_owned()
}

/// The address, if it can be asked over HTTP and has no name and no password in it.
fn asked(url: &str) -> Result<reqwest::Url, String> {
    let shown = address(url);
    let asked = reqwest::Url::parse(url).map_err(|error| format!("{shown:?} is no address: {error}"))?;
    if !matches!(asked.scheme(), "http" | "https") {
        return Err(format!("{shown:?} begins with neither http:// nor https://"));
    }
    if asked.password().is_some() || !asked.username().is_empty() {
        return Err(format!(
            "{shown:?} is given with a user or a password in it; a token is given beside the address"
        ));
    }
    Ok(asked)
}

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// Is told of the processes of servers, to end them where nothing of this program is dropped: when a signal ends it.
pub trait Watch: Send + Sync {
    /// The process of this number runs, and leads the process group of this number on Unix.
    fn started(&self, process: u32);

    /// The process of this number is about to be killed and waited for; afterwards the number may be another's. What else is
    /// in its group is not killed by itself.
    fn ends(&self, process: u32);
}

/// A server that has told its tools. Its connection ends with it and the last of its tools.
#[derive(Debug)]
pub struct Server {
    name: String,
    tools: Vec<Arc<RemoteTool>>,
    said: Option<Said>,
}

/// A connection, and what has to live as long.
#[derive(Debug)]
struct Connection {
    service: RunningService<RoleClient, ()>,
    /// Ends with it.
    _process: Option<Process>,
    /// Where calls run: whoever polls an answer need not be part of a runtime.
    runtime: Handle,
}

/// Why the tools of a server cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum McpError {
    /// There is no runtime of tokio here: connect inside one, with its drivers of time and of input and output.
    #[error("a server of tools needs a runtime of tokio to be connected in")]
    NoRuntime,
    /// The server's name cannot begin those of its tools.
    #[error("{name:?} cannot name a server of tools: expected some of A-Z, a-z, 0-9, _, . and -")]
    Name {
        /// The name.
        name: String,
    },
    /// The program cannot be started.
    #[error("cannot start {tried} for the server of tools {server:?}: {cause}")]
    Start {
        /// The server.
        server: String,
        /// Its program.
        tried: String,
        /// Why. The message says it, so that it is no source beside that.
        cause: std::io::Error,
    },
    /// The address, or the client that is to reach it, cannot be used.
    #[error("cannot speak HTTP with the server of tools {server:?}: {reason}")]
    Http {
        /// The server.
        server: String,
        /// Why, with the address.
        reason: String,
    },
    /// The server does not answer as the protocol asks, or nobody does.
    #[error(
        "the server of tools {server:?} ({tried}) does not answer as it should: {}{said}",
        cause::of_handshake(cause)
    )]
    Handshake {
        /// The server.
        server: String,
        /// Its program, or its address.
        tried: String,
        /// What its program wrote to standard error last, where it wrote anything.
        said: String,
        /// Why. The message says it, so that it is no source beside that.
        cause: Box<ClientInitializeError>,
    },
    /// The server does not tell its tools.
    #[error(
        "the server of tools {server:?} ({tried}) does not tell its tools: {}{said}",
        cause::of_list(cause)
    )]
    List {
        /// The server.
        server: String,
        /// Its program, or its address.
        tried: String,
        /// What its program wrote to standard error last, where it wrote anything.
        said: String,
        /// Why. The message says it, so that it is no source beside that.
        cause: Box<ServiceError>,
    },
    /// The server took too long.
    #[error("the server of tools {server:?} ({tried}) did not answer within {} ms{said}", limit.as_millis())]
    Timeout {
        /// The server.
        server: String,
        /// Its program, or its address.
        tried: String,
        /// What its program wrote to standard error last, where it wrote anything.
        said: String,
        /// The time that it had.
        limit: Duration,
    },
    /// A tool cannot be taken.
    #[error("a tool of the server {server:?} cannot be used")]
    Tool {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: ToolboxError,
    },
}

impl Server {
    /// Connects to a server and asks for its tools, within `limit`.
    ///
    /// * `name`: what the names of its tools begin with.
    ///
    /// Called inside a runtime of tokio, which has to live as long as the tools are called.
    ///
    /// # Errors
    ///
    /// * [`McpError::Name`], [`McpError::NoRuntime`], [`McpError::Http`], [`McpError::Start`] before anything is said.
    /// * [`McpError::Handshake`], [`McpError::List`], [`McpError::Timeout`] of a server that does not do as it should.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the connection, and the process.
    pub async fn connect(name: &str, endpoint: Endpoint, limit: Duration) -> Result<Self, McpError> {
        Self::connect_with(name, endpoint, limit, None).await
    }

    /// [`Server::connect`] with a process that `watch` is told of, and that has a process group of its own on Unix: a Ctrl-C
    /// at the terminal does not reach it.
    ///
    /// # Errors
    ///
    /// Those of [`Server::connect`].
    ///
    /// # Cancellation
    ///
    /// That of [`Server::connect`].
    pub async fn connect_watched(
        name: &str,
        endpoint: Endpoint,
        limit: Duration,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, McpError> {
        Self::connect_with(name, endpoint, limit, Some(watch)).await
    }

    async fn connect_with(
        name: &str,
        endpoint: Endpoint,
        limit: Duration,
        watch: Option<Arc<dyn Watch>>,
    ) -> Result<Self, McpError> {
        if !ToolDefinition::is_name(name) {
            return Err(McpError::Name {
                name: name.to_owned(),
            });
        }
        let tried = endpoint.to_string();
        let runtime = Handle::try_current().map_err(|_| McpError::NoRuntime)?;
        let mut process = match &endpoint {
            Endpoint::Process { .. } => Some(Process::start(name, &endpoint, watch)?),
            Endpoint::Http { .. } => None,
        };
        let said = process.as_ref().map(Process::said);
        let connecting = async {
            let service = serve(name, endpoint, process.as_mut()).await?;
            let tools = service.list_all_tools().await;
            Ok((service, tools))
        };
        let connected: Result<_, McpError> = match tokio::time::timeout(limit, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(McpError::Timeout {
                server: name.to_owned(),
                tried: tried.clone(),
                said: String::new(),
                limit,
            }),
        };
        let told = || said.as_ref().map(Said::shown).unwrap_or_default();
        let (service, tools) = connected.map_err(|error| error.with_said(told()))?;
        let tools = tools.map_err(|cause| McpError::List {
            server: name.to_owned(),
            tried,
            said: told(),
            cause: cause.into(),
        })?;
        let connection = Arc::new(Connection {
            service,
            _process: process,
            runtime,
        });
        let tools = tools
            .into_iter()
            .map(|tool| Arc::new(RemoteTool::new(name, tool, Arc::clone(&connection))))
            .collect();
        Ok(Self {
            name: name.to_owned(),
            tools,
            said,
        })
    }

    /// What the names of its tools begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its program wrote to standard error last, 2,048 bytes at most. The model is never shown it.
    pub fn said(&self) -> String {
        self.said.as_ref().map(Said::text).unwrap_or_default()
    }

    /// Its tools.
    pub fn tools(&self) -> impl Iterator<Item = Arc<dyn Tool>> + '_ {
        self.tools.iter().map(|tool| Arc::clone(tool) as Arc<dyn Tool>)
    }

    /// Puts all of its tools into a toolbox, under names such as `server__tool`.
    ///
    /// # Errors
    ///
    /// [`McpError::Tool`] of the first that cannot be taken: its name is not one that a model can be told, or is there
    /// already, or its schema is none. The toolbox is as it was then.
    pub fn add_to(&self, toolbox: &mut Toolbox) -> Result<(), McpError> {
        let mut more = toolbox.clone();
        for tool in self.tools() {
            more.add(tool).map_err(|source| McpError::Tool {
                server: self.name.clone(),
                source,
            })?;
        }
        *toolbox = more;
        Ok(())
    }
}

impl McpError {
    /// The same error, with what the server's program said.
    fn with_said(mut self, heard: String) -> Self {
        if let McpError::Handshake { said, .. } | McpError::Timeout { said, .. } = &mut self {
            *said = heard;
        }
        self
    }
}

/// Agrees with the server on how to go on.
async fn serve(
    name: &str,
    endpoint: Endpoint,
    process: Option<&mut Process>,
) -> Result<RunningService<RoleClient, ()>, McpError> {
    let tried = endpoint.to_string();
    let served = match (endpoint, process) {
        (Endpoint::Http { url, token }, _) => {
            let transport = http(&url, token).map_err(|reason| McpError::Http {
                server: name.to_owned(),
                reason,
            })?;
            ().serve(transport).await
        }
        (Endpoint::Process { .. }, process) => {
            let streams = process.and_then(Process::take_streams);
            let streams = streams.ok_or_else(|| McpError::Start {
                server: name.to_owned(),
                tried: tried.clone(),
                cause: std::io::ErrorKind::BrokenPipe.into(),
            })?;
            ().serve(streams).await
        }
    };
    served.map_err(|cause| McpError::Handshake {
        server: name.to_owned(),
        tried,
        said: String::new(),
        cause: cause.into(),
    })
}

fn http(url: &str, token: Option<Secret>) -> Result<StreamableHttpClientTransport<reqwest::Client>, String> {
    let address = asked(url)?;
    // Whoever was first has chosen for the whole process, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A token must not follow to wherever a server points.
    let mut client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    if address.scheme() == "http" {
        client = client.tls_certs_only([]);
    }
    let client = client
        .build()
        .map_err(|error| format!("{}: {}", self::address(url), cause::chain(&error)))?;
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    if let Some(Secret(token)) = token {
        config = config.auth_header(token);
    }
    Ok(StreamableHttpClientTransport::with_client(client, config))
}
