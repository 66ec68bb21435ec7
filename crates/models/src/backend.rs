//! The stages of a forward pass, each as large as one fused kernel.
//!
//! An architecture is a sequence of these stages over named slots; it never sees a tensor. A backend keeps
//! the residual stream (the hidden state) and the slots in memory of its own, so that one backend can compose
//! framework primitives and another can run fused kernels over buffers sized at load.

pub(crate) mod candle;
pub(crate) mod cpu;

use std::ops::Range;

use crate::cache::Layout;
use crate::loader::{KeyValue, Parts};
use crate::rope::Rope;
use crate::routing::Routing;
use crate::{KvCache, ModelError, SequenceStep};

/// Where a model's projections are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// In memory, decoded or packed.
    Memory,
    /// In the mapped file, to be decoded or packed at every use.
    Mapped,
}

/// A named activation of a layer, one row per new token of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Queries, shape `(rows, heads * head)`.
    Query,
    /// Keys, shape `(rows, kv_heads * head)`.
    Key,
    /// Values, shape `(rows, kv_heads * head)`.
    Value,
    /// What attention gathered, shape `(rows, heads * head)`.
    Attention,
    /// Compressed queries, shape `(rows, q_lora_rank)`.
    CompressedQuery,
    /// Compressed keys and values and the key's rotated part, shape `(rows, kv_lora_rank + rope)`.
    CompressedKeyValue,
}

impl Slot {
    pub(crate) const COUNT: usize = 6;
}

/// The shape of grouped-query attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    /// Key and value heads.
    pub kv_heads: usize,
    /// Entries of one head.
    pub head: usize,
    /// Factor of every score.
    pub scale: f32,
}

/// The shape of multi-head latent attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatentAttention {
    /// Entries of a head's query and key that carry no position.
    pub plain: usize,
    /// Entries of a head's query, and of the one key of all heads, that are turned by position.
    pub rotated: usize,
    /// Entries of a compressed row.
    pub rank: usize,
    /// Factor of every score.
    pub scale: f32,
}

/// The weights of multi-head latent attention behind its compressed rows.
pub(crate) struct LatentWeights<'w, P: Parts> {
    /// Of the compressed rows, shape `(rank,)`.
    pub norm: Norm<'w, P>,
    pub expand: &'w KeyValue<P>,
    pub rope: &'w Rope,
}

/// A gated MLP: `down(silu(gate(x)) * up(x))`.
pub(crate) struct Mlp<'w, P: Parts> {
    pub gate: &'w P::Matrix,
    pub up: &'w P::Matrix,
    pub down: &'w P::Matrix,
}

/// A layer's experts and what sends rows to them.
pub(crate) struct Experts<'w, P: Parts> {
    /// `(experts, hidden)`
    pub router: &'w P::Matrix,
    pub routing: &'w Routing,
    /// Added to the scores for choosing alone, shape `(experts,)`.
    pub bias: Option<&'w [f32]>,
    /// `(experts, intermediate, hidden)`
    pub gate: &'w P::Stack,
    /// `(experts, intermediate, hidden)`
    pub up: &'w P::Stack,
    /// `(experts, hidden, intermediate)`
    pub down: &'w P::Stack,
    /// The experts that every row goes to, as one MLP.
    pub shared: Option<Mlp<'w, P>>,
}

/// A norm: its weights and what is added to the mean square.
pub(crate) struct Norm<'w, P: Parts> {
    pub weight: &'w P::Vector,
    pub epsilon: f32,
}

/// The fused stages that architectures are written in.
pub(crate) trait Backend: Parts + Send {
    /// Hidden state := the embedding rows of the batch's tokens.
    fn embed(&mut self, table: &Self::Table, batch: &Batch<'_, '_>) -> Result<(), ModelError>;

    /// Each slot := its matrix times the normed hidden state.
    fn norm_project(
        &mut self,
        norm: Norm<'_, Self>,
        outputs: &[(&Self::Matrix, Slot)],
    ) -> Result<(), ModelError>
    where
        Self: Sized;

