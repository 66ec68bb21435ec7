//! Arguments of what examines a model instead of answering with it: inspect, tokenize, eval, bench.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use providers::Family;

use super::model::{ModelArguments, OfflineArgument, family};
use super::threads::threads;
use crate::source::Source;

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
    #[command(flatten)]
    pub(crate) offline: OfflineArgument,
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
        Source::of(
            self.path.as_deref().or(self.model.as_deref()),
            self.offline.said(),
        )
    }
}

/// `wick tokenize`.
#[derive(Debug, Args)]
pub(crate) struct TokenizeArguments {
    /// Tokenizer: a GGUF file, a tokenizer.json, a tiktoken.model, a folder as published, a model of a hub, or `demo`
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) offline: OfflineArgument,
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

/// A token id, which may stand between spaces.
fn token_id(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.trim().parse()
}
