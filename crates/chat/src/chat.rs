//! A chat: a role and its conversation.
//!
//! Each message is sent with the system prompt and the turns before it, as far as the role's budget reaches. The system
//! prompt is never stored and never edited.

use std::sync::Arc;

use engine::{CandlePrompt, Message};

use crate::answer::Answer;
use crate::conversation::{Conversation, Turn};
use crate::error::ChatError;
use crate::history::{self, History};
use crate::keeping::Keeping;
#[cfg(doc)]
use crate::memory::MemoryError;
use crate::memory::{ConversationId, Memory, PortableConversation};
use crate::recall::MemoryFault;
use crate::role::AgentRole;

/// A chat of any number of turns with one role.
///
/// Where the role has a memory, the conversation is stored there turn by turn, each in one transaction when it is
/// complete; the first turn begins it. Methods that return a `Result` and no [`Answer`] block for as long as the store
/// takes, milliseconds unless it is locked.
#[derive(Debug)]
pub struct Chat {
    pub(crate) role: AgentRole,
    pub(crate) conversation: Conversation,
    pub(crate) history: History,
    pub(crate) keeping: Keeping,
    /// The last message that got no turn, and which it would have been.
    unanswered: Option<(usize, String)>,
}

impl Chat {
    /// Begins a chat.
    pub fn new(role: AgentRole) -> Self {
        Self {
            role,
            conversation: Conversation::new(),
            history: History::default(),
            keeping: Keeping::default(),
            unanswered: None,
        }
    }

    /// Goes on with a conversation of the role's memory. What had been recalled in it is not; figures of its answers
    /// are not kept.
    ///
    /// # Errors
    ///
    /// * [`ChatError::NoMemory`] of a role without one.
    /// * [`ChatError::Memory`] if there is none of this id, or the store fails.
    pub fn resume(role: AgentRole, id: ConversationId) -> Result<Self, ChatError> {
        let store = store_of(&role)?;
        let snapshot = store.snapshot(id)?;
        let keeping = Keeping::loaded(&*store, id, &snapshot);
        Ok(Self {
            conversation: snapshot.turns.into_iter().map(Turn::from).collect(),
            keeping,
            ..Self::new(role)
        })
    }

