//! The trained network as others read it: a published folder, and GGUF files with everything inside.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor, safetensors};
use models::BlockType;
use models::gguf::{GgufFile, GgufWriter, TensorKind};
use serde_json::{Value, json};

use crate::checkpoint::Progress;
use crate::network::{Network, Shape};
use crate::rendering::TEMPLATE;
use crate::vocabulary::{END, END_OF_TEXT, SIZE, Vocabulary};

/// Name of the model in its files.
const NAME: &str = "demo";
/// A small model errs less at a low temperature, and its stories vary enough.
const TEMPERATURE: f32 = 0.4;
/// Key of the seed that the model was trained with.
pub const SEED: &str = "demo.training.seed";
/// Key of the number of dialogues that it was trained on, from 0 on.
pub const DIALOGUES: &str = "demo.training.dialogues";
/// Key of the number of tokens that it was trained on.
pub const TOKENS: &str = "demo.training.tokens";

/// How the matrices of a GGUF file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "the names are the format's own")]
pub enum Mix {
    /// All F32: the exact weights.
    F32,
    /// All Q8_0.
    Q8_0,
    /// Q4_K, with Q6_K for the embedding and the more sensitive half of values and down projections.
    Q4_K_M,
}

impl Mix {
    /// All mixes.
    pub const ALL: [Self; 3] = [Self::F32, Self::Q8_0, Self::Q4_K_M];

    /// Name of the mix, such as `q8_0`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Q8_0 => "q8_0",
            Self::Q4_K_M => "q4_k_m",
        }
    }

    /// The number that `general.file_type` has for it.
    fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::Q8_0 => 7,
            Self::Q4_K_M => 15,
        }
    }

    /// The type of a matrix by its GGUF name; of 2 in 8 layers in front, 1 in 8 behind and every third between, the
    /// values and down projections are the more sensitive, as llama.cpp's mix of that name has it.
    fn of(self, name: &str, layers: usize) -> BlockType {
        match self {
            Self::F32 => BlockType::F32,
            Self::Q8_0 => BlockType::Q8_0,
            Self::Q4_K_M => {
                let layer = name
                    .split('.')
                    .nth(1)
                    .and_then(|layer| layer.parse::<usize>().ok());
                let more = layer.is_some_and(|layer| {
                    layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
                });
                let sensitive = more && (name.contains("attn_v") || name.contains("ffn_down"));
                if sensitive || name == "token_embd.weight" {
                    BlockType::Q6_K
                } else {
                    BlockType::Q4_K
                }
            }
        }
    }
}

/// Writes `config.json`, the tokenizer, the template and the weights in f32 as published checkpoints have them.
///
/// # Errors
///
/// Files that cannot be written.
pub fn publish(network: &Network, vocabulary: &Vocabulary, folder: &Path) -> Result<()> {
    let (end, end_of_text) = (vocabulary.id(END)?, vocabulary.id(END_OF_TEXT)?);
    weights(network, end, end_of_text, folder)?;
    vocabulary.write(&folder.join("tokenizer.json"))?;
    let generation = json!({
        "eos_token_id": [end, end_of_text],
        "pad_token_id": end_of_text,
        "do_sample": true,
        "temperature": TEMPERATURE,
    });
    write_json(&folder.join("generation_config.json"), &generation)?;
    let tokenizer = vocabulary.config(TEMPLATE, network.shape().context);
    write_json(&folder.join("tokenizer_config.json"), &tokenizer)
}

/// Writes the weights of a GGUF file of the shipped shape as f32, with their `config.json`: for implementations that
/// are to compute with just the weights that the file stores.
///
/// # Errors
///
/// A file of another shape, and files that cannot be read or written.
pub fn dequantized(path: &Path, folder: &Path) -> Result<()> {
    let file = GgufFile::open(path)?;
    let shape = Shape::shipped(SIZE);
    let mut decoded = HashMap::new();
    for (published, dims) in shape.variables() {
        let name = gguf_name(&published)?;
        let tensor = file
            .tensor(&name)
            .with_context(|| format!("no tensor `{name}`"))?;
        let TensorKind::Known(kind) = tensor.kind else {
            bail!("tensor `{name}` is stored as {}", tensor.kind);
        };
        let mut numbers = vec![0.0; dims.iter().product()];
        kind.dequantize(file.bytes(tensor)?, &mut numbers)?;
        decoded.insert(published, Tensor::from_vec(numbers, dims, &Device::Cpu)?);
    }
    let id = |key: &str| file.metadata().u32(&format!("tokenizer.ggml.{key}_token_id"));
    weights(
        &Network::with_weights(shape, &decoded)?,
        id("eos")?,
        id("padding")?,
        folder,
    )
}

