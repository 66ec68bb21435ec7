//! How long dialogues become, which says what context the model needs.

use anyhow::Result;
use models::Tokenizer;
use rayon::prelude::*;

use crate::corpus;
use crate::dialogue::Skill;
use crate::rendering;

/// Dialogues that are measured.
const DIALOGUES: u64 = 20_000;

/// Tokens of the longest of many dialogues with two rounds of tools.
pub(super) fn longest(tokenizer: &Tokenizer, seed: u64) -> Result<usize> {
    let tokens = |index| -> Result<usize> {
        let mut tokens = 0;
        for segment in rendering::segments(&corpus::of_skill(Skill::TwoCalls, seed, index)) {
            tokens += tokenizer.encode_prompt(&segment.text)?.len();
        }
        Ok(tokens)
    };
    let lengths: Vec<usize> = (0..DIALOGUES)
        .into_par_iter()
        .map(tokens)
        .collect::<Result<_>>()?;
    Ok(lengths.into_iter().max().unwrap_or(0))
}
