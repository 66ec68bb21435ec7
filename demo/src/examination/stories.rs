//! Stories as a user gets them, sampled: a few to read, and how varied all of them are.

use std::collections::HashSet;

use anyhow::Result;
use engine::{CandleCompletionParams, Message};
use providers::LocalProvider;

use super::{MAX_TOKENS, Plan, said};
use crate::corpus;
use crate::dialogue::{Dialogue, Skill, Turn};

/// Stories that are told.
const TOLD: u64 = 200;

/// Stories, and their variety.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Stories {
    /// Some of them, each with what was asked for.
    pub shown: Vec<(String, String)>,
    /// Different sequences of 1, 2 and 3 words as a share of all such sequences, over all stories.
    pub distinct: [f64; 3],
    /// Different stories as a share of all.
    pub different: f64,
}

/// Asks for stories at the provider's own sampling, each with a seed of its own.
pub(super) fn told(provider: &LocalProvider, plan: &Plan) -> Result<Stories> {
    let mut told = Vec::new();
    for index in 0..TOLD {
        // Beyond the dialogues that are judged.
        let dialogue = corpus::of_skill(Skill::Story, plan.seed, (1 << 32) + index);
        let Some(request) = first_request(&dialogue) else {
            continue;
        };
        let params = CandleCompletionParams {
            max_tokens: Some(MAX_TOKENS),
            seed: Some(index),
            ..CandleCompletionParams::default()
        };
        let story = said(provider, vec![Message::user(&request)], &params)?.text;
        told.push((request, story));
    }
    let texts: Vec<&str> = told.iter().map(|(_, story)| story.as_str()).collect();
    let different: HashSet<&str> = texts.iter().copied().collect();
    let distinct = [1, 2, 3].map(|n| distinct(&texts, n));
    let different = different.len() as f64 / texts.len().max(1) as f64;
    told.truncate(plan.stories);
    Ok(Stories {
        shown: told,
        distinct,
        different,
    })
}

/// What is asked for in a dialogue that is about nothing but one story.
fn first_request(dialogue: &Dialogue) -> Option<String> {
    match dialogue.turns.as_slice() {
        [Turn::User(request), Turn::Assistant(_)] => Some(request.clone()),
        _ => None,
    }
}

/// Different sequences of `n` words as a share of all.
fn distinct(texts: &[&str], n: usize) -> f64 {
    let mut seen = HashSet::new();
    let mut count = 0usize;
    for text in texts {
        let words: Vec<&str> = text.split_whitespace().collect();
        for sequence in words.windows(n) {
            seen.insert(sequence.to_vec());
            count += 1;
        }
    }
    seen.len() as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_words_lower_the_share_of_distinct_ones() {
        assert_eq!(distinct(&["a b c d"], 1), 1.0);
        assert_eq!(distinct(&["a b a b"], 1), 0.5);
        assert_eq!(distinct(&["a b a b"], 2), 2.0 / 3.0);
        assert_eq!(distinct(&["a b", "a b"], 2), 0.5);
    }
}
