//! A provider in front of an OpenAI-compatible server: vLLM, SGLang, Dynamo, llama.cpp's, our own; one or several of the
//! same model.
//!
//! ```no_run
//! use engine::{CandleCompletionModel, CandleCompletionParams, CandlePrompt};
//! use providers::RemoteProvider;
//! use providers::remote::{RemoteConfig, Secret};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = RemoteProvider::connect(RemoteConfig {
//!     endpoints: vec!["http://10.0.0.1:8000".to_owned(), "http://10.0.0.2:8000".to_owned()],
//!     model: Some("moonshotai/Kimi-K2-Instruct".to_owned()),
//!     api_key: Some(Secret::from_env("VLLM_API_KEY")?),
//!     ..RemoteConfig::default()
//! })?;
//! let params = CandleCompletionParams::default();
//! for chunk in provider.prompt(CandlePrompt::from("Hello"), &params).blocking_iter() {
//!     print!("{}", chunk?.text().unwrap_or_default());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! * **A failure never looks like a finish.** A stream that ends before every choice has a reason to is an error.
//! * **No field is silently ignored.** Each is sent, or refused by name where the server's [`Dialect`] has no word for it.
//! * **Nothing is tried again after the first token**, and before it only what may pass: no connection, a status of 5xx or
//!   429. Then the next endpoint is asked, and after all of them there is a pause.
//! * **A conversation goes to the same endpoint**, whose cache holds its beginning, as long as that one takes it.
//! * **Any thread may read the answer**, inside a runtime or not: the connections live on one thread that all clones of a
//!   provider share, which hands the chunks over. It ends with the last clone and the last stream.
//! * **The API key is shown nowhere**: not in an error, not in `Debug`, not where a server repeats it.
//!
//! What the server alone knows is taken from it: the context, ids of tokens only where it sends them, the usage. Where it
//! tells no usage, the prompt counts 0 tokens and the answer as many as it had pieces. A prompt that leaves
//! no room for `max_tokens`, which are 1,000 where the request does not say, is refused by the server. The seed is sent as it is; whether it makes the draws repeat is the server's business.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{
    AsyncStream, BreakerConfig, BreakerState, CandleCompletionChunk, CandleCompletionModel,
    CandleCompletionParams, CandlePrompt, Capabilities, Embeddings, Engine, EngineConfig, EngineError,
    Request,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::error::ProviderError;

mod config;
mod secret;
mod dialect;
mod error;
mod background;
mod endpoint;
mod attempts;
mod http;
mod catalogue;
mod request;
mod sampling;
mod constraint;
mod streaming;
mod sse;
mod wire;
mod answer;
mod calls;
mod logprobs;
mod questions;

pub use config::{FALLBACK_CONTEXT, RemoteConfig, RetryPolicy, Timeouts};
pub use dialect::Dialect;
pub use error::{MAX_MESSAGE, RemoteError};
pub use secret::Secret;

use answer::Asked;
use attempts::Endpoints;
use background::Background;
use catalogue::Served;
use endpoint::Endpoint;
use http::Http;
use streaming::Order;

/// A model on one or several servers; clones are handles to the same connections.
#[derive(Clone)]
pub struct RemoteProvider {
    remote: Arc<Remote>,
    engine: Engine,
    background: Arc<Background>,
}

/// What a request needs on the thread of the connections.
#[derive(Debug)]
struct Remote {
    http: Arc<Http>,
    endpoints: Endpoints,
    served: Served,
    /// For the first token, of requests that do not say.
    patience: Option<Duration>,
}

/// An endpoint as its requests have left it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointState {
    /// Its address.
    pub address: String,
    /// Whether requests reach it.
    pub breaker: BreakerState,
}

impl std::fmt::Debug for RemoteProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteProvider")
            .field("name", &self.remote.served.name)
            .field("endpoints", &self.endpoints())
            .finish_non_exhaustive()
    }
}

impl RemoteProvider {
    /// Asks the endpoints, one after the other until one answers, what they serve.
    ///
    /// Blocks the calling thread until then, so that a task of a runtime should do it where blocking is allowed. That the
    /// other endpoints serve the same model is the caller's word.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Remote`] with a setting out of its range, with what the last endpoint answered where none could
    /// be used, with [`RemoteError::NoModel`] where it is not clear which model is meant; [`ProviderError::Engine`] for a
    /// setting of the engine.
    pub fn connect(config: RemoteConfig) -> Result<Self, ProviderError> {
        let addresses = config.validate()?;
        config.engine.validate()?;
        let background = Background::start()?;
        let breaker = config.engine.breaker;
        let all: Vec<_> = addresses
            .into_iter()
            .map(|base| Arc::new(Endpoint::new(base, breaker, Arc::clone(&config.engine.clock))))
            .collect();
        let with_tls = all.iter().any(|endpoint| endpoint.base.starts_with("https:"));
        let http = Arc::new(Http::new(config.api_key.clone(), config.timeouts, with_tls)?);
        let endpoints = Endpoints {
            all,
            retry: config.retry,
        };
        let engine = config.engine.clone();
        let served = background.wait(first_answer(Arc::clone(&http), endpoints.all.clone(), config))??;
        let patience = engine.deadlines.first_token;
        let engine = Engine::new(EngineConfig {
            name: served.name.clone(),
            // Each endpoint has its own; one before them all would keep requests from those that work.
            breaker: BreakerConfig {
                failures: u32::MAX,
                rate: 1.0,
                window: 10_000,
                ..engine.breaker
            },
            ..engine
        })?;
        Ok(Self {
            remote: Arc::new(Remote {
                http,
                endpoints,
                served,
                patience,
            }),
            engine,
            background,
        })
    }