/// Writes `model.safetensors` and `config.json`.
fn weights(network: &Network, end: u32, end_of_text: u32, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let weights: HashMap<String, Tensor> = (network.variables().iter())
        .map(|(name, variable)| (name.clone(), variable.as_tensor().clone()))
        .collect();
    safetensors::save(&weights, folder.join("model.safetensors"))?;
    let shape = network.shape();
    let config = json!({
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": null,
        "eos_token_id": end,
        "pad_token_id": end_of_text,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.context,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.key_heads,
        "rms_norm_eps": Shape::EPSILON,
        "rope_theta": Shape::ROPE_BASE,
        "tie_word_embeddings": true,
        "torch_dtype": "float32",
        "use_cache": true,
        "use_sliding_window": false,
        "vocab_size": shape.vocabulary,
    });
    write_json(&folder.join("config.json"), &config)
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    std::fs::write(path, serde_json::to_string_pretty(value)? + "\n")
        .with_context(|| path.display().to_string())
}

/// Writes a GGUF file with tokenizer, template and metadata inside.
///
/// # Errors
///
/// A file that cannot be written, and those of candle's quantizer.
pub fn gguf(
    network: &Network,
    vocabulary: &Vocabulary,
    progress: &Progress,
    mix: Mix,
    path: &Path,
) -> Result<()> {
    let shape = network.shape();
    let mut file = GgufWriter::new();
    file.metadata("general.architecture", "qwen3")
        .metadata("general.type", "model")
        .metadata("general.name", NAME)
        .metadata("general.license", "MIT OR Apache-2.0")
        .metadata("general.file_type", mix.file_type())
        .metadata("general.quantization_version", 2u32)
        .metadata("general.sampling.temp", TEMPERATURE)
        .metadata(SEED, progress.seed)
        .metadata(DIALOGUES, progress.dialogues())
        .metadata(TOKENS, progress.tokens);
    let head = shape.head as u32;
    for (key, value) in [
        ("vocab_size", shape.vocabulary as u32),
        ("context_length", shape.context as u32),
        ("embedding_length", shape.hidden as u32),
        ("block_count", shape.layers as u32),
        ("feed_forward_length", shape.intermediate as u32),
        ("attention.head_count", shape.heads as u32),
        ("attention.head_count_kv", shape.key_heads as u32),
        ("attention.key_length", head),
        ("attention.value_length", head),
        ("rope.dimension_count", head),
    ] {
        file.metadata(format!("qwen3.{key}"), value);
    }
    file.metadata("qwen3.attention.layer_norm_rms_epsilon", Shape::EPSILON)
        .metadata("qwen3.rope.freq_base", Shape::ROPE_BASE as f32)
        .metadata("tokenizer.ggml.model", "gpt2")
        .metadata("tokenizer.ggml.pre", "qwen2");
    for (key, array) in vocabulary.gguf()? {
        file.metadata(key, array);
    }
    file.metadata("tokenizer.ggml.eos_token_id", vocabulary.id(END)?)
        .metadata("tokenizer.ggml.padding_token_id", vocabulary.id(END_OF_TEXT)?)
        .metadata("tokenizer.ggml.add_bos_token", false)
        .metadata("tokenizer.chat_template", TEMPLATE);
    for (published, variable) in network.variables() {
        let name = gguf_name(published)?;
        let kind = if variable.rank() == 1 {
            BlockType::F32
        } else {
            mix.of(&name, shape.layers)
        };
        let bytes = stored(variable.as_tensor(), kind)?;
        file.tensor(name, variable.dims(), kind, bytes)?;
    }
    file.write(path)?;
    Ok(())
}

/// The weights of a tensor as blocks.
fn stored(tensor: &Tensor, kind: BlockType) -> Result<Cow<'static, [u8]>> {
    let kind = match kind {
        BlockType::F32 => GgmlDType::F32,
        BlockType::Q8_0 => GgmlDType::Q8_0,
        BlockType::Q4_K => GgmlDType::Q4K,
        BlockType::Q6_K => GgmlDType::Q6K,
        other => bail!("nothing is stored as {other}"),
    };
    let quantized = QTensor::quantize(tensor, kind)?;
    Ok(Cow::Owned(quantized.data()?.into_owned()))
}

/// The name that GGUF files have for a published tensor.
fn gguf_name(published: &str) -> Result<String> {
    let stem = published
        .strip_suffix(".weight")
        .context("a tensor that is no weight")?;
    let named = match stem {
        "model.embed_tokens" => "token_embd".to_owned(),
        "model.norm" => "output_norm".to_owned(),
        layered => {
            let rest = layered
                .strip_prefix("model.layers.")
                .context("a tensor of no layer")?;
            let (layer, stem) = rest.split_once('.').context("a layer without a tensor")?;
            let own = match stem {
                "input_layernorm" => "attn_norm",
                "self_attn.q_proj" => "attn_q",
                "self_attn.k_proj" => "attn_k",
                "self_attn.v_proj" => "attn_v",
                "self_attn.o_proj" => "attn_output",
                "self_attn.q_norm" => "attn_q_norm",
                "self_attn.k_norm" => "attn_k_norm",
                "post_attention_layernorm" => "ffn_norm",
                "mlp.gate_proj" => "ffn_gate",
                "mlp.up_proj" => "ffn_up",
                "mlp.down_proj" => "ffn_down",
                other => bail!("no name for `{other}`"),
            };
            format!("blk.{layer}.{own}")
        }
    };
    Ok(named + ".weight")
}
