//! Messages of a chat: who speaks, what is said, and which tools are called.
//!
//! A message holds text exactly as its author gave it; nothing here trims, escapes or rewrites it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::tool::ToolCall;

/// Who speaks a [`Message`].
///
/// Serialised as chat templates and OpenAI-compatible servers spell it: `system`, `user`, `assistant`,
/// `tool`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// The instructions that frame the whole conversation.
    System,
    /// The person, or the program, that asks.
    User,
    /// The model.
    Assistant,
    /// A tool, which answers a call of the model.
    Tool,
}

impl Role {
    /// The name of the role in chat templates: `system`, `user`, `assistant` or `tool`.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One message of a chat.
///
/// Serialised in OpenAI's shape, without the fields that it does not use; a `content` that is null is read as
/// empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, as plain text; may be empty where tools are called.
    #[serde(default, deserialize_with = "text_or_null")]
    pub content: String,
    /// The tools that an assistant calls with this message, in order; empty for every other role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool answers with this message; `None` for every other role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Message {
    /// A message of `role`.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// A system message.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    /// A user message.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// A message of the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// What a tool gave back for the call `tool_call_id`.
    pub fn tool_result(tool_call_id: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            tool_call_id: Some(tool_call_id.into()),
            ..Self::new(Role::Tool, content)
        }
    }

    /// The message with these calls after its text; for an assistant.
    #[must_use]
    pub fn with_tool_calls(self, tool_calls: impl Into<Vec<ToolCall>>) -> Self {
        Self {
            tool_calls: tool_calls.into(),
            ..self
        }
    }

    /// Whether it neither says nor calls anything.
    pub fn is_empty(&self) -> bool {
        self.content.is_empty() && self.tool_calls.is_empty()
    }

    /// Whether it is part of the use of tools: it calls some, or it is a result.
    pub fn uses_tools(&self) -> bool {
        self.role == Role::Tool || !self.tool_calls.is_empty() || self.tool_call_id.is_some()
    }

    /// What is wrong with the fields that concern tools; nothing where they are of the message's role.
    pub(crate) fn tool_fault(&self) -> Option<&'static str> {
        match (self.role, &self.tool_call_id) {
            (role, _) if role != Role::Assistant && !self.tool_calls.is_empty() => {
                Some("calls tools and is not the assistant's")
            }
            (Role::Tool, None) => Some("is a tool's and has no tool_call_id"),
            (role, Some(_)) if role != Role::Tool => Some("has a tool_call_id and is not a tool's"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_written_as_chat_templates_spell_them() {
        for role in [Role::System, Role::User, Role::Assistant, Role::Tool] {
            let written = serde_json::to_string(&Message::new(role, "hi")).unwrap();
            assert_eq!(written, format!(r#"{{"role":"{}","content":"hi"}}"#, role.name()));
            let read: Message = serde_json::from_str(&written).unwrap();
            assert_eq!(read, Message::new(role, "hi"));
        }
    }

    #[test]
    fn calls_and_results_are_written_in_openais_shape() {
        let call = ToolCall::new("call_0", "add", r#"{"a":1}"#);
        let calling = Message::assistant("").with_tool_calls([call]);
        let result = Message::tool_result("call_0", "2");
        let written = serde_json::to_string(&[&calling, &result]).unwrap();
        assert_eq!(
            written,
            r#"[{"role":"assistant","content":"","tool_calls":[{"id":"call_0","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}]},{"role":"tool","content":"2","tool_call_id":"call_0"}]"#
        );
        assert_eq!(
            serde_json::from_str::<Vec<Message>>(&written).unwrap(),
            [calling, result]
        );
    }

    #[test]
    fn content_may_be_null_or_absent() {
        for text in [
            r#"{"role":"assistant","content":null}"#,
            r#"{"role":"assistant"}"#,
        ] {
            let read: Message = serde_json::from_str(text).unwrap();
            assert_eq!(read, Message::assistant(""));
        }
    }

    #[test]
    fn an_unknown_role_is_refused() {
        assert!(serde_json::from_str::<Role>(r#""narrator""#).is_err());
    }
}
