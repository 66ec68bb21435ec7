//! From a model on disk to a running model: the one place that knows every architecture by name.

mod memory;
mod plan;

use crate::backend::candle::CandleBackend;
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::kept::{Found, Keeping, Place};
use crate::backend::{Backend, Holding};
#[cfg(feature = "borrowed")]
use crate::borrowed;
use crate::cache::{CacheType, Layout};
use crate::checkpoint::Checkpoint;
use crate::decoder::{Architecture, Decoder};
use crate::deepseek::{self, Deepseek, DeepseekShape};
use crate::gguf::GgufFile;
use crate::llama::Llama;
use crate::loader::{Build, FileLoader, Loader, Sizes, Survey};
use crate::qwen3::{Qwen3, Sparse};
use crate::rope::Pairs;
use crate::shape::{BaseShape, DenseShape};
use crate::{Capabilities, Device, Model, ModelError};
pub use memory::free_memory;
use plan::Planned;
pub use plan::{Compute, HeldWeights, LoadOptions, LoadProgress, ModelPlan, Residence};

/// Sequences that one forward pass of our own definitions may run; memory for caches is the real bound.
const MAX_SEQUENCES: usize = 256;

/// Makes models from what lies on disk.
///
/// [`ModelFactory::load`] reads the architecture's name; the makers beside it insist on one.
#[derive(Debug)]
pub struct ModelFactory;

/// An architecture with a definition here, and what shapes it.
enum Known {
    Llama(DenseShape, Pairs),
    Qwen3(DenseShape, Option<Sparse>),
    Deepseek(DeepseekShape),
}

/// Names in `general.architecture` and in `model_type`, each with the prefix of the GGUF keys.
const NAMES: [(&str, &str); 7] = [
    ("llama", "llama"),
    ("qwen3", "qwen3"),
    ("qwen3moe", "qwen3moe"),
    ("qwen3_moe", "qwen3moe"),
    ("deepseek2", "deepseek2"),
    ("deepseek_v3", "deepseek2"),
    ("kimi_k2", "deepseek2"),
];

