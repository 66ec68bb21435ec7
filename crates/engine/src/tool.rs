//! Tools: what a model may call, and the calls that it makes.
//!
//! A call's id and its arguments are kept to the letter: arguments are JSON text, so that those that are cut
//! off or malformed survive as the model wrote them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A tool that is declared to the model.
///
/// Serialised in OpenAI's shape: `{"type": "function", "function": {"name", "description", "parameters",
/// "strict"}}`. Where `parameters` is absent, the tool takes none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Declaration", into = "Declaration")]
pub struct ToolDefinition {
    /// As the model must write it: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `.` and `-`.
    pub name: String,
    /// What the tool does, for the model to read.
    pub description: Option<String>,
    /// The arguments: an object that is a JSON schema of type `object`.
    pub parameters: Value,
    /// Whether a call is held to the schema while it is written, so that its arguments are always valid. Otherwise they
    /// are what the model takes for valid.
    pub strict: bool,
}

impl ToolDefinition {
    /// Bytes that a tool's name may have.
    pub const MAX_NAME: usize = 64;

    /// A tool without a description.
    pub fn new(name: impl Into<String>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: None,
            parameters,
            strict: false,
        }
    }

    /// The tool whose calls are held to its schema, or not.
    #[must_use]
    pub fn with_strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// The tool with this description.
    #[must_use]
    pub fn with_description(self, description: impl Into<String>) -> Self {
        Self {
            description: Some(description.into()),
            ..self
        }
    }

    /// Whether `name` can name a tool.
    pub fn is_name(name: &str) -> bool {
        (1..=Self::MAX_NAME).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    }
}

/// Whether the model calls tools.
///
/// Serialised in OpenAI's shape: `"auto"`, `"none"`, `"required"`, or `{"type": "function", "function": {"name"}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Choice", into = "Choice")]
pub enum ToolChoice {
    /// It decides by itself.
    #[default]
    Auto,
    /// It calls none, and is told of none.
    None,
    /// It calls at least one, and answers with nothing else.
    Required,
    /// It calls the tool of this name, once, and answers with nothing else.
    Named(String),
}

impl ToolChoice {
    /// Whether the answer has to be a call.
    pub fn is_forced(&self) -> bool {
        matches!(self, ToolChoice::Required | ToolChoice::Named(_))
    }
}

/// A call of a tool, as the model made it.
///
/// Serialised in OpenAI's shape: `{"id", "type": "function", "function": {"name", "arguments"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Called", into = "Called")]
pub struct ToolCall {
    /// What the result is sent back under, to the letter.
    pub id: String,
    /// The tool called. Nothing says that it was declared: models call tools that they were not given.
    pub name: String,
    /// The arguments as JSON text, to the letter; not an object, or not JSON at all, where the model wrote none
    /// or was cut off.
    pub arguments: String,
}

impl ToolCall {
    /// A call of `name` under `id`.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
        }
    }

    /// The arguments by name, in the order in which they were written; no text at all means none.
    ///
    /// # Errors
    ///
    /// Where the text is not one JSON object: the call is cut off or malformed, and must not be run.
    pub fn parse_arguments(&self) -> Result<Map<String, Value>, serde_json::Error> {
        if self.arguments.trim().is_empty() {
            return Ok(Map::new());
        }
        serde_json::from_str(&self.arguments)
    }
}

/// The only type of tool there is.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
enum Type {
    #[default]
    #[serde(rename = "function")]
    Function,
}

/// A [`ToolChoice`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Choice {
    Mode(Mode),
    Named {
        #[serde(rename = "type", default)]
        of: Type,
        function: Name,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Auto,
    None,
    Required,
}

#[derive(Serialize, Deserialize)]
struct Name {
    name: String,
}

impl From<Choice> for ToolChoice {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Mode(Mode::Auto) => ToolChoice::Auto,
            Choice::Mode(Mode::None) => ToolChoice::None,
            Choice::Mode(Mode::Required) => ToolChoice::Required,
            Choice::Named { function, .. } => ToolChoice::Named(function.name),
        }
    }
}

impl From<ToolChoice> for Choice {
    fn from(choice: ToolChoice) -> Self {
        match choice {
            ToolChoice::Auto => Choice::Mode(Mode::Auto),
            ToolChoice::None => Choice::Mode(Mode::None),
            ToolChoice::Required => Choice::Mode(Mode::Required),
            ToolChoice::Named(name) => Choice::Named {
                of: Type::Function,
                function: Name { name },
            },
        }
    }
}

/// A [`ToolDefinition`] as it is written.
#[derive(Serialize, Deserialize)]
struct Declaration {
    #[serde(rename = "type", default)]
    of: Type,
    function: Declared,
}

#[derive(Serialize, Deserialize)]
struct Declared {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default = "nothing")]
    parameters: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// The schema of a tool that takes no arguments.
