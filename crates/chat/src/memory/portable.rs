//! A memory as a file that people and other programs read.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{KeptTurn, Memory, MemoryError};

/// Everything that a memory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portable {
    /// Facts, the newest first.
    pub facts: Vec<String>,
    /// Conversations, the one that was last added to first.
    pub conversations: Vec<PortableConversation>,
}

/// A conversation with its turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortableConversation {
    /// Its title.
    pub title: String,
    /// When it was last added to, in seconds since 1970.
    pub updated: u64,
    /// Its turns, oldest first.
    pub turns: Vec<KeptTurn>,
}

impl PortableConversation {
    /// A conversation that was added to just now.
    pub fn new(title: impl Into<String>, turns: Vec<KeptTurn>) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            title: title.into(),
            updated: since.as_secs(),
            turns,
        }
    }
}

/// A conversation alone.
impl From<PortableConversation> for Portable {
    fn from(conversation: PortableConversation) -> Self {
        Self {
            facts: Vec::new(),
            conversations: vec![conversation],
        }
    }
}

impl Portable {
    /// All that `memory` holds.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub fn of(memory: &dyn Memory) -> Result<Self, MemoryError> {
        let facts = memory.facts()?.into_iter().map(|fact| fact.text).collect();
        let mut conversations = Vec::new();
        for outline in memory.conversations()? {
            let since = outline.updated.duration_since(UNIX_EPOCH).unwrap_or_default();
            conversations.push(PortableConversation {
                title: outline.title,
                updated: since.as_secs(),
                turns: memory.turns(outline.id)?,
            });
        }
        Ok(Self { facts, conversations })
    }

    /// Adds all of it to `memory`: as new conversations, and facts that are not there yet.
    ///
    /// # Errors
    ///
    /// What the store reports; what was added before stays.
    pub fn add_to(&self, memory: &dyn Memory) -> Result<(), MemoryError> {
        for fact in self.facts.iter().rev() {
            memory.remember(fact)?;
        }
        for conversation in self.conversations.iter().rev() {
            memory.begin_with(&conversation.title, &conversation.turns)?;
        }
        Ok(())
    }

    /// Reads an export.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Import`] says what does not fit, and where.
    pub fn from_json(json: &str) -> Result<Self, MemoryError> {
        serde_json::from_str(json).map_err(MemoryError::Import)
    }

    /// As JSON, which [`Portable::from_json`] reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts and numbers alone: there is nothing that JSON lacks.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// As a page of Markdown, for people.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        if !self.facts.is_empty() {
            page.push_str("# Facts\n\n");
            for fact in &self.facts {
                let _ = writeln!(page, "- {}", fact.replace('\n', "\n  "));
            }
        }
        for conversation in &self.conversations {
            let title = match conversation.title.as_str() {
                "" => "Conversation",
                title => title,
            };
            let separator = if page.is_empty() { "" } else { "\n" };
            let _ = writeln!(page, "{separator}# {title}");
            for turn in &conversation.turns {
                let _ = write!(
                    page,
                    "\n**User**\n\n{}\n\n**Answer**\n\n{}\n",
                    turn.user, turn.answer
                );
            }
        }
        page
    }
}
