//! The schema that an answer has to fit.

use std::path::{Path, PathBuf};

use engine::Constraint;

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
}

/// Reads a schema as a constraint of the answer.
///
/// * `elsewhere`: whether a server is to follow it, which knows by itself what it can follow.
///
/// # Errors
///
/// [`SchemaError`] of a file that is no schema, or one that no answer of a model here can be held to.
pub(crate) fn read(path: &Path, elsewhere: bool) -> Result<Constraint, SchemaError> {
    let path = || path.to_owned();
    let text =
        std::fs::read_to_string(path()).map_err(|source| SchemaError::Read { path: path(), source })?;
    let schema: serde_json::Value =
        serde_json::from_str(&text).map_err(|source| SchemaError::Json { path: path(), source })?;
    if !schema.is_object() {
        let found = schema.to_string().chars().take(40).collect();
        return Err(SchemaError::Shape { path: path(), found });
    }
    let constraint = Constraint::JsonSchema(schema);
    if !elsewhere {
        constraint
            .check()
            .map_err(|source| SchemaError::Unfit { path: path(), source })?;
    }
    Ok(constraint)
}
