//! Rotation, and attention over caches in memory.

use std::ops::Range;

use simd_matmul::{
    Activations, Entry, Heads, Latent, LatentScratch, Level, Pool, Product, Products, attend, attend_latent,
    by_chunks, normalize_in_place, turn_adjacent, turn_halves, write_key, write_value,
};

use super::{CpuBackend, by_rows, resize};
use crate::backend::{Attention, Batch, LatentAttention, LatentWeights, Norm, Slot};
use crate::cache::{BLOCK, CacheType};
use crate::rope::{Pairs, Rope};
use crate::{KvCache, ModelError};

/// Cosines and sines of every row's angles, each of shape `(rows, head / 2)`, of the pass that is running.
#[derive(Default)]
pub(super) struct Angles {
    rope: Option<Rope>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    /// A new pass begins.
    pub(super) fn begin(&mut self) {
        self.cos.clear();
        self.sin.clear();
    }

    /// Computes the angles of the pass, unless its first layer has.
    ///
    /// In f64, so that a position of 100,000 is as exact as position 1.
    pub(super) fn of(&mut self, rope: &Rope, batch: &Batch<'_, '_>) {
        if self.rope.as_ref() != Some(rope) {
            self.rope = Some(rope.clone());
        } else if !self.cos.is_empty() {
            return;
        }
        self.begin();
        for position in batch.positions() {
            for radians in &rope.frequencies {
                let (sin, cos) = (position as f64 * radians).sin_cos();
                self.cos.push(cos as f32 * rope.magnitude);
                self.sin.push(sin as f32 * rope.magnitude);
            }
        }
    }

    /// Turns a head of a row.
    fn turn(&self, level: Level, row: usize, head: &mut [f32]) {
        let half = head.len() / 2;
        let (cos, sin) = (&self.cos[row * half..][..half], &self.sin[row * half..][..half]);
        match self.rope.as_ref().map(|rope| rope.pairs) {
            Some(Pairs::Adjacent) => turn_adjacent(level, head, cos, sin),
            Some(Pairs::Halves) => turn_halves(level, head, cos, sin),
            None => {}
        }
    }
}

/// Norms each head if a norm is given, and turns it by its row's position.
pub(super) fn rotate(
    pool: &Pool,
    level: Level,
    x: &mut [f32],
    rows: usize,
    head: usize,
    norm: Option<Norm<'_, CpuBackend>>,
    angles: &Angles,
) {
    let width = x.len() / rows.max(1);
    by_rows(pool, width, x, |first, x| {
        for (row, x) in x.chunks_exact_mut(width).enumerate() {
            for head in x.chunks_exact_mut(head) {
                if let Some(norm) = &norm {
                    normalize_in_place(level, head, norm.weight, norm.epsilon);
                }
                angles.turn(level, first + row, head);
            }
        }
    });
}

impl From<CacheType> for Entry {
    fn from(stored: CacheType) -> Self {
        match stored {
            CacheType::F32 => Self::F32,
            CacheType::F16 => Self::F16,
        }
    }
}

/// Positions of a block that one thread writes alone, where a region would cost more.
const FEW: usize = 8;

/// The blocks that `rows` positions behind `past` others fall into, each with the positions in it.
fn blocks(past: usize, rows: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let end = past + rows;
    (past / BLOCK..end.div_ceil(BLOCK)).map(move |block| {
        let first = block * BLOCK;
        (block, past.max(first) - first..end.min(first + BLOCK) - first)
    })
}

/// How the caches of a batch store their entries.
fn entry(batch: &Batch<'_, '_>) -> Entry {
    let stored = batch.steps.first().and_then(|step| step.cache.entry());
    stored.unwrap_or_default().into()
}

