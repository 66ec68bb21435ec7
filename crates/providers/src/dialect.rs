//! How a model is talked to, as its files and its family say: tokenizer, chat template, format of its calls.
//!
//! It needs no weights: a prompt can be looked at without loading the model.

use std::path::PathBuf;
use std::sync::Arc;

use engine::{
    CandleCompletionParams, Constraint, EngineError, Message, OutputParser, PlainText, Role, ToolDefinition,
};
use models::{Checkpoint, ModelError, Tokenizer};
use serde_json::Value;

use crate::error::ProviderError;
use crate::family::Family;
use crate::output::{Calls, OutputFormat, Reasoning, Thinking};
use crate::template::{ChatTemplate, Variables, conversation};

/// The variable that has an answer continued: where it is true, the model goes on in the chat's last message, which is its
/// own, and begins none. No template sees it.
pub const CONTINUE: &str = "continue_final_message";

/// How a model is talked to.
#[derive(Debug)]
pub struct Dialect {
    path: PathBuf,
    family: &'static Family,
    tokenizer: Tokenizer,
    template: Template,
}

/// The chat template of a model.
#[derive(Debug)]
enum Template {
    Absent,
    Parsed(ChatTemplate),
    /// It does not parse; raw prompts work all the same.
    Unusable(Arc<ProviderError>),
}

impl Dialect {
    /// The dialect of a model, with what its family adds.
    ///
    /// # Errors
    ///
    /// [`ProviderError::OtherFamily`] where it is none of the family's, [`ProviderError::Load`] where its tokenizer cannot
    /// be used.
    pub fn of(checkpoint: &Checkpoint, family: &'static Family) -> Result<Self, ProviderError> {
        family.check(checkpoint)?;
        let path = checkpoint.path().to_owned();
        let read = checkpoint.tokenizer().map_err(|source| ProviderError::Load {
            path: path.clone(),
            source,
        })?;
        let source = read.chat_template().or(family.template);
        let tokenizer = read.showing(&marks(source, family));
        let template = match source.map(ChatTemplate::parse) {
            None => Template::Absent,
            Some(Ok(template)) => Template::Parsed(template),
            Some(Err(error)) => Template::Unusable(Arc::new(error)),
        };
        Ok(Self {
            path,
            family,
            tokenizer,
            template,
        })
    }

