//! What a caller asks for: a prompt, how much to generate, what ends it and how tokens are drawn.
//!
//! A request is plain data. It is checked whole when it is given to a generator, before any work.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use models::Tokenizer;
use simd_sampling::{Basis, SamplingParams};

use crate::Constraint;

/// Where a generation starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptInput {
    /// Text, encoded with the tokenizer's own rules: special-token strings are recognised, and the
    /// beginning-of-sequence token is added where the tokenizer adds one.
    Text(String),
    /// Token ids, taken as they are.
    Tokens(Vec<u32>),
}

impl From<&str> for PromptInput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for PromptInput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u32>> for PromptInput {
    fn from(tokens: Vec<u32>) -> Self {
        Self::Tokens(tokens)
    }
}

impl From<&[u32]> for PromptInput {
    fn from(tokens: &[u32]) -> Self {
        Self::Tokens(tokens.to_vec())
    }
}

/// Tokens with a meaning beyond their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Tokens that end the generation. The one that did is counted and reported, its text never shown.
    /// Empty: only stop strings, `max_tokens` and the context end it.
    pub eos: Vec<u32>,
}

impl SpecialTokens {
    /// The tokens that the tokenizer's file declares to end a generation.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        Self {
            eos: tokenizer.end_of_generation().to_vec(),
        }
    }
}

/// How tokens are drawn from the logits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingConfig {
    /// The sampling chain.
    pub params: SamplingParams,
    /// Seed of the draws. The same request with the same seed gives the same tokens. Absent: drawn fresh
    /// for each request, and reported with its end.
    pub seed: Option<u64>,
}

impl SamplingConfig {
    /// The seed asked for, or a fresh one below 2^53, which every JSON reader keeps exactly.
    pub(crate) fn seed_or_fresh(&self) -> u64 {
        self.seed
            .unwrap_or_else(|| RandomState::new().hash_one(0u8) >> 11)
    }
}

/// Which log-probabilities are reported with each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogprobsConfig {
    /// How many of the most probable tokens, at most the vocabulary; 0: the chosen one alone.
    pub top: usize,
    /// Of which distribution.
    pub basis: Basis,
}

/// One request to a [`TextGenerator`](crate::TextGenerator).
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateRequest {
    /// Where to start from.
    pub prompt: PromptInput,
    /// The most tokens to generate, at least 1 unless the prompt is scored, the end token included; absent: 1,000. The
    /// context caps it.
    pub max_tokens: Option<u32>,
    /// The fewest tokens to generate. End tokens are not drawn before, and stop strings not looked for.
    pub min_tokens: u32,
    /// Tokens that end the generation early.
    pub special: SpecialTokens,
    /// Strings that end the generation where its text comes to hold one of them, none of them empty. No part of the
    /// one that did is shown; its tokens are counted.
    pub stop: Vec<String>,
    /// How tokens are drawn.
    pub sampling: SamplingConfig,
    /// Answers to generate side by side, at least 1. The prompt is run once for all of them; choice `n` draws with the
    /// seed plus `n`, so that it has the tokens of a request with that seed alone.
    pub choices: u32,
    /// Whether and which log-probabilities come with each token.
    pub logprobs: Option<LogprobsConfig>,
    /// Log-probabilities of the prompt's own tokens, each behind those before it, and of so many most probable ones in its
    /// place. The prompt is then run whole: nothing of it is taken from an earlier request's cache. With this,
    /// `max_tokens` may be 0, and nothing is generated.
    pub score_prompt: Option<usize>,
    /// What the generated text has to be. Tokens that it allows no others beside are taken without a draw, several at
    /// once, unless log-probabilities are asked for. A generation that its length or a stop string cuts off is only the
    /// beginning of such a text; one that is complete ends, whatever `min_tokens` says.
    pub constraint: Option<Constraint>,
    /// The most tokens guessed at once, 0 for none: where the last few tokens have stood before, what followed them
    /// then is verified in one forward pass (prompt lookup). Draws are those of plain decoding; guesses that turn out
    /// wrong make shorter and rarer ones. A model whose caches cannot be cut back guesses nothing.
    pub draft: usize,
    /// When the request is given up, wherever it is by then; looked at between two steps.
    pub deadline: Option<Instant>,
}

impl GenerateRequest {
    /// A request that asks for nothing but to go on from `prompt`: no end tokens, no stop strings, default sampling, one
    /// choice.
    pub fn new(prompt: impl Into<PromptInput>) -> Self {
        Self {
            prompt: prompt.into(),
            max_tokens: None,
            min_tokens: 0,
            special: SpecialTokens::default(),
            stop: Vec::new(),
            sampling: SamplingConfig::default(),
            choices: 1,
            logprobs: None,
            score_prompt: None,
            constraint: None,
            draft: 0,
            deadline: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn fresh_seeds_differ_and_survive_json() {
        let config = SamplingConfig::default();
        let seeds: HashSet<u64> = (0..1_000).map(|_| config.seed_or_fresh()).collect();
        assert_eq!(seeds.len(), 1_000);
        assert!(seeds.iter().all(|seed| seed >> 53 == 0));
    }

    #[test]
    fn a_given_seed_is_kept() {
        let config = SamplingConfig {
            seed: Some(u64::MAX),
            ..SamplingConfig::default()
        };
        assert_eq!(config.seed_or_fresh(), u64::MAX);
    }
}
