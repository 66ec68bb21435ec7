//! The answers to several prompts as one, their choices counted on.
//!
//! **Each answer that runs is read all the while**, so that none waits for a place that another of the same request holds.
//! The first prompt asks for all of them whether there is room: once it runs, the others wait for theirs. One that found the
//! queue full is asked of the engine anew, which an end of the server that was begun meanwhile refuses.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::{CandleCompletionChunk, CandleCompletionParams, CandlePrompt, Usage};
use futures::stream::{self, BoxStream, SelectAll};
use futures::{StreamExt as _, future};

use crate::answer::{Answer, End};
use crate::error::{CONSTRAINT, Failure};
use crate::model::{Chunks, Model};

/// Prompts of one request that run at once; the others begin as these end.
const AT_ONCE: usize = 8;
/// Pause of a prompt that found the queue full while none of its request ran.
const PAUSE: Duration = Duration::from_millis(50);

/// Prompts that have one answer together.
pub(crate) struct Several {
    model: Arc<Model>,
    prompts: Vec<String>,
    params: CandleCompletionParams,
    /// Answers that have not begun, with the numbers of their prompts.
    waiting: VecDeque<(usize, Chunks)>,
    running: SelectAll<BoxStream<'static, (usize, Piece)>>,
    /// How many of those have not ended.
    unended: usize,
    /// How many may run or wait at once: one until it was let in, and as many as there was room for once the queue was full.
    room: usize,
    is_let_in: bool,
    failed: bool,
    /// The field that says what an answer has to be.
    constrained_by: &'static str,
}

type Piece = Result<CandleCompletionChunk, Failure>;

impl Several {
    /// * `constrained_by`: the field that says what an answer has to be.
    ///
    /// # Errors
    ///
    /// A prompt that is too long for the context.
    pub(crate) async fn new(
        model: &Arc<Model>,
        prompts: &[String],
        params: CandleCompletionParams,
        constrained_by: &'static str,
    ) -> Result<Self, Failure> {
        let raw = prompts.iter().map(CandlePrompt::raw).collect();
        let mut several = Self {
            model: Arc::clone(model),
            prompts: prompts.to_vec(),
            params: params.clone(),
            waiting: VecDeque::new(),
            running: SelectAll::new(),
            unended: 0,
            room: 1,
            is_let_in: false,
            failed: false,
            constrained_by,
        };
        match model.answers(raw, params).await {
            Ok(answers) => several.waiting.extend(answers.into_iter().enumerate()),
            Err((number, failure)) => return Err(several.named(number, failure)),
        }
        Ok(several)
    }

    /// What a chat has messages for, a completion has its prompt for.
    fn named(&self, number: usize, failure: Failure) -> Failure {
        let own = match self.prompts.len() {
            1 => "prompt".to_owned(),
            _ => format!("prompt[{number}]"),
        };
        failure
            .renamed("messages", &own)
            .renamed(CONSTRAINT, self.constrained_by)
    }

    /// The answers of `choices` choices each, in the order of their prompts.
    ///
    /// # Errors
    ///
    /// The first failure, which cancels the others.
    pub(crate) async fn gathered(mut self, choices: u32) -> Result<Vec<Answer>, Failure> {
        let answers = self.prompts.iter().map(|_| Answer::of(choices));
        let mut answers: Vec<Answer> = answers.collect();
        while let Some((number, piece)) = self.next().await {
            if let Some(answer) = answers.get_mut(number) {
                answer.take(piece?);
            }
        }
        Ok(answers)
    }

    /// The pieces of all answers as they come, until all have ended or one has failed; at last what they came to.
    pub(crate) fn merged(self, choices: u32) -> Chunks {
        let mut left = self.prompts.len();
        let mut sum = End::default();
        let pieces = stream::unfold(self, async |mut several| {
            several.next().await.map(|piece| (piece, several))
        });
        pieces
            .filter_map(move |(number, piece)| {
                let piece = match piece.as_ref().ok().and_then(End::of) {
                    None => {
                        let first = u32::try_from(number).unwrap_or(u32::MAX).saturating_mul(choices);
                        Some(piece.map(|chunk| moved(chunk, first)))
                    }
                    Some(end) => {
                        left = left.saturating_sub(1);
                        sum = add(&sum, &end);
                        (left == 0).then(|| Ok(complete(&sum)))
                    }
                };
                future::ready(piece)
            })
            .boxed()
    }

