//! Messages and tools as published chat templates expect them.
//!
//! The shape is OpenAI's, but for the arguments of a call: templates walk through them, so they are an object.
//! Arguments that are no object, since the model was cut off or wrote nonsense, stay the text that they are:
//! a template that prints text shows the model what it wrote, and another refuses.

use engine::{Message, ToolCall, ToolDefinition};
use serde_json::{Value, json};

/// The variable `messages`.
pub(crate) fn messages(messages: &[Message]) -> Value {
    let shown = messages.iter().enumerate().map(|(index, message)| {
        let before = messages.get(..index).unwrap_or_default();
        shown(message, before)
    });
    shown.collect()
}

/// The variable `tools`.
pub(crate) fn tools(tools: &[ToolDefinition]) -> Value {
    let shown = tools.iter().map(|tool| {
        let mut function = json!({"name": tool.name});
        // Templates ask whether there is a description, not what it is.
        if let Some(description) = &tool.description {
            function["description"] = description.as_str().into();
        }
        function["parameters"] = tool.parameters.clone();
        json!({"type": "function", "function": function})
    });
    shown.collect()
}

fn shown(message: &Message, before: &[Message]) -> Value {
    let mut shown = json!({"role": message.role.name(), "content": message.content});
    if !message.tool_calls.is_empty() {
        shown["tool_calls"] = message.tool_calls.iter().map(call).collect();
    }
    if let Some(id) = &message.tool_call_id {
        shown["tool_call_id"] = id.as_str().into();
        // Some templates name the tool, which the call with this id knows.
        let mut calls = before.iter().rev().flat_map(|message| &message.tool_calls);
        if let Some(call) = calls.find(|call| call.id == *id) {
            shown["name"] = call.name.as_str().into();
        }
    }
    shown
}

fn call(call: &ToolCall) -> Value {
    let arguments = call.parse_arguments().map(Value::Object);
    let arguments = arguments.unwrap_or_else(|_| call.arguments.as_str().into());
    let function = json!({"name": call.name, "arguments": arguments});
    json!({"id": call.id, "type": "function", "function": function})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_and_its_result_are_shown_in_openais_shape() {
        let chat = [
            Message::user("?"),
            Message::assistant("So.").with_tool_calls([ToolCall::new(
                "call_0",
                "add",
                r#"{"b":1.50,"a":[]}"#,
            )]),
            Message::tool_result("call_0", "2"),
            Message::tool_result("call_9", "lost"),
        ];
        assert_eq!(
            messages(&chat).to_string(),
            json!([
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": "So.", "tool_calls": [
                    {"id": "call_0", "type": "function", "function": {"name": "add", "arguments": {"b": 1.5, "a": []}}},
                ]},
                {"role": "tool", "content": "2", "tool_call_id": "call_0", "name": "add"},
                {"role": "tool", "content": "lost", "tool_call_id": "call_9"},
            ])
            .to_string()
        );
    }

    #[test]
    fn arguments_that_are_no_object_are_shown_as_text() {
        let shown =
            |arguments: &str| call(&ToolCall::new("1", "f", arguments))["function"]["arguments"].clone();
        assert_eq!(shown(r#"{"a":"cut o"#), json!(r#"{"a":"cut o"#));
        assert_eq!(shown("[1]"), json!("[1]"));
        assert_eq!(shown(""), json!({}));
    }

    #[test]
    fn a_tool_without_a_description_has_none() {
        let schema = json!({"type": "object"});
        let plain = ToolDefinition::new("now", schema.clone());
        let described = plain.clone().with_description("Tells the time.");
        assert_eq!(
            tools(&[plain, described]).to_string(),
            json!([
                {"type": "function", "function": {"name": "now", "parameters": schema}},
                {"type": "function", "function": {"name": "now", "description": "Tells the time.", "parameters": schema}},
            ])
            .to_string()
        );
    }
}
