//! What a chat in Anthropic's shape may ask for.

use engine::{CandleCompletionParams, CandlePrompt, Message, Role, Sampling, ToolChoice, ToolDefinition};
use providers::dialect::CONTINUE;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::block::{self, Idle, MessageParam, TextBlock};
use crate::bounds;
use crate::error::{Failure, bounded};
use crate::model::Model;
use crate::shape::{OneOrMany, check_any, only_objects, only_words, unused};
use crate::tools;

only_objects!(
    MessagesRequest,
    CountRequest,
    ToolParam,
    ToolChoiceParam,
    Thinking
);
only_words!(ToolKind, ChoiceKind, ThinkingKind);

/// The variable by which templates are told whether the model thinks.
const THINKING: &str = "enable_thinking";

/// A chat that is to be answered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct MessagesRequest {
    /// The id of the model.
    pub(crate) model: String,
    /// The chat, oldest message first. Where the assistant's is the last, the answer goes on in it.
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
#[serde(rename_all = "lowercase", remote = "Self")]
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
#[serde(rename_all = "lowercase", remote = "Self")]
enum ChoiceKind {
    Auto,
    Any,
    Tool,
    None,
}

/// Whether the model thinks.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Thinking {
    #[serde(rename = "type")]
    kind: ThinkingKind,
    /// Of `enabled`; not used: how long it thinks is the model's to say.
    #[schema(minimum = 1)]
    budget_tokens: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
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
        params.stop = stops(self.stop_sequences.unwrap_or_default())?;
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
        check_any("messages", &self.messages)?;
        let mut idle = Idle::default();
        let mut messages = Vec::new();
        if let Some(system) = self.system {
            messages.push(Message::system(block::text(system, &mut idle)));
        }
        let last = self.messages.len().saturating_sub(1);
        messages.extend(block::read(self.messages, &mut idle)?);
        let mut params = CandleCompletionParams::default();
        if messages
            .last()
            .is_some_and(|message| message.role == Role::Assistant)
        {
            check_begun(&messages, last, model)?;
            params.template_variables.insert(CONTINUE.to_owned(), true.into());
        }
        let declared = self.tools.unwrap_or_default();
        idle.cache_control |= declared.iter().any(|tool| tool.cache_control.is_some());
        params.tools = tools::declared(declared, ".input_schema")?;
        let mut parallel = false;
        if let Some(choice) = self.tool_choice {
            parallel = choice.disable_parallel_tool_use.is_some();
            choice.apply(&mut params)?;
        }
        parallel &= params.declared_tools().is_empty();
        let budget = match &self.thinking {
            None => false,
            Some(thinking) => {
                thinking.apply(model, &mut params)?;
                thinking.budget_tokens.is_some()
            }
        };
        params.validate()?;
        let unused = unused([
            ("cache_control", idle.cache_control),
            ("messages.thinking", idle.thinking),
            ("messages.citations", idle.citations),
            ("thinking.budget_tokens", budget),
            ("tool_choice.disable_parallel_tool_use", parallel),
        ]);
        Ok(Asked {
            prompt: CandlePrompt::Chat(messages),
            params,
            stream: false,
            unused,
        })
    }
}

impl From<ToolParam> for ToolDefinition {
    fn from(tool: ToolParam) -> Self {
        Self {
            name: tool.name,
            description: tool.description,
            parameters: Value::Object(tool.input_schema),
            strict: tool.strict.unwrap_or(false),
        }
    }
}

/// Texts that end an answer, within the bounds that a chat has for them.
fn stops(texts: Vec<String>) -> Result<Vec<String>, Failure> {
    let field = "stop_sequences";
    if texts.len() > bounds::STOPS {
        let (count, most) = (texts.len(), bounds::STOPS);
        let message = format!("{field} has {count} texts, expected at most {most}");
        return Err(Failure::field(field, message));
    }
    match texts.iter().position(String::is_empty) {
        Some(index) => {
            let field = format!("{field}[{index}]");
            Err(Failure::field(&field, format!("{field} is empty")))
        }
        None => Ok(texts),
    }
}

/// Refuses an answer that cannot be continued; `place` is its place among the messages of the request.
fn check_begun(messages: &[Message], place: usize, model: &Model) -> Result<(), Failure> {
    let field = format!("messages[{place}]");
    let calls = messages.last().is_some_and(|begun| !begun.tool_calls.is_empty());
    if calls {
        let message = format!("{field} calls tools, and no result of them follows");
        return Err(Failure::field(field, message));
    }
    if messages.len() == 1 {
        let message = format!("{field} is the assistant's, and nothing stands before it");
        return Err(Failure::field(field, message));
    }
    if model.dialect().is_none() {
        let message =
            format!("{field} is the assistant's, and an answer to this model cannot be begun for it");
        return Err(Failure::unsupported(field, message));
    }
    Ok(())
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
        let field = "thinking.budget_tokens";
        if let Some(budget) = bounded::<i64>(field, self.budget_tokens, 1, i64::MAX)?
            && self.kind != ThinkingKind::Enabled
        {
            let message = format!("{field} is {budget}, and goes with the type enabled alone");
            return Err(Failure::field(field, message));
        }
        let template = model.dialect().and_then(|dialect| dialect.template().ok());
        let reads = template.is_none_or(|template| template.reads(THINKING));
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
