//! Arguments about the configuration, and about the program itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::generation::{GenerationArguments, ToolArguments};
use super::memory::MemoryFile;
use super::model::ModelArguments;
use super::threads::ThreadArguments;
use crate::failure::Usage;
use crate::settings::{Settings, SettingsError};

/// Which configuration counts.
#[derive(Debug, Args)]
pub(crate) struct ConfigurationArguments {
    /// Configuration file [default: WICK_CONFIG, or else config.toml in $XDG_CONFIG_HOME/wick or ~/.config/wick]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,
    /// Profile of the configuration file [default: WICK_PROFILE, or else what the file says]
    #[arg(long, value_name = "NAME", global = true, help_heading = "Configuration")]
    profile: Option<String>,
}

impl ConfigurationArguments {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// Those of its file.
    pub(crate) fn read(&self) -> Result<Settings, SettingsError> {
        Settings::read(self.config.as_deref(), self.profile.as_deref())
    }

    /// Checks that nothing is said of the configuration where it counts for nothing.
    ///
    /// # Errors
    ///
    /// [`Usage`] with the option.
    pub(crate) fn unused(&self) -> Result<(), Usage> {
        if self.config.is_some() {
            return Err(Usage(
                "that reads no configuration; leave --config out".to_owned(),
            ));
        }
        self.no_profile()
    }

    /// Checks that no profile is named where none counts.
    ///
    /// # Errors
    ///
    /// [`Usage`].
    pub(crate) fn no_profile(&self) -> Result<(), Usage> {
        match self.profile {
            Some(_) => Err(Usage("that reads no profile; leave --profile out".to_owned())),
            None => Ok(()),
        }
    }
}

/// `wick config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigRequest {
    /// Show every setting, and where it comes from
    Show(Box<ShowArguments>),
    /// Show which file is read
    Path,
}

/// `wick config show`: the flags of `run` and `chat`, to see what becomes of them.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    system: SystemArgument,
    #[command(flatten)]
    tools: ToolArguments,
    #[command(flatten)]
    memory: MemoryFile,
    #[command(flatten)]
    generation: GenerationArguments,
}

impl ShowArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read, and what `run` would refuse.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> anyhow::Result<()> {
        self.model.settle(settings)?;
        self.threads.settle(&self.model, settings)?;
        self.system.settle(settings)?;
        self.tools.settle(settings)?;
        self.memory.settle(settings)?;
        self.generation.settle(settings)?;
        Ok(())
    }
}

/// Instructions before a conversation.
#[derive(Debug, Args)]
pub(crate) struct SystemArgument {
    /// Instructions that the model is shown before the conversation
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) system: Option<String>,
}

impl SystemArgument {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        settings.fill("system", &mut self.system).map(drop)
    }
}

/// `wick completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// `wick man`.
#[derive(Debug, Args)]
pub(crate) struct ManualArguments {
    /// Folder to write a page for each command to [default: the program's own page, on standard output]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
