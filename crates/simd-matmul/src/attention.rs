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

use std::marker::PhantomData;

use simd::{AHEAD, Dot, LANES, Level, Vector as _, dispatch, exp_nonpositive};

use crate::Pool;
use crate::pieces::Pieces;

/// Positions of a block.
pub const BLOCK: usize = 64;

/// Vectors of sixteen positions in a block.
const VECTORS: usize = BLOCK / LANES;
/// Queries of one head that a thread takes at a time.
const QUERIES: usize = 64;
/// Bytes of a line of the cache.
const LINE: usize = 64;

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

/// Vectors of sixteen numbers, stored or converted.
trait Vectors: Copy {
    /// `T` vectors from number `at` on. A loop: what the standard library does with arrays is compiled for the baseline.
    fn load<V: Dot, const T: usize>(self, v: V, at: usize) -> [V::F32; T];

    /// Asks for the memory that lies ahead of `T` vectors, if it is not near already.
    fn ask<V: Dot, const T: usize>(self, v: V, at: usize);
}

/// Numbers in a block, which memory has to be asked for if few queries meet it.
struct Block<'a, S> {
    bytes: &'a [u8],
    ask: bool,
    stored: PhantomData<S>,
}

impl<'a, S> Block<'a, S> {
    #[inline(always)]
    const fn new(bytes: &'a [u8], ask: bool) -> Self {
        Self {
            bytes,
            ask,
            stored: PhantomData,
        }
    }
}

impl<S> Clone for Block<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Block<'_, S> {}

impl<S: Stored> Vectors for Block<'_, S> {
    #[inline(always)]
    fn load<V: Dot, const T: usize>(self, v: V, at: usize) -> [V::F32; T] {
        let from = &self.bytes[at * LANES * S::BYTES..][..T * LANES * S::BYTES];
        let mut all = [v.splat(0.0); T];
        for t in 0..T {
            all[t] = S::load(v, &from[t * LANES * S::BYTES..]);
        }
        all
    }

    #[inline(always)]
    fn ask<V: Dot, const T: usize>(self, v: V, at: usize) {
        if self.ask {
            let from = &self.bytes[at * LANES * S::BYTES..][..T * LANES * S::BYTES];
            let (lines, rest) = from.as_chunks();
            for line in 0..lines.len() {
                v.ask_ahead(&lines[line]);
            }
            if !rest.is_empty() {
                v.prefetch(rest.as_ptr().wrapping_add(AHEAD));
            }
        }
    }
}

impl Vectors for &[[f32; LANES]] {
    #[inline(always)]
    fn load<V: Dot, const T: usize>(self, v: V, at: usize) -> [V::F32; T] {
        let from = &self[at..][..T];
        let mut all = [v.splat(0.0); T];
        for t in 0..T {
            all[t] = v.load(&from[t]);
        }
        all
    }

    #[inline(always)]
    fn ask<V: Dot, const T: usize>(self, _: V, _: usize) {}
}

/// Entries of keys and values that are converted once for many queries.
const WIDE: usize = 128;
/// Queries that are many.
const MANY: usize = 8;

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

/// What a query makes of a block.
#[derive(Clone, Copy)]
struct Scored {
    weights: [f32; BLOCK],
    /// What was gathered before is multiplied with the first, what is gathered now with the second.
    factors: (f32, f32),
}

impl Default for Scored {
    fn default() -> Self {
        Self {
            weights: [0.0; BLOCK],
            factors: (0.0, 0.0),
        }
    }
}

/// Queries that are taken together where so many are left.
const fn step(left: usize) -> usize {
    match left {
        4.. => 4,
        2..4 => 2,
        _ => 1,
    }
}

