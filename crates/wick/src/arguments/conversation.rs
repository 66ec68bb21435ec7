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
    #[arg(long, value_name = "NAME=SERVER", value_parser = tool_server)]
    mcp: Vec<ToolServer>,
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
    /// A server over HTTP where only this machine may be used; a token for a server that is none, or that takes none.
    pub(crate) fn check(&self, offline: bool) -> Result<(), Usage> {
        let http = |server: &&ToolServer| matches!(server.endpoint, Endpoint::Http { .. });
        if let (true, Some(server)) = (offline, self.mcp.iter().find(http)) {
            let fault = format!(
                "the server of tools {:?} of --mcp, which is asked over HTTP, cannot be used with --offline",
                server.name
            );
            return Err(Usage(fault));
        }
        for (name, _) in &self.mcp_key_file {
            if !self.mcp.iter().filter(http).any(|server| server.name == *name) {
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
    /// A file with a token that cannot be read, or that others can.
    pub(crate) fn servers(&self) -> Result<Vec<ToolServer>, SettingsError> {
        let mut servers = self.mcp.clone();
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

fn tool_server(text: &str) -> Result<ToolServer, String> {
    let fault = || "it is NAME=PROGRAM ARGUMENTS or NAME=URL".to_owned();
    let (name, server) = text.split_once('=').ok_or_else(fault)?;
    let mut words = server.split_whitespace();
    let (Some(first), false) = (words.next(), name.is_empty()) else {
        return Err(fault());
    };
    let endpoint = if first.starts_with("http://") || first.starts_with("https://") {
        Endpoint::http(server.trim())
    } else {
        Endpoint::process(first, words)
    };
    Ok(ToolServer {
        name: name.to_owned(),
        endpoint,
    })
}

/// Whether answers are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColourChoice {
    Auto,
    Always,
    Never,
}
