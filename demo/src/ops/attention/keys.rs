//! Attention of one head: weights, sums and gradients, four queries at a time.

use simd::{LANES, Vector, exp};

use super::Gradients;
use crate::ops::slices;

/// Queries that are taken at once.
const QUERIES: usize = 4;

/// Keys and values of one head over one sequence.
pub(super) struct Keys {
    length: usize,
    width: usize,
    /// Length in whole vectors.
    padded: usize,
    /// `(length, width)`.
    keys: Vec<f32>,
    values: Vec<f32>,
    /// `(width, padded)`; zeros behind the length.
    keys_transposed: Vec<f32>,
    values_transposed: Vec<f32>,
    scale: f32,
}

/// What up to four queries give each position, `(padded,)` each.
type Rows = [Vec<f32>; QUERIES];

impl Keys {
    pub(super) fn new(keys: Vec<f32>, values: Vec<f32>, length: usize, width: usize) -> Self {
        let padded = length.next_multiple_of(LANES);
        let transposed = |rows: &[f32]| {
            let mut out = vec![0.0; width * padded];
            for (at, row) in rows.chunks_exact(width).enumerate() {
                for (i, number) in row.iter().enumerate() {
                    out[i * padded + at] = *number;
                }
            }
            out
        };
        Self {
            length,
            width,
            padded,
            keys_transposed: transposed(&keys),
            values_transposed: transposed(&values),
            keys,
            values,
            scale: 1.0 / (width as f32).sqrt(),
        }
    }

    fn rows(&self) -> Rows {
        std::array::from_fn(|_| vec![0.0; self.padded])
    }

