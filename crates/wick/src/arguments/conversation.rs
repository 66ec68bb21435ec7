//! Arguments of a conversation: its tools, its memory, its colours.

use std::path::PathBuf;

use chat::mcp::{Endpoint, Secret};
use clap::{Args, ValueEnum};

use crate::failure::Usage;
use crate::settings::{self, Settings, SettingsError};

/// What a conversation has beside its model.
#[derive(Debug, Args)]
pub(crate) struct ConversationArguments {
    /// Programs that the model may call, each call after a yes: a JSON array of objects with name, description, parameters (a
    /// JSON schema), command (an array, run without a shell; the arguments come as JSON on its standard input) and seconds
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    /// A server of tools that speaks the Model Context Protocol: NAME= and then a program with its arguments between spaces, or
    /// an address that begins with http. Its tools are called NAME__TOOL; may be given several times
    #[arg(long, value_name = "NAME=SERVER")]
    mcp: Vec<String>,
    /// A file with the token in it that the server NAME of --mcp asks for over HTTP; only its owner may read it. May be given
    /// several times
    #[arg(long, value_name = "NAME=FILE", value_parser = key_file)]
    mcp_key_file: Vec<(String, PathBuf)>,
    /// A tool whose calls run unasked; may be given several times
    #[arg(long, value_name = "TOOL")]
    pub(crate) allow: Vec<String>,
    /// Where conversations and facts are kept [default: at a terminal, memory.db in the wick folder of $XDG_DATA_HOME or
    /// ~/.local/share; in a pipe, nowhere]
    #[arg(long, value_name = "FILE", conflicts_with = "no_memory")]
    pub(crate) memory: Option<PathBuf>,
    /// Keep nothing, and recall nothing
    #[arg(long)]
    pub(crate) no_memory: bool,
    /// Whether answers are coloured; auto does where standard output is a terminal that can, and NO_COLOR is not set
    #[arg(long = "color", value_name = "WHEN", default_value = "auto")]
    pub(crate) colour: ColourChoice,
}

impl ConversationArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        if self.no_memory {
            return Ok(());
        }
        settings.fill("memory", &mut self.memory).map(drop)
    }

    /// Checks what servers of tools are said to be.
    ///
    /// # Errors
    ///
    /// A server that is neither a program nor an address, or an address with a user or a password in it; a server over HTTP
    /// where only this machine may be used; a token for a server that is none, or that takes none.
    pub(crate) fn check(&self, offline: bool) -> Result<(), Usage> {
        let servers = self.named_servers()?;
        for server in &servers {
            let checked = server.endpoint.check(&server.name);
            checked.map_err(|error| Usage(format!("--mcp: {error}")))?;
        }
        let http = |server: &&ToolServer| matches!(server.endpoint, Endpoint::Http { .. });
        if let (true, Some(server)) = (offline, servers.iter().find(http)) {
            let fault = format!(
                "the server of tools {:?} of --mcp, which is asked over HTTP, cannot be used with --offline",
                server.name
            );
            return Err(Usage(fault));
        }
        for (name, _) in &self.mcp_key_file {
            if !servers.iter().filter(http).any(|server| server.name == *name) {
                let fault =
                    format!("--mcp-key-file names {name:?}, which is no server of --mcp at an address");
                return Err(Usage(fault));
            }
        }
        Ok(())
    }

    /// The servers of tools, with their tokens.
    ///
    /// # Errors
    ///
    /// What [`ConversationArguments::check`] refuses; a file with a token that cannot be read, or that others can.
    pub(crate) fn servers(&self) -> anyhow::Result<Vec<ToolServer>> {
        let mut servers = self.named_servers()?;
        for (name, file) in &self.mcp_key_file {
            let text = settings::text_of_key_file(file)?;
            for server in servers.iter_mut().filter(|server| server.name == *name) {
                if let Endpoint::Http { token, .. } = &mut server.endpoint {
                    *token = Some(Secret::new(text.clone()));
                }
            }
        }
        Ok(servers)
    }

    fn named_servers(&self) -> Result<Vec<ToolServer>, Usage> {
        self.mcp.iter().map(|text| tool_server(text)).collect()
    }
}

/// What `--mcp-key-file` says.
fn key_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("it is NAME=FILE".to_owned()),
    }
}

/// A server of tools, and what the names of its tools begin with.
#[derive(Clone, Debug)]
pub(crate) struct ToolServer {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
}

/// What `--mcp` says. It may hold secrets, so that what is wrong with it is told without it.
fn tool_server(text: &str) -> Result<ToolServer, Usage> {
    let fault = || {
        let fault = format!(
            "--mcp is {}, expected NAME=PROGRAM ARGUMENTS or NAME=URL",
            endpoint(text)
        );
        Usage(fault)
    };
    let (name, server) = text.split_once('=').ok_or_else(fault)?;
    // A sign of equality in an address gives it no name.
    if name.is_empty() || name.contains("://") || server.trim().is_empty() {
        return Err(fault());
    }
    Ok(ToolServer {
        name: name.to_owned(),
        endpoint: endpoint(server),
    })
}

/// An address, or a program with its arguments.
fn endpoint(server: &str) -> Endpoint {
    let server = server.trim();
    let scheme = server.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            Endpoint::http(server)
        }
        _ => {
            let mut words = server.split_whitespace();
            Endpoint::process(words.next().unwrap_or_default(), words)
        }
    }
}

/// Whether answers are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColourChoice {
    Auto,
    Always,
    Never,
}
