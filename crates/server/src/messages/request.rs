//! What a chat in Anthropic's shape may ask for.

use engine::{CandleCompletionParams, CandlePrompt, Message, Sampling, ToolChoice, ToolDefinition};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::block::{self, Idle, MessageParam, TextBlock};
use crate::error::{Failure, bounded};
use crate::model::Model;
use crate::shape::{OneOrMany, only_objects, unused};

only_objects!(
    MessagesRequest,
    CountRequest,
    ToolParam,
    ToolChoiceParam,
    Thinking
);

/// The variable by which templates are told whether the model thinks.
const THINKING: &str = "enable_thinking";

/// A chat that is to be answered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct MessagesRequest {
    /// The id of the model.
    pub(crate) model: String,
    /// The chat, oldest message first.
    #[schema(min_items = 1)]
    messages: Vec<MessageParam>,
    /// Most tokens to generate.
    #[schema(minimum = 1, maximum = 4294967295_i64)]
    max_tokens: i64,
    /// What the model is told before the chat.
    system: Option<OneOrMany<TextBlock>>,
    /// Texts that end the answer where the model writes one of them.
    stop_sequences: Option<Vec<String>>,
    /// Divides the logits: 0 always takes the most probable token. Absent: the model's.
    #[schema(minimum = 0)]
    temperature: Option<f32>,
    /// Keeps the most probable tokens up to this probability.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Keeps this many of the most probable tokens; 0 keeps all.
    #[schema(minimum = 0, maximum = 2147483647)]
    top_k: Option<i64>,
    /// What the model may call.
    tools: Option<Vec<ToolParam>>,
    /// Whether it calls them.
    tool_choice: Option<ToolChoiceParam>,
    /// Whether the model thinks before it answers, where its template can say.
    thinking: Option<Thinking>,
    /// Whether the answer comes piece by piece, as server-sent events.
    stream: Option<bool>,
    /// Not used.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Not used.
    service_tier: Option<String>,
}

/// A chat whose tokens are to be counted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct CountRequest {
    /// The id of the model.
    pub(crate) model: String,
    /// The chat, oldest message first.
    #[schema(min_items = 1)]
    messages: Vec<MessageParam>,
    /// What the model is told before the chat.
    system: Option<OneOrMany<TextBlock>>,
    /// What the model may call.
    tools: Option<Vec<ToolParam>>,
    /// With `none`, no tools are declared.
    tool_choice: Option<ToolChoiceParam>,
    /// Whether the model thinks before it answers, where its template can say.
    thinking: Option<Thinking>,
}

/// A tool that the model may call.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct ToolParam {
    /// Of the types of tools there is `custom` alone.
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of these")]
    kind: Option<ToolKind>,
    /// 1 to 64 of letters, digits, `_`, `.` and `-`.
    #[schema(pattern = "^[A-Za-z0-9_.-]{1,64}$")]
    name: String,
    /// What it does, for the model to read.
    description: Option<String>,
    /// A JSON schema of its arguments.
    #[schema(value_type = Object)]
    input_schema: Map<String, Value>,
    /// Whether calls are held to the schema while they are written.
    strict: Option<bool>,
    /// Not used: what begins alike is found by itself.
    #[schema(value_type = Option<Object>)]
    cache_control: Option<Value>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ToolKind {
    Custom,
}

/// Whether the model calls tools.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct ToolChoiceParam {
    #[serde(rename = "type")]
    kind: ChoiceKind,
    /// Of `tool`: which one.
    name: Option<String>,
    /// Whether one answer may call but one.
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChoiceKind {
    Auto,
    Any,
    Tool,
    None,
}

/// Whether the model thinks. How long cannot be said.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Thinking {
    #[serde(rename = "type")]
    kind: ThinkingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ThinkingKind {
    /// As the model likes.
    Adaptive,
    Disabled,
    Enabled,
}

/// What a chat asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) prompt: CandlePrompt,
    pub(crate) params: CandleCompletionParams,
    pub(crate) stream: bool,
    pub(crate) unused: Vec<&'static str>,
}

