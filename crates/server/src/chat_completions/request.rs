//! What a chat may ask for.
//!
//! **Every field is honoured, or refused by name, or listed as unused**, and only what cannot change the answer is unused.

use engine::{CandleCompletionParams, CandlePrompt};
use serde_json::{Map, Value};

use crate::bounds::TOP;
use crate::chat_completions::Message;
use crate::draws::{check_settled, with_draws};
use crate::error::{CONSTRAINT, Failure, bounded};
use crate::format::ResponseFormat;
use crate::logprobs::Spelling;
use crate::model::Model;
use crate::shape::{NameOr, always_schema, check_any, check_biases, never_schema, only_words, unused};
use crate::tools::{self, ChoiceMode, NamedTool, Tool};

only_words!(Modality);

with_draws! {
    /// A chat that is to be answered.
    pub(crate) struct ChatRequest {
        /// The id of the model.
        pub(crate) model: String,
        /// The chat, oldest message first.
        #[schema(min_items = 1)]
        messages: Vec<Message>,
        /// The same as `max_tokens`, by its later name.
        #[schema(minimum = 1, maximum = 4294967295_i64)]
        max_completion_tokens: Option<i64>,
        /// What the model may call.
        tools: Option<Vec<Tool>>,
        /// Whether it calls them.
        tool_choice: Option<NameOr<ChoiceMode, NamedTool>>,
        /// Whether one answer may call several.
        parallel_tool_calls: Option<bool>,
        /// What the answer has to be.
        response_format: Option<ResponseFormat>,
        /// Whether log-probabilities of the tokens are told.
        logprobs: Option<bool>,
        /// Of how many most probable tokens in each place.
        #[schema(minimum = 0, maximum = 20)]
        top_logprobs: Option<i64>,
        /// How much the model thinks, in the words of its chat template.
        reasoning_effort: Option<String>,
        /// Variables of the chat template, such as `enable_thinking`. An extension.
        #[schema(value_type = Option<Object>)]
        chat_template_kwargs: Option<Map<String, Value>>,
        /// Of the kinds of answers there is text alone.
        #[allow(dead_code, reason = "there is one kind")]
        modalities: Option<Vec<Modality>>,
        /// Nothing is stored.
        #[schema(schema_with = never_schema)]
        store: Option<bool>,
        /// Not used.
        #[schema(value_type = Option<Object>)]
        metadata: Option<Map<String, Value>>,
        /// Not used.
        service_tier: Option<String>,
        /// Not used: what begins alike is found by itself.
        prompt_cache_key: Option<String>,
        /// Not used.
        prompt_cache_retention: Option<String>,
        /// Not used.
        safety_identifier: Option<String>,
        /// Not used: guesses are made from the context.
        #[schema(value_type = Option<Object>)]
        prediction: Option<Map<String, Value>>,
        /// An answer always begins after the chat. In SGLang's words.
        #[schema(schema_with = never_schema)]
        continue_final_message: Option<bool>,
        /// What the model thinks is told apart from what it says. In SGLang's words.
        #[schema(schema_with = always_schema)]
        separate_reasoning: Option<bool>,
        /// What the model thinks is told as it comes. In SGLang's words.
        #[schema(schema_with = always_schema)]
        stream_reasoning: Option<bool>,
    }
}

/// A kind of answer.
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub(crate) enum Modality {
    Text,
}

/// What a chat asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) prompt: CandlePrompt,
    pub(crate) params: CandleCompletionParams,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    /// For the log-probabilities, where there will be some.
    pub(crate) spelling: Option<Spelling>,
    /// The field that says what the answer has to be.
    pub(crate) constrained_by: &'static str,
    pub(crate) unused: Vec<&'static str>,
}

