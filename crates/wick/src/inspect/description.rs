//! The facts about one model on disk, gathered from its headers alone.
//!
//! Nothing here fails: a fact that a model does not give, or gives wrongly, is absent, and a tokenizer or
//! template that cannot be used says why.

use models::{
    CacheType, Checkpoint, LoadOptions, ModelError, ModelFactory, Outline, Residence, StoredTensor, Tokenizer,
};
use providers::ChatTemplate;
use serde::Serialize;

use crate::failure;

/// What `wick inspect --json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Description {
    pub(super) file: String,
    pub(super) bytes: u64,
    /// None for a model in safetensors files.
    pub(super) gguf_version: Option<u32>,
    pub(super) name: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) parameters: u64,
    pub(super) context: Option<usize>,
    pub(super) layers: Option<usize>,
    pub(super) embedding: Option<usize>,
    pub(super) feed_forward: Option<usize>,
    pub(super) heads: Option<usize>,
    pub(super) kv_heads: Option<usize>,
    pub(super) tensors: Vec<TensorTotal>,
    pub(super) tokenizer: TokenizerDescription,
    pub(super) chat_template: Template,
    /// What running it takes, or why it cannot be run.
    pub(super) memory: Memory,
}

/// The tensors of one type.
#[derive(Debug, Serialize)]
pub(super) struct TensorTotal {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) count: usize,
    pub(super) weights: u64,
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum TokenizerDescription {
    Usable {
        kind: String,
        vocabulary: usize,
        bos: Option<Token>,
        adds_bos: bool,
        eos: Option<Token>,
        end_of_generation: Vec<Token>,
    },
    Unusable {
        error: String,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Token {
    pub(super) id: u32,
    pub(super) text: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Template {
    Absent,
    Usable { bytes: usize },
    Unusable { error: String },
}

/// Memory that the model takes where nothing is said of how it computes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Memory {
    Planned {
        weights_bytes: u64,
        /// How the weights are held: `packed` as they are stored, `decoded` to f32, `mapped` in their file, or `copied` as stored.
        weights_held: &'static str,
        /// `f16` or `f32`.
        cache_type: &'static str,
        cache_bytes_per_1000_positions: u64,
    },
    Unusable {
        error: String,
    },
}

impl Description {
    pub(super) fn of(checkpoint: &Checkpoint) -> Self {
        let Outline {
            name,
            architecture,
            context,
            layers,
            hidden,
            intermediate,
            heads,
            kv_heads,
            ..
        } = checkpoint.outline();
        let tensors = totals(&checkpoint.stored());
        let parameters = tensors
            .iter()
            .fold(0u64, |sum, total| sum.saturating_add(total.weights));
        let tokenizer = checkpoint.tokenizer();
        Self {
            file: checkpoint.path().display().to_string(),
            bytes: checkpoint.file_bytes(),
            gguf_version: checkpoint.gguf().map(|file| file.version()),
            name,
            architecture,
            parameters,
            context,
            layers,
            embedding: hidden,
            feed_forward: intermediate,
            heads,
            kv_heads,
            tensors,
            chat_template: template(checkpoint, &tokenizer),
            tokenizer: describe(tokenizer),
            memory: memory(checkpoint),
        }
    }
}

/// Tensors, weights and bytes by type, in the order in which the types first appear.
fn totals(tensors: &[StoredTensor]) -> Vec<TensorTotal> {
    let mut totals: Vec<TensorTotal> = Vec::new();
    for tensor in tensors {
        let weights = tensor
            .shape
            .iter()
            .fold(1u64, |product, &length| product.saturating_mul(length as u64));
        match totals.iter_mut().find(|total| total.kind == tensor.kind) {
            Some(total) => {
                total.count += 1;
                total.weights = total.weights.saturating_add(weights);
                total.bytes = total.bytes.zip(tensor.bytes).map(|(a, b)| a.saturating_add(b));
            }
            None => totals.push(TensorTotal {
                kind: tensor.kind.clone(),
                count: 1,
                weights,
                bytes: tensor.bytes,
            }),
        }
    }
    totals
}

fn describe(tokenizer: Result<Tokenizer, ModelError>) -> TokenizerDescription {
    let tokenizer = match tokenizer {
        Ok(tokenizer) => tokenizer,
        Err(error) => {
            return TokenizerDescription::Unusable {
                error: failure::chain(&error),
            };
        }
    };
    let token = |id: u32| Token {
        id,
        text: tokenizer.token_text(id).unwrap_or_default().to_owned(),
    };
    TokenizerDescription::Usable {
        kind: tokenizer.kind().to_owned(),
        vocabulary: tokenizer.vocab_size(),
        bos: tokenizer.bos().map(token),
        adds_bos: tokenizer.adds_bos(),
        eos: tokenizer.eos().map(token),
        end_of_generation: tokenizer.end_of_generation().iter().copied().map(token).collect(),
    }
}

/// The template of a GGUF file stands by itself; that of a folder comes with its tokenizer.
fn template(checkpoint: &Checkpoint, tokenizer: &Result<Tokenizer, ModelError>) -> Template {
    let unusable = |error: &(dyn std::error::Error + 'static)| Template::Unusable {
        error: failure::chain(error),
    };
    let source = match (checkpoint.gguf(), tokenizer) {
        (Some(file), _) => file.metadata().str_opt("tokenizer.chat_template"),
        (None, Ok(tokenizer)) => Ok(tokenizer.chat_template()),
        (None, Err(error)) => return unusable(error),
    };
    match source {
        Ok(None) => Template::Absent,
        Ok(Some(source)) => match ChatTemplate::parse(source) {
            Ok(_) => Template::Usable { bytes: source.len() },
            Err(error) => unusable(&error),
        },
        Err(error) => unusable(&error),
    }
}

fn memory(checkpoint: &Checkpoint) -> Memory {
    match ModelFactory::plan(checkpoint, LoadOptions::default()) {
        Ok(plan) => Memory::Planned {
            weights_bytes: plan.resident_bytes,
            weights_held: match plan.residence {
                Residence::Decoded => "decoded",
                Residence::Mapped => "mapped",
                Residence::Copied => "copied",
                Residence::Packed => "packed",
            },
            cache_type: match plan.cache {
                CacheType::F16 => "f16",
                CacheType::F32 => "f32",
            },
            cache_bytes_per_1000_positions: plan.cache_bytes_per_position.saturating_mul(1000),
        },
        Err(error) => Memory::Unusable {
            error: failure::chain(&error),
        },
    }
}
