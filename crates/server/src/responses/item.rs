//! What goes into a response: messages, calls of tools and their results.

use engine::{Message, Role, ToolCall};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::Failure;
use crate::shape::{OneOrMany, only_objects, only_words, unused};

only_objects!(InputItem, InputPart);
only_words!(ItemKind, ItemRole, PartKind);

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
    /// Not used: items are told apart by their order.
    id: Option<String>,
    /// Not used: what is sent back is taken as it is.
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
#[serde(rename_all = "snake_case", remote = "Self")]
enum ItemKind {
    #[default]
    Message,
    FunctionCall,
    FunctionCallOutput,
    Reasoning,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
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
    /// Not used; there are none.
    #[schema(value_type = Option<Vec<Object>>)]
    annotations: Option<Vec<Value>>,
    /// Not used.
    #[schema(value_type = Option<Vec<Object>>)]
    logprobs: Option<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(remote = "Self")]
enum PartKind {
    #[serde(rename = "input_text")]
    Input,
    #[serde(rename = "output_text")]
    Output,
    #[serde(rename = "reasoning_text")]
    Reasoning,
}

/// What was found in items that changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Idle {
    reasoning: bool,
    id: bool,
    status: bool,
    annotations: bool,
    logprobs: bool,
}

impl Idle {
    /// The names of what was found.
    pub(crate) fn unused(self) -> Vec<&'static str> {
        unused([
            ("input.reasoning", self.reasoning),
            ("input.id", self.id),
            ("input.status", self.status),
            ("input.content.annotations", self.annotations),
            ("input.content.logprobs", self.logprobs),
        ])
    }

    fn text(&mut self, content: OneOrMany<InputPart>) -> String {
        match content {
            OneOrMany::One(text) => text,
            OneOrMany::Many(parts) => parts
                .into_iter()
                .map(|part| {
                    self.annotations |= part.annotations.is_some();
                    self.logprobs |= part.logprobs.is_some();
                    part.text
                })
                .collect(),
        }
    }
}

/// The messages that an input becomes: calls belong to what the assistant said before them.
///
/// Also what there was that is not used.
pub(crate) fn read(items: Vec<InputItem>) -> Result<(Vec<Message>, Idle), Failure> {
    let (mut messages, mut idle): (Vec<Message>, _) = (Vec::new(), Idle::default());
    for (index, item) in items.into_iter().enumerate() {
        let missing = |field: &str| {
            let field = format!("input[{index}].{field}");
            Failure::field(&field, format!("{field} is missing"))
        };
        let kind = item.kind.unwrap_or_default();
        item.check_fields(kind, index)?;
        idle.id |= item.id.is_some();
        idle.status |= item.status.is_some();
        match kind {
            ItemKind::Message => {
                let role = match item.role.ok_or_else(|| missing("role"))? {
                    ItemRole::User => Role::User,
                    ItemRole::Assistant => Role::Assistant,
                    ItemRole::System | ItemRole::Developer => Role::System,
                };
                let content = item.content.ok_or_else(|| missing("content"))?;
                messages.push(Message::new(role, idle.text(content)));
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
                messages.push(Message::tool_result(id, idle.text(output)));
            }
            ItemKind::Reasoning => idle.reasoning = true,
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
