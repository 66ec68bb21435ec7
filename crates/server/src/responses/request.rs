//! What a response may be asked for.

use engine::{
    CandleCompletionParams, CandlePrompt, Constraint, Message, Sampling, ToolChoice, ToolDefinition,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::item::{self, Idle, InputItem};
use crate::bounds::TOP;
use crate::draws;
use crate::error::{Failure, bounded};
use crate::format::{FormatKind, json_schema};
use crate::logprobs::Spelling;
use crate::model::Model;
use crate::shape::{
    NameOr, Nothing, OneOrMany, check_any, never_schema, null_schema, only, only_objects, only_words, unused,
};
use crate::tools::{self, ChoiceMode, FunctionKind, no_arguments};

only_objects!(
    ResponseRequest,
    FlatTool,
    FlatChoice,
    ReasoningOptions,
    TextOptions,
    TextFormat,
    EventOptions
);
only_words!(Included, Truncation);

/// An input that is to be answered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct ResponseRequest {
    /// The id of the model.
    pub(crate) model: String,
    /// What the user says, or all that was said, oldest first.
    input: OneOrMany<InputItem>,
    /// What the model is told before the input.
    instructions: Option<String>,
    /// Most tokens to generate. Absent: 1,000, or what the context has room for.
    #[schema(minimum = 1, maximum = 4294967295_i64)]
    max_output_tokens: Option<i64>,
    /// Divides the logits: 0 always takes the most probable token. Absent: the model's.
    #[schema(minimum = 0)]
    temperature: Option<f32>,
    /// Keeps the most probable tokens up to this probability.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Keeps this many of the most probable tokens; 0 and -1 keep all. An extension.
    #[schema(minimum = -1, maximum = 2147483647)]
    top_k: Option<i64>,
    /// Keeps tokens of at least this share of the largest probability; 0 keeps all. An extension.
    #[schema(minimum = 0, maximum = 1)]
    min_p: Option<f32>,
    /// Makes less probable what stands in the text already; 1 changes nothing. An extension.
    #[schema(minimum = 0.01, maximum = 100)]
    repetition_penalty: Option<f32>,
    /// The same seed and request give the same answer. An extension.
    #[schema(minimum = 0)]
    seed: Option<i64>,
    /// What the model may call.
    tools: Option<Vec<FlatTool>>,
    /// Whether it calls them.
    tool_choice: Option<NameOr<ChoiceMode, FlatChoice>>,
    /// Whether one answer may call several.
    parallel_tool_calls: Option<bool>,
    /// What the answer has to be.
    text: Option<TextOptions>,
    /// How much the model thinks.
    reasoning: Option<ReasoningOptions>,
    /// Variables of the chat template, such as `enable_thinking`. An extension.
    #[schema(value_type = Option<Object>)]
    chat_template_kwargs: Option<Map<String, Value>>,
    /// What else is told.
    include: Option<Vec<Included>>,
    /// Of how many most probable tokens log-probabilities are told, where they are included.
    #[schema(minimum = 0, maximum = 20)]
    top_logprobs: Option<i64>,
    /// Whether the answer comes piece by piece, as server-sent events.
    stream: Option<bool>,
    /// For streams.
    stream_options: Option<EventOptions>,
    /// Nothing is stored.
    #[schema(schema_with = never_schema)]
    store: Option<bool>,
    /// Answers are waited for.
    #[schema(schema_with = never_schema)]
    background: Option<bool>,
    /// Nothing is cut from an input.
    truncation: Option<Truncation>,
    /// Nothing is stored that it could name.
    #[schema(schema_with = null_schema)]
    #[allow(dead_code, reason = "it is nothing")]
    previous_response_id: Option<Nothing>,
    /// Nothing is stored that it could name.
    #[schema(schema_with = null_schema)]
    #[allow(dead_code, reason = "it is nothing")]
    conversation: Option<Nothing>,
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
    /// Not used.
    user: Option<String>,
    /// Requests are answered in their order. In SGLang's words.
    #[schema(minimum = 0, maximum = 0)]
    priority: Option<i64>,
}

