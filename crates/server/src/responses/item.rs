//! What goes into a response: messages, calls of tools and their results.

use engine::{Message, Role, ToolCall};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::Failure;
use crate::shape::{OneOrMany, only_objects};

only_objects!(InputItem, InputPart);

/// An item of an input; which fields it has depends on its type.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct InputItem {
    /// Absent: `message`.
    #[serde(rename = "type")]
    kind: Option<ItemKind>,
    /// Of a message.
    role: Option<ItemRole>,
    /// Of a message; of `reasoning`, where it is not used: the model is not shown again what it thought.
    content: Option<OneOrMany<InputPart>>,
    /// Not used.
    #[allow(dead_code, reason = "items are told apart by their order")]
    id: Option<String>,
    /// Not used.
    #[allow(dead_code, reason = "what is sent back is taken as it is")]
    status: Option<String>,
    /// Of a call and its result.
    call_id: Option<String>,
    /// Of a call.
    name: Option<String>,
    /// Of a call: JSON text.
    arguments: Option<String>,
    /// Of a result.
    output: Option<OneOrMany<InputPart>>,
    /// Of `reasoning`; not used.
    #[allow(dead_code, reason = "the model is not shown again what it thought")]
    #[schema(value_type = Option<Vec<Object>>)]
    summary: Option<Vec<Value>>,
    /// Of `reasoning`; not used.
    #[allow(dead_code, reason = "the model is not shown again what it thought")]
    encrypted_content: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ItemKind {
    #[default]
    Message,
    FunctionCall,
    FunctionCallOutput,
    Reasoning,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ItemRole {
    User,
    Assistant,
    System,
    Developer,
}

/// A piece of a message. Text alone is supported.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct InputPart {
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "all of them are text")]
    kind: PartKind,
    text: String,
    /// Not used.
    #[allow(dead_code, reason = "there are none")]
    #[schema(value_type = Option<Vec<Object>>)]
    annotations: Option<Vec<Value>>,
    /// Not used.
    #[allow(dead_code, reason = "they change nothing")]
    #[schema(value_type = Option<Vec<Object>>)]
    logprobs: Option<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
enum PartKind {
    #[serde(rename = "input_text")]
    Input,
    #[serde(rename = "output_text")]
    Output,
    #[serde(rename = "reasoning_text")]
    Reasoning,
}

fn text(content: OneOrMany<InputPart>) -> String {
    match content {
        OneOrMany::One(text) => text,
        OneOrMany::Many(parts) => parts.into_iter().map(|part| part.text).collect(),
    }
}

/// The messages that an input becomes: calls belong to what the assistant said before them.
///
/// Also whether there was anything that is not used.
pub(crate) fn read(items: Vec<InputItem>) -> Result<(Vec<Message>, bool), Failure> {
    let (mut messages, mut idle): (Vec<Message>, _) = (Vec::new(), false);
    for (index, item) in items.into_iter().enumerate() {
        let missing = |field: &str| {
            let field = format!("input[{index}].{field}");
            Failure::field(&field, format!("{field} is missing"))
        };
        let kind = item.kind.unwrap_or_default();
        item.check_fields(kind, index)?;
        match kind {
            ItemKind::Message => {
                let role = match item.role.ok_or_else(|| missing("role"))? {
                    ItemRole::User => Role::User,
                    ItemRole::Assistant => Role::Assistant,
                    ItemRole::System | ItemRole::Developer => Role::System,
                };
                let content = item.content.ok_or_else(|| missing("content"))?;
                messages.push(Message::new(role, text(content)));
            }
            ItemKind::FunctionCall => {
                let id = item.call_id.ok_or_else(|| missing("call_id"))?;
                let name = item.name.ok_or_else(|| missing("name"))?;
                let arguments = item.arguments.ok_or_else(|| missing("arguments"))?;
                let call = ToolCall::new(id, name, arguments);
                match messages.last_mut().filter(|last| last.role == Role::Assistant) {
                    Some(last) => last.tool_calls.push(call),
                    None => messages.push(Message::assistant("").with_tool_calls([call])),
                }
            }
            ItemKind::FunctionCallOutput => {
                let id = item.call_id.ok_or_else(|| missing("call_id"))?;
                let output = item.output.ok_or_else(|| missing("output"))?;
                messages.push(Message::tool_result(id, text(output)));
            }
            ItemKind::Reasoning => idle = true,
        }
    }
    Ok((messages, idle))
}

impl InputItem {
    /// Refuses the fields of other types.
    fn check_fields(&self, kind: ItemKind, index: usize) -> Result<(), Failure> {
        use ItemKind::{FunctionCall, FunctionCallOutput, Message, Reasoning};
        let fields: [(&str, bool, &[ItemKind]); 8] = [
            ("role", self.role.is_some(), &[Message]),
            ("content", self.content.is_some(), &[Message, Reasoning]),
            (
                "call_id",
                self.call_id.is_some(),
                &[FunctionCall, FunctionCallOutput],
            ),
            ("name", self.name.is_some(), &[FunctionCall]),
            ("arguments", self.arguments.is_some(), &[FunctionCall]),
            ("output", self.output.is_some(), &[FunctionCallOutput]),
            ("summary", self.summary.is_some(), &[Reasoning]),
            (
                "encrypted_content",
                self.encrypted_content.is_some(),
                &[Reasoning],
            ),
        ];
        let foreign = fields
            .into_iter()
            .find(|(_, is_there, kinds)| *is_there && !kinds.contains(&kind));
        match foreign {
            Some((field, ..)) => {
                let field = format!("input[{index}].{field}");
                Err(Failure::field(
                    &field,
                    format!("{field} is of another type of item"),
                ))
            }
            None => Ok(()),
        }
    }
}
