//! The answers to several prompts as one, their choices counted on.

use engine::{CandleCompletionChunk, EngineError, Usage};
use futures::stream::select_all;
use futures::{StreamExt as _, future};

use crate::answer::End;
use crate::model::Chunks;

/// Puts answers of `choices` choices each into one stream, which ends when all of them have or one has failed.
pub(crate) fn merge(answers: Vec<Chunks>, choices: u32) -> Chunks {
    let mut left = answers.len();
    let mut sum = End::default();
    let numbered = answers.into_iter().zip(0_u32..).map(|(chunks, number)| {
        let first = number.saturating_mul(choices);
        chunks
            .map(move |item| item.map(|chunk| moved(chunk, first)))
            .boxed()
    });
    let mut failed = false;
    select_all(numbered)
        .take_while(move |item| {
            let goes_on = !failed;
            failed |= item.is_err();
            future::ready(goes_on)
        })
        .filter_map(move |item: Result<CandleCompletionChunk, EngineError>| {
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