fn nothing() -> Value {
    json!({"type": "object", "properties": {}})
}

impl From<Declaration> for ToolDefinition {
    fn from(Declaration { function, .. }: Declaration) -> Self {
        Self {
            name: function.name,
            description: function.description,
            parameters: function.parameters,
            strict: function.strict.unwrap_or(false),
        }
    }
}

impl From<ToolDefinition> for Declaration {
    fn from(tool: ToolDefinition) -> Self {
        Self {
            of: Type::Function,
            function: Declared {
                name: tool.name,
                description: tool.description,
                parameters: tool.parameters,
                strict: tool.strict.then_some(true),
            },
        }
    }
}

/// A [`ToolCall`] as it is written.
#[derive(Serialize, Deserialize)]
struct Called {
    id: String,
    #[serde(rename = "type", default)]
    of: Type,
    function: CalledFunction,
}

#[derive(Serialize, Deserialize)]
struct CalledFunction {
    name: String,
    arguments: String,
}

impl From<Called> for ToolCall {
    fn from(Called { id, function, .. }: Called) -> Self {
        Self {
            id,
            name: function.name,
            arguments: function.arguments,
        }
    }
}

impl From<ToolCall> for Called {
    fn from(call: ToolCall) -> Self {
        Self {
            id: call.id,
            of: Type::Function,
            function: CalledFunction {
                name: call.name,
                arguments: call.arguments,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_written_in_openais_shape() {
        let schema = json!({"type": "object", "properties": {"z": {"type": "string"}, "a": {}}});
        let tool = ToolDefinition::new("find", schema.clone()).with_description("Finds.");
        let written = json!({
            "type": "function",
            "function": {"name": "find", "description": "Finds.", "parameters": schema},
        });
        assert_eq!(serde_json::to_value(&tool).unwrap(), written);
        assert_eq!(serde_json::from_value::<ToolDefinition>(written).unwrap(), tool);
    }

    #[test]
    fn a_strict_definition_says_so() {
        let tool = ToolDefinition::new("now", nothing()).with_strict(true);
        let written = serde_json::to_value(&tool).unwrap();
        assert_eq!(written["function"]["strict"], true);
        assert_eq!(serde_json::from_value::<ToolDefinition>(written).unwrap(), tool);
    }

    #[test]
    fn a_choice_is_written_in_openais_shape() {
        for (choice, written) in [
            (ToolChoice::Auto, json!("auto")),
            (ToolChoice::None, json!("none")),
            (ToolChoice::Required, json!("required")),
            (
                ToolChoice::Named("now".to_owned()),
                json!({"type": "function", "function": {"name": "now"}}),
            ),
        ] {
            assert_eq!(serde_json::to_value(&choice).unwrap(), written);
            assert_eq!(serde_json::from_value::<ToolChoice>(written).unwrap(), choice);
        }
        assert!(serde_json::from_value::<ToolChoice>(json!("any")).is_err());
    }

    #[test]
    fn a_definition_without_parameters_takes_none() {
        let read: ToolDefinition = serde_json::from_str(r#"{"function": {"name": "now"}}"#).unwrap();
        assert_eq!(read, ToolDefinition::new("now", nothing()));
    }

    #[test]
    fn another_type_of_tool_is_refused() {
        let other = json!({"type": "retrieval", "function": {"name": "find"}});
        assert!(serde_json::from_value::<ToolDefinition>(other).is_err());
    }

    #[test]
    fn a_call_keeps_arguments_that_are_not_json() {
        let call = ToolCall::new("functions.find:0", "find", "{\"text\":\"cut o");
        let written = json!({
            "id": "functions.find:0",
            "type": "function",
            "function": {"name": "find", "arguments": "{\"text\":\"cut o"},
        });
        assert_eq!(serde_json::to_value(&call).unwrap(), written);
        assert_eq!(serde_json::from_value::<ToolCall>(written).unwrap(), call);
        assert!(call.parse_arguments().is_err());
    }

    #[test]
    fn arguments_are_an_object_or_none_at_all() {
        let parsed = |text: &str| ToolCall::new("1", "f", text).parse_arguments();
        assert!(parsed(" \n").unwrap().is_empty());
        assert_eq!(
            Value::Object(parsed(r#"{"b":1,"a":[]}"#).unwrap()),
            json!({"b": 1, "a": []})
        );
        for text in ["[]", "1", "null", "{} {}", "{\"a\":1"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_bounded() {
        for name in ["a", "get_weather", "functions.find-1", &"x".repeat(64)] {
            assert!(ToolDefinition::is_name(name), "{name}");
        }
        for name in ["", "a b", "é", "a>", "a\n", &"x".repeat(65)] {
            assert!(!ToolDefinition::is_name(name), "{name}");
        }
    }
}
