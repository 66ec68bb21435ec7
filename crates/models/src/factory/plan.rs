//! What is asked of a load, and what it would take: found out without reading weights.

use crate::backend::Holding;
use crate::cache::{CacheType, Layout};
use crate::{Capabilities, Device};

/// How a model is to be loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Where it computes.
    pub device: Device,
    /// How its caches store their entries; without it, in 16 bits beside [`Compute::Fast`] and in 32 beside
    /// [`Compute::Exact`].
    pub cache: Option<CacheType>,
    /// Where its weights are held.
    pub weights: HeldWeights,
    /// How it computes.
    pub compute: Compute,
}

/// How a forward pass computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compute {
    /// [`Compute::Fast`] where there are kernels for it, unless weights are to be [`HeldWeights::Decoded`], or are of types that
    /// no kernel has and would not fit into memory as f32; else [`Compute::Exact`].
    #[default]
    Auto,
    /// Weights decoded to f32, multiplied with activations as they are: the reference.
    Exact,
    /// Weights packed as they are stored, multiplied with activations of 8 bits where they are quantized. A row's result has
    /// the same bits in any company. Types that no kernel has are packed as f32. Refused beside weights that are to be
    /// [`HeldWeights::Decoded`], for types without a kernel that would not fit into memory or are to be
    /// [`HeldWeights::Mapped`], and for a borrowed architecture.
    Fast,
}

/// Where the weights of a loaded model are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HeldWeights {
    /// In memory where they fit: packed ones if an eighth of what is free is left, decoded ones if half of it is; else mapped.
    #[default]
    Auto,
    /// Decoded to f32 once, at load: four bytes a weight, whatever the file stores.
    Decoded,
    /// In the mapped file, decoded or packed at every use: the file's size, and much slower.
    Mapped,
    /// Packed, in a mapped file of about the same size, `model.gguf.packed`, which the first load makes beside the model and
    /// later ones find. It is made anew where it is damaged or the model's files are others; its folder has to be writable
    /// then. A model that lies in no file is packed in memory. Refused in [`Compute::Exact`] and for a borrowed architecture.
    Kept,
}

impl HeldWeights {
    /// What the name of a model's first file gets behind it, to be that of [`HeldWeights::Kept`].
    pub const KEPT_EXTENSION: &'static str = ".packed";
}

impl LoadOptions {
    /// How to compute, with kernels of our own or without.
    pub(crate) fn computing(&self, kernels: bool) -> Compute {
        match self.compute {
            Compute::Auto if kernels && self.weights != HeldWeights::Decoded => Compute::Fast,
            Compute::Auto => Compute::Exact,
            compute => compute,
        }
    }

    /// How caches store their entries beside this way to compute.
    pub(crate) fn caching(&self, compute: Compute) -> CacheType {
        self.cache.unwrap_or(match compute {
            Compute::Fast => CacheType::F16,
            Compute::Auto | Compute::Exact => CacheType::F32,
        })
    }
}

/// How far loading has come, in bytes of the file's tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes done.
    pub done: u64,
    /// Bytes of all tensors that are read; a tensor used twice counts twice.
    pub total: u64,
}

/// What a model on disk would become, found out without reading its weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPlan {
    /// What the loaded model could do.
    pub capabilities: Capabilities,
    /// Weights of all tensors.
    pub parameters: u64,
    /// Bytes of memory that the weights take once loaded, as [`LoadOptions::weights`] has them held; for a borrowed
    /// architecture with its rotary tables.
    pub resident_bytes: u64,
    /// What those bytes are.
    pub residence: Residence,
    /// How caches store their entries.
    pub cache: CacheType,
    /// Bytes of cache that one position of one sequence takes.
    pub cache_bytes_per_position: u64,
}

/// What the weights of a loaded model are in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Residence {
    /// Decoded to f32; the file is not read again.
    Decoded,
    /// Packed for kernels, each weight as precise as the file has it; the file is not read again.
    Packed,
    /// Pages of the mapped file, which the system may drop and read again.
    Mapped,
    /// Copies of the file's blocks, with embedding rows as f32; the file is not read again.
    Copied,
}

/// A plan with what the loader needs besides.
pub(super) struct Planned {
    pub model: ModelPlan,
    /// Entries of a hidden state.
    pub width: usize,
    /// Bytes of all tensors that are read.
    pub stored_bytes: u64,
    pub holding: Holding,
    /// Whether packed matrices are kept in a file.
    pub kept: bool,
    /// Never [`Compute::Auto`].
    pub compute: Compute,
    pub layout: Layout,
}
