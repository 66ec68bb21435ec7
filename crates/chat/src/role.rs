//! An agent role: who answers, with which instructions, tools and memory, drawn how.

use std::fmt;
use std::sync::Arc;

use engine::{CandleCompletionModel, CandleCompletionParams};

use crate::approval::{Approval, RefuseAll};
use crate::budget::ContextBudget;
use crate::chat::Chat;
use crate::error::ChatError;
use crate::memory::ConversationId;
use crate::recall::MemoryPolicy;
use crate::tool::{ToolLimits, Toolbox};

/// Who answers in a chat.
#[derive(Clone)]
pub struct AgentRole {
    /// Name, for people.
    pub name: String,
    /// Instructions that the model is shown before every conversation, to the letter; `None` sends no
    /// system message at all, so that the model's template may supply its own.
    pub system_prompt: Option<String>,
    /// The model.
    pub provider: Arc<dyn CandleCompletionModel>,
    /// How answers are generated, with one choice. Tools that are declared here are not run: their calls end the answer,
    /// for the caller to run them; they exclude a toolbox. A choice of tools that is forced is forced in the first round.
    pub params: CandleCompletionParams,
    /// The tools that are run when the model calls them.
    pub tools: Toolbox,
    /// Who says yes to each call; unless told otherwise, nobody does.
    pub approval: Arc<dyn Approval>,
    /// How much the tools may take.
    pub limits: ToolLimits,
    /// What is remembered; `None`: nothing outlasts the chat.
    pub memory: Option<MemoryPolicy>,
    /// How many tokens the conversation may take, and what is done where it takes more.
    pub budget: ContextBudget,
}

impl AgentRole {
    /// A role without instructions, tools and memory, with the provider's own parameters.
    pub fn new(name: impl Into<String>, provider: Arc<dyn CandleCompletionModel>) -> Self {
        Self {
            name: name.into(),
            system_prompt: None,
            provider,
            params: CandleCompletionParams::default(),
            tools: Toolbox::new(),
            approval: Arc::new(RefuseAll),
            limits: ToolLimits::default(),
            memory: None,
            budget: ContextBudget::default(),
        }
    }

    /// The role with these instructions.
    #[must_use]
    pub fn with_system_prompt(self, system_prompt: impl Into<String>) -> Self {
        Self {
            system_prompt: Some(system_prompt.into()),
            ..self
        }
    }

    /// The role with these parameters.
    #[must_use]
    pub fn with_params(self, params: CandleCompletionParams) -> Self {
        Self { params, ..self }
    }

    /// The role with these tools, each call of which is asked about.
    #[must_use]
    pub fn with_tools(self, tools: Toolbox, approval: impl Approval + 'static) -> Self {
        let approval = Arc::new(approval);
        Self {
            tools,
            approval,
            ..self
        }
    }

    /// The role with these bounds of its tools.
    #[must_use]
    pub fn with_limits(self, limits: ToolLimits) -> Self {
        Self { limits, ..self }
    }

    /// The role with this memory.
    #[must_use]
    pub fn with_memory(self, memory: MemoryPolicy) -> Self {
        Self {
            memory: Some(memory),
            ..self
        }
    }

    /// The role with this budget.
    #[must_use]
    pub fn with_budget(self, budget: ContextBudget) -> Self {
        Self { budget, ..self }
    }

    /// Begins a chat.
    pub fn chat(self) -> Chat {
        Chat::new(self)
    }

    /// Goes on with a conversation of the role's memory.
    ///
    /// # Errors
    ///
    /// Those of [`Chat::resume`].
    pub fn resume(self, id: ConversationId) -> Result<Chat, ChatError> {
        Chat::resume(self, id)
    }
}

impl fmt::Debug for AgentRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentRole")
            .field("name", &self.name)
            .field("system_prompt", &self.system_prompt)
            .field("provider", &self.provider.name())
            .field("params", &self.params)
            .field("tools", &self.tools)
            .field("limits", &self.limits)
            .field("memory", &self.memory)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
