//! A memory as a file that people and other programs read.

mod date;
mod markdown;

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, de};

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
    /// When it was last added to, in seconds since 1970, before the year 10000.
    #[serde(deserialize_with = "updated")]
    pub updated: u64,
    /// Its turns, oldest first.
    pub turns: Vec<PortableTurn>,
}

/// A turn, and when it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortableTurn {
    /// The turn.
    #[serde(flatten)]
    pub turn: KeptTurn,
    /// When it was kept, in seconds since 1970, before the year 10000; `None`: as the conversation.
    #[serde(default, deserialize_with = "kept", skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
}

impl From<KeptTurn> for PortableTurn {
    fn from(turn: KeptTurn) -> Self {
        Self { turn, kept: None }
    }
}

fn updated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if seconds <= date::LAST {
        return Ok(seconds);
    }
    let expected = "seconds since 1970, before the year 10000";
    Err(de::Error::invalid_value(
        de::Unexpected::Unsigned(seconds),
        &expected,
    ))
}

fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    updated(deserializer).map(Some)
}

impl PortableConversation {
    /// A conversation that was added to just now.
    pub fn new(title: impl Into<String>, turns: Vec<KeptTurn>) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            title: title.into(),
            updated: since.as_secs(),
            turns: turns.into_iter().map(PortableTurn::from).collect(),
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
            match memory.export(outline.id) {
                Ok(conversation) => conversations.push(conversation),
                // Somebody has deleted it meanwhile.
                Err(MemoryError::NoConversation { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { facts, conversations })
    }

    /// Adds all of it to `memory`: as new conversations with the times that they have, and facts that are not there yet,
    /// as of today.
    ///
    /// # Errors
    ///
    /// What the store reports; what was added before stays.
    pub fn add_to(&self, memory: &dyn Memory) -> Result<(), MemoryError> {
        for fact in self.facts.iter().rev() {
            memory.remember(fact)?;
        }
        for conversation in self.conversations.iter().rev() {
            memory.import(conversation)?;
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

    /// As a page of Markdown, which people read, and [`Portable::from_markdown`] too.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }

    /// Reads a page of Markdown that [`Portable::to_markdown`] has made: everything is as it was, but for times, which are
    /// kept to the second.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Markdown`] says which line does not fit.
    pub fn from_markdown(page: &str) -> Result<Self, MemoryError> {
        markdown::read(page)
    }

    /// Reads an export of either kind: a page of Markdown begins with a heading, and is empty where there was nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Portable::from_json`] and [`Portable::from_markdown`].
    pub fn read(text: &str) -> Result<Self, MemoryError> {
        if text.trim().is_empty() {
            // A page of nothing.
            Ok(Self::default())
        } else if text.starts_with('#') {
            Self::from_markdown(text)
        } else {
            Self::from_json(text)
        }
    }
}
