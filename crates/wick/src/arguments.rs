//! The command line: what may be asked, and its reading.

mod cache;
mod precision;
mod serve;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use engine::{CandleCompletionParams, ToolChoice, ToolDefinition};
use models::{Compute, LoadOptions};
use providers::remote::{RemoteConfig, Secret};
use providers::{FAMILIES, Family};
use serde_json::Value;

pub(crate) use cache::{ListArguments, PullArguments, RemoveArguments};
use precision::{Cache, Computing};
pub(crate) use serve::ServeArguments;

use crate::source::Source;
use crate::{failure, output};

/// Runs language models on this machine.
#[derive(Debug, Parser)]
#[command(name = "wick", version, arg_required_else_help = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer one prompt
    Run(RunArguments),
    /// Hold a conversation
    Chat(ChatArguments),
    /// Answer over HTTP, as OpenAI's and Anthropic's servers do
    Serve(ServeArguments),
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
    /// Remove a model that was downloaded
    Rm(RemoveArguments),
}

/// `wick eval`.
#[derive(Debug, Subcommand)]
pub(crate) enum Evaluation {
    /// Write the logits after every token
    Logits(LogitsArguments),
    /// Measure how well a text is predicted
    Perplexity(PerplexityArguments),
}

/// Which model, and how it is held.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// Model: a GGUF file, a safetensors file, a folder as published, or one of a hub, OWNER/NAME:PATTERN, which
    /// is downloaded unless it was before [default: the demo model that is built in]
    #[arg(long = "model", value_name = "PATH")]
    path: Option<PathBuf>,
    /// Ask the OpenAI-compatible server at this address, which --model then names a model of; several times for replicas. The
    /// key, if it wants one, stands in WICK_API_KEY
    #[arg(long, value_name = "URL", conflicts_with_all = ["offline", "provider", "cache", "compute"])]
    remote: Vec<String>,
    /// Use only models that are on this machine
    #[arg(long)]
    offline: bool,
    /// What is known of the model beyond its files: its family [default: nothing]
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    provider: Option<&'static Family>,
    /// Numbers that keys and values are kept in; f16 takes half the memory and is not exact [default: f16, or f32 where
    /// the forward pass is exact]
    #[arg(long, value_name = "TYPE")]
    cache: Option<Cache>,
    /// How the forward pass computes; exact decodes weights to 32-bit floats, fast packs them as they are and rounds what they
    /// multiply to 8 bits [default: fast where the architecture has kernels, else exact; figures of `eval` are exact]
    #[arg(long, value_name = "WAY")]
    compute: Option<Computing>,
}

/// The variable of the environment that holds a server's key.
const KEY: &str = "WICK_API_KEY";

impl ModelArguments {
    /// The server that is to be asked, if one is.
    ///
    /// # Errors
    ///
    /// A name of the model that is no text.
    pub(crate) fn remote(&self) -> anyhow::Result<Option<RemoteConfig>> {
        let Some((first, others)) = self.remote.split_first() else {
            return Ok(None);
        };
        let mut config = RemoteConfig::new(first);
        config.endpoints.extend_from_slice(others);
        if let Some(path) = &self.path {
            let name = path.to_str().context("the name of the model is no text")?;
            config.model = Some(name.to_owned());
        }
        if std::env::var_os(KEY).is_some_and(|key| !key.is_empty()) {
            config.api_key = Some(Secret::from_env(KEY)?);
        }
        Ok(Some(config))
    }

    /// The model, which has to be named where figures are computed.
    ///
    /// # Errors
    ///
    /// None is named.
    pub(crate) fn named(&self) -> anyhow::Result<Source> {
        anyhow::ensure!(self.path.is_some(), "name a model with --model PATH");
        self.bare()
    }

    /// The model where nothing but its weights is used.
    ///
    /// # Errors
    ///
    /// Those of [`Self::source`], and a family, which would change nothing.
    pub(crate) fn bare(&self) -> anyhow::Result<Source> {
        anyhow::ensure!(
            self.provider.is_none(),
            "that uses the weights alone, which no family changes; leave --provider out"
        );
        self.source()
    }

