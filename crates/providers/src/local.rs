//! A provider for any one model on disk: its weights, its tokenizer and the chat template it carries.
//!
//! It owns one invariant: the prompt a model sees is the model's own. A chat is rendered by the template that
//! came with it, by its family's where it has none and a family was named, or refused, never by a guessed one; and a start
//! token stands at most once.

mod asking;
mod loading;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use engine::{
    AsyncStream, BackendErrorKind, CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams,
    CandlePrompt, Capabilities, Embeddings, Engine, EngineConfig, EngineError, Message, Request,
    ToolDefinition,
};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use generator::{Pooling, PromptInput, SpecialTokens, TextEmbeddings, TextGenerator};
use models::{Checkpoint, HeldWeights, LoadOptions, ModelFactory, Tokenizer};

use crate::dialect::Dialect;
use crate::error::ProviderError;
use crate::family::{Family, PLAIN};
use crate::output::OutputFormat;
use crate::progress::{ProgressEvent, ProgressHub};
use crate::sampling;
use crate::serving::Serving;
use crate::template::ChatTemplate;
use loading::{beside, name_of};

/// A model on disk, loaded and ready to answer; clones are handles to the same model.
///
/// Serves any number of callers at once. The model is released when the last handle is dropped.
#[derive(Clone)]
pub struct LocalProvider {
    loaded: Arc<Loaded>,
}

struct Loaded {
    name: String,
    path: PathBuf,
    dialect: Dialect,
    generator: TextGenerator,
    engine: Engine,
    special: SpecialTokens,
    /// `None` where it makes none.
    vectors: Option<Vectors>,
    /// Tokens that prompt and answer may have together.
    context: usize,
}

impl std::fmt::Debug for LocalProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalProvider")
            .field("name", &self.loaded.name)
            .finish_non_exhaustive()
    }
}

impl LocalProvider {
    /// Loads the model at `path` for exact arithmetic and tells `progress` how far it is.
    ///
    /// `path` is a GGUF file (any part of a split one), a safetensors file, the index of its shards, or a folder
    /// as published. Blocks until the model is ready; the files stay mapped as long as the model needs them.
    ///
    /// # Errors
    ///
    /// * [`ProviderError::File`] where the model cannot be read, is in no known format or is damaged.
    /// * [`ProviderError::Load`] where it is whole but cannot be run: an unknown architecture, tokenizer or
    ///   tensor type, missing tensors.
    /// * [`ProviderError::Generator`], [`ProviderError::Engine`] where no worker can be started.
    pub fn load(path: impl AsRef<Path>, progress: &ProgressHub) -> Result<Self, ProviderError> {
        Self::load_with(path, LoadOptions::default(), progress)
    }

