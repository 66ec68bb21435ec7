//! Messages in Anthropic's shape: roles, and blocks of text, of calls and of results.

use engine::{Message, Role, ToolCall};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::Failure;
use crate::shape::{OneOrMany, only_objects, only_words};

only_objects!(MessageParam, Block, TextBlock);
only_words!(Speaker, BlockKind, TextKind);

/// A message of a chat.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct MessageParam {
    role: Speaker,
    content: OneOrMany<Block>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
enum Speaker {
    User,
    Assistant,
}

/// A piece of a message; which fields it has depends on its type.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Block {
    #[serde(rename = "type")]
    kind: BlockKind,
    /// Of `text`.
    text: Option<String>,
    /// Of `tool_use`.
    id: Option<String>,
    /// Of `tool_use`.
    name: Option<String>,
    /// Of `tool_use`: the arguments.
    #[schema(value_type = Option<Object>)]
    input: Option<Map<String, Value>>,
    /// Of `tool_result`.
    tool_use_id: Option<String>,
    /// Of `tool_result`.
    content: Option<OneOrMany<TextBlock>>,
    /// Of `tool_result`: the result says so itself.
    is_error: Option<bool>,
    /// Of `thinking`; not used: the model is not shown again what it thought.
    thinking: Option<String>,
    /// Of `thinking`; not used.
    signature: Option<String>,
    /// Not used: what begins alike is found by itself.
    #[schema(value_type = Option<Object>)]
    cache_control: Option<Value>,
    /// Of `text`; not used, there are none.
    #[schema(value_type = Option<Vec<Object>>)]
    citations: Option<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", remote = "Self")]
enum BlockKind {
    Text,
    ToolUse,
    ToolResult,
    Thinking,
}

/// A text.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct TextBlock {
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of these")]
    kind: TextKind,
    text: String,
    /// Not used: what begins alike is found by itself.
    #[schema(value_type = Option<Object>)]
    cache_control: Option<Value>,
    /// Not used, there are none.
    #[schema(value_type = Option<Vec<Object>>)]
    citations: Option<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
enum TextKind {
    Text,
}

/// What was found in messages that changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Idle {
    pub(crate) cache_control: bool,
    pub(crate) thinking: bool,
    pub(crate) citations: bool,
}

/// The text of a system prompt or a result; several blocks stand behind one another on lines of their own.
pub(crate) fn text(content: OneOrMany<TextBlock>, idle: &mut Idle) -> String {
    match content {
        OneOrMany::One(text) => text,
        OneOrMany::Many(blocks) => {
            let texts: Vec<String> = blocks
                .into_iter()
                .map(|block| {
                    idle.cache_control |= block.cache_control.is_some();
                    idle.citations |= block.citations.is_some();
                    block.text
                })
                .collect();
            texts.join("\n")
        }
    }
}

/// The messages as the engine takes them: each result of a tool is one of its own, before what the user says with it.
pub(crate) fn read(messages: Vec<MessageParam>, idle: &mut Idle) -> Result<Vec<Message>, Failure> {
    let mut read = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        let role = match message.role {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
        };
        let blocks = match message.content {
            OneOrMany::One(text) => {
                read.push(Message::new(role, text));
                continue;
            }
            OneOrMany::Many(blocks) => blocks,
        };
        let (mut texts, mut calls) = (Vec::new(), Vec::new());
        for (place, block) in blocks.into_iter().enumerate() {
            let path = format!("messages[{index}].content[{place}]");
            idle.cache_control |= block.cache_control.is_some();
            idle.citations |= block.citations.is_some();
            match block.read(&path, message.role, idle)? {
                Piece::Text(text) => texts.push(text),
                Piece::Call(call) => calls.push(call),
                Piece::Result(result) => read.push(result),
                Piece::Nothing => {}
            }
        }
        if !texts.is_empty() || !calls.is_empty() {
            read.push(Message::new(role, texts.join("\n")).with_tool_calls(calls));
        }
    }
    Ok(read)
}

/// What a block becomes.
enum Piece {
    Text(String),
    Call(ToolCall),
    Result(Message),
    Nothing,
}

impl Block {
    fn read(self, path: &str, speaker: Speaker, idle: &mut Idle) -> Result<Piece, Failure> {
        self.check_fields(path)?;
        let missing = |field: &str| {
            let field = format!("{path}.{field}");
            Failure::field(&field, format!("{field} is missing"))
        };
        let foreign = |what: &str| Failure::field(format!("{path}.type"), format!("{path}: {what}"));
        match (self.kind, speaker) {
            (BlockKind::Text, _) => Ok(Piece::Text(self.text.ok_or_else(|| missing("text"))?)),
            (BlockKind::Thinking, Speaker::Assistant) => {
                idle.thinking = true;
                Ok(Piece::Nothing)
            }
            (BlockKind::ToolUse, Speaker::Assistant) => {
                let id = self.id.ok_or_else(|| missing("id"))?;
                let name = self.name.ok_or_else(|| missing("name"))?;
                let input = self.input.ok_or_else(|| missing("input"))?;
                Ok(Piece::Call(ToolCall::new(
                    id,
                    name,
                    Value::Object(input).to_string(),
                )))
            }
            (BlockKind::ToolResult, Speaker::User) => {
                let id = self.tool_use_id.ok_or_else(|| missing("tool_use_id"))?;
                let content = self
                    .content
                    .map(|content| text(content, idle))
                    .unwrap_or_default();
                let content = match self.is_error {
                    Some(true) => format!("Error: {content}"),
                    _ => content,
                };
                Ok(Piece::Result(Message::tool_result(id, content)))
            }
            (BlockKind::ToolResult, Speaker::Assistant) => Err(foreign("results are the user's to send")),
            (_, Speaker::User) => Err(foreign("calls and thoughts are the assistant's")),
        }
    }

    /// Refuses the fields of other types.
    fn check_fields(&self, path: &str) -> Result<(), Failure> {
        let fields = [
            ("text", self.text.is_some(), BlockKind::Text),
            ("citations", self.citations.is_some(), BlockKind::Text),
            ("id", self.id.is_some(), BlockKind::ToolUse),
            ("name", self.name.is_some(), BlockKind::ToolUse),
            ("input", self.input.is_some(), BlockKind::ToolUse),
            ("tool_use_id", self.tool_use_id.is_some(), BlockKind::ToolResult),
            ("content", self.content.is_some(), BlockKind::ToolResult),
            ("is_error", self.is_error.is_some(), BlockKind::ToolResult),
            ("thinking", self.thinking.is_some(), BlockKind::Thinking),
            ("signature", self.signature.is_some(), BlockKind::Thinking),
        ];
        let foreign = fields
            .into_iter()
            .find(|(_, is_there, kind)| *is_there && *kind != self.kind);
        match foreign {
            Some((field, ..)) => {
                let field = format!("{path}.{field}");
                Err(Failure::field(
                    &field,
                    format!("{field} is of another type of block"),
                ))
            }
            None => Ok(()),
        }
    }
}