    /// The model.
    ///
    /// # Errors
    ///
    /// None is named, and none is built in; it is a server's.
    pub(crate) fn source(&self) -> anyhow::Result<Source> {
        anyhow::ensure!(
            self.remote.is_empty(),
            "that needs the model itself, not a server; leave --remote out"
        );
        Source::of(self.path.as_deref(), self.offline)
    }

    /// What is taken from its family.
    pub(crate) fn family(&self) -> Option<&'static Family> {
        self.provider
    }

    /// How the model is to be loaded.
    pub(crate) fn options(&self) -> LoadOptions {
        LoadOptions {
            cache: self.cache.map(Into::into),
            compute: self.compute.map(Into::into).unwrap_or_default(),
            ..LoadOptions::default()
        }
    }

    /// How the model is to be loaded where figures are compared with those of others: exact, unless something else is said.
    pub(crate) fn exact_options(&self) -> LoadOptions {
        LoadOptions {
            compute: self.compute.map_or(Compute::Exact, Into::into),
            ..self.options()
        }
    }
}

/// `wick run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// What to answer, or with --raw what to continue
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: String,
    /// Continue the prompt as it stands, without the chat template; empty means the start token alone
    #[arg(long)]
    pub(crate) raw: bool,
    /// Print one JSON object, and nothing else, when the answer is complete
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    tools: ToolArguments,
    #[command(flatten)]
    generation: GenerationArguments,
}

impl RunArguments {
    /// The parameters of the answer, checked before any model is loaded.
    ///
    /// # Errors
    ///
    /// A file of tools that cannot be read, and what is out of its range.
    pub(crate) fn params(&self) -> anyhow::Result<CandleCompletionParams> {
        let params = CandleCompletionParams {
            tools: self.tools.read()?,
            tool_choice: self.tools.choice.clone(),
            parallel_tool_calls: self.tools.parallel,
            ..self.generation.params()?
        };
        params.validate()?;
        Ok(params)
    }
}

/// What the model may call; the calls are printed, and nothing is run.
#[derive(Debug, Args)]
struct ToolArguments {
    /// Tools that the model may call, in OpenAI's shape: a JSON array in a file. Calls are printed as JSON, one a line
    #[arg(long = "tools", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Whether it calls them: auto, none, required, or the name of the tool that it has to call
    #[arg(long = "tool-choice", value_name = "CHOICE", default_value = "auto", value_parser = tool_choice)]
    choice: ToolChoice,
    /// Whether one answer may call several tools [default: true; false where a call is forced]
    #[arg(long = "parallel-tool-calls", value_name = "BOOL")]
    parallel: Option<bool>,
}

impl ToolArguments {
    fn read(&self) -> anyhow::Result<Vec<ToolDefinition>> {
        let Some(path) = &self.file else {
            return Ok(Vec::new());
        };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no JSON array of tools in OpenAI's shape", path.display()))
    }
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
    pub(crate) generation: GenerationArguments,
}

/// `wick inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Model: a GGUF file, a safetensors file, a folder as published, or `demo` for the one that is built in
    #[arg(
        value_name = "PATH",
        required_unless_present = "model",
        conflicts_with = "model"
    )]
    path: Option<PathBuf>,
    /// The same as PATH
    #[arg(long, value_name = "PATH")]
    model: Option<PathBuf>,
    /// Use only models that are on this machine
    #[arg(long)]
    offline: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the prompt that the model would be given for a chat: a JSON array of messages in a file, or an object with
    /// `messages` and, where there are some, `tools`, `tool_choice`, `reasoning_effort` and `chat_template_kwargs`
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub(crate) render: Option<PathBuf>,
    /// The family whose template serves where the model has none
    #[arg(long, value_name = "FAMILY", value_parser = family, requires = "render")]
    pub(crate) provider: Option<&'static Family>,
}

impl InspectArguments {
    /// The model, however it was named.
    ///
    /// # Errors
    ///
    /// None, since one of the two is required.
    pub(crate) fn source(&self) -> anyhow::Result<Source> {
        Source::of(self.path.as_deref().or(self.model.as_deref()), self.offline)
    }
}

