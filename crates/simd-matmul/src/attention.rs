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

use simd::{Dot, LANES, Level, Vector as _, dispatch, exp_nonpositive};

use crate::Pool;
use crate::pieces::Pieces;

/// Positions of a block.
pub const BLOCK: usize = 64;

/// Vectors of sixteen positions in a block.
const VECTORS: usize = BLOCK / LANES;
/// Queries of one head that a thread takes at a time.
const QUERIES: usize = 64;

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

/// Sixteen stored numbers.
pub(crate) trait Stored {
    const BYTES: usize;
    fn load<V: Dot>(v: V, from: &[u8]) -> V::F32;
}

/// Four bytes each.
pub(crate) struct Floats;
/// Two bytes each.
pub(crate) struct Halves;

impl Stored for Floats {
    const BYTES: usize = 4;
    #[inline(always)]
    fn load<V: Dot>(v: V, from: &[u8]) -> V::F32 {
        let Some(numbers) = from.first_chunk() else {
            unreachable!("a block has whole vectors")
        };
        v.floats(numbers)
    }
}

impl Stored for Halves {
    const BYTES: usize = 2;
    #[inline(always)]
    fn load<V: Dot>(v: V, from: &[u8]) -> V::F32 {
        let Some(halves) = from.first_chunk() else {
            unreachable!("a block has whole vectors")
        };
        v.halves(halves)
    }
}

/// `T` vectors of stored numbers, from vector `at` on. A loop: what the standard library does with arrays is compiled for
/// the baseline.
#[inline(always)]
fn vectors<V: Dot, S: Stored, const T: usize>(v: V, from: &[u8], at: usize) -> [V::F32; T] {
    let from = &from[at * LANES * S::BYTES..][..T * LANES * S::BYTES];
    let mut all = [v.splat(0.0); T];
    for t in 0..T {
        all[t] = S::load(v, &from[t * LANES * S::BYTES..]);
    }
    all
}

/// Some queries of one sequence that meet the same head of keys and values.
struct Task<'a> {
    heads: Heads,
    /// Heads of queries to a head of keys.
    group: usize,
    head: usize,
    span: Span,
    query: &'a [f32],
    out: &'a Pieces<'a, f32>,
    /// First query, counted over rows and, within a row, over the heads of the group.
    first: usize,
    len: usize,
}

/// What a query has met so far.
#[derive(Clone, Copy)]
struct Met {
    largest: f32,
    sum: f32,
}

impl<'a> Task<'a> {
    /// Positions that query `n` of the task may look at.
    #[inline(always)]
    fn positions(&self, n: usize) -> usize {
        self.span.past + (self.first + n) / self.group + 1
    }

    /// Row and head of query `n`, as one index.
    #[inline(always)]
    fn place(&self, n: usize) -> usize {
        let n = self.first + n;
        (self.span.first + n / self.group) * self.heads.heads + self.head * self.group + n % self.group
    }