impl MessagesRequest {
    /// What it asks for.
    pub(crate) fn asked(self, model: &Model) -> Result<Asked, Failure> {
        let chat = CountRequest {
            model: self.model,
            messages: self.messages,
            system: self.system,
            tools: self.tools,
            tool_choice: self.tool_choice,
            thinking: self.thinking,
        };
        let mut asked = chat.asked(model)?;
        let params = &mut asked.params;
        params.max_tokens = bounded("max_tokens", Some(self.max_tokens), 1, i64::from(u32::MAX))?;
        params.stop = self.stop_sequences.unwrap_or_default();
        if params.stop.iter().any(String::is_empty) {
            let field = "stop_sequences";
            return Err(Failure::field(field, "stop_sequences holds a text that is empty"));
        }
        params.temperature = self.temperature;
        params.sampling = Sampling {
            top_p: self.top_p,
            top_k: bounded("top_k", self.top_k, 0, i64::from(i32::MAX))?,
            ..Sampling::default()
        };
        params.validate()?;
        asked.stream = self.stream.unwrap_or(false);
        asked.unused.extend(unused([
            ("metadata", self.metadata.is_some()),
            ("service_tier", self.service_tier.is_some()),
        ]));
        Ok(asked)
    }
}

impl CountRequest {
    /// What it asks for: a prompt, and what declares its tools.
    pub(crate) fn asked(self, model: &Model) -> Result<Asked, Failure> {
        let mut idle = Idle::default();
        let mut messages = Vec::new();
        if let Some(system) = self.system {
            messages.push(Message::system(block::text(system, &mut idle)));
        }
        messages.extend(block::read(self.messages, &mut idle)?);
        let mut params = CandleCompletionParams::default();
        for tool in self.tools.into_iter().flatten() {
            idle.cache_control |= tool.cache_control.is_some();
            params.tools.push(ToolDefinition {
                name: tool.name,
                description: tool.description,
                parameters: Value::Object(tool.input_schema),
                strict: tool.strict.unwrap_or(false),
            });
        }
        if let Some(choice) = self.tool_choice {
            choice.apply(&mut params)?;
        }
        if let Some(thinking) = self.thinking {
            thinking.apply(model, &mut params)?;
        }
        params.validate()?;
        let unused = unused([
            ("cache_control", idle.cache_control),
            ("messages.thinking", idle.thinking),
            ("messages.citations", idle.citations),
        ]);
        Ok(Asked {
            prompt: CandlePrompt::Chat(messages),
            params,
            stream: false,
            unused,
        })
    }
}

impl ToolChoiceParam {
    fn apply(self, params: &mut CandleCompletionParams) -> Result<(), Failure> {
        let field = "tool_choice.name";
        params.tool_choice = match (self.kind, self.name) {
            (ChoiceKind::Tool, Some(name)) => ToolChoice::Named(name),
            (ChoiceKind::Tool, None) => return Err(Failure::field(field, "tool_choice.name is missing")),
            (_, Some(_)) => {
                return Err(Failure::field(
                    field,
                    "tool_choice.name goes with the type tool alone",
                ));
            }
            (ChoiceKind::Auto, None) => ToolChoice::Auto,
            (ChoiceKind::Any, None) => ToolChoice::Required,
            (ChoiceKind::None, None) => ToolChoice::None,
        };
        let parallel = self.disable_parallel_tool_use.map(|disabled| !disabled);
        params.parallel_tool_calls = parallel.filter(|_| !params.tools.is_empty());
        Ok(())
    }
}

impl Thinking {
    fn apply(&self, model: &Model, params: &mut CandleCompletionParams) -> Result<(), Failure> {
        let template = model.dialect().and_then(|dialect| dialect.template().ok());
        let reads = template.is_none_or(|template| template.source().contains(THINKING));
        let wanted = match self.kind {
            ThinkingKind::Adaptive => return Ok(()),
            ThinkingKind::Disabled => false,
            ThinkingKind::Enabled => true,
        };
        if reads {
            params
                .template_variables
                .insert(THINKING.to_owned(), wanted.into());
        } else if wanted {
            let message = "the model's chat template cannot be told to think";
            return Err(Failure::unsupported("thinking", message));
        }
        Ok(())
    }
}