    /// Slot `to` := matrix times the normed slot `from`.
    fn norm_slot_project(
        &mut self,
        from: Slot,
        norm: Norm<'_, Self>,
        matrix: &Self::Matrix,
        to: Slot,
    ) -> Result<(), ModelError>
    where
        Self: Sized;

    /// Splits a slot into heads of `head` entries, norms each head if a norm is given, and turns it by its
    /// row's position.
    fn rotate(
        &mut self,
        slot: Slot,
        head: usize,
        norm: Option<Norm<'_, Self>>,
        rope: &Rope,
        batch: &Batch<'_, '_>,
    ) -> Result<(), ModelError>
    where
        Self: Sized;

    /// Writes keys and values of `layer` to the caches; the attention slot := what each query gathers from
    /// its own sequence up to its own position.
    fn attend(&mut self, layer: usize, shape: Attention, batch: &mut Batch<'_, '_>)
    -> Result<(), ModelError>;

    /// Attention over compressed rows: norms and turns the compressed slot, writes it to the caches (the
    /// expanded heads never exist), takes the queries to its space; the attention slot := the values.
    fn attend_latent(
        &mut self,
        layer: usize,
        shape: LatentAttention,
        weights: LatentWeights<'_, Self>,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError>
    where
        Self: Sized;

    /// Leaves the rows listed, in this order: of the hidden state and of `slot`. What follows is about them alone; other
    /// slots hold nothing that can be used.
    fn keep(&mut self, slot: Slot, rows: &[u32]) -> Result<(), ModelError>;

    /// Hidden state += matrix times slot.
    fn project_add(&mut self, slot: Slot, matrix: &Self::Matrix) -> Result<(), ModelError>;

    /// Hidden state += the MLP of `x`, where `x` is the normed hidden state.
    fn gated_mlp_add(&mut self, norm: Norm<'_, Self>, mlp: Mlp<'_, Self>) -> Result<(), ModelError>
    where
        Self: Sized;

    /// Hidden state += the outputs of each row's experts, summed in the order of choice, and of the shared
    /// experts.
    fn moe_add(&mut self, norm: Norm<'_, Self>, experts: Experts<'_, Self>) -> Result<(), ModelError>
    where
        Self: Sized;

    /// Writes the normed hidden state to `out`, shape `(rows, hidden)`.
    fn hidden(&mut self, norm: Norm<'_, Self>, out: &mut [f32]) -> Result<(), ModelError>
    where
        Self: Sized;

    /// Writes `matrix` times the normed hidden state to `out`, shape `(rows, vocab)`.
    fn logits(
        &mut self,
        norm: Norm<'_, Self>,
        matrix: &Self::Matrix,
        out: &mut [f32],
    ) -> Result<(), ModelError>
    where
        Self: Sized;

    /// An empty cache where this backend computes.
    fn new_cache(&self, layout: Layout) -> KvCache;
}

/// The new tokens of all sequences, stacked into rows.
pub(crate) struct Batch<'s, 'c> {
    pub steps: &'s mut [SequenceStep<'c>],
    /// The rows whose last hidden state is wanted, in this order.
    pub wanted: &'s [u32],
}

impl Batch<'_, '_> {
    /// The token of every row.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = u32> + '_ {
        self.steps.iter().flat_map(|step| step.tokens.iter().copied())
    }

    /// The position of every row in its sequence.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.steps
            .iter()
            .flat_map(|step| step.cache.len()..step.cache.len() + step.tokens.len())
    }

    /// Rows of every sequence together.
    pub(crate) fn rows(&self) -> usize {
        self.steps.iter().map(|step| step.tokens.len()).sum()
    }

    /// The sequences, each with the rows that are its own.
    pub(crate) fn sequences(&mut self) -> impl Iterator<Item = (Range<usize>, &mut KvCache)> {
        let mut first = 0;
        self.steps.iter_mut().map(move |step| {
            let rows = first..first + step.tokens.len();
            first = rows.end;
            (rows, &mut *step.cache)
        })
    }
}