    /// The engine that counts and admits this provider's requests. Its breaker stays closed: see [`Self::endpoints`].
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the server is taken to understand.
    pub fn dialect(&self) -> Dialect {
        self.remote.served.dialect
    }

    /// The endpoints in the order in which they were given.
    pub fn endpoints(&self) -> Vec<EndpointState> {
        let all = self.remote.endpoints.all.iter();
        all.map(|endpoint| EndpointState {
            address: endpoint.base.clone(),
            breaker: endpoint.state(),
        })
        .collect()
    }

    /// Everything about a request that can be known to be wrong before the server is asked.
    fn check(
        &self,
        prompt: &CandlePrompt,
        params: &CandleCompletionParams,
    ) -> Result<(Request, &'static str, serde_json::Value), EngineError> {
        let request = Request::for_capabilities(prompt, params, self.capabilities())?;
        let Served {
            name,
            context,
            dialect,
        } = &self.remote.served;
        let (path, body) = request::build(prompt, params, name, *dialect, *context)?;
        Ok((request, path, body))
    }
}

/// What the first endpoint serves that answers.
async fn first_answer(
    http: Arc<Http>,
    endpoints: Vec<Arc<Endpoint>>,
    config: RemoteConfig,
) -> Result<Served, RemoteError> {
    let mut last = RemoteError::ThreadGone;
    for endpoint in endpoints {
        match catalogue::ask(&http, &endpoint, &config).await {
            Ok(served) => return Ok(served),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl CandleCompletionModel for RemoteProvider {
    fn prompt(
        &self,
        prompt: CandlePrompt,
        params: &CandleCompletionParams,
    ) -> AsyncStream<Result<CandleCompletionChunk, EngineError>> {
        let (request, path, body) = match self.check(&prompt, params) {
            Ok(checked) => checked,
            Err(error) => return self.engine.refuse(error),
        };
        let conversation = endpoint::conversation(&prompt);
        let (choices, seed) = (params.choices.unwrap_or(1), params.seed);
        let patience = params.deadlines.first_token.or(self.remote.patience);
        let remote = Arc::clone(&self.remote);
        let background = Arc::clone(&self.background);
        self.engine.coordinate(request, move || {
            let began = Instant::now();
            let asked = Asked { choices, seed, began };
            let order = Arc::new(Order { path, body, asked });
            background.stream(|sender| async move {
                let attempt = |endpoint, pass| {
                    let (http, order) = (Arc::clone(&remote.http), Arc::clone(&order));
                    streaming::attempt(http, order, sender.clone(), endpoint, pass)
                };
                let end = remote.endpoints.run(conversation, patience, attempt).await;
                // Whoever does not read any more needs no end.
                let _ = sender.send(end).await;
            })
        })
    }

    fn name(&self) -> &str {
        &self.remote.served.name
    }

    fn context_length(&self) -> usize {
        self.remote.served.context
    }

    /// Asks the server, and blocks until it answers: outside of the threads that poll streams.
    fn count_tokens(&self, prompt: &CandlePrompt) -> Result<usize, EngineError> {
        let params = CandleCompletionParams::default();
        Request::for_capabilities(prompt, &params, self.capabilities())?;
        let (remote, prompt) = (Arc::clone(&self.remote), prompt.clone());
        self.background.wait(async move {
            let Remote {
                http,
                endpoints,
                served,
                ..
            } = &*remote;
            questions::count(http, endpoints, served, &prompt).await
        })?
    }

    /// All of it: what a server's model cannot do, the server refuses.
    fn capabilities(&self) -> Capabilities {
        Capabilities::local(true).with_tools(true).with_embeddings(true)
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Embeddings, EngineError>> {
        let remote = Arc::clone(&self.remote);
        let asked = self.background.run(async move {
            let Remote {
                http,
                endpoints,
                served,
                ..
            } = &*remote;
            questions::embed(http, endpoints, served, &texts).await
        });
        async move { asked.await? }.boxed()
    }
}
