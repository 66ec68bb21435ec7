//! The model that is served: any provider, and what is known of it beyond that.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::{
    AsyncStream, CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams, CandlePrompt, Engine,
    EngineError,
};
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, future};
use models::Tokenizer;
use providers::{Dialect, LocalProvider};

use crate::calls::Calls;
use crate::error::Failure;

/// The pieces of an answer; the last is its end or an error.
pub(crate) type Chunks = BoxStream<'static, Result<CandleCompletionChunk, Failure>>;

/// A model under the id by which it is asked for.
pub struct Model {
    id: String,
    provider: Arc<dyn CandleCompletionModel>,
    engine: Option<Engine>,
    local: Option<LocalProvider>,
    created: u64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Any provider. Its tokens cannot be spelled, so that what names them is refused: log-probabilities, `/tokenize` and
    /// the like.
    pub fn new(id: impl Into<String>, provider: Arc<dyn CandleCompletionModel>) -> Self {
        Self {
            id: id.into(),
            provider,
            engine: None,
            local: None,
            created: now(),
        }
    }

    /// A model on this machine, of which everything is known.
    pub fn local(id: impl Into<String>, provider: LocalProvider) -> Self {
        Self {
            engine: Some(provider.engine().clone()),
            local: Some(provider.clone()),
            ..Self::new(id, Arc::new(provider))
        }
    }

    /// The same with the engine that the provider's requests pass through: it drains when the server ends.
    #[must_use]
    pub fn with_engine(self, engine: Engine) -> Self {
        Self {
            engine: Some(engine),
            ..self
        }
    }

    /// By which it is asked for.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn provider(&self) -> &dyn CandleCompletionModel {
        &*self.provider
    }

    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// How the model is talked to, where that is known.
    pub(crate) fn dialect(&self) -> Option<&Dialect> {
        self.local.as_ref().map(LocalProvider::dialect)
    }

    pub(crate) fn tokenizer(&self) -> Option<&Tokenizer> {
        self.dialect().map(Dialect::tokenizer)
    }

    /// When it became ready, in seconds since 1970.
    pub(crate) fn created(&self) -> u64 {
        self.created
    }

    /// Refuses the name of another model.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), Failure> {
        if name == self.id {
            return Ok(());
        }
        let message = format!(
            "there is no model {name:?}; the one that is served is {:?}",
            self.id
        );
        let failure = Failure::field("model", message).coded("model_not_found");
        Err(Failure {
            status: axum::http::StatusCode::NOT_FOUND,
            ..failure
        })
    }

    /// Refuses what takes the tokens' texts, where they are not known.
    pub(crate) fn spelling(&self, param: &str) -> Result<&Tokenizer, Failure> {
        self.tokenizer().ok_or_else(|| {
            Failure::unsupported(param, "the tokens of this model are not known to this server")
        })
    }

    /// Begins a completion, as [`begun`] does with its [`pieces`](Self::pieces).
    pub(crate) async fn complete(
        self: &Arc<Self>,
        prompt: CandlePrompt,
        params: CandleCompletionParams,
        patience: Option<Duration>,
    ) -> Result<Chunks, Failure> {
        begun(self.pieces(prompt, params), patience).await
    }

    /// The pieces of completions, each of which begins when its first is asked for. All of them are known to the engine from
    /// here on, so that an end of the server waits for them.
    ///
    /// # Errors
    ///
    /// The number of a prompt that is too long for the context, before any of several begins.
    pub(crate) async fn answers(
        self: &Arc<Self>,
        prompts: Vec<CandlePrompt>,
        params: CandleCompletionParams,
    ) -> Result<Vec<Chunks>, (usize, Failure)> {
        let model = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || {
            let provider = &model.provider;
            if prompts.len() > 1 {
                let context = provider.context_length();
                // Where tokens cannot be counted here, whoever answers says so.
                for (number, prompt) in prompts.iter().enumerate() {
                    if let Ok(prompt_tokens) = provider.count_tokens(prompt)
                        && prompt_tokens >= context
                    {
                        let overflow = EngineError::ContextOverflow {
                            prompt_tokens,
                            context,
                        };
                        return Err((number, Failure::from(overflow)));
                    }
                }
            }
            let answers = prompts.into_iter().map(|prompt| provider.prompt(prompt, &params));
            Ok(answers.collect::<Vec<_>>())
        });
        let answers = asked.await.map_err(|_| (0, Failure::internal()))??;
        let pieces = |chunks: AsyncStream<Result<CandleCompletionChunk, EngineError>>| {
            chunks.map(|item| item.map_err(Failure::from)).boxed()
        };
        Ok(answers.into_iter().map(pieces).collect())
    }

    /// The pieces of a completion, which begins when they are first asked for. Rendering and encoding happen on a thread that
    /// may block.
    ///
    /// **Cancellation:** dropping them cancels the request.
    pub(crate) fn pieces(self: &Arc<Self>, prompt: CandlePrompt, params: CandleCompletionParams) -> Chunks {
        let model = Arc::clone(self);
        let mut calls = Calls::new(self.dialect(), &params);
        let asked = async move {
            let asked = tokio::task::spawn_blocking(move || model.provider.prompt(prompt, &params));
            match asked.await {
                Ok(chunks) => chunks.map(|item| item.map_err(Failure::from)).boxed(),
                Err(_) => stream::iter([Err(Failure::internal())]).boxed(),
            }
        };
        let told = asked.flatten_stream().filter_map(move |item| {
            let told = match item {
                Ok(chunk) => calls.told(chunk).map(Ok),
                Err(failure) => Some(Err(failure)),
            };
            future::ready(told)
        });
        told.boxed()
    }
}

/// The pieces, once the first of them is there.
///
/// * `patience`: for how long it is waited for. A failure until then is an error here, one after it is the last item of the
///   stream.
pub(crate) async fn begun(mut chunks: Chunks, patience: Option<Duration>) -> Result<Chunks, Failure> {
    let first = match patience {
        None => chunks.next().await,
        Some(patience) => match tokio::time::timeout(patience, chunks.next()).await {
            Ok(first) => first,
            Err(_) => return Ok(chunks),
        },
    };
    match first {
        Some(Err(failure)) => Err(failure),
        first => Ok(stream::iter(first).chain(chunks).boxed()),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
