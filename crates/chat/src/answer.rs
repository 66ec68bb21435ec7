//! An answer as it streams in, and what becomes of its turn.
//!
//! The turn is settled exactly once: kept whole, kept as interrupted, or not kept.

mod draft;
mod event;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use engine::{
    CandleCompletionChunk, CandleCompletionParams, CandlePrompt, EngineError, SystemClock, ToolChoice,
};
use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use generator::{AsyncStream, FinishReason};

use crate::chat::{self, Chat};
use crate::conversation::{Ending, Summary};
use crate::errand::Errand;
use crate::error::ChatError;
use crate::history::{Cut, Fit, Fitted, compose};
use crate::keeping::Place;
use crate::memory::MemoryError;
use crate::recall::{self, Found, MemoryFault, MemoryUse, Wanted};
use crate::tool::round::{self, Workshop};
use crate::tool::{Outcome, ToolFault, ToolResult};
use draft::Draft;
pub use event::Event;

/// An answer as it streams in: a stream of [`Event`]s that ends with [`Event::Done`] or an error.
///
/// Where the role has tools, the model is asked again with the results of what it called, until it answers: one answer
/// may have several rounds. What becomes of the turn:
///
/// * **Read to `Done`:** it is kept, [finished](Ending::Finished), whether the model came to its end or
///   to its length.
/// * **Dropped before that (cancellation):** generation stops, and calls that run are cancelled. If any text of the
///   answer, or a whole call of a tool, had been read, the turn is kept with that, marked
///   [interrupted](Ending::Interrupted), and the model is shown it next time, so that it can be asked to go on; calls
///   without a result get one that says so. [`Chat::undo`] takes it back. If nothing had been read, the turn is not kept,
///   and the message stands in [`Chat::unanswered`]. Where turns are stored, dropping blocks until this one is.
/// * **Ended with an error:** the turn is not kept, whatever had been read, and the message stands in
///   [`Chat::unanswered`]: the conversation is as before and can go on. Where tools had been called and had their results,
///   the turn is kept as interrupted instead, with the results, so that nothing that was done is forgotten.
///
/// A memory that fails does not fail the answer: see [`Event::MemoryFailed`].
#[must_use = "an answer that is dropped is cancelled"]
pub struct Answer<'a> {
    chat: &'a mut Chat,
    stage: Stage,
    draft: Draft,
    events: VecDeque<Event>,
}

