//! The part of [`Model`] that every architecture shares: checking a batch, and committing it.

use crate::backend::{Backend, Batch, Norm};
use crate::cache::Layout;
use crate::loader::Parts;
use crate::pooling;
use crate::{Capabilities, KvCache, Model, ModelError, OutputRows, Pooling, Rows, SequenceStep};

/// The blocks of an architecture, written in a backend's stages.
pub(crate) trait Architecture<B: Backend>: Send {
    /// Runs the batch through all layers; leaves the last hidden state of the wanted rows in the backend, of no row where none
    /// is wanted.
    ///
    /// Behind the attention of the last layer, which leaves keys and values of all rows in the caches, the others go no
    /// further.
    fn forward(&self, backend: &mut B, batch: &mut Batch<'_, '_>) -> Result<(), ModelError>;

    /// The norm and the projection that turn a hidden state into logits.
    fn head(&self) -> Head<'_, B>;
}

/// What turns a hidden state into logits.
pub(crate) struct Head<'w, P: Parts> {
    pub norm: Norm<'w, P>,
    pub output: &'w P::Matrix,
}

/// An architecture on a backend, as a [`Model`].
pub(crate) struct Decoder<A, B> {
    pub architecture: A,
    pub backend: B,
    pub layout: Layout,
    pub capabilities: Capabilities,
    /// Entries of a hidden state.
    pub width: usize,
    /// Rows of the batch that are wanted; kept for its memory.
    pub wanted: Vec<u32>,
    /// Their hidden states, where those are wanted; kept for its memory.
    pub hidden: Vec<f32>,
}

impl<A: Architecture<B>, B: Backend> Model for Decoder<A, B> {
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut OutputRows,
    ) -> Result<(), ModelError> {
        check(&self.capabilities, batch)?;
        list_rows(batch, rows, &mut self.wanted)?;
        for step in batch.iter_mut() {
            step.cache.reserve(&self.layout, step.tokens.len())?;
        }
        let mut stacked = Batch {
            steps: batch,
            wanted: &self.wanted,
        };
        self.architecture.forward(&mut self.backend, &mut stacked)?;
        let head = self.architecture.head();
        if let Rows::Hidden(pooling) = rows {
            self.hidden.resize(self.wanted.len() * self.width, 0.0);
            self.backend.hidden(head.norm, &mut self.hidden)?;
            pool(batch, pooling, &self.hidden, out.reset(batch.len(), self.width));
        } else {
            let logits = out.reset(self.wanted.len(), self.capabilities.vocab);
            if !self.wanted.is_empty() {
                self.backend.logits(head.norm, head.output, logits)?;
            }
        }
        for step in batch.iter_mut() {
            step.cache.advance(step.tokens.len());
        }
        Ok(())
    }

    fn new_cache(&self) -> KvCache {
        self.backend.new_cache(self.layout)
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

/// Whether a model of these capabilities can run the batch; nothing is computed before this has passed.
pub(crate) fn check(capabilities: &Capabilities, batch: &[SequenceStep<'_>]) -> Result<(), ModelError> {
    let &Capabilities {
        vocab,
        context,
        max_sequences: max,
        ..
    } = capabilities;
    let sequences = batch.len();
    if sequences > max {
        return Err(ModelError::TooManySequences { sequences, max });
    }
    for (sequence, step) in batch.iter().enumerate() {
        if step.tokens.is_empty() {
            return Err(ModelError::EmptyStep { sequence });
        }
        let positions = step.cache.len() + step.tokens.len();
        if positions > context {
            return Err(ModelError::ContextOverflow { positions, context });
        }
        if let Some(&token) = step.tokens.iter().find(|&&token| token as usize >= vocab) {
            return Err(ModelError::TokenOutOfVocabulary { token, vocab });
        }
    }
    Ok(())
}

/// One row for each sequence, of the hidden states of the rows that [`list_rows`] has listed for `pooling`.
fn pool(batch: &[SequenceStep<'_>], pooling: Pooling, mut hidden: &[f32], out: &mut [f32]) {
    if pooling != Pooling::Mean {
        return out.copy_from_slice(hidden);
    }
    let width = out.len() / batch.len().max(1);
    for (step, out) in batch.iter().zip(out.chunks_exact_mut(width.max(1))) {
        let (own, others) = hidden.split_at(step.tokens.len() * width);
        pooling::mean(own, out);
        hidden = others;
    }
}

/// Indices of the wanted rows in the stacked batch.
pub(crate) fn list_rows(
    batch: &[SequenceStep<'_>],
    rows: Rows<'_>,
    wanted: &mut Vec<u32>,
) -> Result<(), ModelError> {
    wanted.clear();
    let firsts = || {
        batch.iter().scan(0, |next, step| {
            let first = *next;
            *next += step.tokens.len();
            Some(first)
        })
    };
    match rows {
        Rows::Hidden(Pooling::First) => wanted.extend(firsts().map(|first| first as u32)),
        Rows::Last | Rows::Hidden(Pooling::Last) => {
            wanted.extend(
                firsts()
                    .zip(batch)
                    .map(|(first, step)| (first + step.tokens.len() - 1) as u32),
            );
        }
        Rows::All | Rows::Hidden(Pooling::Mean) => {
            wanted.extend(0..batch.iter().map(|step| step.tokens.len() as u32).sum())
        }
        Rows::List(list) => {
            for at in list {
                let found = firsts().zip(batch).nth(at.sequence);
                match found.filter(|(_, step)| at.row < step.tokens.len()) {
                    Some((first, _)) => wanted.push((first + at.row) as u32),
                    None => {
                        return Err(ModelError::RowOutOfBatch {
                            sequence: at.sequence,
                            row: at.row,
                        });
                    }
                }
            }
        }
    }
    Ok(())
}
