//! Text generation: a worker thread that owns a model and streams tokens.
//!
//! [`TextGenerator`] is a cheap handle to that thread. A request goes in as plain data, is checked whole
//! before any work, and comes back as an [`AsyncStream`] of [`CandleStringChunk`]s: whole UTF-8 text, the
//! token ids behind it, and with the last one how it ended. An error is the stream's last item.
//!
//! What a caller can rely on:
//!
//! * **A request's result does not depend on its company.** Tokens, cache, random draws and sampler scratch
//!   belong to the request.
//! * **What was run is kept**, within [`Limits::prefix_bytes`]: a prompt that begins like an earlier request runs only the
//!   rest. A row that was run in another batch may differ in its last bits, by the model's kernels; where a seed has to
//!   repeat an answer to the last near tie, keep nothing.
//! * **The worker never waits for a reader.** A request whose reader has fallen behind rests; the others go
//!   on at full speed.
//! * **Dropping the stream cancels**, before the worker's next step.
//! * **A failure is never a finish.** A step that fails or panics ends the requests of that step with an
//!   error, and the worker serves the next ones.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use generator::{SamplingConfig, SpecialTokens, TextGenerator};
//! use models::{Device, GgufFile, ModelFactory, Tokenizer};
//!
//! let file = GgufFile::open("model.gguf")?;
//! let tokenizer = Tokenizer::from_gguf(&file)?;
//! let model = ModelFactory::from_gguf(&file, &Device::Cpu, &mut |_| ())?;
//! let special = SpecialTokens::of(&tokenizer);
//! let generator = TextGenerator::new(model, tokenizer, Device::Cpu, SamplingConfig::default())?;
//! let mut answer = String::new();
//! for chunk in generator.generate("Once upon a time", 100, special).blocking_iter() {
//!     answer.push_str(&chunk?.text);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod generator;

mod chunk;
mod constraint;
mod error;
mod limits;
mod request;
mod stream;

mod budget;
mod clock;
mod detokenizer;
mod draft;
mod embedding;
mod lookup;
mod output;
mod prefixes;
mod scoring;
mod sequence;
mod step;
mod stop;
mod worker;

mod logits_processor;
mod admission;
mod channel;
mod doorbell;
mod reply;

/// The standard library's locks; the crate `interleavings` puts others in their place.
mod sync {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
}

pub use chunk::{
    CacheMiss, CandleStringChunk, Drafts, FinishReason, GenerationEnd, StopCause, Timings, TokenLogprobs,
    Usage,
};
pub use constraint::{Constraint, ConstraintCompiler, ConstraintGuard};
pub use embedding::TextEmbeddings;
pub use error::{GenerateError, TokenPlace};
pub use generator::{CheckedRequest, TextGenerator};
pub use limits::Limits;
pub use logits_processor::{LogitsProcessor, Sampling};
pub use models::Pooling;
pub use request::{GenerateRequest, LogprobsConfig, PromptInput, SamplingConfig, SpecialTokens};
pub use simd_sampling::{Basis, TokenLogprob};
pub use stream::{AsyncStream, BlockingIter};
