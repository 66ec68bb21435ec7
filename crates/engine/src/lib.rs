//! The provider interface, and the validation, lifecycle and metrics around each request.
//!
//! A provider ([`CandleCompletionModel`]) owns one [`Engine`] and hands it, for each request, a closure
//! that starts the backend. What comes back is a stream of [`CandleCompletionChunk`]s that keeps a promise
//! the backend need not keep: it ends with exactly one `Complete` or error.
//!
//! ```
//! use engine::{
//!     AsyncStream, CandleCompletionChunk, CandleCompletionParams, CandlePrompt, Drafts, Engine,
//!     EngineConfig, EngineError, FinishReason, Request, Timings, Usage,
//! };
//!
//! # fn main() -> Result<(), EngineError> {
//! // Once, for the provider's lifetime.
//! let engine = Engine::new(EngineConfig::named("echo"))?;
//!
//! // For each request: check it, then say how the work is started.
//! let prompt = CandlePrompt::from("hello");
//! let request = Request::new(&prompt, &CandleCompletionParams::default())?;
//! let stream: AsyncStream<Result<CandleCompletionChunk, EngineError>> =
//!     engine.coordinate(request, move || {
//!         let text = prompt.text();
//!         futures::stream::iter([
//!             Ok::<_, EngineError>(CandleCompletionChunk::Text { choice: 0, text, tokens: vec![] }),
//!             Ok(CandleCompletionChunk::Finish { choice: 0, finish: FinishReason::Stop, stop: None }),
//!             Ok(CandleCompletionChunk::Complete {
//!                 usage: Usage { prompt_tokens: 1, cached_tokens: 0, completion_tokens: 1 },
//!                 timings: Timings::default(),
//!                 seed: None,
//!                 cache_miss: None,
//!                 drafts: Drafts::default(),
//!             }),
//!         ])
//!     });
//!
//! // Nothing has started yet; reading starts it.
//! assert_eq!(engine.statistics().waiting, 1);
//! let mut answer = String::new();
//! for chunk in stream.blocking_iter() {
//!     answer.push_str(chunk?.text().unwrap_or_default());
//! }
//! assert_eq!(answer, "hello");
//! assert_eq!(engine.statistics().completed, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! * **A request is validated before any work.** Every field is honoured or rejected with an error that
//!   names it.
//! * **Tools are never ignored**: a [`Request`] that declares or shows some is made for a provider that takes
//!   them, or refused. What a model calls comes back as chunks; nothing here runs it.
//! * **All work happens inside `poll_next`.** No task, no runtime, and no thread but one that wakes streams for their
//!   deadlines; the closure runs at the first poll after admission, and a stream dropped before that never runs it.
//! * **Exactly one terminal item**, `Complete` or an error, whatever the backend does: end early, go on
//!   after its end, panic.
//! * **One outcome per request**, counted when its stream ends, also when it is dropped or unwound. The
//!   circuit breaker judges these outcomes; the caller's own errors and cancellations say nothing about
//!   the backend.
//! * **No model is chosen by name**, no file read, no socket opened, nothing printed.

#![forbid(unsafe_code)]

mod chunk;
mod error;
mod message;
mod model;
mod params;
mod parser;
mod prompt;
mod sampling;
mod tool;

mod admission;
mod breaker;
mod clock;
mod config;
mod coordinated;
mod delay;
mod engine;
mod lifecycle;
mod meters;
mod order;
mod parsed;
mod request;
mod statistics;
mod timer;

/// The standard library's locks; the crate `interleavings` puts others in their place.
mod sync {
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

pub use breaker::{Breaker, BreakerConfig, BreakerState, Ticket, Verdict};
pub use chunk::CandleCompletionChunk;
pub use clock::{Alarm, Clock, SystemClock};
pub use config::{Deadlines, EngineConfig};
pub use delay::Delay;
pub use engine::Engine;
pub use error::{BackendErrorKind, DeadlineKind, EngineError};
pub use message::{Message, Role};
pub use model::{CandleCompletionModel, Capabilities, Embeddings};
pub use params::CandleCompletionParams;
pub use parser::{Events, OutputParser, PlainText};
pub use prompt::CandlePrompt;
pub use request::Request;
pub use sampling::{Dry, Sampling, Xtc};
pub use statistics::{EngineState, Statistics};
pub use tool::{ToolCall, ToolChoice, ToolDefinition};

pub use generator::{
    AsyncStream, CacheMiss, CandleStringChunk, Constraint, Drafts, FinishReason, GenerateError,
    GenerationEnd, StopCause, Timings, TokenLogprob, TokenLogprobs, Usage,
};
