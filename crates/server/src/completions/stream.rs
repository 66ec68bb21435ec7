//! A plain completion as a stream of events.

use axum::response::sse::Event;
use engine::{CandleCompletionChunk, TokenLogprobs};

use super::response::{CompletionChoice, CompletionLogprobs, Head};
use crate::answer::{End, choice_of};
use crate::chat_completions::StopReason;
use crate::error::Failure;
use crate::logprobs::Spelling;
use crate::sse::{self, Frames};

/// Writes answers piece by piece.
#[derive(Debug)]
pub(crate) struct Writer {
    head: Head,
    /// Choices of each prompt.
    choices: u32,
    /// The prompts, where the answers begin with them.
    echoed: Vec<String>,
    spelling: Option<Spelling>,
    include_usage: bool,
    progress: Vec<Progress>,
}

/// How far a choice is.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Characters of the tokens so far.
    offset: usize,
    /// Those of tokens whose piece is still to come.
    waiting: Vec<TokenLogprobs>,
}

impl Writer {
    pub(crate) fn new(
        head: Head,
        choices: u32,
        echoed: Vec<String>,
        spelling: Option<Spelling>,
        include_usage: bool,
    ) -> Self {
        Self {
            head,
            choices,
            echoed,
            spelling,
            include_usage,
            progress: Vec::new(),
        }
    }

    fn progress(&mut self, index: u32) -> Option<&mut Progress> {
        let place = index as usize;
        if place >= self.progress.len() {
            self.progress.resize(place + 1, Progress::default());
        }
        self.progress.get_mut(place)
    }

    fn piece(
        &mut self,
        index: u32,
        text: String,
        finish: Option<&'static str>,
        stop: Option<StopReason>,
    ) -> Event {
        let spelling = self.spelling.clone();
        let mut logprobs = None;
        if let (Some(spelling), Some(progress)) = (spelling, self.progress(index))
            && !progress.waiting.is_empty()
        {
            let mut told = CompletionLogprobs::default();
            let waiting = std::mem::take(&mut progress.waiting);
            told.extend(&waiting, &spelling, &mut progress.offset);
            logprobs = Some(told);
        }
        let choice = CompletionChoice {
            index,
            text,
            logprobs,
            finish_reason: finish,
            stop_reason: stop,
        };
        sse::data(&self.head.answer(vec![choice], None))
    }
}

impl Frames for Writer {
    fn begin(&mut self) -> Vec<Event> {
        let prompts = std::mem::take(&mut self.echoed);
        let each = prompts
            .iter()
            .flat_map(|prompt| (0..self.choices).map(move |_| prompt));
        let echoed: Vec<_> = each.cloned().zip(0..).collect();
        echoed
            .into_iter()
            .map(|(prompt, index)| self.piece(index, prompt, None, None))
            .collect()
    }

    fn chunk(&mut self, chunk: CandleCompletionChunk) -> Vec<Event> {
        if let Some(end) = End::of(&chunk) {
            let mut events = Vec::new();
            if self.include_usage {
                events.push(sse::data(&self.head.answer(Vec::new(), Some(&end))));
            }
            events.push(Event::default().data("[DONE]"));
            return events;
        }
        let Some(index) = choice_of(&chunk) else {
            return Vec::new();
        };
        match chunk {
            CandleCompletionChunk::Text { text, .. } | CandleCompletionChunk::Reasoning { text, .. } => {
                let waits = self
                    .progress(index)
                    .is_some_and(|progress| !progress.waiting.is_empty());
                if text.is_empty() && !waits {
                    return Vec::new();
                }
                vec![self.piece(index, text, None, None)]
            }
            CandleCompletionChunk::Logprobs { logprobs, .. } => {
                if let Some(progress) = self.progress(index) {
                    progress.waiting.extend(logprobs);
                }
                Vec::new()
            }
            CandleCompletionChunk::Finish { finish, stop, .. } => {
                vec![self.piece(index, String::new(), Some(finish.as_str()), StopReason::of(stop))]
            }
            _ => Vec::new(),
        }
    }

    fn failure(&mut self, failure: &Failure) -> Vec<Event> {
        vec![sse::data(&failure.body())]
    }
}
