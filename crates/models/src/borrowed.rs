//! Architectures without a definition of our own, run by candle-transformers from GGUF files.
//!
//! Such a model keeps the keys and values of one sequence inside. The cache of a sequence here is the list of its
//! tokens, and the model's state is only ever continued for a cache whose tokens it has run, one after another, since
//! it was last emptied; for any other cache it is emptied and the cache's tokens are run again. So a truncated,
//! forked or interleaved cache costs time, and never gives another sequence's logits.
//!
//! Weights are copied from the mapped file: a tensor at a time passes through a buffer of its own size. The
//! embedding rows, and weights that candle stores no blocks of, are held as f32.

mod gemma3;
mod phi3;
mod pieces;
mod qwen2;
mod tensors;

use candle_core::{Device, Tensor};

use crate::decoder::{check, list_rows};
use crate::factory::vocabulary;
use crate::gguf::GgufFile;
use crate::loader::{Sizes, Survey};
use crate::settings::{Key, Settings};
use crate::shape::{DenseShape, LOGIT_CAP, SCORE_CAP, SLIDING_WINDOW};
use crate::{
    CacheType, Capabilities, Checkpoint, Compute, HeldWeights, KvCache, LoadOptions, LoadProgress, Model,
    ModelError, ModelPlan, OutputRows, Residence, Rows, SequenceStep,
};
use gemma3::Gemma3;
use phi3::Phi3;
use qwen2::Qwen2;
use tensors::Tensors;

/// Names in `general.architecture`.
pub(crate) const NAMES: [&str; 3] = ["gemma3", "phi3", "qwen2"];

const HEADS: Key = Key::new("attention.head_count", "num_attention_heads");
const SCALING: Key = Key::new("rope.scaling.type", "rope_scaling.type");
const BASE: Key = Key::new("rope.freq_base", "rope_theta");

/// How one architecture is read from a file; settings have been checked.
trait Family {
    fn shape(&self) -> &DenseShape;

    /// Positions up to which candle's forward pass is the architecture's.
    fn context(&self) -> usize;

