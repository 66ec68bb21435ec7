//! Model families: weights, chat template, special tokens and output format of each.
//!
//! A provider loads a model once and answers from then on. [`LocalProvider`] is the plain one: whatever a
//! model on disk says of its own tokenizer, template and end tokens holds. [`ChatTemplate`] runs the templates, and
//! [`ProgressHub`] tells what loading does; both are useful without a model. [`output`] reads the calls of tools out
//! of what a model writes, in the format that its template speaks.
//!
//! ```
//! use engine::{CandleCompletionModel, CandleCompletionParams, CandlePrompt};
//! use providers::{LocalProvider, ProgressHub};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.gguf");
//! # models::synth::write(models::synth::Shape::TinyQwen3, 1, &path)?;
//! let provider = LocalProvider::load(&path, &ProgressHub::new())?;
//! let params = CandleCompletionParams { max_tokens: Some(8), ..Default::default() };
//! for chunk in provider.prompt(CandlePrompt::from("Hello"), &params).blocking_iter() {
//!     if let Some(text) = chunk?.text() {
//!         print!("{text}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `hub` models are downloaded from one: see the module `hub`.
#![forbid(unsafe_code)]

pub mod dialect;
mod error;
pub mod family;
#[cfg(feature = "hub")]
pub mod hub;
pub mod local;
pub mod output;
pub mod progress;
mod sampling;
mod serving;
pub mod template;

pub mod kimi_k2;
pub mod llama;
pub mod qwen3;
pub mod qwen3_coder;

#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "demo")]
pub mod demo;

pub use dialect::Dialect;
pub use error::ProviderError;
pub use family::Family;
pub use kimi_k2::KimiK2Provider;
pub use llama::LlamaProvider;
pub use local::LocalProvider;
pub use output::OutputFormat;
pub use progress::{ProgressEvent, ProgressHub, ProgressListener, Silence};
pub use qwen3::Qwen3Provider;
pub use qwen3_coder::Qwen3CoderProvider;
#[cfg(feature = "remote")]
pub use remote::{RemoteConfig, RemoteProvider};
pub use serving::Serving;
pub use template::ChatTemplate;

/// What a provider's prompt gives: chunks, and one end.
pub type Completion = AsyncStream<Result<CandleCompletionChunk, EngineError>>;
/// What a provider's texts become.
pub type Embedding = BoxFuture<'static, Result<Embeddings, EngineError>>;

/// The families that are known by name.
pub const FAMILIES: [&Family; 4] = [
    KimiK2Provider::FAMILY,
    Qwen3CoderProvider::FAMILY,
    Qwen3Provider::FAMILY,
    LlamaProvider::FAMILY,
];

pub use engine::{
    AsyncStream, CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams, CandlePrompt,
    Capabilities, Embeddings, EngineError,
};
pub use models::{Checkpoint, LoadOptions};

use futures::future::BoxFuture;
