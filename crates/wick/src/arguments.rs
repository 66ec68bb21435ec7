//! The command line: what may be asked, and its reading.

mod model;
mod conversation;
mod precision;
mod threads;
mod sampling;
mod generation;
mod run;
mod serve;
mod examination;
mod cache;
mod memory;
mod configuration;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub(crate) use cache::{ListArguments, PullArguments, RemoveArguments};
pub(crate) use configuration::{
    CompletionArguments, ConfigRequest, ConfigurationArguments, ManualArguments, ShowArguments,
};
pub(crate) use conversation::{ColourChoice, ConversationArguments, ToolServer};
pub(crate) use examination::{
    BenchArguments, InspectArguments, LogitsArguments, PerplexityArguments, TokenizeArguments,
};
pub(crate) use generation::{GenerationArguments, checked, tool_choice};
pub(crate) use memory::{
    ExportArguments, ForgetArguments, Format, MemoryArguments, MemoryFile, MemoryRequest, SearchArguments,
};
pub(crate) use model::{KEY, KeySource, ModelArguments, family};
pub(crate) use precision::{Cache, Computing};
pub(crate) use run::RunArguments;
pub(crate) use serve::ServeArguments;
pub(crate) use threads::{MOST_THREADS, ThreadArguments, threads};

use crate::settings::Settings;
use crate::{failure, output};

/// Runs language models on this machine.
#[derive(Debug, Parser)]
#[command(name = "wick", version, arg_required_else_help = true, after_help = failure::STATUS)]
pub(crate) struct Program {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer one prompt
    #[command(after_help = failure::STATUS)]
    Run(Box<RunArguments>),
    /// Hold a conversation
    #[command(after_help = failure::STATUS)]
    Chat(Box<ChatArguments>),
    /// Answer over HTTP, as OpenAI's and Anthropic's servers do
    Serve(Box<ServeArguments>),
    /// Describe a model
    Inspect(InspectArguments),
    /// Show the tokens of a text
    Tokenize(TokenizeArguments),
    /// Compute figures of a model
    #[command(subcommand)]
    Eval(Evaluation),
    /// Measure how fast a model runs
    Bench(BenchArguments),
    /// Download a model from a hub
    Pull(PullArguments),
    /// List the models that were downloaded
    List(ListArguments),
    /// Remove models that were downloaded
    Rm(RemoveArguments),
    /// Look into what is remembered, and forget it
    Memory(MemoryArguments),
    /// Show the configuration
    #[command(subcommand)]
    Config(ConfigRequest),
    /// Print a script that completes commands in a shell
    Completions(CompletionArguments),
    /// Write the manual
    Man(ManualArguments),
}

/// `wick eval`.
#[derive(Debug, Subcommand)]
pub(crate) enum Evaluation {
    /// Write the logits after every token
    Logits(LogitsArguments),
    /// Measure how well a text is predicted
    Perplexity(PerplexityArguments),
}

/// `wick chat`.
#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// Instructions that the model is shown before the conversation
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) system: Option<String>,
    #[command(flatten)]
    pub(crate) conversation: ConversationArguments,
    #[command(flatten)]
    pub(crate) generation: GenerationArguments,
    #[command(flatten)]
    pub(crate) threads: ThreadArguments,
}

impl ChatArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read, and flags that are of no use with a server.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> anyhow::Result<()> {
        self.model.settle(settings)?;
        self.threads.settle(&self.model, settings)?;
        settings.fill("system", &mut self.system)?;
        self.conversation.settle(settings)?;
        self.conversation.check(self.model.is_offline())?;
        self.generation.settle(settings)?;
        Ok(())
    }
}

/// What the command line asks for.
pub(crate) enum Invocation {
    /// Work to do.
    Program(Box<Program>),
    /// Help, the version or an error, which has been printed.
    Answered(ExitCode),
}

/// The whole command line, for those that write about it.
pub(crate) fn described() -> clap::Command {
    Program::command()
}

/// Reads `arguments`, the program's name first.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Invocation {
    let error = match Program::try_parse_from(arguments) {
        Ok(program) => return Invocation::Program(Box::new(program)),
        Err(error) => error,
    };
    let text = error.render().to_string();
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked {
        // Help that nobody reads any more is no failure.
        let _ = output::write(&text);
        return Invocation::Answered(ExitCode::SUCCESS);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        failure::complain(&text);
        return Invocation::Answered(ExitCode::from(failure::USAGE));
    }
    // The first paragraph says what is wrong; usage and hints follow it.
    let fault = text.split("\n\n").next().unwrap_or_default();
    let fault = fault.strip_prefix("error: ").unwrap_or(fault);
    failure::complain(&format!("wick: {}\n", failure::one_line(fault)));
    Invocation::Answered(ExitCode::from(failure::USAGE))
}
