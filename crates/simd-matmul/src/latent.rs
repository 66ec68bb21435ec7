//! Attention over compressed rows, which are keys and values of every head at once.
//!
//! All heads meet the same row, so sixteen heads stand side by side and each entry of a row is multiplied with all of them.
//! Blocks are merged as in [`attend`](crate::attend), and a row's result is as independent of its company.
//!
//! # Source
//!
//! DeepSeek-AI 2024, "DeepSeek-V2", section 2.1: multi-head latent attention with absorbed projections.

use simd::{Dot, LANES, Level, dispatch, exp_nonpositive};

use crate::Pool;
use crate::attention::{BLOCK, Entry, Floats, Halves, Span, Stored};
use crate::pieces::Pieces;

/// Shape and scale of attention over compressed rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latent {
    /// Heads of queries.
    pub heads: usize,
    /// Entries of a row that are also its values; they stand first.
    pub rank: usize,
    /// Entries of a row, and of a query.
    pub width: usize,
    /// Factor of every score.
    pub scale: f32,
    /// How rows are stored.
    pub entry: Entry,
}

/// Rows that a thread takes at a time, for the same sixteen heads.
const ROWS: usize = 4;
/// Sums that are computed side by side.
const SUMS: usize = 8;

impl Latent {
    /// Bytes of the rows of a block.
    #[must_use]
    pub const fn block_bytes(&self) -> usize {
        BLOCK * self.stored_width() * self.entry.bytes()
    }

    /// Numbers of a stored row.
    const fn stored_width(&self) -> usize {
        self.width.next_multiple_of(LANES)
    }

    /// Numbers that a thread needs for itself.
    const fn scratch(&self) -> usize {
        BLOCK * self.stored_width() + ROWS * LANES * (self.width + self.rank)
    }
}

/// Memory of the threads, kept from one call to the next.
#[derive(Clone, Debug)]
pub struct LatentScratch {
    level: Level,
    numbers: Vec<f32>,
}

impl LatentScratch {
    /// Memory for attention at `level`; what is needed is allocated when it is, and kept.
    #[must_use]
    pub const fn new(level: Level) -> Self {
        Self {
            level,
            numbers: Vec::new(),
        }
    }
}

/// Gathers, for every row and head, the first `rank` entries of the rows of its sequence up to its own position.
///
/// * `query`: shape `(rows, heads * width)`; `out`: shape `(rows, heads * rank)`, overwritten.
/// * `block`: stored rows by number of the sequence and block, shape `(64, width)`, rows filled up to a multiple of
///   sixteen as [`write_value`](crate::write_value) writes them.
///
/// # Panics
///
/// If slices are shorter than their shapes say.
pub fn attend_latent<'c>(
    pool: &Pool,
    scratch: &mut LatentScratch,
    latent: Latent,
    query: &[f32],
    spans: &[Span],
    block: impl Fn(usize, usize) -> &'c [u8] + Sync,
    out: &mut [f32],
) {
    let groups = latent.heads.div_ceil(LANES);
    let items: usize = spans.iter().map(|span| span.rows.div_ceil(ROWS) * groups).sum();
    let shares = items.min(pool.threads() * 4);
    let size = latent.scratch();
    let level = scratch.level;
    let numbers = &mut scratch.numbers;
    numbers.resize(numbers.len().max(shares * size), 0.0);
    let (scratch, out) = (Pieces::new(numbers), Pieces::new(out));
    pool.run(shares, |share| {
        let scratch = scratch.piece(share * size, size);
        for item in items * share / shares..items * (share + 1) / shares {
            let Some((sequence, span, number)) = find(spans, item, groups) else {
                return;
            };
            let first = number / groups * ROWS;
            let task = Task {
                latent,
                heads: number % groups * LANES,
                past: span.past + first,
                first: span.first + first,
                rows: ROWS.min(span.rows - first),
                query,
                out: &out,
            };
            let block = |index| block(sequence, index);
            match latent.entry {
                Entry::F32 => dispatch!(level, v => task.run::<_, Floats>(v, scratch, block)),
                Entry::F16 => dispatch!(level, v => task.run::<_, Halves>(v, scratch, block)),
            }
        }
    });
}

/// The sequence that an item belongs to, and its number there.
fn find(spans: &[Span], mut item: usize, groups: usize) -> Option<(usize, Span, usize)> {
    for (sequence, span) in spans.iter().enumerate() {
        let own = span.rows.div_ceil(ROWS) * groups;
        if item < own {
            return Some((sequence, *span, item));
        }
        item -= own;
    }
    None
}

/// Some rows of one sequence, for sixteen heads.
struct Task<'a> {
    latent: Latent,
    /// First of the heads.
    heads: usize,
    /// Positions before the first row.
    past: usize,
    /// First row among all.
    first: usize,
    rows: usize,
    query: &'a [f32],
    out: &'a Pieces<'a, f32>,
}

type Lanes = [f32; LANES];

