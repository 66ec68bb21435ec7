//! The engine: what stands between a provider and its backend for every request.
//!
//! It starts no task and needs no runtime; it works when its streams are polled.

use std::sync::Arc;

use futures::Stream;
use generator::{AsyncStream, CandleStringChunk, GenerateError};

use crate::chunk::CandleCompletionChunk;
use crate::config::{Deadlines, EngineConfig};
use crate::coordinated::Coordinated;
use crate::error::EngineError;
use crate::lifecycle::{Lifecycle, Shared};
use crate::parsed::Parsed;
use crate::request::Request;
use crate::statistics::{EngineState, Statistics};

/// Admission, circuit breaker, order and counts for the requests of one provider.
///
/// A provider makes one and keeps it for its lifetime, since the counts and the breaker live in it. Clones
/// are handles to the same engine.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// An engine with these settings.
    ///
    /// # Errors
    ///
    /// [`EngineError::InvalidConfig`] for a setting out of its range.
    pub fn new(config: EngineConfig) -> Result<Engine, EngineError> {
        Self::in_state(config, EngineState::Ready)
    }

    /// An engine whose backend is still being made ready: it refuses requests until [`Engine::make_ready`].
    ///
    /// # Errors
    ///
    /// As [`Engine::new`].
    pub fn loading(config: EngineConfig) -> Result<Engine, EngineError> {
        Self::in_state(config, EngineState::Loading)
    }

    fn in_state(config: EngineConfig, state: EngineState) -> Result<Engine, EngineError> {
        config.validate()?;
        Ok(Engine {
            shared: Shared::new(config, state),
        })
    }

    /// Takes requests from now on; changes nothing unless the engine is loading.
    pub fn make_ready(&self) {
        self.shared.make_ready();
    }

    /// Refuses requests from now on, with [`EngineError::NotReady`]. Those that were made before are served to their end;
    /// with the last of them the engine has stopped, for good.
    ///
    /// A stream that is held and not read keeps the engine from stopping, unless it has a deadline and is polled.
    pub fn drain(&self) {
        self.shared.drain();
    }

    /// Waits until the engine has stopped, which it only does after [`Engine::drain`].
    ///
    /// **Cancellation:** dropping it changes nothing.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shared.stopped()
    }

    /// Streams the completion that `generation` generates, read through the request's parser.
    ///
    /// `generation` is called on the first poll after admission, at most once. Time spent waiting for
    /// admission is added to the timings of `Complete`.
    ///
    /// # Errors
    ///
    /// As the last item of the stream: what the generator reports; [`EngineError::QueueFull`],
    /// [`EngineError::CircuitOpen`] and [`EngineError::NotReady`] as its only item; [`EngineError::DeadlineExceeded`];
    /// [`EngineError::BrokenOff`] if the generation ends without an end; [`EngineError::Panicked`].
    ///
    /// # Cancellation
    ///
    /// Dropping the stream drops the generation, and never calls `generation` if that has not happened.
    pub fn coordinate_generation<F>(
        &self,
        request: Request,
        generation: F,
    ) -> AsyncStream<Result<CandleCompletionChunk, EngineError>>
    where
        F: FnOnce() -> AsyncStream<Result<CandleStringChunk, GenerateError>> + Send + 'static,
    {
        let (parser, choices, deadlines) = request.into_parts();
        self.watch(deadlines, move || Parsed::new(generation(), parser, choices))
    }

    /// Streams the completion of a backend that speaks chunks itself, such as a remote engine: the same
    /// admission, breaker, order and counts.
    ///
    /// The backend has to finish each choice before it completes, and to complete.
    ///
    /// # Errors
    ///
    /// As [`coordinate_generation`](Self::coordinate_generation), and [`EngineError::OutOfOrder`].
    ///
    /// # Cancellation
    ///
    /// Dropping the stream drops the backend's, and never calls `completion` if that has not happened.
    pub fn coordinate<F, S, E>(
        &self,
        request: Request,
        completion: F,
    ) -> AsyncStream<Result<CandleCompletionChunk, EngineError>>
    where
        F: FnOnce() -> S + Send + 'static,
        S: Stream<Item = Result<CandleCompletionChunk, E>> + Send + 'static,
        E: Into<EngineError>,
    {
        let (_, _, deadlines) = request.into_parts();
        self.watch(deadlines, completion)
    }

    /// The stream of a request that its provider refuses: this error alone, counted as rejected.
    pub fn refuse(&self, error: EngineError) -> AsyncStream<Result<CandleCompletionChunk, EngineError>> {
        self.shared.count_refusal();
        AsyncStream::once(Err(error))
    }

    /// The counts up to now.
    pub fn statistics(&self) -> Statistics {
        self.shared.snapshot()
    }

    fn watch<F, S, E>(
        &self,
        deadlines: Deadlines,
        start: F,
    ) -> AsyncStream<Result<CandleCompletionChunk, EngineError>>
    where
        F: FnOnce() -> S + Send + 'static,
        S: Stream<Item = Result<CandleCompletionChunk, E>> + Send + 'static,
        E: Into<EngineError>,
    {
        match Lifecycle::new(Arc::clone(&self.shared), deadlines) {
            Ok(life) => AsyncStream::from_stream(Coordinated::new(life, start)),
            Err(error) => self.refuse(error),
        }
    }
}
