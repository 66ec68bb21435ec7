//! The tools of a role, each name once.
//!
//! A tool's schema is compiled when the tool comes in, so that what cannot be checked is refused before it is declared.

use std::fmt;
use std::sync::Arc;

use engine::{ToolCall, ToolDefinition};
use jsonschema::Validator;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{Tool, ToolFault, ToolLimits};

/// Faults of arguments that the model is told at once.
const FAULTS: usize = 5;
/// Bytes of what the model is told of its arguments' faults.
const FAULT_BYTES: usize = 2048;

/// The tools that a model may call. Clones share the tools.
#[derive(Clone, Default)]
pub struct Toolbox {
    tools: Vec<Arc<Held>>,
}

struct Held {
    definition: ToolDefinition,
    validator: Validator,
    tool: Arc<dyn Tool>,
}

/// Why a tool cannot be taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ToolboxError {
    /// The name cannot be declared to a model.
    #[error("{name:?} cannot name a tool: expected 1 to 64 of A-Z, a-z, 0-9, _, . and -")]
    Name {
        /// The name.
        name: String,
    },
    /// There is one of this name already.
    #[error("there is a tool {name:?} already")]
    Taken {
        /// The name.
        name: String,
    },
    /// The schema of the arguments is no JSON schema of an object.
    #[error("the arguments of tool {name:?} have no usable schema: {reason}")]
    Schema {
        /// The tool.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Toolbox {
    /// No tools.
    pub fn new() -> Self {
        Self::default()
    }

    /// These tools with one more.
    ///
    /// # Errors
    ///
    /// Those of [`Toolbox::add`].
    pub fn with(mut self, tool: impl Tool + 'static) -> Result<Self, ToolboxError> {
        self.add(Arc::new(tool))?;
        Ok(self)
    }

    /// Takes one more tool.
    ///
    /// # Errors
    ///
    /// * [`ToolboxError::Name`] of a name that cannot be declared.
    /// * [`ToolboxError::Taken`] of a name that is there already.
    /// * [`ToolboxError::Schema`] of a schema that arguments cannot be held against.
    pub fn add(&mut self, tool: Arc<dyn Tool>) -> Result<(), ToolboxError> {
        let definition = tool.definition();
        let name = definition.name.clone();
        if !ToolDefinition::is_name(&name) {
            return Err(ToolboxError::Name { name });
        }
        if self.get(&name).is_some() {
            return Err(ToolboxError::Taken { name });
        }
        let schema = |reason: String| ToolboxError::Schema {
            name: name.clone(),
            reason,
        };
        if definition.parameters.get("type").and_then(Value::as_str) != Some("object") {
            return Err(schema("it is not of type object".to_owned()));
        }
        let validator =
            jsonschema::validator_for(&definition.parameters).map_err(|error| schema(error.to_string()))?;
        self.tools.push(Arc::new(Held {
            definition,
            validator,
            tool,
        }));
        Ok(())
    }

    /// Puts a tool aside; `false` if there is none of this name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.tools.len();
        self.tools.retain(|held| held.definition.name != name);
        self.tools.len() < before
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// How they are declared, in the order in which they came.
    pub fn definitions(&self) -> impl Iterator<Item = &ToolDefinition> {
        self.tools.iter().map(|held| &held.definition)
    }

    fn get(&self, name: &str) -> Option<&Arc<Held>> {
        self.tools.iter().find(|held| held.definition.name == name)
    }

    /// The tool that `call` names, with arguments that fit it.
    pub(crate) fn prepare(&self, call: &ToolCall, limits: &ToolLimits) -> Result<Prepared, ToolFault> {
        let held = self.get(&call.name).ok_or_else(|| {
            let known: Vec<&str> = self.definitions().map(|tool| tool.name.as_str()).collect();
            ToolFault::Unknown {
                name: super::outcome::cut(call.name.clone(), ToolDefinition::MAX_NAME).0,
                known: known.join(", "),
            }
        })?;
        let (bytes, limit) = (call.arguments.len(), limits.argument_bytes);
        if bytes > limit {
            return Err(ToolFault::ArgumentsTooLong { bytes, limit });
        }
        let arguments = call.parse_arguments().map_err(|error| ToolFault::Arguments {
            reason: format!("they are no JSON object: {error}"),
        })?;
        let value = Value::Object(arguments);
        let mut faults = held.validator.iter_errors(&value).map(|error| {
            let place = error.instance_path.to_string();
            match place.as_str() {
                "" => error.to_string(),
                place => format!("{place}: {error}"),
            }
        });
        let told: Vec<String> = faults.by_ref().take(FAULTS).collect();
        drop(faults);
        let Value::Object(arguments) = value else {
            return Err(ToolFault::Arguments {
                reason: "they are no JSON object".to_owned(),
            });
        };
        if told.is_empty() {
            let tool = Arc::clone(&held.tool);
            let definition = held.definition.clone();
            return Ok(Prepared {
                tool,
                definition,
                arguments,
            });
        }
        let reason = super::outcome::cut(told.join("; "), FAULT_BYTES).0;
        Err(ToolFault::Arguments { reason })
    }
}

/// A call that can be run.
pub(crate) struct Prepared {
    pub(crate) tool: Arc<dyn Tool>,
    pub(crate) definition: ToolDefinition,
    pub(crate) arguments: Map<String, Value>,
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.definitions().map(|tool| &tool.name);
        f.debug_list().entries(names).finish()
    }
}
