//! One forward pass over the picked sequences, held to the model's contract.
//!
//! A model that reports success has grown every cache by exactly the tokens it was given and written the
//! rows it was asked for; one that reports an error has changed no cache. Both are checked, because the
//! worker would otherwise run the same tokens for ever, or draw from another sequence's logits.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use models::{Logits, Model, ModelError, RowAt, Rows, SequenceStep};

use crate::sequence::Sequence;

/// What one sequence does in a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    /// Index among the running sequences; picks stand in ascending order.
    pub(crate) slot: usize,
    /// Tokens to run, at least one.
    pub(crate) tokens: usize,
    /// Positions that the cache holds before.
    pub(crate) cached: usize,
    /// Of the last so many tokens the logits are wanted: one to draw the next token, one more for each token that was
    /// guessed, all where a prompt is scored.
    pub(crate) rows: usize,
    /// The one of them that the next token is drawn from; `None` while more are pending.
    pub(crate) draws: Option<usize>,
}

/// Why a step gave nothing.
pub(crate) enum Failure {
    /// The model reported an error and left the caches alone.
    Model(Arc<ModelError>),
    /// The model broke its contract.
    Broken {
        what: &'static str,
        expected: usize,
        found: usize,
    },
    /// The model panicked.
    Panicked(Box<dyn Any + Send>),
}

/// What steps of one model have in common.
#[derive(Debug)]
pub(crate) struct Step {
    /// Entries of a row of the model's logits.
    vocab: usize,
    /// Reused from step to step.
    rows: Vec<RowAt>,
}

impl Step {
    /// For a model with `vocab` logits a row.
    pub(crate) fn new(vocab: usize) -> Self {
        Self {
            vocab,
            rows: Vec::new(),
        }
    }

    /// Runs the picks' tokens; `logits` then has the rows of each pick, in their order.
    ///
    /// # Errors
    ///
    /// See [`Failure`]; the sequences of the step cannot go on after any but [`Failure::Model`].
    pub(crate) fn forward(
        &mut self,
        model: &mut dyn Model,
        running: &mut [Sequence],
        picks: &[Pick],
        logits: &mut Logits,
    ) -> Result<(), Failure> {
        self.rows.clear();
        for (sequence, pick) in picks.iter().enumerate() {
            let wanted = pick.tokens - pick.rows..pick.tokens;
            self.rows.extend(wanted.map(|row| RowAt { sequence, row }));
        }

        let mut batch = batch(running, picks)?;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            model.forward(&mut batch, Rows::List(&self.rows), logits)
        }))
        .map_err(Failure::Panicked)?;
        for (step, pick) in batch.iter().zip(picks) {
            let grown = if outcome.is_ok() { pick.tokens } else { 0 };
            expect("a cache", pick.cached + grown, step.cache.len())?;
        }
        outcome.map_err(|error| Failure::Model(Arc::new(error)))?;
        expect("the rows of logits", self.rows.len(), logits.rows())?;
        if !self.rows.is_empty() {
            expect("the width of the logits", self.vocab, logits.vocab())?;
        }
        Ok(())
    }
}

/// The picked sequences' shares of a batch, in the order of the picks.
fn batch<'a>(running: &'a mut [Sequence], picks: &[Pick]) -> Result<Vec<SequenceStep<'a>>, Failure> {
    let mut batch = Vec::with_capacity(picks.len());
    let mut picks = picks.iter().peekable();
    for (slot, sequence) in running.iter_mut().enumerate() {
        let Some(pick) = picks.next_if(|pick| pick.slot == slot) else {
            continue;
        };
        let found = sequence.pending();
        let step = sequence.step(pick.tokens);
        batch.push(step.ok_or(Failure::Broken {
            what: "pending tokens",
            expected: pick.tokens,
            found,
        })?);
    }
    Ok(batch)
}

fn expect(what: &'static str, expected: usize, found: usize) -> Result<(), Failure> {
    if expected == found {
        Ok(())
    } else {
        Err(Failure::Broken {
            what,
            expected,
            found,
        })
    }
}
