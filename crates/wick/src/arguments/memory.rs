//! Arguments about what is remembered.

use std::path::PathBuf;

use chat::memory::{ConversationId, FactId};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::settings::{Origin, Settings, SettingsError};

/// `wick memory`.
#[derive(Debug, Args)]
pub(crate) struct MemoryArguments {
    #[command(flatten)]
    pub(crate) file: MemoryFile,
    #[command(subcommand)]
    pub(crate) request: MemoryRequest,
}

/// The file of a memory.
#[derive(Debug, Args)]
pub(crate) struct MemoryFile {
    /// The file that conversations and facts are kept in [default: memory.db in $XDG_DATA_HOME/wick, or else in
    /// ~/.local/share/wick]
    #[arg(long, value_name = "FILE", global = true)]
    memory: Option<PathBuf>,
    /// Whether somebody named the file.
    #[arg(skip)]
    named: bool,
}

impl MemoryFile {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        self.named = settings.fill("memory", &mut self.memory)? != Origin::Default;
        Ok(())
    }

    /// Where the memory lies.
    ///
    /// # Errors
    ///
    /// It is not named, and the system tells of no home.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        let path = self.memory.clone().or_else(crate::settings::memory);
        path.ok_or_else(|| {
            anyhow::anyhow!("there is no home to keep a memory in; name a file with --memory FILE")
        })
    }

    /// Whether somebody named the file.
    pub(crate) fn is_named(&self) -> bool {
        self.named
    }
}

/// What to do with a memory.
#[derive(Debug, Subcommand)]
pub(crate) enum MemoryRequest {
    /// List facts and conversations
    List {
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Find facts and turns that share words with a text, the best first
    Search(SearchArguments),
    /// Write everything
    Export(ExportArguments),
    /// Add an export, in JSON or Markdown, to what is there
    Import {
        /// The export
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Delete facts, conversations or everything
    Forget(ForgetArguments),
}

/// `wick memory search`.
#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// The text
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: String,
    /// The most that is shown
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,
    /// Print one JSON object for each
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wick memory export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// json is for programs, markdown for people; import reads both
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub(crate) format: Format,
    /// File to write, all or nothing [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Json,
    Markdown,
}

/// `wick memory forget`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["facts", "conversations", "all"]))]
pub(crate) struct ForgetArguments {
    /// A fact, by the number that `list` and `search` show; several times for several
    #[arg(long = "fact", value_name = "N", value_parser = fact)]
    pub(crate) facts: Vec<FactId>,
    /// A conversation with all its turns, by its number
    #[arg(long = "conversation", value_name = "N", value_parser = conversation)]
    pub(crate) conversations: Vec<ConversationId>,
    /// Everything
    #[arg(long, conflicts_with_all = ["facts", "conversations"])]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

fn fact(text: &str) -> Result<FactId, std::num::ParseIntError> {
    text.parse().map(FactId)
}

fn conversation(text: &str) -> Result<ConversationId, std::num::ParseIntError> {
    text.parse().map(ConversationId)
}
