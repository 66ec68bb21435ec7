//! The provider interface: a model, with all that is needed to talk to it, behind one object.
//!
//! A caller holds a provider; nothing chooses one by name.

use generator::AsyncStream;

use crate::chunk::CandleCompletionChunk;
use crate::error::EngineError;
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

    /// What the provider can be asked for.
    fn capabilities(&self) -> Capabilities;
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
}

impl Capabilities {
    /// Takes raw prompts, and chats where `chat` says so; no tools.
    pub fn local(chat: bool) -> Self {
        Self {
            chat,
            raw: true,
            tools: false,
        }
    }

    /// The same, taking tools or not.
    #[must_use]
    pub fn with_tools(self, tools: bool) -> Self {
        Self { tools, ..self }
    }
}