    /// The family that the model was opened as.
    pub fn family(&self) -> &'static Family {
        self.family
    }

    /// The model's tokenizer, which shows the marks of its format.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The model's chat template.
    ///
    /// # Errors
    ///
    /// [`ProviderError::NoTemplate`] where it has none, [`ProviderError::UnusableTemplate`] where it
    /// does not parse.
    pub fn template(&self) -> Result<&ChatTemplate, ProviderError> {
        match &self.template {
            Template::Parsed(template) => Ok(template),
            Template::Absent => Err(ProviderError::NoTemplate {
                path: self.path.clone(),
            }),
            Template::Unusable(error) => Err(ProviderError::UnusableTemplate {
                path: self.path.clone(),
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
        let path = || self.path.clone();
        if !source.contains("tools") {
            return Err(ProviderError::TemplateWithoutTools { path: path() });
        }
        let format = OutputFormat::of_template(source).or(self.family.format);
        format.ok_or_else(|| ProviderError::UnknownToolFormat { path: path() })
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
        let tokenizer = &self.tokenizer;
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

    /// The text of the prompt that the model is given for `messages` under these parameters: their tools are declared as
    /// far as the model may call them, and their variables reach the template. With [`CONTINUE`] it ends in the last
    /// message, behind reasoning that is closed where the template opens some.
    ///
    /// # Errors
    ///
    /// Those of [`Self::render_with`]; [`ProviderError::UnreadVariable`] for the first variable that the template does not
    /// read, and for [`CONTINUE`] where the last message is no answer, or one that calls tools; where there are tools, also
    /// those of [`Self::output_format`].
    pub fn render_for(
        &self,
        messages: &[Message],
        params: &CandleCompletionParams,
    ) -> Result<String, ProviderError> {
        let mut further: Variables = params.template_variables.clone();
        if let Some(effort) = &params.reasoning_effort {
            further.insert("reasoning_effort".to_owned(), effort.as_str().into());
        }
        let (messages, begun) = match further.remove(CONTINUE) {
            None | Some(Value::Bool(false)) => (messages, None),
            Some(wanted) => match messages.split_last() {
                Some((last, before)) if wanted == true && is_open(last) => (before, Some(&last.content)),
                _ => return Err(self.unread(CONTINUE)),
            },
        };
        let template = self.template()?;
        if let Some(name) = further.keys().find(|name| !template.reads(name)) {
            return Err(self.unread(name));
        }
        let tools = params.declared_tools();
        // A template takes an empty list of tools for tools.
        if !tools.is_empty() {
            self.output_format()?;
            further.insert("tools".to_owned(), conversation::tools(tools));
        }
        let mut text = self.render_with(messages, &further)?;
        if let Some(begun) = begun {
            if text.trim_end().ends_with("<think>") {
                text.push_str("\n</think>\n\n");
            }
            text.push_str(begun);
        }
        Ok(text)
    }

    fn unread(&self, name: &str) -> ProviderError {
        ProviderError::UnreadVariable {
            path: self.path.clone(),
            name: name.to_owned(),
        }
    }

    /// The token ids of a prompt's text: names of special tokens stand for those tokens, and the start token
    /// comes first where the tokenizer adds one and the text does not bring it along.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Encode`].
    pub fn encode_rendered(&self, text: &str) -> Result<Vec<u32>, ProviderError> {
        let tokenizer = &self.tokenizer;
        tokenizer.encode_prompt(text).map_err(ProviderError::Encode)
    }

    /// What reads the answer to a chat that was rendered as `prompt`, if anything in it is more than text: calls of tools
    /// where there are some, reasoning where the template knows it.
    pub(crate) fn parser(
        &self,
        messages: &[Message],
        tools: &[ToolDefinition],
        prompt: &str,
    ) -> Result<Option<Box<dyn OutputParser>>, ProviderError> {
        let thinks = self.thinks()?;
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

    fn thinks(&self) -> Result<bool, ProviderError> {
        Ok(self.template()?.source().contains("</think>"))
    }

    /// What the answer to a chat that was rendered as `prompt` has to be.
    pub(crate) fn constraint(
        &self,
        messages: &[Message],
        params: &CandleCompletionParams,
        prompt: &str,
    ) -> Result<Option<Constraint>, EngineError> {
        let reasoning = match self.thinks()? {
            false => Reasoning::Never,
            true if prompt.trim_end().ends_with("<think>") => Reasoning::Opened,
            true => Reasoning::Possible,
        };
        let calls = Calls {
            tools: params.declared_tools(),
            choice: &params.tool_choice,
            parallel: params.parallel_tool_calls,
            before: messages.iter().map(|message| message.tool_calls.len()).sum(),
            content: params.constraint.as_ref(),
            reasoning,
            tokenizer: &self.tokenizer,
        };
        if calls.tools.is_empty() {
            return calls.content_alone();
        }
        let constraint = self.output_format()?.constraint(&calls)?;
        Ok(constraint.or_else(|| params.constraint.clone()))
    }

    /// The tokens that end an answer: those that the tokenizer knows, those of `generation_config.json`, and those of the
    /// family.
    pub(crate) fn ends(&self, checkpoint: &Checkpoint) -> Result<Vec<u32>, ModelError> {
        let mut ends = self.tokenizer.end_of_generation().to_vec();
        let config = checkpoint.generation_config()?.unwrap_or_default();
        let told = match &config["eos_token_id"] {
            Value::Array(ids) => ids.as_slice(),
            one => std::slice::from_ref(one),
        };
        let told = told
            .iter()
            .filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()));
        let named = self
            .family
            .ends
            .iter()
            .filter_map(|name| self.tokenizer.token_id(name));
        ends.extend(told.chain(named));
        ends.sort_unstable();
        ends.dedup();
        Ok(ends)
    }
}

/// Whether the model can go on in a message.
fn is_open(message: &Message) -> bool {
    message.role == Role::Assistant && message.tool_calls.is_empty()
}

/// Names of the tokens that have to be shown for the output of a model with this template to be read.
fn marks(template: Option<&str>, family: &Family) -> Vec<&'static str> {
    let format = template.and_then(OutputFormat::of_template).or(family.format);
    let mut marks = format.map(OutputFormat::marks).unwrap_or_default().to_vec();
    marks.extend(["<think>", "</think>"]);
    marks
}