impl ModelFactory {
    /// Loads a model of whatever known architecture.
    ///
    /// With the feature `borrowed`, GGUF files of `gemma3`, `phi3` and `qwen2` are run by candle-transformers, one
    /// sequence at a time; their weights are copied into memory.
    ///
    /// `progress` is called after each tensor.
    ///
    /// # Errors
    ///
    /// * [`ModelError::UnknownArchitecture`] names an architecture without a definition.
    /// * [`ModelError::Unsupported`] names what a borrowed architecture does not run with.
    /// * [`ModelError::Setting`], [`ModelError::Tensors`], [`ModelError::UnknownTensorType`]: the files do not fit
    ///   their architecture; found before any weight is read.
    pub fn load(
        checkpoint: &Checkpoint,
        options: LoadOptions,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Box<dyn Model>, ModelError> {
        #[cfg(feature = "borrowed")]
        if borrowed::NAMES.contains(&checkpoint.architecture()?) {
            return borrowed::load(checkpoint, options, progress);
        }
        create(checkpoint, options, progress, Known::read(checkpoint)?)
    }

    /// Loads the model in a GGUF file, with [`LoadOptions`] that ask for nothing.
    ///
    /// # Errors
    ///
    /// As [`ModelFactory::load`].
    pub fn from_gguf(
        file: &GgufFile,
        device: &Device,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Box<dyn Model>, ModelError> {
        let options = LoadOptions {
            device: *device,
            ..LoadOptions::default()
        };
        Self::load(&Checkpoint::from(file.clone()), options, progress)
    }

    /// Loads a Llama model from a GGUF file.
    ///
    /// # Errors
    ///
    /// As [`ModelFactory::load`]; a file of another architecture is an error.
    pub fn create_quantized_llama(
        file: &GgufFile,
        device: &Device,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Box<dyn Model>, ModelError> {
        only(file, device, progress, "llama")
    }

    /// Loads a dense Qwen3 model from a GGUF file.
    ///
    /// # Errors
    ///
    /// As [`ModelFactory::load`]; a file of another architecture is an error.
    pub fn create_quantized_qwen3(
        file: &GgufFile,
        device: &Device,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Box<dyn Model>, ModelError> {
        only(file, device, progress, "qwen3")
    }

    /// Loads a Qwen3-MoE model, such as Qwen3-Coder, from a GGUF file.
    ///
    /// # Errors
    ///
    /// As [`ModelFactory::load`]; a file of another architecture is an error.
    pub fn create_quantized_qwen3_moe(
        file: &GgufFile,
        device: &Device,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Box<dyn Model>, ModelError> {
        only(file, device, progress, "qwen3moe")
    }

    /// Loads a DeepSeek-V3 model, such as Kimi K2, from a GGUF file.
    ///
    /// # Errors
    ///
    /// As [`ModelFactory::load`]; a file of another architecture is an error.
    pub fn create_quantized_deepseek(
        file: &GgufFile,
        device: &Device,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Box<dyn Model>, ModelError> {
        only(file, device, progress, "deepseek2")
    }

    /// What a model on disk would become; reads headers alone.
    ///
    /// # Errors
    ///
    /// As [`ModelFactory::load`].
    pub fn plan(checkpoint: &Checkpoint, options: LoadOptions) -> Result<ModelPlan, ModelError> {
        #[cfg(feature = "borrowed")]
        if borrowed::NAMES.contains(&checkpoint.architecture()?) {
            return borrowed::plan(checkpoint, options);
        }
        Ok(plan(checkpoint, options, &Known::read(checkpoint)?)?.model)
    }
}

/// Every name that can be loaded.
fn known_names() -> Vec<&'static str> {
    let own = NAMES.iter().map(|(name, _)| *name);
    #[cfg(feature = "borrowed")]
    let own = own.chain(borrowed::NAMES);
    own.collect()
}

impl Known {
    fn read(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let name = checkpoint.architecture()?;
        let Some((_, prefix)) = NAMES.iter().find(|(known, _)| *known == name) else {
            return Err(ModelError::UnknownArchitecture {
                name: name.to_owned(),
                known: known_names().join(", "),
            });
        };
        let (s, tensors) = (checkpoint.settings(prefix), checkpoint.tensor_count());
        let vocab = vocabulary(checkpoint)?;
        Ok(match *prefix {
            "deepseek2" => Self::Deepseek(DeepseekShape::read(s, tensors, vocab)?),
            "qwen3moe" => Self::Qwen3(DenseShape::read(s, tensors, vocab)?, Some(Sparse::read(s)?)),
            "qwen3" => Self::Qwen3(DenseShape::read(s, tensors, vocab)?.without_experts(s)?, None),
            _ => {
                let pairs = if s.is_config() {
                    Pairs::Halves
                } else {
                    Pairs::Adjacent
                };
                Self::Llama(DenseShape::read(s, tensors, vocab)?.without_experts(s)?, pairs)
            }
        })
    }

    fn base(&self) -> &BaseShape {
        match self {
            Self::Llama(shape, _) | Self::Qwen3(shape, _) => &shape.base,
            Self::Deepseek(shape) => &shape.base,
        }
    }

    /// Goes through all tensors and keeps nothing of what becomes of them.
    fn go_through(&self, from: &mut impl Loader) -> Result<(), ModelError> {
        match self {
            Self::Llama(shape, pairs) => Llama::load(shape.clone(), *pairs, from).map(drop),
            Self::Qwen3(shape, sparse) => Qwen3::load(shape.clone(), sparse.clone(), from).map(drop),
            Self::Deepseek(shape) => Deepseek::load(shape.clone(), from).map(drop),
        }
    }

    fn layout(&self, entry: CacheType) -> Layout {
        match self {
            Self::Llama(shape, _) | Self::Qwen3(shape, _) => {
                let &DenseShape {
                    kv_heads: heads,
                    head,
                    ..
                } = shape;
                Layout {
                    layers: shape.base.layers,
                    heads,
                    key: head,
                    value: head,
                    entry,
                }
            }
            Self::Deepseek(shape) => deepseek::layout(shape, entry),
        }
    }
}

fn plan(checkpoint: &Checkpoint, options: LoadOptions, known: &Known) -> Result<Planned, ModelError> {
    let Device::Cpu = options.device;
    let mut compute = options.computing(true);
    let refused = match (compute, options.weights) {
        (Compute::Fast, HeldWeights::Decoded) => {
            Some("decoded weights on kernels of our own (fast), which take them as they are stored")
        }
        (Compute::Exact, HeldWeights::Kept) => {
            Some("packed weights in a file beside it in exact arithmetic, which packs none")
        }
        _ => None,
    };
    if let Some(what) = refused {
        let architecture = checkpoint.architecture()?.to_owned();
        return Err(ModelError::Unsupported { architecture, what });
    }
    let mut survey = Survey::new(checkpoint);
    known.go_through(&mut survey)?;
    let base = known.base();
    let Sizes {
        stored,
        parameters,
        decoded,
        always_decoded,
        packed,
        without_kernel,
    } = survey.finish(base.layers)?;
    let decoded_bytes = decoded.saturating_mul(size_of::<f32>() as u64);
    let always = always_decoded * size_of::<f32>() as u64;
    let (packed_bytes, mapped_bytes) = (packed + always, stored + always);
    let fitting = match options.weights {
        HeldWeights::Auto => memory::holding(packed_bytes, 1),
        HeldWeights::Decoded | HeldWeights::Kept => Holding::Memory,
        HeldWeights::Mapped => Holding::Mapped,
    };
    let kept = options.weights == HeldWeights::Kept && checkpoint.files().iter().all(|file| file.is_mapped());
    if compute == Compute::Fast && without_kernel > 0 && fitting == Holding::Mapped {
        if options.compute == Compute::Fast {
            return Err(ModelError::Unsupported {
                architecture: checkpoint.architecture()?.to_owned(),
                what: "types of weights that kernels of our own (fast) do not have, other than decoded in memory",
            });
        }
        compute = Compute::Exact;
    }
    let cache = options.caching(compute);
    let holding = match (options.weights, compute) {
        (HeldWeights::Auto, Compute::Fast) => fitting,
        (HeldWeights::Auto, _) => memory::holding(decoded_bytes, 4),
        (HeldWeights::Decoded | HeldWeights::Kept, _) => Holding::Memory,
        (HeldWeights::Mapped, _) => Holding::Mapped,
    };
    let layout = known.layout(cache);
    let model = ModelPlan {
        capabilities: Capabilities {
            architecture: checkpoint.architecture()?.to_owned(),
            vocab: base.vocab,
            context: base.context,
            max_sequences: MAX_SEQUENCES,
            hidden: true,
            fork: true,
            device: options.device,
        },
        parameters,
        resident_bytes: match (compute, holding) {
            (_, Holding::Mapped) => mapped_bytes,
            (Compute::Fast, Holding::Memory) => packed_bytes,
            (_, Holding::Memory) => decoded_bytes,
        },
        residence: match (compute, holding) {
            (_, Holding::Mapped) => Residence::Mapped,
            (Compute::Fast, Holding::Memory) if kept => Residence::Mapped,
            (Compute::Fast, Holding::Memory) => Residence::Packed,
            (_, Holding::Memory) => Residence::Decoded,
        },
        cache,
        cache_bytes_per_position: layout.position_bytes() as u64,
    };
    Ok(Planned {
        model,
        width: base.hidden,
        stored_bytes: stored,
        holding,
        kept,
        compute,
        layout,
    })
}

/// Plans, then loads on the backend that computes as asked.
fn create(
    checkpoint: &Checkpoint,
    options: LoadOptions,
    progress: &mut dyn FnMut(LoadProgress),
    known: Known,
) -> Result<Box<dyn Model>, ModelError> {
    let plan = plan(checkpoint, options, &known)?;
    // The vocabulary, which has a copy by now, or needs no pages for long.
    if let Some(file) = checkpoint.gguf() {
        file.release();
    }
    match plan.compute {
        Compute::Fast => {
            let mut backend = CpuBackend::new(plan.holding)?;
            if plan.kept {
                keep(&mut backend, checkpoint, &plan, progress, &known)?;
                return load_on(backend, checkpoint, plan, &mut |_| {}, known);
            }
            load_on(backend, checkpoint, plan, progress, known)
        }
        Compute::Auto | Compute::Exact => {
            let backend = CandleBackend::new(candle_core::Device::Cpu, plan.holding)?;
            load_on(backend, checkpoint, plan, progress, known)
        }
    }
}

/// Has the backend take its matrices from the file beside the model, which is made where there is none that counts.
fn keep(
    backend: &mut CpuBackend,
    checkpoint: &Checkpoint,
    plan: &Planned,
    progress: &mut dyn FnMut(LoadProgress),
    known: &Known,
) -> Result<(), ModelError> {
    let Some(place) = Place::beside(checkpoint)? else {
        return Ok(());
    };
    let done = LoadProgress {
        done: 0,
        total: plan.stored_bytes,
    };
    let kept = match Keeping::unless_kept(&place, backend.pool(), plan.model.resident_bytes)? {
        Found::Kept(kept) => {
            progress(LoadProgress {
                done: done.total,
                ..done
            });
            kept
        }
        Found::Missing(mut keeping) => {
            known.go_through(&mut FileLoader {
                checkpoint,
                backend: &mut keeping,
                progress,
                done,
            })?;
            keeping.finish()?
        }
    };
    backend.take_from(kept);
    Ok(())
}

fn load_on<B: Backend + Build + 'static>(
    mut backend: B,
    checkpoint: &Checkpoint,
    plan: Planned,
    progress: &mut dyn FnMut(LoadProgress),
    known: Known,
) -> Result<Box<dyn Model>, ModelError> {
    let done = LoadProgress {
        done: 0,
        total: plan.stored_bytes,
    };
    let from = &mut FileLoader {
        checkpoint,
        backend: &mut backend,
        progress,
        done,
    };
    Ok(match known {
        Known::Llama(shape, pairs) => {
            let architecture = Llama::load(shape, pairs, from)?;
            decoder(architecture, backend, plan)
        }
        Known::Qwen3(shape, sparse) => {
            let architecture = Qwen3::load(shape, sparse, from)?;
            decoder(architecture, backend, plan)
        }
        Known::Deepseek(shape) => {
            let architecture = Deepseek::load(shape, from)?;
            decoder(architecture, backend, plan)
        }
    })
}

fn decoder<A: Architecture<B> + 'static, B: Backend + 'static>(
    architecture: A,
    backend: B,
    plan: Planned,
) -> Box<dyn Model> {
    let Planned {
        model, layout, width, ..
    } = plan;
    Box::new(Decoder {
        architecture,
        backend,
        layout,
        capabilities: model.capabilities,
        width,
        wanted: Vec::new(),
        hidden: Vec::new(),
    })
}

/// A maker was chosen by name: the file must agree.
fn only(
    file: &GgufFile,
    device: &Device,
    progress: &mut dyn FnMut(LoadProgress),
    wanted: &str,
) -> Result<Box<dyn Model>, ModelError> {
    let found = file.metadata().str("general.architecture")?;
    if found != wanted {
        let (name, known) = (found.to_owned(), wanted.to_owned());
        return Err(ModelError::UnknownArchitecture { name, known });
    }
    ModelFactory::from_gguf(file, device, progress)
}

/// Rows of the embedding table, which is what a row of logits has entries.
pub(crate) fn vocabulary(checkpoint: &Checkpoint) -> Result<usize, ModelError> {
    let own = checkpoint.own_name("token_embd.weight");
    let rows = checkpoint.shape(&own).and_then(|shape| shape.first().copied());
    rows.filter(|&rows| rows > 0)
        .ok_or_else(|| ModelError::missing_tensor(&own))
}
