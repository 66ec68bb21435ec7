//! What an answer has to be: JSON, JSON of a schema, a choice, an expression, a grammar.

use engine::Constraint;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::Failure;
use crate::shape::{only_objects, only_words};

only_objects!(ResponseFormat, JsonSchemaFormat, StructuredOutputs);
only_words!(FormatKind);

/// What the answer has to be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct ResponseFormat {
    /// `text` is anything, `json_object` any object, `json_schema` what the schema allows.
    #[serde(rename = "type")]
    kind: FormatKind,
    /// For `json_schema`.
    json_schema: Option<JsonSchemaFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", remote = "Self")]
pub(crate) enum FormatKind {
    Text,
    JsonObject,
    JsonSchema,
}

/// A schema, which the answer is held to while it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct JsonSchemaFormat {
    /// Not used.
    #[allow(dead_code, reason = "it names the schema for its author")]
    name: String,
    /// Not used.
    pub(crate) description: Option<String>,
    /// The schema.
    #[schema(value_type = Object)]
    schema: Option<Value>,
    /// Answers are held to the schema either way.
    #[allow(dead_code, reason = "what it asks for is always so")]
    strict: Option<bool>,
}

impl ResponseFormat {
    /// Whether it describes its schema, which nobody reads.
    pub(crate) fn is_described(&self) -> bool {
        self.json_schema
            .as_ref()
            .is_some_and(|schema| schema.description.is_some())
    }

    /// What follows for the answer.
    pub(crate) fn constraint(&self) -> Result<Option<Constraint>, Failure> {
        let schema = self.json_schema.as_ref();
        if self.kind != FormatKind::JsonSchema && schema.is_some() {
            let field = "response_format.json_schema";
            return Err(Failure::field(
                field,
                format!("{field} goes with the type json_schema alone"),
            ));
        }
        match self.kind {
            FormatKind::Text => Ok(None),
            FormatKind::JsonObject => Ok(Some(Constraint::JsonObject)),
            FormatKind::JsonSchema => {
                let schema = schema.and_then(|format| format.schema.clone());
                json_schema("response_format.json_schema.schema", schema)
            }
        }
    }
}

/// The constraint of a schema, which has to be there and to be an object.
pub(crate) fn json_schema(field: &str, schema: Option<Value>) -> Result<Option<Constraint>, Failure> {
    match schema {
        Some(schema) if schema.is_object() => Ok(Some(Constraint::JsonSchema(schema))),
        Some(_) => Err(Failure::field(field, format!("{field} is no object"))),
        None => Err(Failure::field(field, format!("{field} is missing"))),
    }
}

/// What the answer has to be, in one of these ways.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct StructuredOutputs {
    /// JSON of a schema.
    #[schema(value_type = Option<Object>)]
    json: Option<Value>,
    /// Any JSON object.
    json_object: Option<bool>,
    /// One of these texts.
    choice: Option<Vec<String>>,
    /// A text that this regular expression matches from its beginning to its end.
    regex: Option<String>,
    /// A text of this grammar, in Lark's syntax.
    grammar: Option<String>,
}

impl StructuredOutputs {
    pub(crate) fn constraint(&self) -> Result<Constraint, Failure> {
        let field = "structured_outputs";
        let mut given = Vec::new();
        if let Some(schema) = &self.json {
            given.extend(json_schema("structured_outputs.json", Some(schema.clone()))?);
        }
        given.extend((self.json_object == Some(true)).then_some(Constraint::JsonObject));
        given.extend(self.choice.clone().map(Constraint::Choice));
        given.extend(self.regex.clone().map(Constraint::Regex));
        given.extend(self.grammar.clone().map(Constraint::Lark));
        match given.pop() {
            Some(constraint) if given.is_empty() => Ok(constraint),
            last => {
                let count = given.len() + usize::from(last.is_some());
                let message = format!("{field} asks for {count} things, expected one");
                Err(Failure::field(field, message))
            }
        }
    }
}
