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
//! # Invariants
//!
//! * **The conversation is what the model is shown**, after the system prompt, which is never stored as a
//!   turn and never edited.
//! * **A partial answer is never kept as if it were complete**, and no message of the user is lost: see
//!   [`Answer`].
//! * **What outlasts a chat is written by [`memory`] alone.**

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