impl CpuBackend {
    /// Attention of grouped queries.
    pub(super) fn attend_heads(
        &mut self,
        layer: usize,
        shape: Attention,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        let Attention {
            kv_heads,
            head,
            scale,
        } = shape;
        let entry = entry(batch);
        let (keys, values) = (&self.slots[Slot::Key as usize], &self.slots[Slot::Value as usize]);
        let heads = Heads {
            heads: self.slots[Slot::Query as usize].len() / (self.rows * head).max(1),
            kv_heads,
            key: head,
            value: head,
            scale,
            entry,
        };
        for (rows, cache) in batch.sequences() {
            let past = cache.len();
            for (block, positions) in blocks(past, rows.len()) {
                let first = rows.start + block * BLOCK + positions.start - past;
                let bytes = cache.block_mut(layer, block)?;
                let level = self.level;
                let write = |own: usize, bytes: &mut [u8]| {
                    let (to_keys, to_values) = bytes.split_at_mut(heads.key_bytes());
                    for (row, position) in (first..).zip(positions.clone()) {
                        let at = (row * kv_heads + own) * head;
                        write_key(level, entry, &keys[at..][..head], position, to_keys);
                        write_value(level, entry, &values[at..][..head], position, to_values);
                    }
                };
                let size = heads.key_bytes() + heads.value_bytes();
                if positions.len() < FEW {
                    bytes
                        .chunks_exact_mut(size)
                        .enumerate()
                        .for_each(|(own, bytes)| write(own, bytes));
                } else {
                    by_chunks(&self.pool, bytes, size, write);
                }
            }
        }
        let mut out = std::mem::take(&mut self.slots[Slot::Attention as usize]);
        let query = &self.slots[Slot::Query as usize];
        resize(&mut out, query.len());
        let caches = Caches(batch);
        let block =
            |sequence: usize, head: usize, index: usize| caches.of(sequence).block(layer, head, index);
        attend(&self.pool, self.level, heads, query, &self.spans, block, &mut out);
        self.slots[Slot::Attention as usize] = out;
        Ok(())
    }

    /// Attention over compressed rows.
    pub(super) fn attend_rows(
        &mut self,
        layer: usize,
        shape: LatentAttention,
        weights: LatentWeights<'_, Self>,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        let LatentAttention {
            plain,
            rotated,
            rank,
            scale,
        } = shape;
        let entry = entry(batch);
        let width = rank + rotated;
        let head = plain + rotated;
        self.angles.of(weights.rope, batch);

        let compressed = &mut self.slots[Slot::CompressedKeyValue as usize];
        let (level, angles) = (self.level, &self.angles);
        by_rows(&self.pool, width, compressed, |first, rows| {
            for (row, x) in rows.chunks_exact_mut(width).enumerate() {
                let (plain, turned) = x.split_at_mut(rank);
                normalize_in_place(level, plain, weights.norm.weight, weights.norm.epsilon);
                angles.turn(level, first + row, turned);
            }
        });
        for (rows, cache) in batch.sequences() {
            let past = cache.len();
            for (block, positions) in blocks(past, rows.len()) {
                let first = rows.start + block * BLOCK + positions.start - past;
                let to = cache.block_mut(layer, block)?;
                for (row, position) in (first..).zip(positions) {
                    write_value(level, entry, &compressed[row * width..][..width], position, to);
                }
            }
        }

        let query = &self.slots[Slot::Query as usize];
        let heads = weights.expand.key.len();
        let room = &mut self.latent;
        // Each head's query goes to the space of the compressed rows by a matrix of its own.
        room.project(
            &self.pool,
            &weights.expand.key,
            self.rows,
            |head_number, row, to| {
                let at = (row * heads + head_number) * head;
                to.copy_from_slice(&query[at..][..plain]);
            },
        )?;
        resize(&mut room.query, self.rows * heads * width);
        let outputs = &room.outputs;
        let rows = self.rows;
        by_rows(&self.pool, heads * width, &mut room.query, |first, part| {
            for (row, to) in part.chunks_exact_mut(heads * width).enumerate() {
                let row = first + row;
                for (number, to) in to.chunks_exact_mut(width).enumerate() {
                    let (projected, turned) = to.split_at_mut(rank);
                    projected.copy_from_slice(&outputs[(number * rows + row) * rank..][..rank]);
                    turned.copy_from_slice(&query[(row * heads + number) * head + plain..][..rotated]);
                    angles.turn(level, row, turned);
                }
            }
        });
        resize(&mut room.gathered, rows * heads * rank);
        let latent = Latent {
            heads,
            rank,
            width,
            scale,
            entry,
        };
        let caches = Caches(batch);
        attend_latent(
            &self.pool,
            &mut room.scratch,
            latent,
            &room.query,
            &self.spans,
            |sequence, index| caches.of(sequence).block(layer, 0, index).0,
            &mut room.gathered,
        );

