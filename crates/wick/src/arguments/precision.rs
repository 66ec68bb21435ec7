//! What a forward pass computes with, as options name it.

use clap::ValueEnum;
use models::{CacheType, Compute};

/// A type of numbers in a cache.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Cache {
    F32,
    F16,
}

impl From<Cache> for CacheType {
    fn from(cache: Cache) -> Self {
        match cache {
            Cache::F32 => Self::F32,
            Cache::F16 => Self::F16,
        }
    }
}

/// A way to compute.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Computing {
    Exact,
    Fast,
}

impl From<Computing> for Compute {
    fn from(computing: Computing) -> Self {
        match computing {
            Computing::Exact => Self::Exact,
            Computing::Fast => Self::Fast,
        }
    }
}
