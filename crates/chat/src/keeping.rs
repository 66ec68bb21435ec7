//! A chat's conversation in its store: how far the two agree, and what is to be written so that they do.
//!
//! Whatever a write is for, it brings along all that earlier ones failed to write, in one transaction.

use std::sync::Arc;

use crate::conversation::Conversation;
use crate::memory::{ConversationId, KeptTurn, Memory, MemoryError, Revision, Snapshot, StoreId};
use crate::recall::{MemoryFault, MemoryUse};

/// Characters of a title that is made of a message.
const TITLE: usize = 60;

/// Where a conversation is stored, and how much of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeping {
    /// Where the conversation is, once it is stored.
    place: Option<Place>,
    /// Turns that the store has.
    stored: usize,
    /// Those of them, from the first, that are the chat's.
    same: usize,
    /// The title; `None`: it is made of the first message.
    pub(crate) title: Option<String>,
    /// The last failure, if nothing was kept since.
    pub(crate) fault: Option<MemoryFault>,
}

/// A conversation in a store, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    store: StoreId,
    id: ConversationId,
    revision: Revision,
}

/// What is to be written.
pub(crate) struct Write {
    store: Arc<dyn Memory>,
    place: Option<Place>,
    title: String,
    from: usize,
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
    pub(crate) fn loaded(store: &dyn Memory, id: ConversationId, snapshot: &Snapshot) -> Self {
        let (store, revision) = (store.store(), snapshot.revision);
        let turns = snapshot.turns.len();
        Self {
            place: Some(Place { store, id, revision }),
            stored: turns,
            same: turns,
            title: Some(snapshot.title.clone()),
            fault: None,
        }
    }

    /// The id in `store`, if it is stored there.
    pub(crate) fn id(&self, store: &Arc<dyn Memory>) -> Option<ConversationId> {
        self.place_in(store).map(|place| place.id)
    }

    fn place_in(&self, store: &Arc<dyn Memory>) -> Option<&Place> {
        // A store that is opened again is the same.
        self.place.as_ref().filter(|place| place.store == store.store())
    }

    /// The chat has only its first `turns` turns in common with what it was.
    pub(crate) fn differs_from(&mut self, turns: usize) {
        self.same = self.same.min(turns);
    }

    /// What has to be written to `store`; `None` where all of it is there.
    pub(crate) fn write(&self, store: &Arc<dyn Memory>, conversation: &Conversation) -> Option<Write> {
        let place = self.place_in(store).cloned();
        let turns = conversation.turns();
        let from = if place.is_some() { self.same } else { 0 };
        if place.is_some() && from == turns.len() && self.stored == from {
            return None;
        }
        Some(Write {
            store: Arc::clone(store),
            place,
            title: self.title_of(conversation),
            from,
            turns: turns.iter().skip(from).map(|turn| turn.kept()).collect(),
        })
    }

    /// Notes how a write ended.
    ///
    /// * `turns`: those that the chat had when it was made.
    pub(crate) fn settle(&mut self, turns: usize, written: Result<Place, MemoryError>) {
        match written {
            Ok(place) => {
                self.place = Some(place);
                (self.stored, self.same) = (turns, turns);
                self.fault = None;
            }
            Err(error) => {
                self.note(&error);
                self.fault = Some(MemoryFault::new(MemoryUse::Keep, error));
            }
        }
    }

    /// Notes what a failure of a write says of the store: where somebody has deleted the conversation, nothing of it is
    /// stored.
    pub(crate) fn note(&mut self, error: &MemoryError) {
        if let (MemoryError::NoConversation { id }, Some(place)) = (error, &self.place)
            && place.id == *id
        {
            (self.stored, self.same) = (0, 0);
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
    /// Writes it, in one transaction; where the conversation is then.
    pub(crate) fn run(self) -> Result<Place, MemoryError> {
        match self.place {
            Some(place) => {
                let revision = self
                    .store
                    .replace(place.id, self.from, place.revision, &self.turns)?;
                Ok(Place { revision, ..place })
            }
            None => Ok(Place {
                store: self.store.store(),
                id: self.store.begin_with(&self.title, &self.turns)?,
                revision: Revision::FIRST,
            }),
        }
    }
}
