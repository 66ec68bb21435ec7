//! How an answer is generated, and what may be called in it.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use engine::{CandleCompletionParams, ToolChoice, ToolDefinition};
use serde_json::Value;

use super::sampling::SamplingArguments;
use crate::failure::Usage;
use crate::settings::{Settings, SettingsError};

/// How an answer is generated.
#[derive(Debug, Args)]
pub(crate) struct GenerationArguments {
    /// Most tokens to generate [default: 1000, or what the context has room for]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_tokens: Option<u32>,
    /// Fewest tokens to generate: the answer does not end before
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    min_tokens: Option<u32>,
    /// Ends the answer where the model writes this text, which is not shown; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Option<Vec<String>>,
    /// Goes on where the model would end its answer
    #[arg(long)]
    ignore_eos: bool,
    /// 0 always takes the most probable token; higher values vary more [default: the model's, or 0.8]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    temperature: Option<f32>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Makes answers repeatable [default: a new one each time]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Most tokens to guess from the context and verify at once; 0 guesses none [default: 16]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    draft: Option<u32>,
    /// How much to think before the answer, in the words of the chat template, such as low
    #[arg(long, value_name = "EFFORT")]
    reasoning_effort: Option<String>,
    /// Sets a variable of the chat template, such as enable_thinking=false; may be given several times
    #[arg(long = "template-variable", value_name = "NAME=VALUE", value_parser = variable)]
    template_variables: Option<Vec<(String, Value)>>,
}

impl GenerationArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        settings.fill("max_tokens", &mut self.max_tokens)?;
        settings.fill("min_tokens", &mut self.min_tokens)?;
        settings.fill("stop", &mut self.stop)?;
        settings.fill("temperature", &mut self.temperature)?;
        self.sampling.settle(settings)?;
        settings.fill("seed", &mut self.seed)?;
        settings.fill("draft", &mut self.draft)?;
        settings.fill("reasoning_effort", &mut self.reasoning_effort)?;
        settings
            .fill("template_variables", &mut self.template_variables)
            .map(drop)
    }

    /// The parameters of each answer, checked before any model is loaded.
    pub(crate) fn params(&self) -> anyhow::Result<CandleCompletionParams> {
        let params = CandleCompletionParams {
            max_tokens: self.max_tokens,
            min_tokens: self.min_tokens,
            stop: self.stop.clone().unwrap_or_default(),
            ignore_eos: self.ignore_eos,
            temperature: self.temperature,
            sampling: self.sampling.sampling(),
            seed: self.seed,
            draft: self.draft,
            reasoning_effort: self.reasoning_effort.clone(),
            template_variables: self.template_variables.iter().flatten().cloned().collect(),
            ..Default::default()
        };
        checked(&params)?;
        Ok(params)
    }
}

/// Tokens of an answer where nothing says how many.
const MAX_TOKENS: u32 = 1000;

/// Checks parameters before any model is loaded.
///
/// # Errors
///
/// What is out of its range, or at odds with something else.
pub(crate) fn checked(params: &CandleCompletionParams) -> Result<(), Usage> {
    params.validate().map_err(|error| Usage(error.to_string()))?;
    match params.min_tokens {
        Some(fewest) if params.max_tokens.is_none() && fewest > MAX_TOKENS => Err(Usage(format!(
            "min_tokens is {fewest} with max_tokens of {MAX_TOKENS}, expected at most max_tokens"
        ))),
        _ => Ok(()),
    }
}

/// What the model may call; the calls are printed, and nothing is run.
#[derive(Debug, Args)]
pub(crate) struct ToolArguments {
    /// Tools that the model may call, in OpenAI's shape: a JSON array in a file. Calls are printed as JSON, one a line
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// Whether it calls them: auto, none, required, or the name of the tool that it has to call [default: auto]
    #[arg(long, value_name = "CHOICE", value_parser = tool_choice)]
    tool_choice: Option<ToolChoice>,
    /// Whether one answer may call several tools [default: true; false where a call is forced]
    #[arg(long, value_name = "BOOL")]
    parallel_tool_calls: Option<bool>,
}

impl ToolArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        settings.fill("tools", &mut self.tools)?;
        settings.fill("tool_choice", &mut self.tool_choice)?;
        settings
            .fill("parallel_tool_calls", &mut self.parallel_tool_calls)
            .map(drop)
    }

    /// `params` with these tools.
    ///
    /// # Errors
    ///
    /// A file of tools that cannot be read, or a tool whose parameters are no schema.
    pub(super) fn with(&self, params: CandleCompletionParams) -> anyhow::Result<CandleCompletionParams> {
        Ok(CandleCompletionParams {
            tools: self.read()?,
            tool_choice: self.tool_choice.clone().unwrap_or(ToolChoice::Auto),
            parallel_tool_calls: self.parallel_tool_calls,
            ..params
        })
    }

    fn read(&self) -> anyhow::Result<Vec<ToolDefinition>> {
        let Some(path) = &self.tools else {
            return Ok(Vec::new());
        };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let tools: Vec<ToolDefinition> = serde_json::from_str(&text)
            .with_context(|| format!("{} is no JSON array of tools in OpenAI's shape", path.display()))?;
        for tool in &tools {
            if let Err(fault) = jsonschema::validator_for(&tool.parameters) {
                bail!(
                    "the parameters of the tool {:?} in {} are no JSON schema: {fault}",
                    tool.name,
                    path.display()
                );
            }
        }
        Ok(tools)
    }
}

/// What `--tool-choice` says: a word, or the name of a tool.
pub(crate) fn tool_choice(text: &str) -> Result<ToolChoice, String> {
    match text {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        name if ToolDefinition::is_name(name) => Ok(ToolChoice::Named(name.to_owned())),
        _ => Err("it is auto, none, required, or the name of a tool".to_owned()),
    }
}

/// A variable of the chat template: JSON, or else text.
fn variable(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            Ok((name.to_owned(), value))
        }
        _ => Err("it is NAME=VALUE".to_owned()),
    }
}
