//! What of a conversation is shown, so that it keeps to its budget.
//!
//! Turns leave from the oldest on and do not come back while the chat goes on; they leave several at a time, so that most
//! prompts begin as the one before. The conversation itself is never changed, and neither is the system prompt.

use std::ops::Range;
use std::sync::Arc;

use engine::{
    CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams, CandlePrompt, Message, ToolChoice,
};
use futures::StreamExt as _;
use generator::Usage;

use crate::budget::{ContextBudget, Overflow, Room};
use crate::errand::Errand;
use crate::error::ChatError;

/// What lies before a summary in a prompt, and behind it.
const SUMMARY: [&str; 2] = ["[Summary of the conversation until here]", "[End of the summary]"];
/// What the model is asked for a summary with.
const ASK: &str = "Summarise our conversation so far for yourself, as notes: what was asked, what was decided, and every \
                   name, number and fact that may matter later. Write the notes alone.";

/// What of a conversation is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The first turn that is shown.
    pub(crate) from: usize,
    /// What is shown in the place of those before it.
    pub(crate) summary: Option<String>,
}

/// Turns that are not shown any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Which ones, counted from 0.
    pub turns: Range<usize>,
    /// Tokens of the prompt without them.
    pub prompt_tokens: usize,
    /// Tokens that a prompt may have.
    pub budget: usize,
}

/// Turns whose summary is shown in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summarised {
    /// Which ones, counted from 0: the summary is of all turns before their end.
    pub turns: Range<usize>,
    /// What the model wrote, which stands before the first turn that is shown.
    pub summary: String,
    /// Tokens that the summary took to write.
    pub usage: Usage,
    /// Tokens of the prompt with it.
    pub prompt_tokens: usize,
    /// Tokens that a prompt may have.
    pub budget: usize,
}

/// What was done to keep to the budget.
pub(crate) enum Cut {
    Trimmed(Trimmed),
    Summarised(Summarised),
}

/// A prompt that is to keep to its budget.
pub(crate) struct Fit {
    pub(crate) provider: Arc<dyn CandleCompletionModel>,
    pub(crate) params: CandleCompletionParams,
    pub(crate) budget: ContextBudget,
    pub(crate) system: Option<String>,
    /// All turns, shown or not.
    pub(crate) turns: Vec<Vec<Message>>,
    /// The message to be answered, and what has followed it.
    pub(crate) tail: Vec<Message>,
    /// The message without what was recalled for it, which is left out before the message is refused.
    pub(crate) without_recalled: Option<Message>,
    pub(crate) history: History,
}

/// A prompt that keeps to its budget.
pub(crate) struct Fitted {
    pub(crate) prompt: CandlePrompt,
    /// Whether what was recalled had to be left out.
    pub(crate) without_recalled: bool,
    pub(crate) history: History,
    pub(crate) cuts: Vec<Cut>,
}

/// The messages of a prompt: `turns` from the first that `history` shows, with the summary before it, then `tail`.
pub(crate) fn compose(
    system: Option<&str>,
    turns: &[Vec<Message>],
    tail: &[Message],
    history: &History,
) -> CandlePrompt {
    let mut messages: Vec<Message> = system.map(Message::system).into_iter().collect();
    let begin = messages.len();
    messages.extend(turns.iter().skip(history.from).flatten().chain(tail).cloned());
    if let (Some(summary), Some(first)) = (&history.summary, messages.get_mut(begin)) {
        let [opening, closing] = SUMMARY;
        first.content = format!("{opening}\n{summary}\n{closing}\n\n{}", first.content);
    }
    CandlePrompt::Chat(messages)
}

impl Fit {
    /// Drops or summarises as many of the oldest turns as have to go.
    pub(crate) async fn run(mut self) -> Result<Fitted, ChatError> {
        let room = self
            .budget
            .room(self.provider.context_length(), self.params.max_tokens)?;
        let mut history = self.history.clone();
        let mut cuts = Vec::new();
        let recalled = self.without_recalled.is_some();
        let mut prompt_tokens = self.count(&history).await?;
        if prompt_tokens > room.prompt && self.budget.overflow == Overflow::Error && self.leave_out_recalled()
        {
            prompt_tokens = self.count(&history).await?;
        }
        if prompt_tokens > room.prompt {
            if self.budget.overflow == Overflow::Error {
                return Err(ChatError::OverBudget {
                    prompt_tokens,
                    budget: room.prompt,
                });
            }
            if self.budget.overflow == Overflow::Summarise {
                self.summarise(&room, &mut history, &mut cuts).await?;
            }
            if self.count(&history).await? > room.prompt {
                self.drop_oldest(&room, &mut history, &mut cuts).await?;
            }
        }
        Ok(Fitted {
            prompt: self.compose(&history),
            without_recalled: recalled && self.without_recalled.is_none(),
            history,
            cuts,
        })
    }

    /// Says whether there was anything to be left out.
    fn leave_out_recalled(&mut self) -> bool {
        let (Some(plain), Some(message)) = (self.without_recalled.take(), self.tail.first_mut()) else {
            return false;
        };
        *message = plain;
        true
    }

    fn compose(&self, history: &History) -> CandlePrompt {
        compose(self.system.as_deref(), &self.turns, &self.tail, history)
    }