    /// Sends a message of the user and streams the answer.
    ///
    /// When the answer is complete, the turn joins the conversation. See [`Answer`] for what happens when
    /// it is not read to its end, or fails.
    pub fn send(&mut self, text: impl Into<String>) -> Answer<'_> {
        let turns = self.conversation.turns().len();
        Answer::begin(self, text.into(), turns)
    }

    /// Answers the last message anew: the one that got no turn, if there is one, in the place where it was sent; or that of
    /// the last turn, which the new turn replaces once it is kept; until then, and if the answer fails, it stays.
    pub fn regenerate(&mut self) -> Answer<'_> {
        if let Some((number, text)) = self.unanswered.clone() {
            let turns = self.conversation.turns().len();
            return Answer::begin(self, text, number.min(turns));
        }
        match self.conversation.turns() {
            [.., last] => {
                let (text, turn) = (last.user.clone(), self.conversation.turns().len() - 1);
                Answer::begin(self, text, turn)
            }
            [] => Answer::refused(self, String::new(), 0, ChatError::NoTurn { turn: 0, turns: 0 }),
        }
    }

    /// Sends `text` in the place of what the user said in turn `turn`, counted from 0. The new turn replaces that one and
    /// all after it once it is kept; until then, and if the answer fails, they stay. To keep them, [branch](Self::branch)
    /// first.
    pub fn edit(&mut self, turn: usize, text: impl Into<String>) -> Answer<'_> {
        let turns = self.conversation.turns().len();
        if turn >= turns {
            return Answer::refused(self, text.into(), turns, ChatError::NoTurn { turn, turns });
        }
        Answer::begin(self, text.into(), turn)
    }

    /// What the model would be shown if `text` were sent now, before anything is recalled or dropped for it.
    pub fn prompt(&self, text: &str) -> CandlePrompt {
        let turns = self.shown_turns(self.conversation.turns().len());
        let system = self.role.system_prompt.as_deref();
        history::compose(system, &turns, &[Message::user(text)], &self.history)
    }

    /// The messages of the first `turns` turns.
    pub(crate) fn shown_turns(&self, turns: usize) -> Vec<Vec<Message>> {
        let turns = self.conversation.turns().iter().take(turns);
        turns.map(Turn::messages).collect()
    }

    /// The turns so far.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The first turn that the model is shown, counted from 0; those before it outgrew the budget.
    pub fn shown_from(&self) -> usize {
        self.history.from
    }

    /// The summary that the model is shown in the place of turns that outgrew the budget.
    pub fn summary(&self) -> Option<&str> {
        self.history.summary.as_deref()
    }

    /// The role that answers.
    pub fn role(&self) -> &AgentRole {
        &self.role
    }

    /// The role, to change instructions, parameters, provider, tools or memory from the next message on. A conversation
    /// that goes on with another store is stored there whole, as a new one.
    pub fn role_mut(&mut self) -> &mut AgentRole {
        &mut self.role
    }

    /// The last message sent, if it got no turn: its answer failed, or was cancelled before it said
    /// anything. Send it again with [`Chat::regenerate`], or edit it.
    pub fn unanswered(&self) -> Option<&str> {
        self.unanswered.as_ref().map(|(_, text)| text.as_str())
    }

    /// Takes back the last turn, in the store too; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`ChatError::Memory`] where the store fails; nothing is taken back then.
    pub fn undo(&mut self) -> Result<Option<Turn>, ChatError> {
        let Some(last) = self.conversation.turns().last().cloned() else {
            self.unanswered = None;
            return Ok(None);
        };
        let mut rest = self.conversation.clone();
        rest.truncate(rest.turns().len() - 1);
        let mut keeping = self.keeping.clone();
        keeping.differs_from(rest.turns().len());
        if let Some(store) = self.keeps().filter(|store| keeping.id(store).is_some()) {
            write(&mut keeping, &store, &rest)?;
        }
        self.keeping = keeping;
        self.conversation = rest;
        self.history = self.history_before(self.conversation.turns().len());
        self.unanswered = None;
        Ok(Some(last))
    }

    /// Begins anew: an empty conversation with the same role. One that was stored stays so, and can be
    /// [resumed](Self::resume).
    pub fn clear(&mut self) {
        self.unanswered = None;
        self.conversation = Conversation::new();
        self.history = History::default();
        self.keeping = Keeping::default();
    }

    /// A chat of its own with the first `turns` turns of this one, stored as a conversation of its own where the role
    /// keeps turns; this one stays as it is.
    ///
    /// # Errors
    ///
    /// * [`ChatError::NoTurn`] if there are fewer.
    /// * [`ChatError::Memory`] where the store fails.
    pub fn branch(&self, turns: usize) -> Result<Chat, ChatError> {
        let all = self.conversation.turns();
        let Some(shown) = all.get(..turns) else {
            // The last of those that were asked for; nobody asks for none in vain.
            return Err(ChatError::NoTurn {
                turn: turns.saturating_sub(1),
                turns: all.len(),
            });
        };
        let mut chat = Chat::new(self.role.clone());
        chat.conversation = shown.iter().cloned().collect();
        chat.history = self.history_before(turns);
        chat.keeping.title = (!all.is_empty()).then(|| format!("{} (branch)", self.title()));
        if turns > 0 && chat.keeps().is_some() {
            chat.save()?;
        }
        Ok(chat)
    }

    /// The conversation's id in the role's memory, once it is stored there.
    pub fn id(&self) -> Option<ConversationId> {
        self.keeping.id(&self.role.memory.as_ref()?.store)
    }

    /// The conversation's title: what it was given, or the beginning of its first message.
    pub fn title(&self) -> String {
        self.keeping.title_of(&self.conversation)
    }

    /// Gives the conversation a title, in the store too.
    ///
    /// # Errors
    ///
    /// [`ChatError::Memory`] where the store fails; the title stays as it was then.
    pub fn set_title(&mut self, title: impl Into<String>) -> Result<(), ChatError> {
        let title = title.into();
        if let (Some(memory), Some(id)) = (&self.role.memory, self.id()) {
            memory.store.rename(id, &title)?;
        }
        self.keeping.title = Some(title);
        Ok(())
    }

    /// Stores what is not stored yet, also where the role's policy keeps nothing by itself.
    ///
    /// # Errors
    ///
    /// * [`ChatError::NoMemory`] of a role without one.
    /// * [`ChatError::Memory`] where the store fails; with [`MemoryError::Changed`] where the conversation was changed by
    ///   somebody else, and [`MemoryError::NoConversation`] where it was deleted: [`Chat::save_apart`] stores all of it
    ///   then, as a new one. No part of it is stored otherwise.
    pub fn save(&mut self) -> Result<ConversationId, ChatError> {
        let store = store_of(&self.role)?;
        write(&mut self.keeping, &store, &self.conversation)?;
        self.keeping.id(&store).ok_or(ChatError::NoMemory)
    }

    /// Stores the conversation as a new one and goes on with that; the one that it came from stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Chat::save`].
    pub fn save_apart(&mut self) -> Result<ConversationId, ChatError> {
        let apart = Keeping::of_title(self.keeping.title.clone());
        let before = std::mem::replace(&mut self.keeping, apart);
        let saved = self.save();
        if saved.is_err() {
            self.keeping = before;
        }
        saved
    }

    /// Turns that should be stored and are not, since the store failed.
    pub fn unsaved(&self) -> usize {
        match self.keeps() {
            Some(store) => self.keeping.unsaved(&store, &self.conversation),
            None => 0,
        }
    }

    /// Why the last turn could not be stored, if it could not: also of an answer that was dropped, which has no event to
    /// tell it with.
    pub fn memory_fault(&self) -> Option<&MemoryFault> {
        self.keeping.fault.as_ref()
    }

    /// The conversation, to be written as JSON or Markdown by a [`Portable`](crate::memory::Portable).
    pub fn export(&self) -> PortableConversation {
        let turns = self.conversation.turns().iter().map(Turn::kept).collect();
        PortableConversation::new(self.title(), turns)
    }

    /// The store that turns are kept in, if they are.
    pub(crate) fn keeps(&self) -> Option<Arc<dyn Memory>> {
        let memory = self.role.memory.as_ref().filter(|memory| memory.keep)?;
        Some(Arc::clone(&memory.store))
    }

    /// What of the first `turns` turns is shown: what was, unless turns had been dropped that are among the last now.
    pub(crate) fn history_before(&self, turns: usize) -> History {
        if self.history.from <= turns {
            self.history.clone()
        } else {
            History::default()
        }
    }

    /// Keeps a turn as the one of number `number`, the last.
    pub(crate) fn keep(&mut self, number: usize, turn: Turn) {
        self.unanswered = None;
        self.history = self.history_before(number);
        self.keeping.differs_from(number);
        self.conversation.truncate(number);
        self.conversation.push(turn);
    }

    /// Keeps a message that got no turn.
    pub(crate) fn set_aside(&mut self, number: usize, text: String) {
        self.unanswered = Some((number, text));
    }
}

fn store_of(role: &AgentRole) -> Result<Arc<dyn Memory>, ChatError> {
    let memory = role.memory.as_ref().ok_or(ChatError::NoMemory)?;
    Ok(Arc::clone(&memory.store))
}

/// Writes what is not stored yet.
pub(crate) fn write(
    keeping: &mut Keeping,
    store: &Arc<dyn Memory>,
    conversation: &Conversation,
) -> Result<(), ChatError> {
    let Some(write) = keeping.write(store, conversation) else {
        return Ok(());
    };
    let written = write.run().inspect_err(|error| keeping.note(error))?;
    keeping.settle(conversation.turns().len(), Ok(written));
    Ok(())
}
