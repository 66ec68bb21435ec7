//! Queries of one head that meet keys and values.

use simd::{Dot, LANES, exp_nonpositive};

use super::vectors::{Block, Stored, Vectors, convert};
use super::{BLOCK, Heads, Span};
use crate::pieces::Pieces;

/// Vectors of sixteen positions in a block.
const VECTORS: usize = BLOCK / LANES;
/// Queries of one head that a thread takes at a time.
pub(super) const QUERIES: usize = 64;
/// Bytes of a line of the cache.
const LINE: usize = 64;
/// Entries of keys and values that are converted once for many queries.
const WIDE: usize = 128;
/// Queries that are many.
const MANY: usize = 8;

/// Some queries of one sequence that meet the same head of keys and values.
pub(super) struct Task<'a> {
    pub(super) heads: Heads,
    /// Heads of queries to a head of keys.
    pub(super) group: usize,
    pub(super) head: usize,
    pub(super) span: Span,
    pub(super) query: &'a [f32],
    pub(super) out: &'a Pieces<'a, f32>,
    /// First query, counted over rows and, within a row, over the heads of the group.
    pub(super) first: usize,
    pub(super) len: usize,
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
    pub(super) fn run<'c, V: Dot, S: Stored>(&self, v: V, block: impl Fn(usize) -> (&'c [u8], &'c [u8])) {
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