impl ChatRequest {
    /// What it asks for.
    ///
    /// # Errors
    ///
    /// Status 400 with the field that cannot be followed.
    pub(crate) fn asked(self, model: &Model) -> Result<Asked, Failure> {
        let unused = self.unused();
        check_settled(&[
            ("continue_final_message", self.continue_final_message, false),
            ("separate_reasoning", self.separate_reasoning, true),
            ("stream_reasoning", self.stream_reasoning, true),
        ])?;
        let mut params = self.draws().params(model)?;
        check_biases(&params.sampling)?;
        params.max_tokens = self.most_tokens(params.max_tokens)?;
        let stream = self.stream.unwrap_or(false);
        if self.stream_options.is_some() && !stream {
            let message = "stream_options goes with stream alone";
            return Err(Failure::field("stream_options", message));
        }
        if self.store == Some(true) {
            return Err(Failure::unsupported(
                "store",
                "store is true, and nothing is stored here",
            ));
        }
        params.logprobs = self.top()?;
        let spelling = match params.logprobs {
            Some(_) => {
                let as_ids = self.return_tokens_as_token_ids.unwrap_or(false);
                Some(Spelling::new(model.spelling("logprobs")?.clone(), as_ids))
            }
            None => None,
        };
        if let Some(constraint) = self
            .response_format
            .as_ref()
            .map(ResponseFormat::constraint)
            .transpose()?
        {
            if constraint.is_some() && params.constraint.is_some() {
                let message = "structured_outputs and response_format both say what the answer has to be";
                return Err(Failure::field("structured_outputs", message));
            }
            params.constraint = constraint.or(params.constraint);
        }
        let constrained_by = match (&self.structured_outputs, &params.constraint) {
            (Some(_), _) => "structured_outputs",
            (None, Some(_)) => CONSTRAINT,
            // The schemas of tools are followed as well.
            (None, None) => "tools",
        };
        params.tools = tools::declared(self.tools.into_iter().flatten(), ".function.parameters")?;
        params.tool_choice = self.tool_choice.map(tools::choice).unwrap_or_default();
        params.parallel_tool_calls = self.parallel_tool_calls.filter(|_| !params.tools.is_empty());
        params.reasoning_effort = self.reasoning_effort;
        params.template_variables = self.chat_template_kwargs.unwrap_or_default();
        params.validate()?;
        Ok(Asked {
            prompt: CandlePrompt::Chat(chat(self.messages)?),
            params,
            stream,
            include_usage: self
                .stream_options
                .and_then(|options| options.include_usage)
                .unwrap_or(false),
            spelling,
            constrained_by,
            unused,
        })
    }

    fn most_tokens(&self, older: Option<u32>) -> Result<Option<u32>, Failure> {
        let field = "max_completion_tokens";
        let later = bounded(field, self.max_completion_tokens, 1, i64::from(u32::MAX))?;
        match (older, later) {
            (Some(older), Some(later)) if older != later => Err(Failure::field(
                field,
                format!("{field} is {later} and max_tokens is {older}, expected one of them"),
            )),
            (older, later) => Ok(later.or(older)),
        }
    }

    /// How many log-probabilities are told with each token.
    fn top(&self) -> Result<Option<u32>, Failure> {
        let top = bounded("top_logprobs", self.top_logprobs, 0, TOP)?;
        match (self.logprobs.unwrap_or(false), top) {
            (true, top) => Ok(Some(top.unwrap_or(0))),
            (false, None) => Ok(None),
            (false, Some(_)) => Err(Failure::field(
                "top_logprobs",
                "top_logprobs goes with logprobs alone, which is not true",
            )),
        }
    }

    fn unused(&self) -> Vec<&'static str> {
        let obfuscation = self
            .stream_options
            .is_some_and(|options| options.include_obfuscation.is_some());
        let thought = self
            .messages
            .iter()
            .any(|message| message.reasoning_content.is_some());
        let described = self
            .response_format
            .as_ref()
            .is_some_and(ResponseFormat::is_described);
        let declared = self.tools.as_ref().is_some_and(|tools| !tools.is_empty())
            && !matches!(self.tool_choice, Some(NameOr::Name(ChoiceMode::None)));
        let as_ids = self.return_tokens_as_token_ids.is_some() && self.logprobs != Some(true);
        unused([
            (
                "parallel_tool_calls",
                self.parallel_tool_calls.is_some() && !declared,
            ),
            ("return_tokens_as_token_ids", as_ids),
            ("user", self.user.is_some()),
            ("metadata", self.metadata.is_some()),
            ("service_tier", self.service_tier.is_some()),
            ("prompt_cache_key", self.prompt_cache_key.is_some()),
            ("prompt_cache_retention", self.prompt_cache_retention.is_some()),
            ("safety_identifier", self.safety_identifier.is_some()),
            ("prediction", self.prediction.is_some()),
            ("stream_options.include_obfuscation", obfuscation),
            ("messages.reasoning_content", thought),
            ("response_format.json_schema.description", described),
        ])
    }
}

/// The messages of a chat, of which there has to be one, as the engine takes them.
pub(crate) fn chat(said: Vec<Message>) -> Result<Vec<engine::Message>, Failure> {
    check_any("messages", &said)?;
    let read = said.into_iter().enumerate();
    read.map(|(index, message)| message.read(index)).collect()
}

/// Messages that are kept, as the engine takes them: one with what nothing keeps is refused.
pub(crate) fn messages(messages: Vec<Message>) -> Result<Vec<engine::Message>, Failure> {
    let read = messages.into_iter().enumerate().map(|(index, message)| {
        if message.reasoning_content.is_some() {
            let field = format!("messages[{index}].reasoning_content");
            let message = "what the model thought is kept with its turn alone";
            return Err(Failure::unsupported(field, message));
        }
        message.read(index)
    });
    read.collect()
}
