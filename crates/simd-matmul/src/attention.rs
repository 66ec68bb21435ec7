//! Attention of new rows over keys and values that lie in blocks of 64 positions.
//!
//! A query meets one block after the other. Each block gives a largest score, a sum of weights and a weighted sum of values,
//! which are merged with those of the blocks before it: so a row's result has the same bits however many rows come with
//! it, and however they were cut into passes.
//!
//! Keys lie transposed in their block, `(key, 64)`, so that sixteen positions are scored side by side; values lie as
//! `(64, value)`, rows filled up to a multiple of sixteen, and are summed sixteen entries side by side.
//!
//! # Source
//!
//! Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al. 2022, "FlashAttention".

mod task;
mod vectors;

use simd::{Dot as _, LANES, Level, Vector as _, dispatch};

use crate::Pool;
use crate::pieces::Pieces;
use task::{QUERIES, Task};
pub(crate) use vectors::{Floats, Halves, Stored};

/// Positions of a block.
pub const BLOCK: usize = 64;

/// How the numbers of a cache are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Four bytes.
    F32,
    /// Two bytes.
    F16,
}

impl Entry {
    /// Bytes of a number.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// Shape and scale of grouped-query attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// Heads of queries, a multiple of `kv_heads`.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Entries of a query and of a key.
    pub key: usize,
    /// Entries of a value.
    pub value: usize,
    /// Factor of every score.
    pub scale: f32,
    /// How keys and values are stored.
    pub entry: Entry,
}

impl Heads {
    /// Bytes of the keys of one head in a block.
    #[must_use]
    pub const fn key_bytes(&self) -> usize {
        BLOCK * self.key * self.entry.bytes()
    }

    /// Bytes of the values of one head in a block.
    #[must_use]
    pub const fn value_bytes(&self) -> usize {
        BLOCK * self.value.next_multiple_of(LANES) * self.entry.bytes()
    }
}

/// The new rows of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First row among the rows of all sequences.
    pub first: usize,
    /// Number of its rows, which are the last positions of the sequence.
    pub rows: usize,
    /// Positions before them.
    pub past: usize,
}

/// Writes a key to its place in a block.
///
/// * `key`: shape `(key,)`; `keys`: [`Heads::key_bytes`] bytes; `position`: below [`BLOCK`].
pub fn write_key(level: Level, entry: Entry, key: &[f32], position: usize, keys: &mut [u8]) {
    let mut stored = [0; 4 * LANES];
    let size = entry.bytes();
    for (number, part) in key.chunks(LANES).enumerate() {
        store(level, entry, part, &mut stored);
        for (i, bytes) in stored.chunks_exact(size).take(part.len()).enumerate() {
            let at = ((number * LANES + i) * BLOCK + position) * size;
            keys[at..][..size].copy_from_slice(bytes);
        }
    }
}

/// Writes a value to its place in a block.
///
/// * `value`: shape `(value,)`; `values`: [`Heads::value_bytes`] bytes; `position`: below [`BLOCK`].
pub fn write_value(level: Level, entry: Entry, value: &[f32], position: usize, values: &mut [u8]) {
    let row = value.len().next_multiple_of(LANES) * entry.bytes();
    let to = &mut values[position * row..][..row];
    let mut stored = [0; 4 * LANES];
    let vector = LANES * entry.bytes();
    for (part, to) in value.chunks(LANES).zip(to.chunks_exact_mut(vector)) {
        store(level, entry, part, &mut stored);
        to.copy_from_slice(&stored[..vector]);
    }
}

/// Up to sixteen numbers in the stored form, the rest zero.
fn store(level: Level, entry: Entry, x: &[f32], to: &mut [u8; 4 * LANES]) {
    let mut lanes = [0.0; LANES];
    lanes[..x.len()].copy_from_slice(x);
    match entry {
        Entry::F32 => {
            for (to, x) in to.as_chunks_mut::<4>().0.iter_mut().zip(lanes) {
                *to = x.to_le_bytes();
            }
        }
        Entry::F16 => {
            let Some(to) = to.first_chunk_mut() else { return };
            dispatch!(level, v => v.store_halves(v.load(&lanes), to));
        }
    }
}

/// Gathers, for every row and head, the values of its sequence up to its own position.
///
/// * `query`: shape `(rows, heads * key)`; `out`: shape `(rows, heads * value)`, overwritten.
/// * `block`: keys and values of a head in a block, by number of the sequence, head, and block.
///
/// # Panics
///
/// If slices are shorter than their shapes say.
pub fn attend<'c>(
    pool: &Pool,
    level: Level,
    heads: Heads,
    query: &[f32],
    spans: &[Span],
    block: impl Fn(usize, usize, usize) -> (&'c [u8], &'c [u8]) + Sync,
    out: &mut [f32],
) {
    let group = heads.heads / heads.kv_heads;
    let chunks = |span: &Span| (span.rows * group).div_ceil(QUERIES);
    let items: usize = spans.iter().map(|span| chunks(span) * heads.kv_heads).sum();
    let out = Pieces::new(out);
    pool.run(items, |mut item| {
        for (sequence, span) in spans.iter().enumerate() {
            let own = chunks(span) * heads.kv_heads;
            if item >= own {
                item -= own;
                continue;
            }
            let (chunk, head) = (item / heads.kv_heads, item % heads.kv_heads);
            let first = chunk * QUERIES;
            let task = Task {
                heads,
                group,
                head,
                span: *span,
                query,
                out: &out,
                first,
                len: QUERIES.min(span.rows * group - first),
            };
            let block = |index| block(sequence, head, index);
            match heads.entry {
                Entry::F32 => dispatch!(level, v => task.run::<_, Floats>(v, block)),
                Entry::F16 => dispatch!(level, v => task.run::<_, Halves>(v, block)),
            }
            return;
        }
    });
}
