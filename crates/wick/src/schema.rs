//! The schema that an answer has to fit.

use std::path::{Path, PathBuf};

use engine::Constraint;
use jsonschema::Validator;

/// Why an answer cannot be held to a schema, or did not fit it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("cannot read the schema {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is no JSON", path.display())]
    Json {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{} is {found}, expected a JSON schema: an object", path.display())]
    Shape { path: PathBuf, found: String },
    #[error("{} is no JSON schema: {fault}", path.display())]
    Invalid { path: PathBuf, fault: String },
    #[error("no answer can be held to the schema {}", path.display())]
    Unfit {
        path: PathBuf,
        #[source]
        source: engine::GenerateError,
    },
    #[error(
        "the answer was cut after {tokens} tokens, before it fitted the schema; --max-tokens allows more"
    )]
    Cut { tokens: usize },
    #[error("the answer is no JSON, though a schema was asked for")]
    Answer(#[source] serde_json::Error),
    #[error("the answer does not fit the schema: {place} {fault}")]
    Misfit {
        /// What of the answer it is.
        place: String,
        fault: String,
    },
}

/// A schema that answers are held against.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Checks that a whole answer is JSON that fits.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Answer`] and [`SchemaError::Misfit`].
    pub(crate) fn check(&self, answer: &str) -> Result<(), SchemaError> {
        let answer: serde_json::Value = serde_json::from_str(answer).map_err(SchemaError::Answer)?;
        self.0.validate(&answer).map_err(|fault| SchemaError::Misfit {
            place: match fault.instance_path.as_str() {
                "" => "the whole:".to_owned(),
                path => format!("{path}:"),
            },
            fault: fault.to_string(),
        })
    }
}

/// Reads a schema: as a constraint of the answer, and to hold it against.
///
/// * `elsewhere`: whether a server is to follow it, which knows by itself what it can follow.
///
/// # Errors
///
/// [`SchemaError`] of a file that is no schema, or one that no answer of a model here can be held to.
pub(crate) fn read(path: &Path, elsewhere: bool) -> Result<(Constraint, Schema), SchemaError> {
    let path = || path.to_owned();
    let text =
        std::fs::read_to_string(path()).map_err(|source| SchemaError::Read { path: path(), source })?;
    let schema: serde_json::Value =
        serde_json::from_str(&text).map_err(|source| SchemaError::Json { path: path(), source })?;
    if !schema.is_object() {
        let found = schema.to_string().chars().take(40).collect();
        return Err(SchemaError::Shape { path: path(), found });
    }
    let validator = jsonschema::validator_for(&schema).map_err(|fault| SchemaError::Invalid {
        path: path(),
        fault: fault.to_string(),
    })?;
    let constraint = Constraint::JsonSchema(schema);
    if !elsewhere {
        constraint
            .check()
            .map_err(|source| SchemaError::Unfit { path: path(), source })?;
    }
    Ok((constraint, Schema(validator)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let schema = serde_json::json!({"type": "object", "properties": {"age": {"type": "integer"}}});
        let schema = Schema(jsonschema::validator_for(&schema).expect("a schema"));
        assert!(schema.check(r#"{"age": 3}"#).is_ok());
        for (answer, said) in [
            (r#"{"age": "three"}"#, "does not fit the schema: /age: \"three\""),
            ("7", "does not fit the schema: the whole: 7"),
            ("no", "is no JSON"),
        ] {
            let fault = schema.check(answer).expect_err(answer).to_string();
            assert!(fault.contains(said), "{fault}");
        }
    }
}