/// A tool that the model may call.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct FlatTool {
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of tools")]
    kind: FunctionKind,
    /// 1 to 64 of letters, digits, `_`, `.` and `-`.
    #[schema(pattern = "^[A-Za-z0-9_.-]{1,64}$")]
    name: String,
    /// What it does, for the model to read.
    description: Option<String>,
    /// A JSON schema of its arguments. Absent: it takes none.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// Whether calls are held to the schema while they are written. Absent: they are not.
    strict: Option<bool>,
}

/// The tool that has to be called.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct FlatChoice {
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of tools")]
    kind: FunctionKind,
    name: String,
}

/// How much the model thinks.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct ReasoningOptions {
    /// In the words of its chat template.
    effort: Option<String>,
    /// Not supported: what it thinks is told whole.
    #[schema(schema_with = null_schema)]
    #[allow(dead_code, reason = "it is nothing")]
    summary: Option<Nothing>,
}

/// What the answer has to be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct TextOptions {
    format: Option<TextFormat>,
}

/// Anything, any object, or what a schema allows.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct TextFormat {
    #[serde(rename = "type")]
    kind: FormatKind,
    /// Not used.
    name: Option<String>,
    /// Not used.
    description: Option<String>,
    /// Of `json_schema`.
    #[schema(value_type = Option<Object>)]
    schema: Option<Value>,
    /// Answers are held to the schema either way.
    #[allow(dead_code, reason = "what it asks for is always so")]
    strict: Option<bool>,
}

/// What else may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub(crate) enum Included {
    #[serde(rename = "message.output_text.logprobs")]
    Logprobs,
    /// Not used: what the model thinks is told as it is.
    #[serde(rename = "reasoning.encrypted_content")]
    Encrypted,
}

/// Options of a stream.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct EventOptions {
    /// Not used: nothing is put into events to hide their length.
    include_obfuscation: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub(crate) enum Truncation {
    Disabled,
}

/// What a response is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) prompt: CandlePrompt,
    pub(crate) params: CandleCompletionParams,
    pub(crate) instructions: Option<String>,
    pub(crate) stream: bool,
    pub(crate) spelling: Option<Spelling>,
    pub(crate) unused: Vec<&'static str>,
}

impl ResponseRequest {
    /// What it asks for.
    ///
    /// # Errors
    ///
    /// Status 400 with the field that cannot be followed.
    pub(crate) fn asked(mut self, model: &Model) -> Result<Asked, Failure> {
        let mut unused = self.unused();
        self.check_storing()?;
        only(
            "priority",
            self.priority.map(Value::from).as_ref(),
            &Value::from(0),
        )?;
        let stream = self.stream.unwrap_or(false);
        if self.stream_options.is_some() && !stream {
            let message = "stream_options goes with stream alone";
            return Err(Failure::field("stream_options", message));
        }
        let params = self.params()?;
        let spelling = match params.logprobs {
            Some(_) => Some(Spelling::new(model.spelling("include")?.clone(), false)),
            None => None,
        };
        let (said, idle) = match self.input {
            OneOrMany::One(text) => (vec![Message::user(text)], Idle::default()),
            OneOrMany::Many(items) => {
                check_any("input", &items)?;
                item::read(items)?
            }
        };
        unused.extend(idle.unused());
        let mut messages = Vec::new();
        messages.extend(self.instructions.as_deref().map(Message::system));
        messages.extend(said);
        Ok(Asked {
            prompt: CandlePrompt::Chat(messages),
            params,
            instructions: self.instructions,
            stream,
            spelling,
            unused,
        })
    }

    /// Refuses to store anything.
    fn check_storing(&self) -> Result<(), Failure> {
        let asked = [("store", self.store), ("background", self.background)];
        match asked.into_iter().find(|(_, value)| *value == Some(true)) {
            Some((field, _)) => {
                let message = format!("{field} is true, and nothing is stored here");
                Err(Failure::unsupported(field, message))
            }
            None => Ok(()),
        }
    }

