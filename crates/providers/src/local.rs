//! A provider for any one model on disk: its weights, its tokenizer and the chat template it carries.
//!
//! It owns one invariant: the prompt a model sees is the model's own. A chat is rendered by the template that
//! came with it or refused, never by a guessed one, and a start token stands at most once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use engine::{
    AsyncStream, BackendErrorKind, CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams,
    CandlePrompt, Capabilities, Engine, EngineConfig, EngineError, Message, OutputParser, PlainText, Request,
    ToolDefinition,
};
use generator::{
    Basis, CheckedRequest, GenerateRequest, LogprobsConfig, PromptInput, SpecialTokens, TextGenerator,
};
use models::{Checkpoint, LoadOptions, ModelFactory};

use crate::error::ProviderError;
use crate::output::{OutputFormat, Thinking};
use crate::progress::{ProgressEvent, ProgressHub};
use crate::sampling;
use crate::template::{ChatTemplate, Variables, conversation};

/// Tokens guessed at once where a request does not say.
const DRAFT: usize = 16;

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
    generator: TextGenerator,
    engine: Engine,
    template: Template,
    special: SpecialTokens,
}

/// The chat template of a model.
enum Template {
    Absent,
    Parsed(ChatTemplate),
    /// It does not parse; raw prompts work all the same.
    Unusable(Arc<ProviderError>),
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
        let path = path.as_ref();
        progress.send(&ProgressEvent::Resolve {
            path: path.to_owned(),
        });
        let open = || Checkpoint::open(path).map_err(ProviderError::File);
        Self::load_opened(open, options, progress)
    }

    /// Loads what `open` gives, and tells `progress` how it ended.
    pub(crate) fn load_opened(
        open: impl FnOnce() -> Result<Checkpoint, ProviderError>,
        options: LoadOptions,
        progress: &ProgressHub,
    ) -> Result<Self, ProviderError> {
        let started = Instant::now();
        let provider = open().and_then(|checkpoint| Self::load_model(&checkpoint, options, progress));
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
        options: LoadOptions,
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
        let tokenizer = checkpoint.tokenizer().map_err(failed)?;
        let model = ModelFactory::load(checkpoint, options, &mut |load| {
            progress.send(&ProgressEvent::Load {
                done: load.done,
                total: load.total,
            });
        })
        .map_err(failed)?;
        let template = match tokenizer.chat_template().map(ChatTemplate::parse) {
            None => Template::Absent,
            Some(Ok(template)) => Template::Parsed(template),
            Some(Err(error)) => Template::Unusable(Arc::new(error)),
        };
        let name = name_of(checkpoint);
        let special = SpecialTokens {
            eos: tokenizer.end_of_generation().to_vec(),
        };
        let sampling = sampling::defaults(checkpoint).map_err(failed)?;
        let generator = TextGenerator::new(model, tokenizer, options.device, sampling)?;
        let engine = Engine::new(EngineConfig::named(name.clone()))?;
        let path = path.to_owned();
        Ok(Self {
            loaded: Arc::new(Loaded {
                name,
                path,
                generator,
                engine,
                template,
                special,
            }),
        })
    }

    /// Where the model was loaded from.
    pub fn path(&self) -> &Path {
        &self.loaded.path
    }

    /// The generator that owns the model.
    pub fn text_generator(&self) -> &TextGenerator {
        &self.loaded.generator
    }

    /// The engine that counts and admits this provider's requests.
    pub fn engine(&self) -> &Engine {
        &self.loaded.engine
    }

    /// The model's chat template.
    ///
    /// # Errors
    ///
    /// [`ProviderError::NoTemplate`] where it has none, [`ProviderError::UnusableTemplate`] where it
    /// does not parse.
    pub fn template(&self) -> Result<&ChatTemplate, ProviderError> {
        match &self.loaded.template {
            Template::Parsed(template) => Ok(template),
            Template::Absent => Err(ProviderError::NoTemplate {
                path: self.loaded.path.clone(),
            }),
            Template::Unusable(error) => Err(ProviderError::UnusableTemplate {
                path: self.loaded.path.clone(),
                source: Arc::clone(error),
            }),
        }
    }

    /// The format in which the model writes calls of tools, as its chat template tells.
    ///
    /// # Errors
    ///
    /// Those of [`Self::template`], [`ProviderError::TemplateWithoutTools`], and
    /// [`ProviderError::UnknownToolFormat`] where there is no parser for it.
    pub fn output_format(&self) -> Result<OutputFormat, ProviderError> {
        let source = self.template()?.source();
        let path = || self.loaded.path.clone();
        if !source.contains("tools") {
            return Err(ProviderError::TemplateWithoutTools { path: path() });
        }
        OutputFormat::of_template(source).ok_or_else(|| ProviderError::UnknownToolFormat { path: path() })
    }

    /// The text of the prompt that the model is given for `messages`, special tokens spelled out.
    ///
    /// # Errors
    ///
    /// Those of [`Self::template`] and [`ChatTemplate::render`].
    pub fn render(&self, messages: &[Message]) -> Result<String, ProviderError> {
        self.render_with(messages, &Variables::new())
    }

    /// [`Self::render`] with further variables for the template, such as `date_string`; one that the prompt is
    /// made of anyway, such as `add_generation_prompt`, takes the value given here.
    ///
    /// # Errors
    ///
    /// Those of [`Self::render`].
    pub fn render_with(&self, messages: &[Message], further: &Variables) -> Result<String, ProviderError> {
        let tokenizer = self.loaded.generator.tokenizer();
        let spelled = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id));
        let mut variables = Variables::new();
        variables.insert("messages".to_owned(), conversation::messages(messages));
        variables.insert("add_generation_prompt".to_owned(), true.into());
        for (name, text) in [
            ("bos_token", spelled(tokenizer.bos())),
            ("eos_token", spelled(tokenizer.eos())),
        ] {
            // A template that prints a token the tokenizer lacks prints nothing.
            variables.insert(name.to_owned(), text.unwrap_or_default().into());
        }
        variables.extend(further.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.template()?.render(&variables)
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
        let mut further = Variables::new();
        // A template takes an empty list of tools for tools.
        if !tools.is_empty() {
            self.output_format()?;
            further.insert("tools".to_owned(), conversation::tools(tools));
        }
        self.render_with(messages, &further)
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
                let ids = self.encode_rendered(text)?;
                if ids.is_empty() {
                    let path = self.loaded.path.clone();
                    return Err(ProviderError::NothingToContinue { path });
                }
                Ok(ids)
            }
            prompt => {
                let messages = prompt.messages().unwrap_or_default();
                self.encode_rendered(&self.render_with_tools(messages, tools)?)
            }
        }
    }

    /// The token ids of a prompt's text: names of special tokens stand for those tokens, and the start token
    /// comes first where the tokenizer adds one and the text does not bring it along.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Encode`].
    pub fn encode_rendered(&self, text: &str) -> Result<Vec<u32>, ProviderError> {
        let tokenizer = self.loaded.generator.tokenizer();
        tokenizer.encode_prompt(text).map_err(ProviderError::Encode)
    }

    /// What reads the answer to a chat that was rendered as `prompt`, if anything in it is more than text: calls of tools
    /// where there are some, reasoning where the template knows it.
    fn parser(
        &self,
        messages: &[Message],
        tools: &[ToolDefinition],
        prompt: &str,
    ) -> Result<Option<Box<dyn OutputParser>>, ProviderError> {
        let thinks = self.template()?.source().contains("</think>");
        if tools.is_empty() {
            let thinking = || Thinking::new(Box::new(PlainText)).after_prompt(prompt);
            return Ok(thinks.then(|| Box::new(thinking()) as Box<dyn OutputParser>));
        }
        let format = self.output_format()?;
        let parser: Box<dyn OutputParser> = match (thinks, format) {
            // It writes reasoning that its template leaves to the tokens.
            (true, _) | (_, OutputFormat::KimiK2) => {
                Box::new(format.parser_with_reasoning(tools, messages, prompt))
            }
            (false, _) => format.parser(tools, messages),
        };
        Ok(Some(parser))
    }

    /// Everything about a request that can be known to be wrong before the model works on it.
    fn check(
        &self,
        prompt: &CandlePrompt,
        params: &CandleCompletionParams,
    ) -> Result<(Request, CheckedRequest), EngineError> {
        let mut request =
            Request::for_capabilities(prompt, params, self.capabilities()).map_err(|error| {
                // The model itself knows better why it takes no tools.
                match (&error, self.output_format()) {
                    (EngineError::ToolsUnsupported { .. }, Err(reason)) => reason.into(),
                    _ => error,
                }
            })?;
        let ids = match prompt.messages() {
            Some(messages) => {
                let text = self.render_with_tools(messages, &params.tools)?;
                if let Some(parser) = self.parser(messages, &params.tools, &text)? {
                    request = request.with_parser(parser);
                }
                self.encode_rendered(&text)?
            }
            None => self.encode(prompt)?,
        };
        let request = request.with_prompt_tokens(ids.len(), self.context_length())?;
        let sampling = params.sampling(self.loaded.generator.sampling());
        let special = if params.ignore_eos {
            SpecialTokens::default()
        } else {
            self.loaded.special.clone()
        };
        let generation = GenerateRequest {
            prompt: PromptInput::Tokens(ids),
            max_tokens: params.max_tokens,
            min_tokens: params.min_tokens.unwrap_or(0),
            special,
            stop: params.stop.clone(),
            sampling,
            choices: params.choices.unwrap_or(1),
            logprobs: params.logprobs.map(|top| LogprobsConfig {
                top: usize::try_from(top).unwrap_or(usize::MAX),
                basis: Basis::Model,
            }),
            score_prompt: params
                .score_prompt
                .map(|top| usize::try_from(top).unwrap_or(usize::MAX)),
            constraint: params.constraint.clone(),
            draft: params
                .draft
                .map_or(DRAFT, |draft| usize::try_from(draft).unwrap_or(usize::MAX)),
            deadline: None,
        };
        Ok((request, self.loaded.generator.check(generation)?))
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
        self.loaded.generator.capabilities().context
    }

    fn count_tokens(&self, prompt: &CandlePrompt) -> Result<usize, EngineError> {
        let params = CandleCompletionParams::default();
        Request::for_capabilities(prompt, &params, self.capabilities())?;
        Ok(self.encode(prompt)?.len())
    }

    fn capabilities(&self) -> Capabilities {
        let chat = matches!(self.loaded.template, Template::Parsed(_));
        Capabilities::local(chat).with_tools(self.output_format().is_ok())
    }
}

/// What goes wrong with a prompt is the caller's, or the model's: no reason to stop sending requests.
impl From<ProviderError> for EngineError {
    fn from(error: ProviderError) -> Self {
        EngineError::backend(BackendErrorKind::Request, error)
    }
}

/// The model's own name, else that of its file or folder.
fn name_of(checkpoint: &Checkpoint) -> String {
    if let Some(name) = checkpoint.outline().name
        && !name.trim().is_empty()
    {
        return name;
    }
    let path = checkpoint.path();
    // `.` and `..` have no name of their own.
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if whole.is_dir() {
        whole.file_name()
    } else {
        path.file_stem()
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}
