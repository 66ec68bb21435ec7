//! Tools: what runs when a model calls, and what it is allowed.
//!
//! A [`Tool`] says how it is called and is called; a [`Toolbox`] holds those of a role. Invariants:
//!
//! * **Nothing runs without a yes** of the role's [`Approval`](crate::Approval), and nothing whose arguments do not fit
//!   the tool's schema.
//! * **Whatever goes wrong becomes a result that the model sees**: an unknown tool, arguments that do not fit, a panic,
//!   a time that is over, a refusal.
//! * **A call ends**: at its time limit, or when the answer that it belongs to is dropped.

mod cancellation;
mod limits;
pub(crate) mod outcome;
pub(crate) mod round;
mod toolbox;
mod typed;

use engine::ToolDefinition;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

pub use cancellation::Cancellation;
pub use limits::ToolLimits;
pub use outcome::{Outcome, ToolFault, ToolResult};
pub use toolbox::{Toolbox, ToolboxError};
pub use typed::{BlockingTool, TypedTool};

/// What a tool gives: text for the model, or why there is none, which the model is shown too.
pub type ToolOutput = Result<String, Box<dyn std::error::Error + Send + Sync>>;

/// A tool that a model may call.
///
/// [`TypedTool`] and [`BlockingTool`] make one of a function whose arguments are a Rust type.
pub trait Tool: Send + Sync {
    /// How it is called: its name, what it does, and the schema of its arguments. The same every time.
    fn definition(&self) -> ToolDefinition;

    /// Runs one call.
    ///
    /// * `arguments`: valid under the schema of the definition.
    ///
    /// What is returned is cut to the role's [limit](ToolLimits::result_bytes). A panic is an error that the model sees.
    ///
    /// # Cancellation
    ///
    /// The future is dropped when the call's time is over or the answer is dropped; work that a drop does not end has
    /// to look at [`CallContext::cancellation`].
    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, ToolOutput>;
}

/// What a call knows of itself.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The id of the call, unique within its answer's round.
    pub id: String,
    /// Whether the call is still wanted.
    pub cancellation: Cancellation,
}
