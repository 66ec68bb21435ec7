//! Models that turn texts into vectors, for recall by meaning.
//!
//! Vectors are made when they are needed, of the newest texts first, so that a store that was filled without a model
//! catches up.

use std::sync::Arc;

use engine::{CandleCompletionModel, EngineError};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Memory, MemoryError, Unindexed};
use crate::errand::Errand;
use crate::tool::outcome::cut;

/// Texts that are embedded with one request.
const BATCH: usize = 16;
/// Bytes of a text that [`ProviderEmbedder`] reads at most: enough to tell what it is about.
const BYTES: usize = 4096;
/// Tokens of a context that are kept free for marks.
const MARKS: usize = 16;

/// Turns texts into vectors that are near each other where the texts mean alike.
pub trait Embedder: Send + Sync {
    /// Name of the model; vectors of one name are compared with each other, and kept under it.
    fn name(&self) -> &str;

    /// One vector for each text, in order, all of the same length. Texts that are too long for the model are cut.
    ///
    /// # Cancellation
    ///
    /// Dropping the future cancels the request.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Vec<Vec<f32>>, EngineError>>;
}

/// A provider's own embeddings.
///
/// Of a text it reads the first bytes, as many as the context has tokens and 4,096 at most.
#[derive(Clone)]
pub struct ProviderEmbedder(Arc<dyn CandleCompletionModel>);

impl ProviderEmbedder {
    /// An embedder of a provider that makes embeddings.
    ///
    /// # Errors
    ///
    /// [`EngineError::EmbeddingsUnsupported`] where it makes none.
    pub fn new(provider: Arc<dyn CandleCompletionModel>) -> Result<Self, EngineError> {
        if provider.capabilities().embeddings {
            return Ok(Self(provider));
        }
        Err(EngineError::EmbeddingsUnsupported {
            provider: provider.name().to_owned(),
        })
    }
}

impl Embedder for ProviderEmbedder {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Vec<Vec<f32>>, EngineError>> {
        // No token is shorter than a byte.
        let bytes = self.0.context_length().saturating_sub(MARKS).clamp(1, BYTES);
        let texts = texts.into_iter().map(|text| cut(text, bytes).0).collect();
        self.0.embed(texts).map(|made| Ok(made?.vectors)).boxed()
    }
}

impl std::fmt::Debug for ProviderEmbedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ProviderEmbedder").field(&self.0.name()).finish()
    }
}

/// Makes vectors of up to `most` texts of `store` that lack one, the newest first; how many it made.
///
/// A chat does this for a few before each recall; a program with time to spare may do it for all.
///
/// # Errors
///
/// * [`MemoryError::Embed`], [`MemoryError::Vectors`] where the model fails.
/// * [`MemoryError::Dimension`], and what the store reports. What was made before stays.
///
/// # Cancellation
///
/// Dropping the future stops after what is kept already.
pub async fn index(
    store: &Arc<dyn Memory>,
    embedder: &Arc<dyn Embedder>,
    most: usize,
) -> Result<usize, MemoryError> {
    let mut made = 0;
    while made < most {
        let limit = BATCH.min(most - made);
        let (theirs, model) = (Arc::clone(store), embedder.name().to_owned());
        let lacking = aside(move || theirs.unindexed(&model, limit)).await?;
        if lacking.is_empty() {
            break;
        }
        let texts = lacking.iter().map(|lacking| lacking.text.clone()).collect();
        let vectors = embedder.embed(texts).await.map_err(MemoryError::Embed)?;
        let (asked, got) = (lacking.len(), vectors.len());
        if asked != got {
            return Err(MemoryError::Vectors { asked, got });
        }
        let items = lacking.into_iter().map(|Unindexed { item, .. }| item);
        let vectors: Vec<_> = items.zip(vectors).collect();
        let (theirs, model) = (Arc::clone(store), embedder.name().to_owned());
        aside(move || theirs.keep_vectors(&model, &vectors)).await?;
        made += got;
    }
    Ok(made)
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MemoryError> + Send + 'static,
) -> Result<T, MemoryError> {
    match Errand::run("chat-index", work).await {
        Ok(result) => result,
        Err(error) => Err(MemoryError::Worker(error.to_string())),
    }
}