        let gathered = std::mem::take(&mut room.gathered);
        room.project(&self.pool, &weights.expand.value, rows, |number, row, to| {
            to.copy_from_slice(&gathered[(row * heads + number) * rank..][..rank]);
        })?;
        room.gathered = gathered;
        let value = weights.expand.value.first().map_or(0, simd_matmul::Matrix::rows);
        let outputs = &room.outputs;
        let out = &mut self.slots[Slot::Attention as usize];
        resize(out, rows * heads * value);
        by_rows(&self.pool, heads * value, out, |first, part| {
            for (row, to) in part.chunks_exact_mut(heads * value).enumerate() {
                for (number, to) in to.chunks_exact_mut(value).enumerate() {
                    to.copy_from_slice(&outputs[(number * rows + first + row) * value..][..value]);
                }
            }
        });
        Ok(())
    }
}

/// The caches of a batch, to be read by several threads.
struct Caches<'b, 's, 'c>(&'b Batch<'s, 'c>);

impl Caches<'_, '_, '_> {
    fn of(&self, sequence: usize) -> &KvCache {
        self.0.steps[sequence].cache
    }
}

/// Heads whose products are one piece of work.
const TOGETHER: usize = 32;

/// Memory of latent attention.
pub(super) struct LatentRows {
    level: Level,
    scratch: LatentScratch,
    /// Each head's rows: `(heads, rows, inputs)`.
    inputs: Vec<f32>,
    activations: Vec<Activations>,
    /// Each head's results: `(heads, rows, outputs)`.
    outputs: Vec<f32>,
    /// `(rows, heads, rank + rotated)`
    query: Vec<f32>,
    /// `(rows, heads, rank)`
    gathered: Vec<f32>,
}

impl LatentRows {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            scratch: LatentScratch::new(level),
            inputs: Vec::new(),
            activations: Vec::new(),
            outputs: Vec::new(),
            query: Vec::new(),
            gathered: Vec::new(),
        }
    }

    /// Multiplies each head's rows with its own matrix.
    ///
    /// * `input`: writes the row of a head.
    fn project(
        &mut self,
        pool: &Pool,
        matrices: &[simd_matmul::Matrix],
        rows: usize,
        input: impl Fn(usize, usize, &mut [f32]),
    ) -> Result<(), ModelError> {
        let Some(first) = matrices.first() else {
            return Ok(());
        };
        let (columns, outputs) = (first.columns(), first.rows());
        resize(&mut self.inputs, matrices.len() * rows * columns);
        resize(&mut self.outputs, matrices.len() * rows * outputs);
        let level = self.level;
        self.activations
            .resize_with(matrices.len(), || Activations::new(level));
        let inputs = self.inputs.chunks_exact_mut(rows * columns);
        for (head, (activations, inputs)) in self.activations.iter_mut().zip(inputs).enumerate() {
            for (row, to) in inputs.chunks_exact_mut(columns).enumerate() {
                input(head, row, to);
            }
            activations.quantize(pool, first.grain(), inputs, columns)?;
        }
        let matrices = matrices.chunks(TOGETHER);
        let activations = self.activations.chunks(TOGETHER);
        let outputs = self.outputs.chunks_mut(TOGETHER * rows * outputs);
        for ((matrices, activations), out) in matrices.zip(activations).zip(outputs) {
            let size = out.len() / matrices.len();
            let mut products = Products::<TOGETHER>::new();
            for ((matrix, activations), out) in
                matrices.iter().zip(activations).zip(out.chunks_exact_mut(size))
            {
                products.push(Product::new(matrix, activations, out));
            }
            products.multiply(pool)?;
        }
        Ok(())
    }
}
