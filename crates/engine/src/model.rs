//! The provider interface: a model, with all that is needed to talk to it, behind one object.
//!
//! A caller holds a provider; nothing chooses one by name.

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use generator::AsyncStream;

use crate::chunk::CandleCompletionChunk;
use crate::error::{BackendErrorKind, EngineError};
use crate::params::CandleCompletionParams;
use crate::prompt::CandlePrompt;

/// A model that completes prompts, local or remote.
///
/// A provider loads its model once, owns one [`Engine`](crate::Engine) for its lifetime, and serves any
/// number of callers at once.
pub trait CandleCompletionModel: Send + Sync {
    /// Streams the completion of `prompt`.
    ///
    /// The prompt is checked, and rendered where it is a chat, before this returns; it waits for nothing.
    /// Generation begins when the stream is first polled.
    ///
    /// # Errors
    ///
    /// They travel in the stream: its last item is either
    /// [`CandleCompletionChunk::Complete`] or an error, and there is exactly one of them.
    ///
    /// # Cancellation
    ///
    /// Dropping the stream cancels the request; for a stream never polled nothing is generated.
    fn prompt(
        &self,
        prompt: CandlePrompt,
        params: &CandleCompletionParams,
    ) -> AsyncStream<Result<CandleCompletionChunk, EngineError>>;

    /// Name of the model, as its file or its server gives it.
    fn name(&self) -> &str;

    /// Most tokens that prompt and answer may have together.
    fn context_length(&self) -> usize;

    /// Counts the tokens of `prompt` as the model will see it, template and special tokens included;
    /// the declarations of tools are not, since they come with the parameters.
    ///
    /// # Errors
    ///
    /// What [`prompt`](Self::prompt) would report before generating: a prompt that is empty or does not
    /// render, or a backend that cannot count.
    fn count_tokens(&self, prompt: &CandlePrompt) -> Result<usize, EngineError>;

    /// Counts the tokens of `prompt` with all that `params` add to it, such as the declarations of tools.
    ///
    /// A provider that does not say otherwise counts declarations as the JSON that they are, which is no less than most
    /// templates make of them.
    ///
    /// # Errors
    ///
    /// Those of [`count_tokens`](Self::count_tokens).
    fn count_request(
        &self,
        prompt: &CandlePrompt,
        params: &CandleCompletionParams,
    ) -> Result<usize, EngineError> {
        let counted = self.count_tokens(prompt)?;
        let tools = params.declared_tools();
        if tools.is_empty() {
            return Ok(counted);
        }
        let declared = serde_json::to_string(tools)
            .map_err(|error| EngineError::backend(BackendErrorKind::Request, error))?;
        Ok(counted + self.count_tokens(&CandlePrompt::raw(declared))?)
    }

    /// What the provider can be asked for.
    fn capabilities(&self) -> Capabilities;

    /// Turns each text into one vector; vectors of one provider are comparable with each other.
    ///
    /// # Errors
    ///
    /// [`EngineError::EmbeddingsUnsupported`] where the provider cannot; a text that is empty or longer than the
    /// context, with its index; what the backend reports.
    ///
    /// # Cancellation
    ///
    /// Dropping the future cancels the request.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Embeddings, EngineError>> {
        let _ = texts;
        ready(Err(EngineError::EmbeddingsUnsupported {
            provider: self.name().to_owned(),
        }))
        .boxed()
    }
}

/// Vectors of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    /// One for each text, in order; of length 1 in the Euclidean norm unless the backend gives others.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read, of all texts together.
    pub prompt_tokens: usize,
}

/// What a provider can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Takes [`CandlePrompt::Chat`]: the model has a chat template.
    pub chat: bool,
    /// Takes [`CandlePrompt::Raw`].
    pub raw: bool,
    /// Takes tools, and messages that call them or hold their results.
    pub tools: bool,
    /// Turns texts into vectors.
    pub embeddings: bool,
}

impl Capabilities {
    /// Takes raw prompts, and chats where `chat` says so; no tools.
    pub fn local(chat: bool) -> Self {
        Self {
            chat,
            raw: true,
            tools: false,
            embeddings: false,
        }
    }

    /// The same, taking tools or not.
    #[must_use]
    pub fn with_tools(self, tools: bool) -> Self {
        Self { tools, ..self }
    }

    /// The same, turning texts into vectors or not.
    #[must_use]
    pub fn with_embeddings(self, embeddings: bool) -> Self {
        Self { embeddings, ..self }
    }
}
