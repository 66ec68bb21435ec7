//! Arguments of a conversation: its tools, its memory, its colours.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What a conversation has beside its model.
#[derive(Debug, Args)]
pub(crate) struct ConversationArguments {
    /// Programs that the model may call, each call after a yes: a JSON array of objects with name, description, parameters (a
    /// JSON schema), command (an array, run without a shell; the arguments come as JSON on its standard input) and seconds
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    /// A tool whose calls run unasked; may be given several times
    #[arg(long, value_name = "TOOL", requires = "tools")]
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

/// Whether answers are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColourChoice {
    Auto,
    Always,
    Never,
}