    /// [`Self::load`] with a chosen device and a chosen way to keep keys and values.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_with(
        path: impl AsRef<Path>,
        options: LoadOptions,
        progress: &ProgressHub,
    ) -> Result<Self, ProviderError> {
        Self::load_family(path, &PLAIN, options, progress)
    }

    /// [`Self::load_with`], taking what the model's files leave open from its family.
    ///
    /// # Errors
    ///
    /// As [`Self::load`], and [`ProviderError::OtherFamily`] where the model is none of the family's.
    pub fn load_family(
        path: impl AsRef<Path>,
        family: &'static Family,
        options: LoadOptions,
        progress: &ProgressHub,
    ) -> Result<Self, ProviderError> {
        Self::load_serving(path, family, options, Serving::default(), progress)
    }

    /// [`Self::load_family`] with chosen limits: for a model that serves many callers.
    ///
    /// # Errors
    ///
    /// As [`Self::load_family`], and [`ProviderError::Engine`] for a context of fewer than 2 tokens or more than the model
    /// can hold.
    pub fn load_serving(
        path: impl AsRef<Path>,
        family: &'static Family,
        options: LoadOptions,
        serving: Serving,
        progress: &ProgressHub,
    ) -> Result<Self, ProviderError> {
        let path = path.as_ref();
        progress.send(&ProgressEvent::Resolve {
            path: path.to_owned(),
        });
        let open = || Checkpoint::open(path).map_err(ProviderError::File);
        Self::load_opened(open, family, options, serving, progress)
    }

    /// [`Self::load_family`] for a model that has been opened.
    ///
    /// # Errors
    ///
    /// As [`Self::load_family`].
    pub fn of_checkpoint(
        checkpoint: Checkpoint,
        family: &'static Family,
        options: LoadOptions,
        progress: &ProgressHub,
    ) -> Result<Self, ProviderError> {
        Self::load_opened(|| Ok(checkpoint), family, options, Serving::default(), progress)
    }

    /// Loads what `open` gives, and tells `progress` how it ended.
    pub(crate) fn load_opened(
        open: impl FnOnce() -> Result<Checkpoint, ProviderError>,
        family: &'static Family,
        options: LoadOptions,
        serving: Serving,
        progress: &ProgressHub,
    ) -> Result<Self, ProviderError> {
        let started = Instant::now();
        let provider =
            open().and_then(|checkpoint| Self::load_model(&checkpoint, family, options, serving, progress));
        progress.send(&match &provider {
            Ok(_) => ProgressEvent::Ready {
                elapsed: started.elapsed(),
            },
            Err(error) => ProgressEvent::Failed {
                message: error.chain(),
            },
        });
        provider
    }

    fn load_model(
        checkpoint: &Checkpoint,
        family: &'static Family,
        options: LoadOptions,
        serving: Serving,
        progress: &ProgressHub,
    ) -> Result<Self, ProviderError> {
        let path = checkpoint.path();
        progress.send(&ProgressEvent::Map {
            path: path.to_owned(),
            bytes: checkpoint.file_bytes(),
        });
        let failed = |source| ProviderError::Load {
            path: path.to_owned(),
            source,
        };
        // Whether the model can be run at all is known from headers, before a vocabulary is built.
        ModelFactory::plan(checkpoint, options).map_err(failed)?;
        let dialect = || Dialect::of(checkpoint, family);
        let model = || {
            ModelFactory::load(checkpoint, options, &mut |load| {
                progress.send(&ProgressEvent::Load {
                    done: load.done,
                    total: load.total,
                });
            })
            .map_err(failed)
        };
        // Weights that are packed already, as all but the first time, leave threads idle; before others are packed, a
        // vocabulary that is of no use is known to be so.
        let (dialect, model) = match options.weights {
            HeldWeights::Kept => {
                let (dialect, model) = beside(dialect, model);
                (dialect?, model?)
            }
            _ => (dialect()?, model()?),
        };
        let context = context(serving.context, model.capabilities().context)?;
        let hidden = model.capabilities().hidden;
        let vectors = Vectors::of(checkpoint, dialect.tokenizer()).filter(|_| hidden);
        let name = name_of(checkpoint);
        let special = SpecialTokens {
            eos: dialect.ends(checkpoint).map_err(failed)?,
        };
        let sampling = sampling::defaults(checkpoint, family).map_err(failed)?;
        let tokenizer = dialect.tokenizer().clone();
        let generator =
            TextGenerator::with_limits(model, tokenizer, options.device, sampling, serving.limits)?;
        let engine = Engine::new(EngineConfig {
            name: name.clone(),
            ..serving.engine
        })?;
        let path = path.to_owned();
        Ok(Self {
            loaded: Arc::new(Loaded {
                name,
                path,
                dialect,
                generator,
                engine,
                special,
                vectors,
                context,
            }),
        })
    }

    /// Where the model was loaded from.
    pub fn path(&self) -> &Path {
        &self.loaded.path
    }

    /// The family that the model was loaded as.
    pub fn family(&self) -> &'static Family {
        self.dialect().family()
    }

    /// The generator that owns the model.
    pub fn text_generator(&self) -> &TextGenerator {
        &self.loaded.generator
    }

    /// The engine that counts and admits this provider's requests.
    pub fn engine(&self) -> &Engine {
        &self.loaded.engine
    }

    /// How the model is talked to.
    pub fn dialect(&self) -> &Dialect {
        &self.loaded.dialect
    }

    /// The model's chat template.
    ///
    /// # Errors
    ///
    /// Those of [`Dialect::template`].
    pub fn template(&self) -> Result<&ChatTemplate, ProviderError> {
        self.dialect().template()
    }

    /// The format in which the model writes calls of tools.
    ///
    /// # Errors
    ///
    /// Those of [`Dialect::output_format`].
    pub fn output_format(&self) -> Result<OutputFormat, ProviderError> {
        self.dialect().output_format()
    }

    /// The text of the prompt that the model is given for `messages`, special tokens spelled out.
    ///
    /// # Errors
    ///
    /// Those of [`Dialect::render`].
    pub fn render(&self, messages: &[Message]) -> Result<String, ProviderError> {
        self.dialect().render(messages)
    }

    /// [`Self::render`] with these tools declared.
    ///
    /// # Errors
    ///
    /// Those of [`Self::render`]; where there are tools, also those of [`Self::output_format`].
    pub fn render_with_tools(
        &self,
        messages: &[Message],
        tools: &[ToolDefinition],
    ) -> Result<String, ProviderError> {
        let params = CandleCompletionParams {
            tools: tools.to_vec(),
            ..CandleCompletionParams::default()
        };
        self.dialect().render_for(messages, &params)
    }

    /// The token ids that the model is given for `prompt`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::render`], [`ProviderError::Encode`], and [`ProviderError::NothingToContinue`] for an
    /// empty raw prompt where the tokenizer adds no start token.
    pub fn encode(&self, prompt: &CandlePrompt) -> Result<Vec<u32>, ProviderError> {
        self.encode_with_tools(prompt, &[])
    }

    /// [`Self::encode`] with these tools declared; a raw prompt declares its own.
    ///
    /// # Errors
    ///
    /// Those of [`Self::encode`] and [`Self::render_with_tools`].
    pub fn encode_with_tools(
        &self,
        prompt: &CandlePrompt,
        tools: &[ToolDefinition],
    ) -> Result<Vec<u32>, ProviderError> {
        match prompt {
            CandlePrompt::Raw(text) => {
                let ids = self.dialect().encode_rendered(text)?;
                if ids.is_empty() {
                    let path = self.loaded.path.clone();
                    return Err(ProviderError::NothingToContinue { path });
                }
                Ok(ids)
            }
            prompt => {
                let messages = prompt.messages().unwrap_or_default();
                let text = self.render_with_tools(messages, tools)?;
                self.dialect().encode_rendered(&text)
            }
        }
    }
}