/// `wick tokenize`.
#[derive(Debug, Args)]
pub(crate) struct TokenizeArguments {
    /// Tokenizer: a GGUF file, a tokenizer.json, a tiktoken.model, a folder as published, or `demo`
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// The text; nothing is put before or behind it
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: String,
    /// Take the names of special tokens in the text for ordinary text
    #[arg(long)]
    pub(crate) no_special: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wick eval logits`.
#[derive(Debug, Args)]
pub(crate) struct LogitsArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// Token ids to run from an empty cache, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',', required = true, value_parser = token_id)]
    pub(crate) ids: Vec<u32>,
    /// Safetensors file to write: one tensor `logits` in f32 of the shape (ids, vocabulary)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `wick eval perplexity`.
#[derive(Debug, Args)]
pub(crate) struct PerplexityArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// The text, a file in UTF-8
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Tokens of the chunks that the text is cut into [default: 512, or the model's context if that is smaller]
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<usize>,
    /// Print one JSON object when the text is read to its end, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wick bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// Tokens of the prompt, random ones
    #[arg(long, value_name = "N", default_value = "512", allow_negative_numbers = true)]
    pub(crate) prompt: NonZeroUsize,
    /// Tokens to decode for each sequence
    #[arg(long, value_name = "N", default_value = "128", allow_negative_numbers = true)]
    pub(crate) generate: NonZeroUsize,
    /// Positions that stand before the prompt and before what is decoded
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true)]
    pub(crate) depth: usize,
    /// Sequences that decode at once; their tokens per second are added up
    #[arg(long, value_name = "B", default_value = "1", allow_negative_numbers = true)]
    pub(crate) batch: NonZeroUsize,
    /// Threads that compute at the same time [default: what the processor and RAYON_NUM_THREADS say]
    #[arg(long, value_name = "T", value_parser = threads, allow_negative_numbers = true)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Measurements after the one that warms up; their median is shown with the least and the most
    #[arg(long, value_name = "R", default_value = "5", allow_negative_numbers = true)]
    pub(crate) repeat: NonZeroUsize,
    /// Print one JSON object, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

/// Threads that may be asked for; more than a machine could give are a slip of the hand.
const MOST_THREADS: usize = 1024;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(threads) if threads.get() <= MOST_THREADS => Ok(threads),
        Ok(_) => Err(format!("at most {MOST_THREADS} may be asked for")),
        Err(error) => Err(error.to_string()),
    }
}

fn family(name: &str) -> Result<&'static Family, String> {
    let found = FAMILIES.into_iter().find(|family| family.name == name);
    found.ok_or_else(|| {
        let known = FAMILIES.map(|family| family.name);
        format!("known are {}", known.join(", "))
    })
}

/// What `--tool-choice` says: a word, or the name of a tool.
fn tool_choice(text: &str) -> Result<ToolChoice, String> {
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

/// A token id, which may stand between spaces.
fn token_id(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.trim().parse()
}

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
    stop: Vec<String>,
    /// Goes on where the model would end its answer
    #[arg(long)]
    ignore_eos: bool,
    /// 0 always takes the most probable token; higher values vary more [default: the model's, or 0.8]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    temperature: Option<f32>,
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
    template_variables: Vec<(String, Value)>,
}

impl GenerationArguments {
    /// The parameters of each answer, checked before any model is loaded.
    pub(crate) fn params(&self) -> anyhow::Result<CandleCompletionParams> {
        let params = CandleCompletionParams {
            max_tokens: self.max_tokens,
            min_tokens: self.min_tokens,
            stop: self.stop.clone(),
            ignore_eos: self.ignore_eos,
            temperature: self.temperature,
            seed: self.seed,
            draft: self.draft,
            reasoning_effort: self.reasoning_effort.clone(),
            template_variables: self.template_variables.iter().cloned().collect(),
            ..Default::default()
        };
        params.validate()?;
        Ok(params)
    }
}

/// What the command line asks for.
pub(crate) enum Invocation {
    /// Work to do.
    Command(Box<Command>),
    /// Help, the version or an error, which has been printed.
    Answered(ExitCode),
}

/// Reads `arguments`, the program's name first.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Invocation {
    let error = match Program::try_parse_from(arguments) {
        Ok(program) => return Invocation::Command(Box::new(program.command)),
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