    /// What it says of how it is answered; taken out of it.
    fn params(&mut self) -> Result<CandleCompletionParams, Failure> {
        let tools = self.tools.take().unwrap_or_default();
        let tools = tools::declared(tools, ".parameters")?;
        let most = i64::from(u32::MAX);
        let params = CandleCompletionParams {
            max_tokens: bounded("max_output_tokens", self.max_output_tokens, 1, most)?,
            temperature: self.temperature,
            sampling: Sampling {
                top_p: self.top_p,
                top_k: draws::top_k(self.top_k)?,
                min_p: self.min_p,
                repetition_penalty: self.repetition_penalty,
                ..Sampling::default()
            },
            seed: bounded("seed", self.seed, 0, i64::MAX)?,
            logprobs: self.top()?,
            constraint: constraint(self.text.take())?,
            parallel_tool_calls: self.parallel_tool_calls.filter(|_| !tools.is_empty()),
            tools,
            tool_choice: match self.tool_choice.take() {
                None => ToolChoice::Auto,
                Some(NameOr::Name(mode)) => mode.into(),
                Some(NameOr::Full(choice)) => ToolChoice::Named(choice.name),
            },
            reasoning_effort: self.reasoning.take().and_then(|reasoning| reasoning.effort),
            template_variables: self.chat_template_kwargs.take().unwrap_or_default(),
            ..CandleCompletionParams::default()
        };
        params.validate()?;
        Ok(params)
    }

    /// How many log-probabilities are told with each token.
    fn top(&self) -> Result<Option<u32>, Failure> {
        let top = bounded("top_logprobs", self.top_logprobs, 0, TOP)?;
        let included = self
            .include
            .iter()
            .flatten()
            .any(|what| *what == Included::Logprobs);
        match (included, top) {
            (true, top) => Ok(Some(top.unwrap_or(0))),
            (false, None | Some(0)) => Ok(None),
            (false, Some(_)) => Err(Failure::field(
                "top_logprobs",
                "top_logprobs goes with the inclusion of message.output_text.logprobs alone",
            )),
        }
    }

    fn unused(&self) -> Vec<&'static str> {
        let format = self.text.as_ref().and_then(|text| text.format.as_ref());
        let encrypted = self
            .include
            .iter()
            .flatten()
            .any(|what| *what == Included::Encrypted);
        let declared = self.tools.as_ref().is_some_and(|tools| !tools.is_empty())
            && !matches!(self.tool_choice, Some(NameOr::Name(ChoiceMode::None)));
        unused([
            (
                "parallel_tool_calls",
                self.parallel_tool_calls.is_some() && !declared,
            ),
            ("metadata", self.metadata.is_some()),
            ("service_tier", self.service_tier.is_some()),
            ("prompt_cache_key", self.prompt_cache_key.is_some()),
            ("prompt_cache_retention", self.prompt_cache_retention.is_some()),
            ("safety_identifier", self.safety_identifier.is_some()),
            ("user", self.user.is_some()),
            ("include.reasoning.encrypted_content", encrypted),
            (
                "stream_options.include_obfuscation",
                self.stream_options
                    .is_some_and(|options| options.include_obfuscation.is_some()),
            ),
            (
                "text.format.description",
                format.is_some_and(|format| format.description.is_some()),
            ),
        ])
    }
}

impl From<FlatTool> for ToolDefinition {
    fn from(tool: FlatTool) -> Self {
        Self {
            name: tool.name,
            description: tool.description,
            parameters: tool.parameters.map_or_else(no_arguments, Value::Object),
            strict: tool.strict.unwrap_or(false),
        }
    }
}

fn constraint(text: Option<TextOptions>) -> Result<Option<Constraint>, Failure> {
    let Some(format) = text.and_then(|text| text.format) else {
        return Ok(None);
    };
    let has_schema = format.schema.is_some();
    match format.kind {
        FormatKind::JsonSchema if format.name.is_none() => {
            Err(Failure::field("text.format.name", "text.format.name is missing"))
        }
        FormatKind::JsonSchema => json_schema("text.format.schema", format.schema),
        _ if has_schema => Err(Failure::field(
            "text.format.schema",
            "text.format.schema goes with the type json_schema alone",
        )),
        FormatKind::JsonObject => Ok(Some(Constraint::JsonObject)),
        FormatKind::Text => Ok(None),
    }
}