impl CandleCompletionModel for LocalProvider {
    fn prompt(
        &self,
        prompt: CandlePrompt,
        params: &CandleCompletionParams,
    ) -> AsyncStream<Result<CandleCompletionChunk, EngineError>> {
        match self.check(&prompt, params) {
            Ok((request, generation)) => {
                let engine = &self.loaded.engine;
                engine.coordinate_generation(request, move || generation.generate())
            }
            Err(error) => self.loaded.engine.refuse(error),
        }
    }

    fn name(&self) -> &str {
        &self.loaded.name
    }

    fn context_length(&self) -> usize {
        self.loaded.context
    }

    fn count_tokens(&self, prompt: &CandlePrompt) -> Result<usize, EngineError> {
        let params = CandleCompletionParams::default();
        Request::for_capabilities(prompt, &params, self.capabilities())?;
        Ok(self.encode(prompt)?.len())
    }

    fn count_request(
        &self,
        prompt: &CandlePrompt,
        params: &CandleCompletionParams,
    ) -> Result<usize, EngineError> {
        Request::for_capabilities(prompt, params, self.capabilities())?;
        let Some(messages) = prompt.messages() else {
            return self.count_tokens(prompt);
        };
        let text = self.dialect().render_for(messages, params)?;
        Ok(self.dialect().encode_rendered(&text)?.len())
    }

