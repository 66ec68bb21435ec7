//! The demo model: a small chat model that is built into the program, so that something answers without a download.
//!
//! It has about 3.5 million parameters and was trained by `cargo xtask train-demo` on a generated corpus: it tells
//! little stories, talks a little, remembers what it was told and calls tools in the format of Qwen3-Coder. Its name
//! is [`ID`].
//!
//! ```
//! use engine::{CandleCompletionModel, CandleCompletionParams, CandlePrompt};
//! use providers::{ProgressHub, demo};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = demo::load(Default::default(), &ProgressHub::new())?;
//! let params = CandleCompletionParams { temperature: Some(0.0), ..Default::default() };
//! let mut answer = String::new();
//! for chunk in provider.prompt(CandlePrompt::from("Hello!"), &params).blocking_iter() {
//!     answer.push_str(chunk?.text().unwrap_or_default());
//! }
//! assert!(answer.starts_with('H'), "{answer}");
//! # Ok(())
//! # }
//! ```

use models::{Checkpoint, GgufFile, LoadOptions};

use crate::error::ProviderError;
use crate::family::Family;
use crate::local::LocalProvider;
use crate::progress::ProgressHub;
use crate::qwen3_coder::QWEN3_CODER;
use crate::serving::Serving;

/// Name of the model, where one is asked for by name.
pub const ID: &str = "demo";

/// The file: Q8_0, tokenizer and template inside.
const FILE: &[u8] = include_bytes!("../assets/demo-q8_0.gguf");
const _: () = assert!(FILE.len() <= 6_000_000, "what every program carries stays small");

/// Qwen3-Coder's format, and the sampling that its own file names.
pub const DEMO: Family = Family {
    name: ID,
    weights: "",
    sampling: |_| {},
    ..QWEN3_CODER
};

/// The model, opened; no weight is read.
///
/// # Errors
///
/// None, as long as the file that was built in is whole; a test holds that.
pub fn checkpoint() -> Result<Checkpoint, ProviderError> {
    let file = GgufFile::from_bytes(ID, FILE).map_err(ProviderError::File)?;
    Ok(file.into())
}

/// Loads the model; `progress` hears of it as of any other.
///
/// # Errors
///
/// [`ProviderError::Generator`], [`ProviderError::Engine`] where no worker can be started.
pub fn load(options: LoadOptions, progress: &ProgressHub) -> Result<LocalProvider, ProviderError> {
    load_serving(options, Serving::default(), progress)
}

/// [`load`] with chosen limits.
///
/// # Errors
///
/// As [`load`], and [`ProviderError::Engine`] for a context that is out of range.
pub fn load_serving(
    options: LoadOptions,
    serving: Serving,
    progress: &ProgressHub,
) -> Result<LocalProvider, ProviderError> {
    LocalProvider::load_opened(checkpoint, &DEMO, options, serving, progress)
}
