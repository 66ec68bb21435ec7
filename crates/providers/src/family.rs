//! What the maker of a model family says of it, beyond what the model's files say.
//!
//! The files come first: a family's template, sampling and format hold only where they leave a gap.

use generator::SamplingConfig;
use models::Checkpoint;

use crate::error::ProviderError;
use crate::output::OutputFormat;

/// A model family; adding one is writing one of these.
///
/// [`local_family!`](crate::local_family) makes a provider of it.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name on the command line, such as `kimi-k2`.
    pub name: &'static str,
    /// Where its weights come from: a model of the hub, as `owner/name:PATTERN`. Empty where there is none.
    pub weights: &'static str,
    /// The architectures that its models have in their files. Empty: any.
    pub architectures: &'static [&'static str],
    /// The chat template of a model that has none.
    pub template: Option<&'static str>,
    /// The sampling that its maker recommends, set over the general defaults.
    pub sampling: fn(&mut SamplingConfig),
    /// How it writes calls of tools, where its template does not show it.
    pub format: Option<OutputFormat>,
    /// Names of tokens that end an answer, beside those that its files name.
    pub ends: &'static [&'static str],
}

/// Any model: nothing is known but what its files say.
pub const PLAIN: Family = Family {
    name: "plain",
    weights: "",
    architectures: &[],
    template: None,
    sampling: |_| {},
    format: None,
    ends: &[],
};

impl Family {
    /// Refuses a model of another architecture.
    pub(crate) fn check(&self, checkpoint: &Checkpoint) -> Result<(), ProviderError> {
        let found = checkpoint.outline().architecture.unwrap_or_default();
        if self.architectures.is_empty() || self.architectures.contains(&found.as_str()) {
            return Ok(());
        }
        Err(ProviderError::OtherFamily {
            path: checkpoint.path().to_owned(),
            family: self.name,
            found,
            expected: self.architectures,
        })
    }
}

/// Makes a provider of a [`Family`]: a type that loads models of it and answers as
/// [`LocalProvider`](crate::LocalProvider) does.
///
/// `local_family!(/** docs */ Name, FAMILY)`, with `FAMILY` a constant.
#[macro_export]
macro_rules! local_family {
    ($(#[$attribute:meta])* $provider:ident, $family:expr) => {
        $(#[$attribute])*
        ///
        /// Loads its model once, owns the generator and the engine; clones are handles to the same model.
        #[derive(Clone, Debug)]
        pub struct $provider($crate::LocalProvider);

        impl $provider {
            /// What is known of the family.
            pub const FAMILY: &'static $crate::Family = &$family;

            /// Loads the model at `path` and tells `progress` how far it is.
            ///
            /// # Errors
            ///
            /// Those of [`LocalProvider::load_family`]($crate::LocalProvider::load_family).
            pub fn load(
                path: impl ::std::convert::AsRef<::std::path::Path>,
                options: $crate::LoadOptions,
                progress: &$crate::ProgressHub,
            ) -> ::std::result::Result<Self, $crate::ProviderError> {
                $crate::LocalProvider::load_family(path, Self::FAMILY, options, progress).map(Self)
            }

            /// Loads a model that has been opened.
            ///
            /// # Errors
            ///
            /// Those of [`LocalProvider::of_checkpoint`]($crate::LocalProvider::of_checkpoint).
            pub fn of_checkpoint(
                checkpoint: $crate::Checkpoint,
                options: $crate::LoadOptions,
                progress: &$crate::ProgressHub,
            ) -> ::std::result::Result<Self, $crate::ProviderError> {
                $crate::LocalProvider::of_checkpoint(checkpoint, Self::FAMILY, options, progress).map(Self)
            }

            /// The same model as the plain provider.
            pub fn local(&self) -> &$crate::LocalProvider {
                &self.0
            }
        }

        impl $crate::CandleCompletionModel for $provider {
            fn prompt(
                &self,
                prompt: $crate::CandlePrompt,
                params: &$crate::CandleCompletionParams,
            ) -> $crate::Completion {
                self.0.prompt(prompt, params)
            }

            fn name(&self) -> &str {
                self.0.name()
            }

            fn context_length(&self) -> usize {
                self.0.context_length()
            }

            fn count_tokens(
                &self,
                prompt: &$crate::CandlePrompt,
            ) -> ::std::result::Result<usize, $crate::EngineError> {
                self.0.count_tokens(prompt)
            }

            fn count_request(
                &self,
                prompt: &$crate::CandlePrompt,
                params: &$crate::CandleCompletionParams,
            ) -> ::std::result::Result<usize, $crate::EngineError> {
                self.0.count_request(prompt, params)
            }

            fn capabilities(&self) -> $crate::Capabilities {
                self.0.capabilities()
            }

            fn embed(&self, texts: ::std::vec::Vec<::std::string::String>) -> $crate::Embedding {
                self.0.embed(texts)
            }
        }
    };
}
