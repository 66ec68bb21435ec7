//! Arguments of a conversation: its tools, its memory, its colours.

use std::path::PathBuf;

use chat::mcp::Endpoint;
use clap::{Args, ValueEnum};

use crate::settings::{Settings, SettingsError};

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
    pub(crate) mcp: Vec<ToolServer>,
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
