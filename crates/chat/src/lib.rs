//! Conversations: an agent role, its provider and a history.
//!
//! An [`AgentRole`] says who answers; a [`Chat`] holds the conversation and sends one message at a time;
//! an [`Answer`] streams in as [`Event`]s and settles its turn when it ends.
//!
//! ```
//! # use std::sync::Arc;
//! # use chat::{AgentRole, ChatError, Event};
//! # use engine::CandleCompletionModel;
//! use futures::StreamExt;
//!
//! # async fn talk(provider: Arc<dyn CandleCompletionModel>) -> Result<(), ChatError> {
//! let mut chat = AgentRole::new("guide", provider)
//!     .with_system_prompt("You answer in one sentence.")
//!     .chat();
//!
//! let mut answer = chat.send("What is a monad?");
//! let mut said = String::new();
//! while let Some(event) = answer.next().await {
//!     match event? {
//!         Event::Text(text) => said.push_str(&text),
//!         Event::Done(summary) => assert!(summary.usage.completion_tokens > 0),
//!         _ => {}
//!     }
//! }
//! drop(answer);
//!
//! // The turn is kept, and the next message is answered in its light.
//! assert_eq!(chat.conversation().turns()[0].answer, said);
//! # Ok(())
//! # }
//! ```
//!
//! A role may have tools, a memory and a budget of tokens:
//!
//! ```
//! # use std::sync::Arc;
//! use chat::memory::{Archive, Memory};
//! use chat::{AgentRole, ContextBudget, Decision, MemoryPolicy, Overflow, Proposal, Toolbox, TypedTool};
//! # use engine::CandleCompletionModel;
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Place {
//!     /// Name of the city.
//!     city: String,
//! }
//!
//! # fn role(provider: Arc<dyn CandleCompletionModel>, path: &str) -> Result<AgentRole, Box<dyn std::error::Error>> {
//! let weather = TypedTool::new("get_weather", "Tells the weather of a city.", |place: Place, _| async move {
//!     Ok(format!("Rain in {}.", place.city))
//! });
//! // Nothing runs without a yes.
//! let approval = |proposal: &Proposal| match proposal.call.name.as_str() {
//!     "get_weather" => Decision::Allow,
//!     _ => Decision::refuse(),
//! };
//! let store: Arc<dyn Memory> = Arc::new(Archive::open(path)?);
//! let role = AgentRole::new("guide", provider)
//!     .with_tools(Toolbox::new().with(weather)?, approval)
//!     .with_memory(MemoryPolicy::new(store))
//!     .with_budget(ContextBudget::overflowing(Overflow::DropOldest));
//! # Ok(role)
//! # }
//! ```
//!
//! `examples/assistant.rs` is a whole program.
//!
//! Turns are counted from 0 wherever a program gives or gets a number, as in [`Conversation::turns`], and from 1 in every
//! message, as people count.
//!
//! # Invariants
//!
//! * **The conversation is what the model is shown**, after the system prompt, which is never stored as a
//!   turn and never edited, as far as the [budget](ContextBudget) reaches; what is recalled, dropped or summarised is told
//!   as an [`Event`].
//! * **A partial answer is never kept as if it were complete**, and neither a message of the user nor what a tool did is
//!   lost: see [`Answer`].
//! * **No tool runs without a yes** of the role's [`Approval`], and none for ever.
//! * **What outlasts a chat is written by [`memory`] alone**; a store that fails costs no answer.
//! * **Nothing here needs a runtime**, but for the module `mcp` (feature `mcp`), which opens the only sockets.

#![forbid(unsafe_code)]

mod role;
mod chat;
mod answer;
mod conversation;
mod history;
mod budget;
mod tool;
mod approval;
mod recall;
mod keeping;
mod errand;
mod error;
pub mod memory;
#[cfg(feature = "mcp")]
pub mod mcp;

pub use answer::{Answer, Event};
pub use approval::{AllowAll, Approval, AskApproval, Decision, Proposal, Question, Questions, RefuseAll};
pub use budget::{ContextBudget, Overflow};
pub use chat::Chat;
pub use conversation::{Conversation, Ending, Summary, Turn};
pub use error::ChatError;
pub use history::{Summarised, Trimmed};
pub use recall::{Injection, MemoryFault, MemoryPolicy, MemoryUse};
pub use role::AgentRole;
pub use tool::{
    BlockingTool, CallContext, Cancellation, Outcome, Tool, ToolFault, ToolLimits, ToolOutput, ToolResult,
    Toolbox, ToolboxError, TypedTool,
};