enum Stage {
    Refused(ChatError),
    /// Looking for what fits the message.
    Recalling(BoxFuture<'static, Found>),
    /// Counting, and cutting what is too much.
    Fitting(BoxFuture<'static, Result<Fitted, ChatError>>),
    Asking(AsyncStream<Result<CandleCompletionChunk, EngineError>>),
    /// Calls run; those that have ended have their result.
    Running(BoxStream<'static, (usize, ToolResult)>, Vec<Option<ToolResult>>),
    /// The turn is being stored; then this.
    Storing(Storing, Result<Summary, ChatError>),
    /// The turn is settled, and this is still to be told.
    Settled(Result<Summary, ChatError>),
    Ended,
}

/// The turn on its way into the store.
type Storing = Errand<Result<Place, MemoryError>>;

impl<'a> Answer<'a> {
    /// Begins to answer `user` after the first `number` turns.
    pub(crate) fn begin(chat: &'a mut Chat, user: String, number: usize) -> Self {
        if let Err(error) = check(chat, &user) {
            return Self::refused(chat, user, number, error);
        }
        let draft = Draft::new(user, number);
        let mut answer = Self {
            stage: Stage::Ended,
            draft,
            events: VecDeque::new(),
            chat,
        };
        match answer.chat.role.memory.clone().filter(|memory| memory.recalls()) {
            Some(memory) => {
                let shown = answer.chat.history_before(number).from;
                let turns = answer.chat.conversation.turns().get(shown..number);
                let injected = turns
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|turn| turn.recalled.as_ref());
                let wanted = Wanted {
                    text: answer.draft.user.clone(),
                    shown: answer.chat.id().map(|id| (id, shown)),
                    known: injected
                        .flat_map(|it| it.items.iter().map(|item| item.origin))
                        .collect(),
                };
                answer.stage = Stage::Recalling(Box::pin(recall::recall(memory, wanted)));
            }
            None => answer.proceed(),
        }
        answer
    }

    pub(crate) fn refused(chat: &'a mut Chat, user: String, number: usize, error: ChatError) -> Self {
        Self {
            stage: Stage::Refused(error),
            draft: Draft::new(user, number),
            events: VecDeque::new(),
            chat,
        }
    }

    /// The text of the answer so far; what was said before a call of a tool is no part of it.
    pub fn text(&self) -> &str {
        &self.draft.answer
    }

    /// Asks the model, with what there is of the turn.
    fn proceed(&mut self) {
        let role = &self.chat.role;
        let params = self.params();
        let turns = self.chat.shown_turns(self.draft.number);
        let tail = self.draft.messages();
        let history = self.chat.history_before(self.draft.number);
        if role.budget.counts() {
            let fit = Fit {
                provider: Arc::clone(&role.provider),
                params,
                budget: role.budget,
                system: role.system_prompt.clone(),
                turns,
                tail,
                without_recalled: self.draft.without_recalled(),
                history,
            };
            self.stage = Stage::Fitting(Box::pin(fit.run()));
        } else {
            self.ask(compose(role.system_prompt.as_deref(), &turns, &tail, &history));
        }
    }

    /// The role's parameters, with its tools; a choice that is forced is forced once.
    fn params(&self) -> CandleCompletionParams {
        let role = &self.chat.role;
        let mut params = role.params.clone();
        params.tools.extend(role.tools.definitions().cloned());
        if self.draft.rounds > 0 && params.tool_choice.is_forced() {
            params.tool_choice = ToolChoice::Auto;
        }
        params
    }

    fn ask(&mut self, prompt: CandlePrompt) {
        self.stage = Stage::Asking(self.chat.role.provider.prompt(prompt, &self.params()));
    }

    fn found(&mut self, found: Found) {
        self.events
            .extend(found.faults.into_iter().map(Event::MemoryFailed));
        self.draft.recalled = found.injection;
        self.proceed();
        if !matches!(self.stage, Stage::Fitting(_)) {
            self.tell_recalled();
        }
    }

    fn tell_recalled(&mut self) {
        self.events
            .extend(self.draft.recalled.clone().map(Event::Recalled));
    }

    fn fitted(&mut self, fitted: Fitted) {
        self.chat.history = fitted.history;
        if fitted.without_recalled {
            self.draft.recalled = None;
        }
        if self.draft.rounds == 0 {
            self.tell_recalled();
        }
        self.events.extend(fitted.cuts.into_iter().map(|cut| match cut {
            Cut::Trimmed(trimmed) => Event::Trimmed(trimmed),
            Cut::Summarised(summarised) => Event::Summarised(summarised),
        }));
        self.ask(fitted.prompt);
    }

    /// The model has come to the end of a round.
    fn round_ended(&mut self, round: Summary) {
        let runs = !self.chat.role.tools.is_empty() && !self.draft.tool_calls.is_empty();
        let summary = self.draft.add(round.clone());
        if !runs {
            return self.keep(Ok(summary));
        }
        if round.finish == FinishReason::Length {
            // Whoever is cut off may have meant something else.
            let results = self.draft.fail_calls(&mut Vec::new(), || ToolFault::CutOff);
            self.events.extend(results.into_iter().map(Event::ToolResult));
            return self.keep(Ok(summary));
        }
        let limit = self.chat.role.limits.rounds;
        if self.draft.rounds >= limit {
            self.draft.tool_calls.clear();
            return self.fail(ChatError::RoundLimit { limit });
        }
        self.events.push_back(Event::Round(round));
        let role = &self.chat.role;
        let workshop = Workshop {
            tools: role.tools.clone(),
            approval: Arc::clone(&role.approval),
            limits: role.limits,
            clock: Arc::new(SystemClock),
        };
        let calls = self.draft.tool_calls.clone();
        let results = vec![None; calls.len()];
        self.stage = Stage::Running(round::run(workshop, calls), results);
    }

    /// Nothing more comes of the answer.
    fn fail(&mut self, error: ChatError) {
        if self.draft.between.is_empty() {
            self.set_aside();
            self.stage = Stage::Settled(Err(error));
        } else {
            self.keep(Err(error));
        }
    }

    /// The message got no turn; one that says nothing is no loss.
    fn set_aside(&mut self) {
        self.stage = Stage::Ended;
        let user = std::mem::take(&mut self.draft.user);
        if !user.is_empty() {
            self.chat.set_aside(self.draft.number, user);
        }
    }

    /// Keeps the turn, and begins to store it.
    fn keep(&mut self, end: Result<Summary, ChatError>) {
        let ending = match &end {
            Ok(summary) => Ending::Finished(summary.clone()),
            Err(_) => Ending::Interrupted,
        };
        self.settle(ending);
        let write = self
            .chat
            .keeps()
            .and_then(|store| self.chat.keeping.write(&store, &self.chat.conversation));
        self.stage = match write {
            Some(write) => Stage::Storing(Errand::run("chat-store", move || write.run()), end),
            None => Stage::Settled(end),
        };
    }

    /// The turn joins the conversation.
    fn settle(&mut self, ending: Ending) {
        let (number, turn) = self.draft.turn(ending);
        self.chat.keep(number, turn);
    }

    fn stored(&mut self, written: Result<Place, MemoryError>, end: Result<Summary, ChatError>) {
        self.note(written);
        self.events
            .extend(self.chat.keeping.fault.clone().map(Event::MemoryFailed));
        self.stage = Stage::Settled(end);
    }

    fn note(&mut self, written: Result<Place, MemoryError>) {
        let turns = self.chat.conversation.turns().len();
        self.chat.keeping.settle(turns, written);
    }

    /// Goes on as far as there is something to go on with.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, ChatError>>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            match &mut self.stage {
                Stage::Recalling(found) => {
                    let found = ready!(found.as_mut().poll(cx));
                    self.found(found);
                }
                Stage::Fitting(fitted) => match ready!(fitted.as_mut().poll(cx)) {
                    Ok(fitted) => self.fitted(fitted),
                    Err(error) => self.fail(error),
                },
                Stage::Asking(completion) => match ready!(Pin::new(completion).poll_next(cx)) {
                    Some(Ok(chunk)) => self.read(chunk),
                    Some(Err(error)) => self.fail(error.into()),
                    None => {
                        let tokens = self.draft.tokens;
                        self.fail(EngineError::BrokenOff { tokens }.into());
                    }
                },
                Stage::Running(running, results) => match ready!(running.as_mut().poll_next(cx)) {
                    Some((place, result)) => {
                        if let Some(slot) = results.get_mut(place) {
                            *slot = Some(result.clone());
                        }
                        self.events.push_back(Event::ToolResult(result));
                    }
                    None => {
                        let mut results = std::mem::take(results);
                        self.draft.fail_calls(&mut results, || ToolFault::Cancelled);
                        self.proceed();
                    }
                },
                Stage::Storing(storing, _) => {
                    let written = ready!(Pin::new(storing).poll(cx));
                    let written = written.unwrap_or_else(|error| Err(MemoryError::Worker(error.to_string())));
                    if let Stage::Storing(_, end) = self.take_stage() {
                        self.stored(written, end);
                    }
                }
                Stage::Refused(_) | Stage::Settled(_) | Stage::Ended => return Poll::Ready(self.last()),
            }
        }
    }

    fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Ended)
    }

    /// The last event, once.
    fn last(&mut self) -> Option<Result<Event, ChatError>> {
        match self.take_stage() {
            Stage::Refused(error) => {
                self.set_aside();
                Some(Err(error))
            }
            Stage::Settled(end) => Some(end.map(Event::Done)),
            _ => None,
        }
    }

    /// Takes in a chunk of the model's.
    fn read(&mut self, chunk: CandleCompletionChunk) {
        self.draft.tokens += chunk.tokens().len() as u64;
        match self.draft.read(chunk) {
            Ok(draft::Read::Nothing) => {}
            Ok(draft::Read::Event(event)) => self.events.push_back(event),
            Ok(draft::Read::End(round)) => self.round_ended(round),
            Err(error) => self.fail(error.into()),
        }
    }

    /// The answer is dropped in mid-turn: keeps what there is of it, if there is any.
    fn interrupt(&mut self, mut results: Vec<Option<ToolResult>>) {
        if !self.chat.role.tools.is_empty() && !self.draft.tool_calls.is_empty() {
            self.draft.fail_calls(&mut results, || ToolFault::Cancelled);
        }
        if self.draft.is_empty() {
            return self.set_aside();
        }
        self.settle(Ending::Interrupted);
        let Some(store) = self.chat.keeps() else { return };
        let chat = &mut *self.chat;
        if let Err(ChatError::Memory(error)) = chat::write(&mut chat.keeping, &store, &chat.conversation) {
            self.chat.keeping.fault = Some(MemoryFault::new(MemoryUse::Keep, error));
        }
    }
}

