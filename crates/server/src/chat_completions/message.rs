//! Messages of a chat in OpenAI's shape.

use engine::ToolCall;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::Failure;
use crate::shape::{Nothing, OneOrMany, empty_schema, null_schema, only_objects, only_words};
use crate::tools::Call;

only_objects!(Message, Part);
only_words!(MessageRole, PartKind);

/// A message of a chat.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Message {
    role: MessageRole,
    /// What is said; may be absent where tools are called.
    content: Option<OneOrMany<Part>>,
    /// The tools that the assistant calls.
    tool_calls: Option<Vec<Call>>,
    /// The call that a tool answers.
    tool_call_id: Option<String>,
    /// Not used: the model is not shown again what it thought.
    pub(crate) reasoning_content: Option<String>,
    /// Not supported.
    #[schema(schema_with = null_schema)]
    #[allow(dead_code, reason = "it is nothing")]
    refusal: Option<Nothing>,
    /// Not supported.
    #[schema(schema_with = null_schema)]
    #[allow(dead_code, reason = "it is nothing")]
    audio: Option<Nothing>,
    /// Not supported: it is `tool_calls` today.
    #[schema(schema_with = null_schema)]
    #[allow(dead_code, reason = "it is nothing")]
    function_call: Option<Nothing>,
    /// Not used; none is ever given.
    #[schema(schema_with = empty_schema)]
    #[allow(dead_code, reason = "it is nothing")]
    annotations: Option<Vec<Nothing>>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
enum MessageRole {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// A piece of a message. Text alone is supported.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Part {
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of parts")]
    kind: PartKind,
    text: String,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
enum PartKind {
    Text,
}

impl Message {
    /// As the engine takes it. The contents of several parts stand behind one another.
    ///
    /// * `index`: its place in the chat.
    pub(crate) fn read(self, index: usize) -> Result<engine::Message, Failure> {
        let said = self.content.is_some();
        let content = match self.content {
            None => String::new(),
            Some(OneOrMany::One(text)) => text,
            Some(OneOrMany::Many(parts)) => parts.into_iter().map(|part| part.text).collect(),
        };
        let role = match self.role {
            MessageRole::System | MessageRole::Developer => engine::Role::System,
            MessageRole::User => engine::Role::User,
            MessageRole::Assistant => engine::Role::Assistant,
            MessageRole::Tool => engine::Role::Tool,
        };
        let calls: Vec<ToolCall> = self
            .tool_calls
            .into_iter()
            .flatten()
            .map(ToolCall::from)
            .collect();
        if !said && calls.is_empty() {
            let field = format!("messages[{index}].content");
            return Err(Failure::field(&field, format!("{field} is missing")));
        }
        // What is of no use with this role is found by the engine.
        Ok(engine::Message {
            tool_call_id: self.tool_call_id,
            ..engine::Message::new(role, content).with_tool_calls(calls)
        })
    }
}
