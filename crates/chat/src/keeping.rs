//! A chat's conversation in its store: how far the two agree, and what is to be written so that they do.
//!
//! Whatever a write is for, it brings along all that earlier ones failed to write, in one transaction.

use std::sync::Arc;

use crate::conversation::Conversation;
use crate::memory::{ConversationId, KeptTurn, Memory, MemoryError};
use crate::recall::{MemoryFault, MemoryUse};

/// Characters of a title that is made of a message.
const TITLE: usize = 60;

/// Where a conversation is stored, and how much of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeping {
    /// The store and the conversation's id there, once it is stored.
    place: Option<(Arc<dyn Memory>, ConversationId)>,
    /// Turns that the store has.
    stored: usize,
    /// Those of them, from the first, that are the chat's.
    same: usize,
    /// The title; `None`: it is made of the first message.
    pub(crate) title: Option<String>,
    /// The last failure, if nothing was kept since.
    pub(crate) fault: Option<MemoryFault>,
}

/// What is to be written.
pub(crate) struct Write {
    store: Arc<dyn Memory>,
    id: Option<ConversationId>,
    title: String,
    from: usize,
    expected: usize,
    turns: Vec<KeptTurn>,
}

impl Keeping {
    /// A conversation that is not stored yet.
    pub(crate) fn of_title(title: Option<String>) -> Self {
        Self {
            title,
            ..Self::default()
        }
    }

    /// A conversation that was just read from its store.
    pub(crate) fn loaded(store: Arc<dyn Memory>, id: ConversationId, turns: usize, title: String) -> Self {
        Self {
            place: Some((store, id)),
            stored: turns,
            same: turns,
            title: Some(title),
            fault: None,
        }
    }

    /// The id in `store`, if it is stored there.
    pub(crate) fn id(&self, store: &Arc<dyn Memory>) -> Option<ConversationId> {
        let (place, id) = self.place.as_ref()?;
        Arc::ptr_eq(place, store).then_some(*id)
    }

    /// The chat has only its first `turns` turns in common with what it was.
    pub(crate) fn differs_from(&mut self, turns: usize) {
        self.same = self.same.min(turns);
    }

    /// What has to be written to `store`; `None` where all of it is there.
    pub(crate) fn write(&self, store: &Arc<dyn Memory>, conversation: &Conversation) -> Option<Write> {
        let id = self.id(store);
        let (from, expected) = match id {
            Some(_) => (self.same, self.stored),
            None => (0, 0),
        };
        let turns = conversation.turns();
        if id.is_some() && from == turns.len() && expected == from {
            return None;
        }
        Some(Write {
            store: Arc::clone(store),
            id,
            title: self.title_of(conversation),
            from,
            expected,
            turns: turns.iter().skip(from).map(|turn| turn.kept()).collect(),
        })
    }

    /// Notes how a write ended.
    ///
    /// * `turns`: those that the chat had when it was made.
    pub(crate) fn settle(
        &mut self,
        store: Arc<dyn Memory>,
        turns: usize,
        written: Result<ConversationId, MemoryError>,
    ) {
        match written {
            Ok(id) => {
                self.place = Some((store, id));
                (self.stored, self.same) = (turns, turns);
                self.fault = None;
            }
            Err(error) => self.fault = Some(MemoryFault::new(MemoryUse::Keep, error)),
        }
    }

    /// The title, or what it will be.
    pub(crate) fn title_of(&self, conversation: &Conversation) -> String {
        self.title.clone().unwrap_or_else(|| {
            let first = conversation.turns().first().map(|turn| turn.user.as_str());
            let line = first
                .unwrap_or_default()
                .lines()
                .find(|line| !line.trim().is_empty());
            let line = line.unwrap_or_default().trim();
            match line.char_indices().nth(TITLE) {
                None => line.to_owned(),
                Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default().trim_end()),
            }
        })
    }

    /// Turns of `conversation` that its store does not have.
    pub(crate) fn unsaved(&self, store: &Arc<dyn Memory>, conversation: &Conversation) -> usize {
        let same = if self.id(store).is_some() { self.same } else { 0 };
        conversation.turns().len() - same.min(conversation.turns().len())
    }
}

impl Write {
    /// Writes it, in one transaction; the id of the conversation.
    pub(crate) fn run(self) -> Result<ConversationId, MemoryError> {
        match self.id {
            Some(id) => {
                self.store.rewrite(id, self.from, self.expected, &self.turns)?;
                Ok(id)
            }
            None => self.store.begin_with(&self.title, &self.turns),
        }
    }
}
