//! A conversation: the turns that were answered, oldest first, in memory.
//!
//! What stands here is exactly what the model is shown next time, after the system prompt, which is no
//! part of it, and as far as the budget reaches. A turn whose answer failed, or was cancelled before it said anything or
//! ran a tool, does not stand here.

use engine::{Message, ToolCall};
use generator::{CacheMiss, Drafts, FinishReason, Timings, Usage};

use crate::memory::KeptTurn;
use crate::recall::Injection;

/// The turns of a conversation, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    turns: Vec<Turn>,
}

/// One message of the user and the model's answer to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What the user said, to the letter.
    pub user: String,
    /// What was recalled for the message and stands before it; it is not stored.
    pub recalled: Option<Injection>,
    /// What lies between message and answer: the model's calls of tools, each with its result.
    pub between: Vec<Message>,
    /// What the model answered in the end; of an interrupted answer, what had arrived.
    pub answer: String,
    /// What the model thought; kept for the reader, not shown to the model again.
    pub reasoning: String,
    /// The tools that the model called in its answer and that nothing here ran.
    pub tool_calls: Vec<ToolCall>,
    /// How the answer ended.
    pub ending: Ending,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Generation came to its end.
    Finished(Summary),
    /// It did so before the conversation was loaded: its figures are not kept.
    Earlier,
    /// The caller stopped reading before that, or the answer failed after tools had run.
    Interrupted,
}

/// The end of an answer that was generated to its end, or of one round of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Why it ended: by itself, or cut at its length.
    pub finish: FinishReason,
    /// Tokens read and generated, of all rounds together.
    pub usage: Usage,
    /// Where the time went, of all rounds together; the time to the first token is that of the first.
    pub timings: Timings,
    /// Seed that the draws were made with, where the provider tells: that of the first round.
    pub seed: Option<u64>,
    /// Why no more of the prompt was taken from an earlier turn's cache, where the provider tells: that of the first
    /// round.
    pub cache_miss: Option<CacheMiss>,
    /// Tokens that were guessed.
    pub drafts: Drafts,
    /// Times that the model was asked: one more than rounds of calls.
    pub rounds: usize,
}

impl Summary {
    /// All of it so far, and one round more.
    pub(crate) fn and(self, next: Summary) -> Summary {
        Summary {
            finish: next.finish,
            usage: Usage {
                prompt_tokens: self.usage.prompt_tokens + next.usage.prompt_tokens,
                cached_tokens: self.usage.cached_tokens + next.usage.cached_tokens,
                completion_tokens: self.usage.completion_tokens + next.usage.completion_tokens,
            },
            timings: Timings {
                queued: self.timings.queued + next.timings.queued,
                prefill: self.timings.prefill + next.timings.prefill,
                time_to_first_token: self.timings.time_to_first_token,
                decode: self.timings.decode + next.timings.decode,
            },
            seed: self.seed,
            cache_miss: self.cache_miss,
            drafts: Drafts {
                guessed: self.drafts.guessed + next.drafts.guessed,
                accepted: self.drafts.accepted + next.drafts.accepted,
            },
            rounds: self.rounds + next.rounds,
        }
    }
}

impl Turn {
    /// The turn as the model is shown it: the message with what was recalled for it, calls and results, the answer.
    pub fn messages(&self) -> Vec<Message> {
        let mut messages = vec![user_message(&self.user, self.recalled.as_ref())];
        messages.extend(self.between.iter().cloned());
        // An answer that failed or was stopped after tools had run may say nothing.
        let ends_in_results =
            self.answer.is_empty() && self.tool_calls.is_empty() && !self.between.is_empty();
        if !ends_in_results {
            messages.push(Message::assistant(&self.answer).with_tool_calls(self.tool_calls.clone()));
        }
        messages
    }

    /// The turn as it is stored.
    pub fn kept(&self) -> KeptTurn {
        KeptTurn {
            user: self.user.clone(),
            answer: self.answer.clone(),
            reasoning: self.reasoning.clone(),
            between: self.between.clone(),
            tool_calls: self.tool_calls.clone(),
            interrupted: self.ending == Ending::Interrupted,
        }
    }
}

impl From<KeptTurn> for Turn {
    fn from(kept: KeptTurn) -> Self {
        Self {
            user: kept.user,
            recalled: None,
            between: kept.between,
            answer: kept.answer,
            reasoning: kept.reasoning,
            tool_calls: kept.tool_calls,
            ending: if kept.interrupted {
                Ending::Interrupted
            } else {
                Ending::Earlier
            },
        }
    }
}

/// A message of the user, with what was recalled for it before it.
pub(crate) fn user_message(text: &str, recalled: Option<&Injection>) -> Message {
    match recalled {
        None => Message::user(text),
        Some(Injection { text: notes, .. }) => Message::user(format!("{notes}\n\n{text}")),
    }
}

impl Conversation {
    /// An empty conversation.
    pub fn new() -> Self {
        Self::default()
    }

    /// The turns, oldest first.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Whether nothing has been said yet.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The turns as the model is shown them.
    pub fn messages(&self) -> impl Iterator<Item = Message> + '_ {
        self.turns.iter().flat_map(Turn::messages)
    }

    pub(crate) fn push(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    pub(crate) fn truncate(&mut self, turns: usize) {
        self.turns.truncate(turns);
    }
}

impl FromIterator<Turn> for Conversation {
    fn from_iter<T: IntoIterator<Item = Turn>>(turns: T) -> Self {
        Self {
            turns: turns.into_iter().collect(),
        }
    }
}