    /// Four rows of `(length, width)` from `first` on; behind the end the last one again.
    fn four<'a>(&self, rows: &'a [f32], first: usize) -> [&'a [f32]; QUERIES] {
        std::array::from_fn(|i| {
            let at = (first + i).min(self.length - 1);
            &rows[at * self.width..][..self.width]
        })
    }

    /// Products of four rows with positions `0..blocks * 16` of a transposed matrix.
    #[inline(always)]
    fn products<V: Vector>(
        &self,
        v: V,
        rows: [&[f32]; QUERIES],
        matrix: &[f32],
        blocks: usize,
        out: &mut Rows,
    ) {
        for block in 0..blocks {
            let mut sums = [v.splat(0.0); QUERIES];
            for i in 0..self.width {
                let (positions, _) = matrix[i * self.padded + block * LANES..].as_chunks::<LANES>();
                let positions = v.load(&positions[0]);
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = v.add(*sum, v.mul(v.splat(row[i]), positions));
                }
            }
            for (sum, out) in sums.iter().zip(out.iter_mut()) {
                let (out, _) = out[block * LANES..].as_chunks_mut::<LANES>();
                v.store(*sum, &mut out[0]);
            }
        }
    }

    /// Sums of positions `0..count` of `(length, width)` rows, each times its weight, for four rows of weights.
    #[inline(always)]
    fn weighted<V: Vector>(
        &self,
        v: V,
        weights: &Rows,
        matrix: &[f32],
        count: usize,
        mut each: impl FnMut(usize, usize, V::F32),
    ) {
        for part in 0..self.width / LANES {
            let mut sums = [v.splat(0.0); QUERIES];
            for (at, row) in matrix.chunks_exact(self.width).take(count).enumerate() {
                let (row, _) = row.as_chunks::<LANES>();
                let row = v.load(&row[part]);
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = v.add(*sum, v.mul(v.splat(weights[at]), row));
                }
            }
            for (query, sum) in sums.into_iter().enumerate() {
                each(query, part, sum);
            }
        }
    }

    /// The weights of attention of four queries from `first` on, in `out`; zero where a query may not look.
    #[inline(always)]
    fn attend<V: Vector>(
        &self,
        v: V,
        queries: [&[f32]; QUERIES],
        first: usize,
        blocks: usize,
        out: &mut Rows,
    ) {
        self.products(v, queries, &self.keys_transposed, blocks, out);
        for (i, row) in out.iter_mut().enumerate() {
            let seen = (first + i).min(self.length - 1) + 1;
            row[seen..blocks * LANES].fill(f32::NEG_INFINITY);
            let (row, _) = row[..blocks * LANES].as_chunks_mut::<LANES>();
            let mut max = v.splat(f32::NEG_INFINITY);
            for block in row.iter() {
                max = v.max(v.load(block), max);
            }
            let pivot = v.splat(v.reduce_max(max));
            let scale = v.splat(self.scale);
            let mut sum = v.splat(0.0);
            for block in row.iter_mut() {
                let weight = exp(v, v.mul(v.sub(v.load(block), pivot), scale));
                sum = v.add(sum, weight);
                v.store(weight, block);
            }
            let share = v.splat(1.0 / v.reduce_sum(sum));
            for block in row {
                v.store(v.mul(v.load(block), share), block);
            }
        }
    }

    #[inline(always)]
    pub(super) fn forward<V: Vector>(&self, v: V, queries: &[f32], out: &mut [f32]) {
        let mut weights = self.rows();
        for first in (0..self.length).step_by(QUERIES) {
            let last = (first + QUERIES).min(self.length);
            let blocks = last.div_ceil(LANES);
            self.attend(v, self.four(queries, first), first, blocks, &mut weights);
            self.weighted(v, &weights, &self.values, last, |query, part, sum| {
                if first + query < last {
                    let (row, _) = out[(first + query) * self.width..].as_chunks_mut::<LANES>();
                    v.store(sum, &mut row[part]);
                }
            });
        }
    }

    /// Adds the gradients of keys and values to `part` and returns that of the queries.
    ///
    /// With weights `p` and `dp = dy v^T`: `ds = p (dp - sum(p dp)) / sqrt(width)`, `dq = ds k`, `dk = ds^T q`,
    /// `dv = p^T dy`.
    #[inline(always)]
    pub(super) fn backward<V: Vector>(
        &self,
        v: V,
        queries: &[f32],
        gradient: &[f32],
        part: &mut Gradients,
    ) -> Vec<f32> {
        let mut of_q = vec![0.0; queries.len()];
        let (mut weights, mut slopes) = (self.rows(), self.rows());
        for first in (0..self.length).step_by(QUERIES) {
            let last = (first + QUERIES).min(self.length);
            let blocks = last.div_ceil(LANES);
            let (four, slope) = (self.four(queries, first), self.four(gradient, first));
            self.attend(v, four, first, blocks, &mut weights);
            self.products(v, slope, &self.values_transposed, blocks, &mut slopes);
            for (i, (weights, slopes)) in weights.iter_mut().zip(&mut slopes).enumerate() {
                let (weights, slopes) = (&mut weights[..blocks * LANES], &mut slopes[..blocks * LANES]);
                if first + i >= last {
                    weights.fill(0.0);
                }
                let mean = v.splat(slices::dot(v, weights, slopes));
                let scale = v.splat(self.scale);
                let (weights, _) = weights.as_chunks::<LANES>();
                let (slopes, _) = slopes.as_chunks_mut::<LANES>();
                for (weight, slope) in weights.iter().zip(slopes) {
                    let pull = v.sub(v.load(slope), mean);
                    v.store(v.mul(v.mul(v.load(weight), pull), scale), slope);
                }
            }
            self.weighted(v, &slopes, &self.keys, last, |query, part, sum| {
                if first + query < last {
                    let (row, _) = of_q[(first + query) * self.width..].as_chunks_mut::<LANES>();
                    v.store(sum, &mut row[part]);
                }
            });
            for at in 0..last {
                let rows = at * self.width..(at + 1) * self.width;
                spread(v, &mut part.of_k[rows.clone()], &slopes, at, four);
                spread(v, &mut part.of_v[rows], &weights, at, slope);
            }
        }
        of_q
    }
}

/// Adds four rows to `to`, each times its weight for position `at`.
#[inline(always)]
fn spread<V: Vector>(v: V, to: &mut [f32], weights: &Rows, at: usize, rows: [&[f32]; QUERIES]) {
    let (to, _) = to.as_chunks_mut::<LANES>();
    for (part, to) in to.iter_mut().enumerate() {
        let mut sum = v.load(to);
        for (weights, row) in weights.iter().zip(rows) {
            let (row, _) = row.as_chunks::<LANES>();
            sum = v.add(sum, v.mul(v.splat(weights[at]), v.load(&row[part])));
        }
        v.store(sum, to);
    }
}