/// Converts a block once for many queries.
#[inline(always)]
fn convert<'a, V: Dot, K: Vectors>(v: V, from: K, to: &'a mut [[f32; LANES]]) -> &'a [[f32; LANES]] {
    for (at, to) in to.iter_mut().enumerate() {
        let [x] = from.load::<V, 1>(v, at);
        v.store(x, to);
    }
    to
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
        // What few queries need is little, and stays near.
        if self.len < MANY {
            let scored = &mut [Scored::default(); MANY];
            self.meet_stored::<V, S>(v, block, &mut met, scored);
        } else if self.heads.key.max(self.stored_value()) <= WIDE {
            let scored = &mut [Scored::default(); QUERIES];
            self.meet_converted::<V, S>(v, block, &mut met, scored);
        } else {
            let scored = &mut [Scored::default(); QUERIES];
            self.meet_stored::<V, S>(v, block, &mut met, scored);
        }
        for (n, met) in met[..self.len].iter().enumerate() {
            let factor = 1.0 / met.sum;
            self.out(n).iter_mut().for_each(|out| *out *= factor);
        }
    }

    /// Meets all blocks as they are stored.
    #[inline(always)]
    fn meet_stored<'c, V: Dot, S: Stored>(
        &self,
        v: V,
        block: impl Fn(usize) -> (&'c [u8], &'c [u8]),
        met: &mut [Met; QUERIES],
        scored: &mut [Scored],
    ) {
        let (blocks, few) = (self.blocks(), self.len < MANY);
        let mut next = block(0);
        for index in 0..blocks {
            let (keys, values) = next;
            next = if index + 1 < blocks {
                block(index + 1)
            } else {
                (&[], &[])
            };
            self.score_all(v, index, Block::<S>::new(keys, few), met, scored);
            let next = if few { next.0 } else { &[] };
            self.gather_all(v, index, Block::<S>::new(values, few), scored, next);
        }
    }

    /// Meets all blocks, each converted once.
    #[inline(always)]
    fn meet_converted<'c, V: Dot, S: Stored>(
        &self,
        v: V,
        block: impl Fn(usize) -> (&'c [u8], &'c [u8]),
        met: &mut [Met; QUERIES],
        scored: &mut [Scored],
    ) {
        let mut converted = [[0.0; LANES]; BLOCK * WIDE / LANES];
        for index in 0..self.blocks() {
            let (keys, values) = block(index);
            let to = &mut converted[..BLOCK * self.heads.key / LANES];
            self.score_all(
                v,
                index,
                convert(v, Block::<S>::new(keys, false), to),
                met,
                scored,
            );
            let to = &mut converted[..BLOCK * self.stored_value() / LANES];
            self.gather_all(
                v,
                index,
                convert(v, Block::<S>::new(values, false), to),
                scored,
                &[],
            );
        }
    }

    /// Blocks that the last query may look at.
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.positions(self.len - 1).div_ceil(BLOCK)
    }

    /// Numbers of a stored value.
    #[inline(always)]
    fn stored_value(&self) -> usize {
        self.heads.value.next_multiple_of(LANES)
    }

    /// Positions of a block that query `n` may look at.
    #[inline(always)]
    fn visible(&self, index: usize, n: usize) -> usize {
        self.positions(n).saturating_sub(index * BLOCK).min(BLOCK)
    }

    /// All queries meet the keys of a block.
    #[inline(always)]
    fn score_all<V: Dot, K: Vectors>(
        &self,
        v: V,
        index: usize,
        keys: K,
        met: &mut [Met; QUERIES],
        scored: &mut [Scored],
    ) {
        let mut n = 0;
        while n < self.len {
            let rows = step(self.len - n);
            match rows {
                4 => self.meet::<V, K, 4>(v, index, keys, n, &mut met[n..], &mut scored[n..]),
                2 => self.meet::<V, K, 2>(v, index, keys, n, &mut met[n..], &mut scored[n..]),
                _ => self.meet::<V, K, 1>(v, index, keys, n, &mut met[n..], &mut scored[n..]),
            }
            n += rows;
        }
    }

    /// `R` queries from `n` on meet the keys of a block.
    #[inline(always)]
    fn meet<V: Dot, K: Vectors, const R: usize>(
        &self,
        v: V,
        index: usize,
        keys: K,
        n: usize,
        met: &mut [Met],
        scored: &mut [Scored],
    ) {
        let (Some(met), Some(scored)) = (met.first_chunk_mut::<R>(), scored.first_chunk_mut::<R>()) else {
            unreachable!("there are as many as queries")
        };
        if self.visible(index, n + R - 1) == 0 {
            return;
        }
        let mut own = [Met {
            largest: 0.0,
            sum: 0.0,
        }; R];
        self.score::<V, K, R>(v, index, keys, n, scored, &mut own);

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
            if self.visible(index, n + r) > 0 {
                met[r].largest = largest;
            }
        }
        let x = exp_nonpositive(v, v.load(&factors));
        v.store(x, &mut factors);
        for r in 0..R {
            let (before, now) = (factors[r], factors[LANES / 2 + r]);
            scored[r].factors = (before, now);
            if self.visible(index, n + r) > 0 {
                met[r].sum = met[r].sum * before + own[r].sum * now;
            }
        }
    }

    /// Gathers the values of a block for all queries.
    ///
    /// * `next`: the keys that come next, which memory is asked for.
    #[inline(always)]
    fn gather_all<V: Dot, K: Vectors>(&self, v: V, index: usize, values: K, scored: &[Scored], next: &[u8]) {
        let mut n = 0;
        while n < self.len {
            let rows = step(self.len - n);
            match rows {
                4 => self.gather::<V, K, 4>(v, index, values, n, &scored[n..], next),
                2 => self.gather::<V, K, 2>(v, index, values, n, &scored[n..], next),
                _ => self.gather::<V, K, 1>(v, index, values, n, &scored[n..], next),
            }
            n += rows;
        }
    }

    /// Weights of the positions of a block, in terms of the largest score.
    #[inline(always)]
    fn score<V: Dot, K: Vectors, const R: usize>(
        &self,
        v: V,
        index: usize,
        keys: K,
        n: usize,
        scored: &mut [Scored; R],
        met: &mut [Met; R],
    ) {
        let mut queries: [&[f32]; R] = [&[]; R];
        for r in 0..R {
            queries[r] = self.query(n + r);
        }
        let mut sums = [[v.splat(0.0); VECTORS]; R];
        for i in 0..self.heads.key {
            keys.ask::<V, VECTORS>(v, i * VECTORS);
            let keys = keys.load::<V, VECTORS>(v, i * VECTORS);
            for r in 0..R {
                let query = v.splat(queries[r][i]);
                for t in 0..VECTORS {
                    sums[r][t] = v.mul_add(query, keys[t], sums[r][t]);
                }
            }
        }
        let scale = v.splat(self.heads.scale);
        for r in 0..R {
            let seen: u64 = match self.visible(index, n + r) {
                BLOCK => u64::MAX,
                positions => (1 << positions) - 1,
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
            let (parts, _) = scored[r].weights.as_chunks_mut::<LANES>();
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
    fn gather<V: Dot, K: Vectors, const R: usize>(
        &self,
        v: V,
        index: usize,
        values: K,
        n: usize,
        scored: &[Scored],
        next: &[u8],
    ) {
        let Some(scored) = scored.first_chunk::<R>() else {
            unreachable!("there are as many as queries")
        };
        let mut visible = [0; R];
        for r in 0..R {
            visible[r] = self.visible(index, n + r);
        }
        if visible[R - 1] == 0 {
            return;
        }
        let vectors = self.heads.value.div_ceil(LANES);
        let (mut t, mut next) = (0, next);
        while t + VECTORS <= vectors {
            self.gather_part::<V, K, R, VECTORS>(v, values, n, &visible, scored, next, t);
            (t, next) = (t + VECTORS, &[]);
        }
        while t < vectors {
            self.gather_part::<V, K, R, 1>(v, values, n, &visible, scored, next, t);
            (t, next) = (t + 1, &[]);
        }
    }

    /// [`Task::gather`] of `T` vectors of entries from vector `at` on.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "one loop of a kernel")]
    fn gather_part<V: Dot, K: Vectors, const R: usize, const T: usize>(
        &self,
        v: V,
        values: K,
        n: usize,
        visible: &[usize; R],
        scored: &[Scored; R],
        next: &[u8],
        at: usize,
    ) {
        let row = self.heads.value.div_ceil(LANES);
        let mut sums = [[v.splat(0.0); T]; R];
        for j in 0..visible[0] {
            if let Some(next) = next.get(j * LINE..) {
                v.prefetch(next.as_ptr());
            }
            values.ask::<V, T>(v, j * row + at);
            let values = values.load::<V, T>(v, j * row + at);
            for r in 0..R {
                let weight = v.splat(scored[r].weights[j]);
                for t in 0..T {
                    sums[r][t] = v.mul_add(weight, values[t], sums[r][t]);
                }
            }
        }
        // Sums that a loop takes in turn would be kept in memory by the loop above too.
        let mut gathered = [[[0.0; LANES]; T]; R];
        for r in 0..R {
            for t in 0..T {
                v.store(sums[r][t], &mut gathered[r][t]);
            }
        }
        for r in 0..R {
            if visible[r] == 0 {
                continue;
            }
            let mut sums = [v.splat(0.0); T];
            for t in 0..T {
                sums[t] = v.load(&gathered[r][t]);
            }
            // A later row's values are none of an earlier one's business, not even with a weight of zero.
            for j in visible[0]..visible[r] {
                let values = values.load::<V, T>(v, j * row + at);
                let weight = v.splat(scored[r].weights[j]);
                for t in 0..T {
                    sums[t] = v.mul_add(weight, values[t], sums[t]);
                }
            }
            let (before, now) = scored[r].factors;
            let (before, now) = (v.splat(before), v.splat(now));
            let out = self.out(n + r);
            for t in 0..T {
                let out = &mut out[(at + t) * LANES..];
                if let Some(out) = out.first_chunk_mut() {
                    let sum = v.add(v.mul(v.load(out), before), v.mul(sums[t], now));
                    v.store(sum, out);
                } else {
                    // The last entries of a value that is no whole vectors.
                    let mut lanes = [0.0; LANES];
                    lanes[..out.len()].copy_from_slice(out);
                    let sum = v.add(v.mul(v.load(&lanes), before), v.mul(sums[t], now));
                    v.store(sum, &mut lanes);
                    out.copy_from_slice(&lanes[..out.len()]);
                }
            }
        }
    }
}
