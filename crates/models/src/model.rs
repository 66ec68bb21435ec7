//! The model interface: new tokens of several sequences in, rows of logits or hidden states out.
//!
//! Positions: the first new token of a sequence stands at position `cache.len()`, the next one position
//! later. After a successful call each cache has grown by its sequence's new tokens; after an error every
//! cache of the batch is as it was before the call.

use crate::{Device, KvCache, ModelError, Pooling};

/// A forward pass over weights that it owns; the sequences own their caches.
pub trait Model: Send {
    /// Runs the new tokens of each sequence and writes the wanted rows to `out`.
    ///
    /// * `batch`: one entry per sequence, each with at least one new token.
    /// * `out`: is resized to `(wanted rows, vocab)`, for [`Rows::Hidden`] to `(sequences, hidden)`; rows stand in
    ///   the order of the batch, then of the positions, or in the order of the list for [`Rows::List`]. Units of
    ///   logits: unnormalised natural-log probabilities (nats).
    ///
    /// # Errors
    ///
    /// * [`ModelError::EmptyStep`], [`ModelError::TooManySequences`], [`ModelError::ContextOverflow`],
    ///   [`ModelError::TokenOutOfVocabulary`], [`ModelError::RowOutOfBatch`], [`ModelError::ForeignCache`]:
    ///   the batch is not one that this model can run; nothing was computed.
    /// * [`ModelError::Unsupported`]: the model has no such rows; nothing was computed.
    /// * [`ModelError::Tensor`]: the device failed.
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut OutputRows,
    ) -> Result<(), ModelError>;

    /// An empty cache in the layout that this model writes.
    fn new_cache(&self) -> KvCache;

    /// What this model can do.
    fn capabilities(&self) -> &Capabilities;
}

/// One sequence's share of a batch.
#[derive(Debug)]
pub struct SequenceStep<'a> {
    /// The tokens to run, shape `(new,)`; the first stands at position `cache.len()`.
    pub tokens: &'a [u32],
    /// Keys and values of all earlier positions; grows by `new`.
    pub cache: &'a mut KvCache,
}

/// Which positions of a batch become rows, and of what.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// Logits after the last new token of every sequence: what sampling needs.
    Last,
    /// Logits after every new token of every sequence.
    All,
    /// Logits after these, in this order; may be empty, when a chunk of a prompt only fills the cache.
    List(&'a [RowAt]),
    /// The hidden state behind the last layer and the final norm, one row of each sequence, pooled over the new
    /// tokens of this call; [`Pooled`](crate::Pooled) joins the rows of a prompt that is run in several calls.
    Hidden(Pooling),
}

/// One new token of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowAt {
    /// Index of the sequence in the batch.
    pub sequence: usize,
    /// Index among that sequence's new tokens.
    pub row: usize,
}

/// A reused host buffer of rows, row-major f32: logits `(rows, vocab)` or hidden states `(rows, hidden)`.
#[derive(Clone, Debug, Default)]
pub struct OutputRows {
    data: Vec<f32>,
    width: usize,
    rows: usize,
}

/// Output rows that hold logits.
pub type Logits = OutputRows;

impl OutputRows {
    /// An empty buffer; the first forward pass sizes it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the buffer the shape `(rows, width)` and returns all of it, for a model to fill.
    ///
    /// Memory is kept between calls, so that a steady shape allocates once.
    pub fn reset(&mut self, rows: usize, width: usize) -> &mut [f32] {
        self.data.resize(rows * width, 0.0);
        self.rows = rows;
        self.width = width;
        &mut self.data
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Entries of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Entries of a row of logits: the same number as [`OutputRows::width`], under its name for logits.
    pub fn vocab(&self) -> usize {
        self.width
    }

    /// Row `index`, shape `(width,)`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`OutputRows::rows`].
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.width..(index + 1) * self.width]
    }

    /// Row `index`, shape `(width,)`, for sampling in place.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`OutputRows::rows`].
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.data[index * self.width..(index + 1) * self.width]
    }
}

/// What a model can do, fixed when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The architecture's name as model files write it, `llama` or `qwen3`.
    pub architecture: String,
    /// Entries of a row of logits.
    pub vocab: usize,
    /// Positions that a sequence may have.
    pub context: usize,
    /// Sequences that one forward pass may run.
    pub max_sequences: usize,
    /// Whether it gives [`Rows::Hidden`], of which embeddings are made.
    pub hidden: bool,
    /// Whether a cache can be forked at a prefix.
    pub fork: bool,
    /// Where the model computes.
    pub device: Device,
}