    /// The next piece of any answer, with the number of its prompt; nothing after a failure.
    async fn next(&mut self) -> Option<(usize, Piece)> {
        while !self.failed {
            self.begin();
            let Some((number, piece)) = self.running.next().await else {
                if self.unended > 0 {
                    // A provider's stream ends with its figures or an error.
                    self.failed = true;
                    return Some((0, Err(Failure::internal())));
                }
                if self.waiting.is_empty() {
                    return None;
                }
                tokio::time::sleep(PAUSE).await;
                self.room = 1;
                continue;
            };
            let piece = piece.map_err(|failure| self.named(number, failure));
            match &piece {
                Err(failure) if failure.is_queue_full() && self.is_let_in => {
                    self.unended -= 1;
                    // Each that ends makes room for one: who has waited longest comes in, and leaves a place in the queue.
                    self.room = self.room.min(self.unended);
                    let prompt = self.prompts.get(number).map(String::as_str).unwrap_or_default();
                    let again = self
                        .model
                        .answers(vec![CandlePrompt::raw(prompt)], self.params.clone());
                    match again.await {
                        Ok(again) => self
                            .waiting
                            .extend(again.into_iter().map(|chunks| (number, chunks))),
                        Err((_, failure)) => {
                            self.failed = true;
                            return Some((number, Err(failure)));
                        }
                    }
                    continue;
                }
                Err(_) => self.failed = true,
                Ok(chunk) => {
                    if !self.is_let_in {
                        self.is_let_in = true;
                        self.room = AT_ONCE;
                    }
                    if End::of(chunk).is_some() {
                        self.unended -= 1;
                    }
                }
            }
            return Some((number, piece));
        }
        None
    }

    /// Begins what may begin.
    fn begin(&mut self) {
        while self.unended < self.room {
            let Some((number, chunks)) = self.waiting.pop_front() else {
                return;
            };
            self.unended += 1;
            self.running
                .push(chunks.map(move |piece| (number, piece)).boxed());
        }
    }
}

/// A piece of the choice that is `first` places further on.
fn moved(mut chunk: CandleCompletionChunk, first: u32) -> CandleCompletionChunk {
    if let CandleCompletionChunk::Text { choice, .. }
    | CandleCompletionChunk::Reasoning { choice, .. }
    | CandleCompletionChunk::Logprobs { choice, .. }
    | CandleCompletionChunk::Finish { choice, .. } = &mut chunk
    {
        *choice += first;
    }
    chunk
}

/// Counts of both, and the longer times: they passed side by side.
pub(crate) fn add(one: &End, other: &End) -> End {
    let (a, b) = (&one.timings, &other.timings);
    End {
        usage: Usage {
            prompt_tokens: one.usage.prompt_tokens + other.usage.prompt_tokens,
            cached_tokens: one.usage.cached_tokens + other.usage.cached_tokens,
            completion_tokens: one.usage.completion_tokens + other.usage.completion_tokens,
        },
        timings: engine::Timings {
            queued: a.queued.max(b.queued),
            prefill: a.prefill.max(b.prefill),
            time_to_first_token: a.time_to_first_token.max(b.time_to_first_token),
            decode: a.decode.max(b.decode),
        },
        seed: one.seed.or(other.seed),
        drafts: engine::Drafts {
            guessed: one.drafts.guessed + other.drafts.guessed,
            accepted: one.drafts.accepted + other.drafts.accepted,
        },
    }
}

fn complete(end: &End) -> CandleCompletionChunk {
    CandleCompletionChunk::Complete {
        usage: end.usage,
        timings: end.timings,
        seed: end.seed,
        cache_miss: None,
        drafts: end.drafts,
    }
}
