//! Model files, tokenizers and forward passes: token ids in, logits or hidden states out.
//!
//! The crate reads a model file by memory map, checks it whole before it allocates anything, and gives a
//! [`Model`]: an object that runs new tokens of several sequences and fills a reused host buffer with
//! rows of logits or of hidden states. A model never owns a conversation; each sequence brings its own [`KvCache`].
//!
//! What is absent on purpose: no tensor type of any framework stands in the public interface, no file
//! outside this crate reads weights, and nothing here samples, decodes text for a reader or prints.
#![deny(unsafe_code)]

mod device;
mod error;
pub mod gguf;
mod mapping;
mod model;
mod part_name;
mod partial;
mod pooling;
pub mod quant;
pub mod safetensors;
mod tokenizer;

mod backend;
#[cfg(feature = "borrowed")]
mod borrowed;
mod cache;
mod checkpoint;
mod decoder;
mod deepseek;
mod factory;
mod llama;
mod loader;
mod qwen3;
mod rope;
mod routing;
mod settings;
mod shape;
#[cfg(feature = "synth")]
pub mod synth;
mod weight;

pub use cache::{CacheType, KvCache};
pub use checkpoint::{Checkpoint, Outline, StoredTensor};
pub use device::Device;
pub use error::ModelError;
pub use factory::{
    Compute, HeldWeights, LoadOptions, LoadProgress, ModelFactory, ModelPlan, Residence, free_memory,
};
pub use gguf::GgufFile;
pub use mapping::Mapping;
pub use model::{Capabilities, Logits, Model, OutputRows, RowAt, Rows, SequenceStep};
pub use pooling::{Pooled, Pooling};
pub use quant::BlockType;
pub use safetensors::SafetensorsSet;
pub use tokenizer::{Special, Tokenizer};