    async fn drop_oldest(
        &mut self,
        room: &Room,
        history: &mut History,
        cuts: &mut Vec<Cut>,
    ) -> Result<(), ChatError> {
        let (all, mut before) = (self.turns.len(), history.from);
        let summary = history.summary.clone();
        let mut last = History { from: all, summary };
        let mut fewest = self.count(&last).await?;
        if fewest > room.prompt && last.summary.take().is_some() {
            // The summary goes too before the message is refused, and with it all that it told of.
            history.summary = None;
            before = 0;
            fewest = self.count(&last).await?;
        }
        if fewest > room.prompt && self.leave_out_recalled() {
            fewest = self.count(&last).await?;
        }
        if fewest > room.prompt {
            return Err(ChatError::OverBudget {
                prompt_tokens: fewest,
                budget: room.prompt,
            });
        }
        // Where not even the message alone is as short as it should become, it is enough that it fits.
        let target = if fewest > room.refill {
            room.prompt
        } else {
            room.refill
        };
        history.from = self.first_below(target, history).await?;
        if history.from > before {
            cuts.push(Cut::Trimmed(Trimmed {
                turns: before..history.from,
                prompt_tokens: self.count(history).await?,
                budget: room.prompt,
            }));
        }
        Ok(())
    }

    /// The fewest turns that have to go, so that the rest has `target` tokens at most; all of them, where that is not
    /// enough either.
    async fn first_below(&self, target: usize, history: &History) -> Result<usize, ChatError> {
        let (mut too_many, mut enough) = (history.from, self.turns.len());
        while too_many + 1 < enough {
            let middle = too_many + (enough - too_many) / 2;
            let summary = history.summary.clone();
            if self
                .count(&History {
                    from: middle,
                    summary,
                })
                .await?
                > target
            {
                too_many = middle;
            } else {
                enough = middle;
            }
        }
        Ok(enough)
    }

    async fn summarise(
        &self,
        room: &Room,
        history: &mut History,
        cuts: &mut Vec<Cut>,
    ) -> Result<(), ChatError> {
        let target = room.refill.saturating_sub(room.summary);
        let until = self.first_below(target, history).await?;
        // As many turns at a time as the model can read at once, each time with the notes so far.
        while history.from < until {
            let Some((end, prompt)) = self.readable(room, history, until).await? else {
                return Ok(());
            };
            let (summary, usage) = self.ask(prompt, room).await?;
            if summary.is_empty() {
                return Ok(());
            }
            let turns = history.from..end;
            *history = History {
                from: end,
                summary: Some(summary.clone()),
            };
            cuts.push(Cut::Summarised(Summarised {
                turns,
                summary,
                usage,
                prompt_tokens: self.count(history).await?,
                budget: room.prompt,
            }));
        }
        Ok(())
    }

    /// The most turns up to `until` that can be shown together with the question for a summary, and the prompt that
    /// does; `None` where not even one can.
    async fn readable(
        &self,
        room: &Room,
        history: &History,
        until: usize,
    ) -> Result<Option<(usize, CandlePrompt)>, ChatError> {
        let context = self.provider.context_length();
        let mut end = until;
        while end > history.from {
            let turns = self.turns.get(..end).unwrap_or_default();
            let prompt = compose(self.system.as_deref(), turns, &[Message::user(ASK)], history);
            let counted = self
                .count_prompt(prompt.clone(), self.summary_params(room))
                .await?;
            if counted + room.summary <= context {
                return Ok(Some((end, prompt)));
            }
            end = history.from + (end - history.from) / 2;
        }
        Ok(None)
    }

    /// The role's parameters, with what concerns the form of an answer put aside.
    fn summary_params(&self, room: &Room) -> CandleCompletionParams {
        CandleCompletionParams {
            max_tokens: Some(u32::try_from(room.summary).unwrap_or(u32::MAX)),
            min_tokens: None,
            stop: Vec::new(),
            ignore_eos: false,
            logprobs: None,
            score_prompt: None,
            constraint: None,
            tool_choice: if self.params.tools.is_empty() {
                ToolChoice::Auto
            } else {
                ToolChoice::None
            },
            ..self.params.clone()
        }
    }

    async fn ask(&self, prompt: CandlePrompt, room: &Room) -> Result<(String, Usage), ChatError> {
        let mut completion = self.provider.prompt(prompt, &self.summary_params(room));
        let mut summary = String::new();
        while let Some(chunk) = completion.next().await {
            match chunk? {
                CandleCompletionChunk::Text { text, .. } => summary.push_str(&text),
                CandleCompletionChunk::Complete { usage, .. } => {
                    return Ok((summary.trim().to_owned(), usage));
                }
                _ => {}
            }
        }
        let tokens = 0;
        Err(engine::EngineError::BrokenOff { tokens }.into())
    }

    async fn count(&self, history: &History) -> Result<usize, ChatError> {
        self.count_prompt(self.compose(history), self.params.clone())
            .await
    }

    /// A remote provider asks its server, and blocks.
    async fn count_prompt(
        &self,
        prompt: CandlePrompt,
        params: CandleCompletionParams,
    ) -> Result<usize, ChatError> {
        let provider = Arc::clone(&self.provider);
        let counted = Errand::run("chat-count", move || provider.count_request(&prompt, &params));
        let counted = counted.await.map_err(|error| ChatError::Worker {
            what: "counting tokens",
            reason: error.to_string(),
        })?;
        Ok(counted?)
    }
}
