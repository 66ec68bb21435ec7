//! A dialogue as the text that the model sees, and which of it the model is to learn.
//!
//! What this file writes is what the chat template writes; a test compares the two on dialogues of every skill.

use serde_json::{Value, json};

use crate::dialogue::{Call, Dialogue, Tool, Turn};
use crate::vocabulary::{END, START};

/// The chat template that the model is shipped with.
pub const TEMPLATE: &str = include_str!("../../crates/providers/assets/demo.jinja");

/// A piece of a dialogue's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The text, added tokens spelled out.
    pub text: String,
    /// Whether the model writes it: one of its turns, the end token included.
    pub learnt: bool,
}

/// The text of a dialogue; every learnt segment is one turn of the model.
pub fn segments(dialogue: &Dialogue) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut pending = system(dialogue);
    for turn in &dialogue.turns {
        let said = match turn {
            Turn::User(text) => {
                pending.push_str(&format!("{START}user\n{text}{END}\n"));
                continue;
            }
            Turn::Result(text) => {
                pending.push_str(&format!(
                    "{START}user\n<tool_response>\n{text}\n</tool_response>\n{END}\n"
                ));
                continue;
            }
            Turn::Assistant(text) => text.clone(),
            Turn::Call(call) => called(call),
        };
        pending.push_str(&format!("{START}assistant\n"));
        segments.push(Segment {
            text: std::mem::take(&mut pending),
            learnt: false,
        });
        segments.push(Segment {
            text: format!("{said}{END}"),
            learnt: true,
        });
        pending.push('\n');
    }
    segments
}

/// A call in the format of Qwen3-Coder.
pub fn called(call: &Call) -> String {
    let mut text = format!("<tool_call>\n<function={}>\n", call.tool);
    for (name, value) in &call.arguments {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("<parameter={name}>\n{value}\n</parameter>\n"));
    }
    text + "</function>\n</tool_call>"
}

/// The JSON schema of a tool's parameters.
pub fn schema(tool: &Tool) -> Value {
    let properties: serde_json::Map<String, Value> = tool
        .parameters
        .iter()
        .map(|parameter| (parameter.name.to_owned(), json!({"type": parameter.kind})))
        .collect();
    let names: Vec<&str> = tool.parameters.iter().map(|parameter| parameter.name).collect();
    json!({"type": "object", "properties": properties, "required": names})
}

fn system(dialogue: &Dialogue) -> String {
    let said = dialogue.system.as_deref().unwrap_or_default();
    if said.is_empty() && dialogue.tools.is_empty() {
        return String::new();
    }
    let mut text = format!("{START}system\n{said}");
    if !dialogue.tools.is_empty() {
        if !said.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str("# Tools\n\n<tools>");
        for tool in &dialogue.tools {
            text.push_str(&declared(tool));
        }
        text.push_str("\n</tools>");
    }
    text + END + "\n"
}

fn declared(tool: &Tool) -> String {
    let mut text = format!(
        "\n<function>\n<name>{}</name>\n<description>{}</description>\n<parameters>",
        tool.name, tool.description
    );
    for parameter in &tool.parameters {
        text.push_str(&format!(
            "\n<parameter>\n<name>{}</name>\n<type>{}</type>\n</parameter>",
            parameter.name, parameter.kind
        ));
    }
    text + "\n</parameters>\n</function>"
}
