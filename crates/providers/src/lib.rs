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
#![forbid(unsafe_code)]

mod error;
pub mod local;
pub mod output;
pub mod progress;
mod sampling;
pub mod template;
#[cfg(feature = "demo")]
pub mod demo;

pub use error::ProviderError;
pub use local::LocalProvider;
pub use output::OutputFormat;
pub use progress::{ProgressEvent, ProgressHub, ProgressListener, Silence};
pub use template::ChatTemplate;
