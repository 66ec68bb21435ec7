//! Arguments of `wick run`.

use std::path::PathBuf;

use clap::Args;
use engine::CandleCompletionParams;

use super::configuration::SystemArgument;
use super::generation::{GenerationArguments, ToolArguments, checked};
use super::model::ModelArguments;
use super::threads::ThreadArguments;
use crate::schema::{self, Schema};
use crate::settings::Settings;

/// `wick run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// What to answer, or with --raw what to continue [default: what is piped in]. Where something is piped in as well,
    /// that stands before it, with a blank line between them
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,
    /// Continue the prompt as it stands, without the chat template; empty means the start token alone
    #[arg(long, conflicts_with = "system")]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) system: SystemArgument,
    /// Print one JSON object, and nothing else, when the answer is complete
    #[arg(long)]
    pub(crate) json: bool,
    /// JSON schema that the answer has to fit; one that does not is an error
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    tools: ToolArguments,
    #[command(flatten)]
    pub(crate) threads: ThreadArguments,
    #[command(flatten)]
    generation: GenerationArguments,
}

impl RunArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read, and flags that are of no use with a server.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> anyhow::Result<()> {
        self.model.settle(settings)?;
        self.threads.settle(&self.model, settings)?;
        self.system.settle(settings)?;
        self.tools.settle(settings)?;
        self.generation.settle(settings)?;
        Ok(())
    }

    /// The parameters of the answer, checked before any model is loaded, and the schema that it has to fit.
    ///
    /// # Errors
    ///
    /// A file of tools or a schema that cannot be read or followed, and what is out of its range.
    pub(crate) fn params(&self) -> anyhow::Result<(CandleCompletionParams, Option<Schema>)> {
        let mut params = self.tools.with(self.generation.params()?)?;
        let mut schema = None;
        if let Some(path) = &self.schema {
            let (constraint, read) = schema::read(path, self.model.is_remote())?;
            params.constraint = Some(constraint);
            schema = Some(read);
        }
        checked(&params)?;
        Ok((params, schema))
    }
}
