//! Tools in OpenAI's shape: what is declared, what is chosen, what was called.

use engine::{ToolCall, ToolChoice, ToolDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::error::Failure;
use crate::shape::{NameOr, only_objects, only_words};

only_objects!(Tool, Function, NamedTool, ToolName, Call, CalledFunction);
only_words!(FunctionKind, ChoiceMode);

/// A tool that the model may call.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Tool {
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of tools")]
    kind: FunctionKind,
    function: Function,
}

/// The one type of tools.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub(crate) enum FunctionKind {
    #[default]
    Function,
}

impl Serialize for FunctionKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Function => serializer.serialize_str("function"),
        }
    }
}

/// What a tool is called and what it takes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Function {
    /// 1 to 64 of letters, digits, `_`, `.` and `-`.
    #[schema(pattern = "^[A-Za-z0-9_.-]{1,64}$")]
    name: String,
    /// What it does, for the model to read.
    description: Option<String>,
    /// A JSON schema of its arguments. Absent: it takes none.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// Whether calls are held to the schema while they are written.
    strict: Option<bool>,
}

impl From<Function> for ToolDefinition {
    fn from(function: Function) -> Self {
        let parameters = function.parameters.map(Value::Object);
        ToolDefinition {
            name: function.name,
            description: function.description,
            parameters: parameters.unwrap_or_else(no_arguments),
            strict: function.strict.unwrap_or(false),
        }
    }
}

/// Tools as they are declared to the model. What a strict one refers to in its schema has to be there.
///
/// * `schema`: where the schema of a tool stands in it, as in `.parameters`.
pub(crate) fn declared(
    tools: impl IntoIterator<Item = impl Into<ToolDefinition>>,
    schema: &str,
) -> Result<Vec<ToolDefinition>, Failure> {
    let tools: Vec<ToolDefinition> = tools.into_iter().map(Into::into).collect();
    for (index, tool) in tools.iter().enumerate().filter(|(_, tool)| tool.strict) {
        if let Some(target) = dangling(&tool.parameters, &tool.parameters) {
            let field = format!("tools[{index}]{schema}");
            let message = format!("{field}: the $ref {target} refers to nothing in it");
            return Err(Failure::field(field, message));
        }
    }
    Ok(tools)
}

/// The first reference within `value` that leads nowhere in `root`.
fn dangling<'a>(value: &'a Value, root: &Value) -> Option<&'a Value> {
    match value {
        Value::Object(keywords) => {
            let target = keywords.get("$ref").filter(|target| target.is_string());
            let leads = |target: &Value| {
                let target = target.as_str().and_then(|target| target.strip_prefix('#'));
                // A name in the place of a path is an anchor.
                target.is_some_and(|path| {
                    root.pointer(&decoded(path)).is_some() || !(path.is_empty() || path.starts_with('/'))
                })
            };
            let mut below = keywords
                .iter()
                // What stands in these is a value, and no schema.
                .filter(|(keyword, _)| {
                    !matches!(keyword.as_str(), "const" | "enum" | "default" | "examples")
                });
            target
                .filter(|target| !leads(target))
                .or_else(|| below.find_map(|(_, value)| dangling(value, root)))
        }
        Value::Array(values) => values.iter().find_map(|value| dangling(value, root)),
        _ => None,
    }
}

/// A path with its `%20` and the like as what they stand for.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl From<Tool> for ToolDefinition {
    fn from(tool: Tool) -> Self {
        tool.function.into()
    }
}

/// The schema of a tool that takes no arguments.
pub(crate) fn no_arguments() -> Value {
    json!({"type": "object", "properties": {}})
}

/// Whether the model calls tools.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub(crate) enum ChoiceMode {
    Auto,
    None,
    Required,
}

impl From<ChoiceMode> for ToolChoice {
    fn from(mode: ChoiceMode) -> Self {
        match mode {
            ChoiceMode::Auto => ToolChoice::Auto,
            ChoiceMode::None => ToolChoice::None,
            ChoiceMode::Required => ToolChoice::Required,
        }
    }
}

/// The tool that has to be called.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct NamedTool {
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of tools")]
    kind: FunctionKind,
    function: ToolName,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct ToolName {
    name: String,
}

/// Whether the model calls tools: by a word, or by the one that it has to call.
pub(crate) fn choice(choice: NameOr<ChoiceMode, NamedTool>) -> ToolChoice {
    match choice {
        NameOr::Name(mode) => mode.into(),
        NameOr::Full(named) => ToolChoice::Named(named.function.name),
    }
}

/// A call of a tool, as it is sent back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Call {
    /// What its result is sent back under.
    id: String,
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one type of tools")]
    kind: Option<FunctionKind>,
    function: CalledFunction,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct CalledFunction {
    name: String,
    /// JSON text, as the model wrote it.
    arguments: String,
}

impl From<Call> for ToolCall {
    fn from(call: Call) -> Self {
        ToolCall::new(call.id, call.function.name, call.function.arguments)
    }
}

/// A call of a tool, as the model makes it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MadeCall {
    /// What its result is sent back under.
    id: String,
    #[serde(rename = "type")]
    kind: FunctionKind,
    function: MadeFunction,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MadeFunction {
    name: String,
    /// JSON text, as the model wrote it.
    arguments: String,
}

impl From<ToolCall> for MadeCall {
    fn from(call: ToolCall) -> Self {
        Self {
            id: call.id,
            kind: FunctionKind::Function,
            function: MadeFunction {
                name: call.name,
                arguments: call.arguments,
            },
        }
    }
}