    #[inline(always)]
    fn query(&self, n: usize) -> &'a [f32] {
        &self.query[self.place(n) * self.heads.key..][..self.heads.key]
    }

    #[inline(always)]
    fn out(&self, n: usize) -> &'a mut [f32] {
        self.out.piece(self.place(n) * self.heads.value, self.heads.value)
    }

    #[inline(always)]
    fn run<'c, V: Dot, S: Stored>(&self, v: V, block: impl Fn(usize) -> (&'c [u8], &'c [u8])) {
        let mut met = [Met {
            largest: f32::NEG_INFINITY,
            sum: 0.0,
        }; QUERIES];
        (0..self.len).for_each(|n| self.out(n).fill(0.0));
        for index in 0..self.positions(self.len - 1).div_ceil(BLOCK) {
            let (keys, values) = block(index);
            let (fours, rest) = met[..self.len].as_chunks_mut::<4>();
            let (twos, ones) = rest.as_chunks_mut::<2>();
            let mut n = 0;
            for met in fours {
                self.meet::<V, S, 4>(v, index, keys, values, n, met);
                n += 4;
            }
            for met in twos {
                self.meet::<V, S, 2>(v, index, keys, values, n, met);
                n += 2;
            }
            for met in ones {
                self.meet::<V, S, 1>(v, index, keys, values, n, std::array::from_mut(met));
                n += 1;
            }
        }
        for (n, met) in met[..self.len].iter().enumerate() {
            let factor = 1.0 / met.sum;
            self.out(n).iter_mut().for_each(|out| *out *= factor);
        }
    }

    /// `R` queries from `n` on meet a block.
    #[inline(always)]
    fn meet<V: Dot, S: Stored, const R: usize>(
        &self,
        v: V,
        index: usize,
        keys: &[u8],
        values: &[u8],
        n: usize,
        met: &mut [Met; R],
    ) {
        let mut visible = [0; R];
        for r in 0..R {
            visible[r] = self.positions(n + r).saturating_sub(index * BLOCK).min(BLOCK);
        }
        if visible.iter().all(|&positions| positions == 0) {
            return;
        }
        let mut scores = [[0.0; BLOCK]; R];
        let mut own = [Met {
            largest: 0.0,
            sum: 0.0,
        }; R];
        self.score::<V, S, R>(v, keys, n, &visible, &mut scores, &mut own);

        // What stood before and what is new, each in terms of the larger of the two largest scores.
        let mut factors = [0.0; LANES];
        for r in 0..R {
            let largest = if met[r].largest > own[r].largest {
                met[r].largest
            } else {
                own[r].largest
            };
            factors[r] = met[r].largest - largest;
            factors[LANES / 2 + r] = own[r].largest - largest;
            if visible[r] > 0 {
                met[r].largest = largest;
            }
        }
        let x = exp_nonpositive(v, v.load(&factors));
        v.store(x, &mut factors);
        for r in 0..R {
            if visible[r] > 0 {
                met[r].sum = met[r].sum * factors[r] + own[r].sum * factors[LANES / 2 + r];
            }
        }
        if visible.iter().all(|&positions| positions == visible[0]) {
            let mut both = [(0.0, 0.0); R];
            for r in 0..R {
                both[r] = (factors[r], factors[LANES / 2 + r]);
            }
            self.gather::<V, S, R>(v, values, n, visible[0], &scores, both);
        } else {
            // A later row's values are none of an earlier one's business, not even with a weight of zero.
            for r in 0..R {
                if visible[r] > 0 {
                    let factors = [(factors[r], factors[LANES / 2 + r])];
                    self.gather::<V, S, 1>(v, values, n + r, visible[r], &[scores[r]], factors);
                }
            }
        }
    }

    /// Weights of the positions of a block, in terms of the largest score.
    #[inline(always)]
    fn score<V: Dot, S: Stored, const R: usize>(
        &self,
        v: V,
        keys: &[u8],
        n: usize,
        visible: &[usize; R],
        scores: &mut [[f32; BLOCK]; R],
        met: &mut [Met; R],
    ) {
        let mut queries: [&[f32]; R] = [&[]; R];
        for r in 0..R {
            queries[r] = self.query(n + r);
        }
        let mut sums = [[v.splat(0.0); VECTORS]; R];
        let row = BLOCK * S::BYTES;
        for (i, keys) in keys.chunks_exact(row).take(self.heads.key).enumerate() {
            let keys = vectors::<V, S, VECTORS>(v, keys, 0);
            for r in 0..R {
                let query = v.splat(queries[r][i]);
                for t in 0..VECTORS {
                    sums[r][t] = v.mul_add(query, keys[t], sums[r][t]);
                }
            }
        }
        let scale = v.splat(self.heads.scale);
        for r in 0..R {
            let seen: u64 = if visible[r] == BLOCK {
                u64::MAX
            } else {
                (1 << visible[r]) - 1
            };
            let mut masked = sums[r];
            for t in 0..VECTORS {
                let lanes = v.lanes_of((seen >> (LANES * t)) as u16);
                masked[t] = v.select(lanes, v.mul(masked[t], scale), v.splat(f32::NEG_INFINITY));
            }
            let mut largest = masked[0];
            for t in 1..VECTORS {
                largest = v.max(masked[t], largest);
            }
            let largest = v.reduce_max(largest);
            let mut sum = v.splat(0.0);
            let (parts, _) = scores[r].as_chunks_mut::<LANES>();
            for (t, part) in parts.iter_mut().enumerate() {
                let weight = exp_nonpositive(v, v.sub(masked[t], v.splat(largest)));
                sum = v.add(sum, weight);
                v.store(weight, part);
            }
            met[r] = Met {
                largest,
                sum: v.reduce_sum(sum),
            };
        }
    }

    /// Adds weighted values to what was gathered: `out = out * before + (weights * values) * now`.
    #[inline(always)]
    fn gather<V: Dot, S: Stored, const R: usize>(
        &self,
        v: V,
        values: &[u8],
        n: usize,
        positions: usize,
        weights: &[[f32; BLOCK]; R],
        factors: [(f32, f32); R],
    ) {
        let vectors = self.heads.value.div_ceil(LANES);
        let mut t = 0;
        while t + VECTORS <= vectors {
            self.gather_part::<V, S, R, VECTORS>(v, values, n, positions, weights, factors, t);
            t += VECTORS;
        }
        while t < vectors {
            self.gather_part::<V, S, R, 1>(v, values, n, positions, weights, factors, t);
            t += 1;
        }
    }

    /// [`Task::gather`] of `T` vectors of entries from vector `at` on.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "one loop of a kernel")]
    fn gather_part<V: Dot, S: Stored, const R: usize, const T: usize>(
        &self,
        v: V,
        values: &[u8],
        n: usize,
        positions: usize,
        weights: &[[f32; BLOCK]; R],
        factors: [(f32, f32); R],
        at: usize,
    ) {
        let row = self.heads.value.next_multiple_of(LANES) * S::BYTES;
        let mut sums = [[v.splat(0.0); T]; R];
        for (j, values) in values.chunks_exact(row).take(positions).enumerate() {
            let values = vectors::<V, S, T>(v, values, at);
            for r in 0..R {
                let weight = v.splat(weights[r][j]);
                for t in 0..T {
                    sums[r][t] = v.mul_add(weight, values[t], sums[r][t]);
                }
            }
        }
        for r in 0..R {
            let (before, now) = (v.splat(factors[r].0), v.splat(factors[r].1));
            let out = self.out(n + r);
            for t in 0..T {
                let out = &mut out[(at + t) * LANES..];
                if let Some(out) = out.first_chunk_mut() {
                    let sum = v.add(v.mul(v.load(out), before), v.mul(sums[r][t], now));
                    v.store(sum, out);
                } else {
                    // The last entries of a value that is no whole vectors.
                    let mut lanes = [0.0; LANES];
                    lanes[..out.len()].copy_from_slice(out);
                    let sum = v.add(v.mul(v.load(&lanes), before), v.mul(sums[r][t], now));
                    v.store(sum, &mut lanes);
                    out.copy_from_slice(&lanes[..out.len()]);
                }
            }
        }
    }
}