impl Task<'_> {
    /// Heads that there are of the sixteen.
    fn len(&self) -> usize {
        LANES.min(self.latent.heads - self.heads)
    }

    #[inline(always)]
    fn run<'c, V: Dot, S: Stored>(&self, v: V, scratch: &mut [f32], block: impl Fn(usize) -> &'c [u8]) {
        let Latent { rank, width, .. } = self.latent;
        let stored = self.latent.stored_width();
        let (entries, rest) = scratch.split_at_mut(BLOCK * stored);
        let (queries, gathered) = rest.as_chunks_mut::<LANES>().0.split_at_mut(ROWS * width);
        gathered.fill([0.0; LANES]);
        for row in 0..self.rows {
            self.transpose(row, &mut queries[row * width..][..width]);
        }
        let mut largest = [v.splat(f32::NEG_INFINITY); ROWS];
        let mut sums = [v.splat(0.0); ROWS];
        for index in 0..(self.past + self.rows).div_ceil(BLOCK) {
            let bytes = block(index).chunks_exact(LANES * S::BYTES);
            for (entries, bytes) in entries.as_chunks_mut().0.iter_mut().zip(bytes) {
                v.store(S::load(v, bytes), entries);
            }
            for row in 0..self.rows {
                let visible = (self.past + row + 1).saturating_sub(index * BLOCK).min(BLOCK);
                if visible == 0 {
                    continue;
                }
                let queries = &queries[row * width..][..width];
                let mut weights = [[0.0; LANES]; BLOCK];
                let (own, sum) = self.score(v, &entries[..visible * stored], queries, &mut weights);
                let new = v.max(largest[row], own);
                let before = exp_nonpositive(v, v.sub(largest[row], new));
                let now = exp_nonpositive(v, v.sub(own, new));
                largest[row] = new;
                sums[row] = v.add(v.mul(sums[row], before), v.mul(sum, now));
                let gathered = &mut gathered[row * rank..][..rank];
                self.gather(v, &entries[..visible * stored], &weights, before, now, gathered);
            }
        }
        for row in 0..self.rows {
            let factor = v.div(v.splat(1.0), sums[row]);
            let gathered = &mut gathered[row * rank..][..rank];
            for lanes in gathered.iter_mut() {
                v.store(v.mul(v.load(lanes), factor), lanes);
            }
            for lane in 0..self.len() {
                let out = self.place(row, lane) * rank;
                let out = self.out.piece(out, rank);
                out.iter_mut()
                    .zip(&*gathered)
                    .for_each(|(out, lanes)| *out = lanes[lane]);
            }
        }
    }

    /// Row and head as one index.
    fn place(&self, row: usize, lane: usize) -> usize {
        (self.first + row) * self.latent.heads + self.heads + lane
    }

    /// Queries of a row with heads side by side; heads that there are not ask for nothing.
    fn transpose(&self, row: usize, to: &mut [Lanes]) {
        let width = self.latent.width;
        to.fill([0.0; LANES]);
        for lane in 0..self.len() {
            let query = &self.query[self.place(row, lane) * width..][..width];
            to.iter_mut().zip(query).for_each(|(to, x)| to[lane] = *x);
        }
    }

    /// Weights of the rows of a block in terms of the largest score, which is given with the sum of the weights.
    #[inline(always)]
    fn score<V: Dot>(
        &self,
        v: V,
        entries: &[f32],
        queries: &[Lanes],
        weights: &mut [Lanes; BLOCK],
    ) -> (V::F32, V::F32) {
        let stored = self.latent.stored_width();
        let positions = entries.len() / stored;
        let scale = v.splat(self.latent.scale);
        let mut largest = v.splat(f32::NEG_INFINITY);
        let mut j = 0;
        while j < positions {
            let n = SUMS.min(positions - j);
            let mut rows: [&[f32]; SUMS] = [&[]; SUMS];
            for t in 0..SUMS {
                rows[t] = &entries[(j + t.min(n - 1)) * stored..][..queries.len()];
            }
            let mut sums = [v.splat(0.0); SUMS];
            for (i, query) in queries.iter().enumerate() {
                let query = v.load(query);
                for t in 0..SUMS {
                    sums[t] = v.mul_add(v.splat(rows[t][i]), query, sums[t]);
                }
            }
            for t in 0..n {
                let score = v.mul(sums[t], scale);
                largest = v.max(score, largest);
                v.store(score, &mut weights[j + t]);
            }
            j += n;
        }
        let mut sum = v.splat(0.0);
        for weights in &mut weights[..positions] {
            let weight = exp_nonpositive(v, v.sub(v.load(weights), largest));
            sum = v.add(sum, weight);
            v.store(weight, weights);
        }
        (largest, sum)
    }

    /// `gathered = gathered * before + (weights * entries) * now`.
    #[inline(always)]
    fn gather<V: Dot>(
        &self,
        v: V,
        entries: &[f32],
        weights: &[Lanes; BLOCK],
        before: V::F32,
        now: V::F32,
        gathered: &mut [Lanes],
    ) {
        let stored = self.latent.stored_width();
        for (number, gathered) in gathered.chunks_mut(SUMS).enumerate() {
            let mut sums = [v.splat(0.0); SUMS];
            for (entries, weights) in entries.chunks_exact(stored).zip(weights) {
                // A stored row has whole vectors, so eight entries are there from any multiple of eight on.
                let Some(entries) = entries[number * SUMS..].first_chunk::<SUMS>() else {
                    unreachable!("a row is filled up to a multiple of sixteen")
                };
                let weight = v.load(weights);
                for t in 0..SUMS {
                    sums[t] = v.mul_add(v.splat(entries[t]), weight, sums[t]);
                }
            }
            for t in 0..gathered.len() {
                let sum = v.add(v.mul(v.load(&gathered[t]), before), v.mul(sums[t], now));
                v.store(sum, &mut gathered[t]);
            }
        }
    }
}
