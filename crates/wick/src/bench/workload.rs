//! What is measured: how many tokens, behind how many, for how many sequences, how often.

use models::Capabilities;
use serde::Serialize;

use crate::arguments::BenchArguments;

use super::BenchError;

/// Sizes of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Workload {
    /// Tokens of the prompt, at least one.
    pub(super) prompt: usize,
    /// Tokens decoded for each sequence, at least one.
    pub(super) generate: usize,
    /// Positions that each cache holds before a measurement.
    pub(super) depth: usize,
    /// Sequences that decode at once, at least one.
    pub(super) batch: usize,
    /// Measurements, at least one.
    pub(super) repeat: usize,
}

impl Workload {
    pub(super) fn of(arguments: &BenchArguments) -> Self {
        Self {
            prompt: arguments.prompt.get(),
            generate: arguments.generate.get(),
            depth: arguments.depth,
            batch: arguments.batch.get(),
            repeat: arguments.repeat.get(),
        }
    }

    /// Whether a model of these capabilities can run it.
    ///
    /// # Errors
    ///
    /// [`BenchError::Context`], [`BenchError::Batch`].
    pub(super) fn check(&self, capabilities: &Capabilities) -> Result<(), BenchError> {
        let &Capabilities {
            context,
            max_sequences: max,
            ..
        } = capabilities;
        let &Self {
            depth,
            prompt,
            generate,
            batch,
            ..
        } = self;
        let positions = depth.saturating_add(prompt).saturating_add(generate);
        if positions > context {
            return Err(BenchError::Context {
                depth,
                prompt,
                generate,
                positions,
                context,
            });
        }
        if batch > max {
            return Err(BenchError::Batch { batch, max });
        }
        Ok(())
    }
}
