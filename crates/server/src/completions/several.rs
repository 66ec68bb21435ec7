//! The answers to several prompts as one, their choices counted on.
//!
//! **Each answer that runs is read all the while**: one that waits for a place can wait for another of the same request.

use std::sync::Arc;
use std::time::Duration;

use engine::{CandleCompletionChunk, CandleCompletionParams, CandlePrompt, Usage};
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future};

use crate::answer::{Answer, End, gather};
use crate::error::{CONSTRAINT, Failure};
use crate::model::{Chunks, Model};

/// Prompts of one request that run or wait at once; the others begin as these end.
const AT_ONCE: usize = 8;
/// Pause of a prompt that found the queue full, before it asks again.
const PAUSE: Duration = Duration::from_millis(20);

/// Prompts that have one answer together.
#[derive(Debug)]
pub(crate) struct Several {
    pub(crate) model: Arc<Model>,
    pub(crate) prompts: Vec<String>,
    pub(crate) params: CandleCompletionParams,
    /// Choices of each prompt.
    pub(crate) choices: u32,
    /// The field that says what an answer has to be.
    pub(crate) constrained_by: &'static str,
}

impl Several {
    /// The answers, in the order of their prompts.
    ///
    /// # Errors
    ///
    /// The first failure, which cancels the others.
    pub(crate) async fn gathered(self) -> Result<Vec<Answer>, Failure> {
        let choices = self.choices;
        let (mut waiting, mut running) = (self.answers(), FuturesUnordered::new());
        let mut answers = Vec::new();
        loop {
            while running.len() < AT_ONCE
                && let Some((number, chunks)) = waiting.next()
            {
                running.push(numbered(number, chunks, choices));
            }
            match running.try_next().await? {
                Some(answer) => answers.push(answer),
                None => break,
            }
        }
        answers.sort_unstable_by_key(|(number, _)| *number);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// The pieces of all answers as they come, until all have ended or one has failed; at last what they came to.
    pub(crate) fn merged(self) -> Chunks {
        let mut left = self.prompts.len();
        let choices = self.choices;
        let mut sum = End::default();
        let mut failed = false;
        stream::iter(self.answers())
            .map(move |(number, chunks)| {
                let first = number.saturating_mul(choices);
                chunks.map(move |item| item.map(|chunk| moved(chunk, first)))
            })
            .flatten_unordered(AT_ONCE)
            .take_while(move |item| {
                let goes_on = !failed;
                failed |= item.is_err();
                future::ready(goes_on)
            })
            .filter_map(move |item| {
                let item = match item.as_ref().ok().and_then(End::of) {
                    None => Some(item),
                    Some(end) => {
                        left = left.saturating_sub(1);
                        sum = add(&sum, &end);
                        (left == 0).then(|| Ok(complete(&sum)))
                    }
                };
                future::ready(item)
            })
            .boxed()
    }

    /// The pieces of each answer with the number of its prompt; an answer begins when it is first read.
    fn answers(self) -> impl Iterator<Item = (u32, Chunks)> + Send + 'static {
        let Self {
            model,
            prompts,
            params,
            constrained_by,
            ..
        } = self;
        let is_one = prompts.len() == 1;
        let numbered = (0..).zip(prompts);
        numbered.map(move |(number, prompt)| {
            let pieces = {
                let (model, params) = (Arc::clone(&model), params.clone());
                move || model.pieces(CandlePrompt::raw(prompt.clone()), params.clone())
            };
            // The first asks for all of them whether there is room; who was let in waits.
            let pieces = if number == 0 { pieces() } else { persistent(pieces) };
            // What a chat has messages for, a completion has its prompt for.
            let own = if is_one {
                "prompt".to_owned()
            } else {
                format!("prompt[{number}]")
            };
            let named = move |failure: Failure| {
                failure
                    .renamed("messages", &own)
                    .renamed(CONSTRAINT, constrained_by)
            };
            (number, pieces.map_err(named).boxed())
        })
    }
}

/// An answer with the number of its prompt.
async fn numbered(number: u32, chunks: Chunks, choices: u32) -> Result<(u32, Answer), Failure> {
    Ok((number, gather(chunks, choices).await?))
}

/// The pieces of what `begin` begins, which is begun again as long as the queue is full.
fn persistent(begin: impl Fn() -> Chunks + Send + 'static) -> Chunks {
    let begun = async move {
        loop {
            let mut chunks = begin();
            match chunks.next().await {
                Some(Err(failure)) if failure.is_queue_full() => tokio::time::sleep(PAUSE).await,
                first => return stream::iter(first).chain(chunks),
            }
        }
    };
    begun.flatten_stream().boxed()
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
