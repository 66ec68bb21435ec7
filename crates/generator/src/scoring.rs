//! What the model gives the tokens of a prompt, told once each.

use simd_sampling::Logprobs;

use crate::{GenerateError, TokenLogprobs};

/// The scores of one prompt.
#[derive(Clone, Debug)]
pub(crate) struct PromptScores {
    logprobs: Logprobs,
    /// Tokens of the prompt that have been told; the first has no score.
    told: usize,
}

impl PromptScores {
    pub(crate) fn new(logprobs: Logprobs) -> Self {
        Self { logprobs, told: 1 }
    }

    /// The scores of the tokens behind position `from` that have not been told: what was run before the sequence was set
    /// aside is run again.
    ///
    /// * `rows`: the logits after the tokens at `from` and the next positions.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Logits`] if a row says nothing.
    pub(crate) fn tell<'r>(
        &mut self,
        prompt: &[u32],
        from: usize,
        rows: impl Iterator<Item = &'r [f32]>,
    ) -> Result<Vec<TokenLogprobs>, GenerateError> {
        let first = self.told.max(from + 1);
        let tokens = prompt.get(first..).unwrap_or_default();
        let mut scores = Vec::new();
        for (&token, row) in tokens.iter().zip(rows.skip(first - from - 1)) {
            let level = simd_sampling::Level::best();
            let scored = self.logprobs.score(level, row, token);
            scored.map_err(|source| GenerateError::Logits {
                index: 0,
                source: source.into(),
            })?;
            scores.push(TokenLogprobs::of(&self.logprobs));
        }
        self.told = first + scores.len();
        Ok(scores)
    }
}

impl TokenLogprobs {
    /// Those of the last step.
    pub(crate) fn of(logprobs: &Logprobs) -> Self {
        Self {
            chosen: logprobs.chosen(),
            best: logprobs.best().to_vec(),
        }
    }
}
