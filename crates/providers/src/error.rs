//! What can go wrong between a model on disk and a provider that answers.

use std::path::PathBuf;
use std::sync::Arc;

use engine::EngineError;
use generator::GenerateError;
use models::ModelError;

/// Everything a provider can fail with before an answer begins.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The chat template is not a Jinja template that this engine can run.
    #[error("the chat template does not parse (line {line})")]
    TemplateSyntax {
        /// Line of the template, from 1; 0 where it is not known.
        line: usize,
        /// What the parser says.
        #[source]
        source: minijinja::Error,
    },
    /// The chat template calls `raise_exception`: it does not accept these messages.
    #[error("the chat template refuses the messages: {message}")]
    TemplateRefused {
        /// The template's own words.
        message: String,
    },
    /// The chat template was stopped: it loops, or it builds far more text than it was given.
    #[error("the chat template was stopped after {budget} steps")]
    TemplateBudget {
        /// Steps it was allowed.
        budget: u64,
    },
    /// The chat template failed on these messages.
    #[error("the chat template fails (line {line})")]
    TemplateRender {
        /// Line of the template, from 1; 0 where it is not known.
        line: usize,
        /// What the engine says.
        #[source]
        source: minijinja::Error,
    },
    /// The model could not be had from a hub.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] crate::hub::HubError),
    /// The model cannot be read, or is not whole.
    #[error(transparent)]
    File(ModelError),
    /// The model is whole, but it cannot be run.
    #[error("cannot load {}", path.display())]
    Load {
        /// The file or folder.
        path: PathBuf,
        /// What stands in the way.
        #[source]
        source: ModelError,
    },
    /// The model is of another family: load it as that, or as the plain model that it is.
    #[error("{} is no model of {family}: its architecture is {found:?}, not {}", path.display(), expected.join(" or "))]
    OtherFamily {
        /// The file or folder.
        path: PathBuf,
        /// Name of the family that was asked for.
        family: &'static str,
        /// The architecture that the model has.
        found: String,
        /// The architectures of the family.
        expected: &'static [&'static str],
    },
    /// The model has no chat template; raw prompts work.
    #[error("{} has no chat template, so it takes raw prompts only", path.display())]
    NoTemplate {
        /// The file or folder.
        path: PathBuf,
    },
    /// The model's chat template cannot be used; raw prompts work.
    #[error("the chat template of {} cannot be used", path.display())]
    UnusableTemplate {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Arc<ProviderError>,
    },
    /// The model's chat template does not read a variable that it is given: leave it out.
    #[error("the chat template of {} does not read {name:?}", path.display())]
    UnreadVariable {
        /// The file or folder.
        path: PathBuf,
        /// The variable.
        name: String,
    },
    /// The model's chat template declares no tools: ask without them.
    #[error("the chat template of {} does not declare tools, so the model takes none", path.display())]
    TemplateWithoutTools {
        /// The file or folder.
        path: PathBuf,
    },
    /// The model writes calls in a format that cannot be read: ask without tools.
    #[error("the chat template of {} writes calls of tools in no known format", path.display())]
    UnknownToolFormat {
        /// The file or folder.
        path: PathBuf,
    },
    /// An empty raw prompt stands for the start token alone, and the tokenizer adds none. It may still name
    /// one that the model never began with, which is why nothing is made of that.
    #[error("the prompt is empty, and the tokenizer of {} adds no start token to continue from", path.display())]
    NothingToContinue {
        /// The file or folder.
        path: PathBuf,
    },
    /// The prompt cannot be turned into tokens.
    #[error("the prompt cannot be encoded")]
    Encode(#[source] ModelError),
    /// The generator could not be started.
    #[error("cannot start the generator")]
    Generator(#[from] GenerateError),
    /// The engine could not be set up.
    #[error("cannot set up the engine")]
    Engine(#[from] EngineError),
    /// A remote engine cannot be reached or does not do what it is asked for.
    #[cfg(feature = "remote")]
    #[error(transparent)]
    Remote(#[from] crate::remote::RemoteError),
}

impl ProviderError {
    /// The error and all its causes in one line, each cause after a colon.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