    /// Names every tensor that loading reads, with its shape.
    fn ask(&self, survey: &mut Survey<'_>) -> Result<(), ModelError>;

    /// Bytes of memory that weights and rotary tables take once loaded.
    fn resident_bytes(&self, tensors: &Tensors<'_>) -> u64;

    /// What those bytes are.
    fn residence(&self) -> Residence;

    fn load(&self, tensors: &mut Tensors<'_>) -> Result<Box<dyn Runner>, ModelError>;
}

/// A loaded model of candle-transformers and the one sequence that it holds.
trait Runner: Send {
    /// Runs `tokens`, shape `(1, new)`, behind the `position` tokens held; returns the last one's logits, `vocab`
    /// entries in all.
    fn run(&mut self, tokens: &Tensor, position: usize) -> candle_core::Result<Tensor>;

    /// Forgets the sequence.
    fn reset(&mut self);

    /// How many of the next `left` tokens may be run at once behind `position` held ones; at least 1.
    fn piece(&mut self, position: usize, left: usize) -> usize;
}

/// A borrowed architecture as a [`Model`].
struct Borrowed {
    runner: Box<dyn Runner>,
    capabilities: Capabilities,
    /// The tokens that the runner has run; `None` after a failure, when nobody knows.
    held: Option<Vec<u32>>,
    /// Rows of the batch that are wanted; kept for its memory.
    wanted: Vec<u32>,
}

/// What `checkpoint` would become.
pub(crate) fn plan(checkpoint: &Checkpoint, options: LoadOptions) -> Result<ModelPlan, ModelError> {
    let file = gguf(checkpoint, options)?;
    let family = family(checkpoint)?;
    let sizes = survey(checkpoint, &*family)?;
    let mut silent = |_| {};
    let tensors = Tensors::new(file, sizes.stored, &mut silent)?;
    plan_of(checkpoint, options, &*family, sizes, &tensors)
}

/// Plans, then loads.
pub(crate) fn load(
    checkpoint: &Checkpoint,
    options: LoadOptions,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Box<dyn Model>, ModelError> {
    let file = gguf(checkpoint, options)?;
    let family = family(checkpoint)?;
    let sizes = survey(checkpoint, &*family)?;
    let mut tensors = Tensors::new(file, sizes.stored, progress)?;
    let plan = plan_of(checkpoint, options, &*family, sizes, &tensors)?;
    Ok(Box::new(Borrowed {
        runner: family.load(&mut tensors)?,
        capabilities: plan.capabilities,
        held: None,
        wanted: Vec::new(),
    }))
}

/// The file, where it and the options are such as candle-transformers can run.
fn gguf(checkpoint: &Checkpoint, options: LoadOptions) -> Result<&GgufFile, ModelError> {
    let unsupported = |what| {
        let architecture = checkpoint.architecture()?.to_owned();
        Err(ModelError::Unsupported { architecture, what })
    };
    let compute = options.computing(false);
    if compute != Compute::Exact {
        return unsupported("kernels of our own (fast)");
    }
    if options.caching(compute) != CacheType::F32 {
        return unsupported("a cache of 16-bit floats");
    }
    match options.weights {
        HeldWeights::Auto => {}
        HeldWeights::Decoded => return unsupported("all weights decoded"),
        HeldWeights::Mapped => return unsupported("weights left in the mapped file"),
        HeldWeights::Kept => return unsupported("packed weights in a file beside it"),
    }
    match checkpoint.gguf() {
        Some(file) => Ok(file),
        None => unsupported("weights in safetensors; a GGUF file is needed"),
    }
}

fn family(checkpoint: &Checkpoint) -> Result<Box<dyn Family>, ModelError> {
    let name = checkpoint.architecture()?;
    let (s, tensors) = (checkpoint.settings(name), checkpoint.stored().len());
    let computed: &[Key] = match name {
        "gemma3" => &[SLIDING_WINDOW, SCORE_CAP, LOGIT_CAP],
        _ => &[SLIDING_WINDOW],
    };
    let shape = DenseShape::read_computing(computed, s, tensors, vocabulary(checkpoint)?)?;
    let shape = shape.without_experts(s)?;
    Ok(match name {
        "gemma3" => Box::new(Gemma3::read(s, shape)?),
        "phi3" => Box::new(Phi3::read(s, shape)?),
        _ => Box::new(Qwen2::read(s, shape)?),
    })
}

fn survey(checkpoint: &Checkpoint, family: &dyn Family) -> Result<Sizes, ModelError> {
    let mut survey = Survey::new(checkpoint);
    family.ask(&mut survey)?;
    survey.finish(family.shape().base.layers)
}

fn plan_of(
    checkpoint: &Checkpoint,
    options: LoadOptions,
    family: &dyn Family,
    sizes: Sizes,
    tensors: &Tensors<'_>,
) -> Result<ModelPlan, ModelError> {
    let shape = family.shape();
    let entries = 2 * shape.base.layers * shape.kv_heads * shape.head;
    Ok(ModelPlan {
        capabilities: Capabilities {
            architecture: checkpoint.architecture()?.to_owned(),
            vocab: shape.base.vocab,
            context: family.context(),
            max_sequences: 1,
            hidden: false,
            fork: false,
            device: options.device,
        },
        parameters: sizes.parameters,
        resident_bytes: family.resident_bytes(tensors),
        residence: family.residence(),
        cache: CacheType::F32,
        cache_bytes_per_position: (entries * size_of::<f32>()) as u64,
    })
}

/// Positions over which a stated sliding window is attention to all.
fn context_within_window(s: Settings<'_>, shape: &DenseShape) -> Result<usize, ModelError> {
    let window = s.number_opt(SLIDING_WINDOW)?.filter(|&window| window > 0);
    Ok(shape.base.context.min(window.unwrap_or(usize::MAX)))
}

/// Candle takes the width of a head to be the model's width over its heads.
fn heads_fill_the_width(s: Settings<'_>, shape: &DenseShape) -> Result<(), ModelError> {
    let (heads, head, hidden) = (shape.base.heads, shape.head, shape.base.hidden);
    if heads * head == hidden {
        return Ok(());
    }
    let wanted = format!("heads of {head} entries must fill the width {hidden}");
    Err(s.refuse(HEADS, heads, wanted))
}

/// The base of rotary positions that turn as trained.
fn plain_base(s: Settings<'_>, shape: &DenseShape) -> Result<f32, ModelError> {
    match shape.rope.plain_base() {
        Some(base) => Ok(base),
        None => {
            let scaling = s.text_opt(SCALING)?.unwrap_or("linear");
            Err(s.refuse(SCALING, scaling, "positions without scaling are needed"))
        }
    }
}

/// Bytes of the cosines and sines of one table.
fn table_bytes(context: usize, head: usize) -> u64 {
    (context * head * size_of::<f32>()) as u64
}

impl Borrowed {
    /// Makes the runner hold `tokens`; returns them, taken out of `self` until the step has succeeded.
    fn hold(&mut self, tokens: &[u32]) -> Result<Vec<u32>, ModelError> {
        let mut held = match self.held.take() {
            Some(held) if tokens.starts_with(&held) => held,
            _ => {
                self.runner.reset();
                Vec::new()
            }
        };
        let rest = tokens.get(held.len()..).unwrap_or_default();
        self.feed(&mut held, rest, &[], &mut OutputRows::new())?;
        Ok(held)
    }

    /// Runs `tokens` behind those held; the row after token `wanted[i]` becomes row `i` of `out`.
    fn feed(
        &mut self,
        held: &mut Vec<u32>,
        tokens: &[u32],
        wanted: &[u32],
        out: &mut OutputRows,
    ) -> Result<(), ModelError> {
        let mut rest = tokens;
        while !rest.is_empty() {
            let done = tokens.len() - rest.len();
            // The model gives its last row alone, so that a wanted row ends its piece.
            let ends = wanted.iter().map(|&row| row as usize + 1);
            let left = ends.filter(|&end| end > done).min().unwrap_or(tokens.len()) - done;
            let len = self.runner.piece(held.len(), left).clamp(1, left);
            let (piece, after) = rest.split_at(len);
            let input = Tensor::new(piece, &Device::Cpu)?.unsqueeze(0)?;
            let row = self.runner.run(&input, held.len())?;
            held.extend_from_slice(piece);
            rest = after;
            let ending = |row: u32| row as usize + 1 == done + len;
            if wanted.iter().any(|&row| ending(row)) {
                let row = row.flatten_all()?.to_vec1::<f32>()?;
                for (i, _) in wanted.iter().enumerate().filter(|(_, at)| ending(**at)) {
                    out.row_mut(i).copy_from_slice(&row);
                }
            }
        }
        Ok(())
    }
}

impl Model for Borrowed {
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut OutputRows,
    ) -> Result<(), ModelError> {
        check(&self.capabilities, batch)?;
        if matches!(rows, Rows::Hidden(_)) {
            let architecture = self.capabilities.architecture.clone();
            let what = "hidden states, only with logits";
            return Err(ModelError::Unsupported { architecture, what });
        }
        list_rows(batch, rows, &mut self.wanted)?;
        out.reset(self.wanted.len(), self.capabilities.vocab);
        let Some(step) = batch.first_mut() else {
            return Ok(());
        };
        let mut held = self.hold(step.cache.tokens()?)?;
        let wanted = std::mem::take(&mut self.wanted);
        let run = self.feed(&mut held, step.tokens, &wanted, out);
        self.wanted = wanted;
        run?;
        self.held = Some(held);
        step.cache.remember(step.tokens);
        Ok(())
    }

    fn new_cache(&self) -> KvCache {
        KvCache::remembering()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}
