//! Log-probabilities of the chosen token and of the most probable ones.
//!
//! By default of the untouched row at temperature 1, before bias, mask and every other stage: what the
//! model said. Or of the distribution that the token was drawn from.

use crate::categorical::Sampled;
use crate::top_k::top_k;
use crate::{Candidates, Level, LogitsError, Workspace};

/// A token and its log-probability.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TokenLogprob {
    /// The token.
    pub token: u32,
    /// Natural logarithm of its probability, 0 or less; `-inf` if it is masked.
    pub logprob: f32,
}

/// Which distribution log-probabilities are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Basis {
    /// The untouched row at temperature 1.
    Model,
    /// What the stages left, at the chain's temperature: the distribution that the token was drawn from.
    PostSampling,
}

/// The log-probabilities of one step, with the memory that they need; used for step after step.
#[derive(Clone, Debug)]
pub struct Logprobs {
    basis: Basis,
    top: usize,
    row: Vec<f32>,
    workspace: Workspace,
    chosen: TokenLogprob,
    best: Vec<TokenLogprob>,
}

impl Logprobs {
    /// For rows of `vocab` logits: the chosen token's log-probability and those of the `top` most probable tokens.
    #[must_use]
    pub fn new(basis: Basis, vocab: usize, top: usize) -> Self {
        let top = top.min(vocab);
        let copied = if basis == Basis::Model { vocab } else { 0 };
        Self {
            basis,
            top,
            row: vec![0.0; copied],
            workspace: Workspace::new(copied),
            chosen: TokenLogprob {
                token: 0,
                logprob: f32::NEG_INFINITY,
            },
            best: Vec::with_capacity(top),
        }
    }

    /// The token that was chosen at the last step.
    #[must_use]
    pub fn chosen(&self) -> TokenLogprob {
        self.chosen
    }

    /// The most probable tokens of the last step, the best first, among equals the lowest id first; masked ones are left out.
    #[must_use]
    pub fn best(&self) -> &[TokenLogprob] {
        &self.best
    }

    /// Fills in what a row says about a token that was not drawn from it, as where a text that is given is scored: of the
    /// row as it is, whatever the basis.
    ///
    /// * `row`: shape `(vocab,)`, unnormalised log-probabilities in nats.
    ///
    /// # Errors
    ///
    /// [`LogitsError::Empty`], [`LogitsError::AllMasked`], [`LogitsError::NotANumber`] and [`LogitsError::Infinite`], as
    /// where a token is drawn.
    pub fn score(&mut self, level: Level, row: &[f32], token: u32) -> Result<(), LogitsError> {
        if self.row.len() != row.len() {
            self.row.resize(row.len(), 0.0);
            self.workspace = Workspace::new(row.len());
        }
        self.row.copy_from_slice(row);
        self.best.clear();
        let mut untouched = Candidates::new(level, &mut self.row, &mut self.workspace)?;
        self.chosen = describe(&mut untouched, token, self.top, &mut self.best)?;
        Ok(())
    }

    /// Remembers the untouched row.
    pub(crate) fn before(&mut self, row: &[f32]) -> Result<(), LogitsError> {
        if self.basis == Basis::PostSampling {
            return Ok(());
        }
        if row.len() != self.row.len() {
            return Err(LogitsError::Length {
                len: row.len(),
                vocab: self.row.len(),
            });
        }
        self.row.copy_from_slice(row);
        Ok(())
    }

    /// Fills in the results of a step, after the draw.
    pub(crate) fn after(
        &mut self,
        candidates: &mut Candidates<'_>,
        sampled: Sampled,
    ) -> Result<(), LogitsError> {
        self.best.clear();
        let (top, best) = (self.top, &mut self.best);
        self.chosen = match self.basis {
            Basis::PostSampling => describe(candidates, sampled.token, top, best)?,
            Basis::Model => {
                let level: Level = candidates.level;
                let mut untouched = Candidates::new(level, &mut self.row, &mut self.workspace)?;
                describe(&mut untouched, sampled.token, top, best)?
            }
        };
        Ok(())
    }
}

/// Log-probability of a token; those of the `top` most probable ones are pushed to `best`, which has room for them.
fn describe(
    candidates: &mut Candidates<'_>,
    token: u32,
    top: usize,
    best: &mut Vec<TokenLogprob>,
) -> Result<TokenLogprob, LogitsError> {
    let (scaling, total) = candidates.weigh()?;
    let log_total = simd::ln(total);
    let logprob = |logit: f32| {
        let exponent = (logit - scaling.pivot) * scaling.scale;
        (f64::from(exponent) - log_total) as f32
    };
    let chosen = candidates.logit(token).map_or(f32::NEG_INFINITY, logprob);
    if top > 0 {
        top_k(candidates, i32::try_from(top).unwrap_or(i32::MAX))?;
        for (i, logit) in candidates.logits().iter().enumerate() {
            if *logit > f32::NEG_INFINITY {
                best.push(TokenLogprob {
                    token: candidates.token(i),
                    logprob: logprob(*logit),
                });
            }
        }
        best.sort_unstable_by(|a, b| b.logprob.total_cmp(&a.logprob).then(a.token.cmp(&b.token)));
    }
    Ok(TokenLogprob {
        token,
        logprob: chosen,
    })
}