/// Whether a message can be sent at all.
fn check(chat: &Chat, user: &str) -> Result<(), ChatError> {
    if user.is_empty() {
        return Err(ChatError::EmptyMessage);
    }
    let role = &chat.role;
    if let Some(choices) = role.params.choices.filter(|choices| *choices > 1) {
        return Err(ChatError::Choices { choices });
    }
    match role.params.tools.first() {
        Some(tool) if !role.tools.is_empty() => Err(ChatError::ToolsTwice {
            name: tool.name.clone(),
        }),
        _ => Ok(()),
    }
}

impl Stream for Answer<'_> {
    type Item = Result<Event, ChatError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().advance(cx)
    }
}

/// Settles the turn of an answer that was not read to its end.
impl Drop for Answer<'_> {
    fn drop(&mut self) {
        match self.take_stage() {
            Stage::Ended | Stage::Settled(_) => {}
            Stage::Refused(_) => self.set_aside(),
            Stage::Recalling(_) | Stage::Fitting(_) | Stage::Asking(_) => self.interrupt(Vec::new()),
            Stage::Running(running, results) => {
                drop(running);
                self.interrupt(results);
            }
            // The turn is kept already, and all but stored.
            Stage::Storing(storing, _) => {
                let written = storing.wait();
                self.note(written.unwrap_or_else(|error| Err(MemoryError::Worker(error.to_string()))));
            }
        }
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("user", &self.draft.user)
            .field("text", &self.draft.answer)
            .finish_non_exhaustive()
    }
}
