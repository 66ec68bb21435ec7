//! The models that candle has in quantized form, by the architecture that a file names.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Tensor};
use candle_transformers::models::quantized_qwen3_moe::GGUFQWenMoE;
use candle_transformers::models::{quantized_llama, quantized_qwen3};

/// A model of candle's with its cache.
pub(crate) struct Model {
    weights: Weights,
    vocab: usize,
}

enum Weights {
    Llama(quantized_llama::ModelWeights),
    Qwen3(quantized_qwen3::ModelWeights),
    Qwen3Moe(GGUFQWenMoE),
}

impl Model {
    /// Loads a GGUF file as candle's examples do.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let mut file = BufReader::new(file);
        let content = Content::read(&mut file).with_context(|| path.display().to_string())?;
        let embedding = content.tensor_infos.get("token_embd.weight");
        let embedding = embedding.context("there is no tensor `token_embd.weight`")?;
        let vocab = embedding.shape.dims().first().copied();
        Ok(Self {
            vocab: vocab.context("`token_embd.weight` is a single number")?,
            weights: Weights::load(content, &mut file)?,
        })
    }

    /// A second model on the same weights, with the same positions in its cache.
    pub(crate) fn fork(&self) -> Result<Self> {
        let weights = match &self.weights {
            Weights::Llama(model) => Weights::Llama(model.clone()),
            Weights::Qwen3(model) => Weights::Qwen3(model.clone()),
            Weights::Qwen3Moe(_) => {
                bail!("candle's mixture of experts cannot go back to an earlier position")
            }
        };
        Ok(Self {
            weights,
            vocab: self.vocab,
        })
    }

    /// Logits after the last of the ids, the first of which stands at `position`.
    pub(crate) fn forward(&mut self, ids: &Tensor, position: usize) -> Result<Tensor> {
        Ok(match &mut self.weights {
            Weights::Llama(model) => model.forward(ids, position),
            Weights::Qwen3(model) => model.forward(ids, position),
            Weights::Qwen3Moe(model) => model.forward(ids, position),
        }?)
    }

    /// Some token for a position, the same in every run.
    pub(crate) fn token(&self, position: usize) -> u32 {
        (position.wrapping_mul(7919) % self.vocab.min(u32::MAX as usize)) as u32
    }
}

impl Weights {
    fn load(content: Content, file: &mut BufReader<File>) -> Result<Self> {
        let device = Device::Cpu;
        let architecture = content.metadata.get("general.architecture");
        let architecture = architecture.context("the file names no architecture")?;
        let architecture = architecture.to_string()?.clone();
        Ok(match architecture.as_str() {
            "llama" => Self::Llama(quantized_llama::ModelWeights::from_gguf(content, file, &device)?),
            "qwen3" => Self::Qwen3(quantized_qwen3::ModelWeights::from_gguf(content, file, &device)?),
            "qwen3moe" => Self::Qwen3Moe(GGUFQWenMoE::from_gguf(content, file, &device, DType::F32)?),
            other => bail!("candle has no quantized model of the architecture {other}"),
        })
    }
}