    fn capabilities(&self) -> Capabilities {
        let chat = self.template().is_ok();
        Capabilities::local(chat)
            .with_tools(self.output_format().is_ok())
            .with_embeddings(self.loaded.vectors.is_some())
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Embeddings, EngineError>> {
        let Some(Vectors { pooling, end }) = self.loaded.vectors else {
            let provider = self.loaded.name.clone();
            return ready(Err(EngineError::EmbeddingsUnsupported { provider })).boxed();
        };
        let encode = |text: &String| {
            let mut ids = self.dialect().encode_rendered(text)?;
            if ids.is_empty() {
                return Err(EngineError::EmptyPrompt);
            }
            if let Some(end) = end
                && ids.last() != Some(&end)
            {
                ids.push(end);
            }
            Ok(PromptInput::Tokens(ids))
        };
        let texts = match texts.iter().map(encode).collect::<Result<_, EngineError>>() {
            Ok(texts) => texts,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let rows = self.loaded.generator.embed(texts, pooling);
        rows.map(|told| {
            let TextEmbeddings { mut rows, tokens } = told?;
            for row in &mut rows {
                normalize(row);
            }
            Ok(Embeddings {
                vectors: rows,
                prompt_tokens: tokens,
            })
        })
        .boxed()
    }
}

/// The context that is asked for, which the model has to be able to hold.
fn context(asked: Option<usize>, most: usize) -> Result<usize, EngineError> {
    match asked {
        Some(tokens) if !(2..=most).contains(&tokens) => Err(EngineError::InvalidConfig {
            field: "context",
            value: format!("{tokens} where the model holds {most}"),
            expected: "at least 2 and no more than the model holds",
        }),
        asked => Ok(asked.unwrap_or(most)),
    }
}

/// Gives a vector the length 1; one of zeros stays.
fn normalize(row: &mut [f32]) {
    let length = row
        .iter()
        .map(|&entry| f64::from(entry).powi(2))
        .sum::<f64>()
        .sqrt();
    if length > 0.0 {
        for entry in row {
            *entry = (f64::from(*entry) / length) as f32;
        }
    }
}

/// How a text becomes a vector.
#[derive(Clone, Copy, Debug)]
struct Vectors {
    pooling: Pooling,
    /// What the model wants behind a text.
    end: Option<u32>,
}

impl Vectors {
    /// What the file says: `pooling_type` of its architecture, where 1 is the mean, 2 the first and 3 the last, and the mean
    /// where it says nothing; and whether texts end with the end token. `None` where it asks for something else, which
    /// vectors of the usual kind must not be taken for.
    fn of(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Option<Self> {
        if checkpoint.has_pooling_config() {
            return None;
        }
        let (mut pooling, mut end) = (Pooling::Mean, None);
        if let Some(file) = checkpoint.gguf() {
            let metadata = file.metadata();
            let architecture = metadata.str("general.architecture").ok()?;
            pooling = match metadata.u32_opt(&format!("{architecture}.pooling_type")).ok()? {
                None | Some(1) => Pooling::Mean,
                Some(2) => Pooling::First,
                Some(3) => Pooling::Last,
                Some(_) => return None,
            };
            let ends = metadata.bool_opt("tokenizer.ggml.add_eos_token").ok()?;
            end = tokenizer.eos().filter(|_| ends == Some(true));
        }
        Some(Self { pooling, end })
    }
}

/// What goes wrong with a prompt is the caller's, or the model's: no reason to stop sending requests.
impl From<ProviderError> for EngineError {
    fn from(error: ProviderError) -> Self {
        EngineError::backend(BackendErrorKind::Request, error)
    }
}
