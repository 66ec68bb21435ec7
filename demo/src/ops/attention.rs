//! Causal attention of grouped query heads; the weights of attention are computed again in the backward pass instead
//! of kept.
//!
//! A task takes one sequence and one head of keys with all its query heads, four queries at a time, so that each
//! load of a key or a value serves four products. Keys and values are held transposed too, so that sixteen positions
//! stand side by side where a product runs over the width of a head.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use simd::{LANES, Level, Vector, dispatch, exp};

use super::slices;

/// Queries that are taken at once.
const QUERIES: usize = 4;

/// `softmax(q k^T / sqrt(width)) v`, each position attending to itself and those before it in its sequence.
///
/// * `q`: `(batch * length, heads * width)`.
/// * `k`, `v`: `(batch * length, key_heads * width)`; `key_heads` divides `heads`, `width` is a multiple of 16.
///
/// Returns the shape of `q`.
///
/// # Errors
///
/// Shapes that do not fit.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, length: usize, width: usize) -> Result<Tensor> {
    let ((rows, queries), (_, keys)) = (q.dims2()?, k.dims2()?);
    slices::check_width("attention", width)?;
    let fits = k.dims() == v.dims()
        && k.dim(0)? == rows
        && keys.is_multiple_of(width)
        && queries.is_multiple_of(keys)
        && rows.is_multiple_of(length);
    if !fits {
        candle_core::bail!(
            "attention of {:?} to {:?} and {:?}, length {length}, width {width}",
            q.dims(),
            k.dims(),
            v.dims()
        );
    }
    let op = Attention {
        length,
        width,
        heads: queries / width,
        key_heads: keys / width,
    };
    q.apply_op3(k, v, op)
}

struct Attention {
    length: usize,
    width: usize,
    heads: usize,
    key_heads: usize,
}

/// Gradients of one task.
struct Gradients {
    of_q: Vec<Vec<f32>>,
    of_k: Vec<f32>,
    of_v: Vec<f32>,
}

impl Attention {
    fn tasks(&self, rows: usize) -> usize {
        rows / self.length * self.key_heads
    }

    fn group(&self) -> usize {
        self.heads / self.key_heads
    }

    /// Columns `head * width ..` of the sequence's rows, `(length, width)`.
    fn gathered(&self, from: &[f32], sequence: usize, heads: usize, head: usize) -> Vec<f32> {
        let columns = heads * self.width;
        let mut out = Vec::with_capacity(self.length * self.width);
        for row in from[sequence * self.length * columns..]
            .chunks_exact(columns)
            .take(self.length)
        {
            out.extend_from_slice(&row[head * self.width..][..self.width]);
        }
        out
    }

    /// The inverse of [`Self::gathered`].
    fn scatter(&self, part: &[f32], to: &mut [f32], sequence: usize, heads: usize, head: usize) {
        let columns = heads * self.width;
        let rows = to[sequence * self.length * columns..].chunks_exact_mut(columns);
        for (row, part) in rows.zip(part.chunks_exact(self.width)) {
            row[head * self.width..][..self.width].copy_from_slice(part);
        }
    }

    fn keys(&self, k: &[f32], v: &[f32], task: usize) -> Keys {
        let (sequence, head) = (task / self.key_heads, task % self.key_heads);
        let keys = self.gathered(k, sequence, self.key_heads, head);
        let values = self.gathered(v, sequence, self.key_heads, head);
        Keys::new(keys, values, self.length, self.width)
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let q = slices::of(q, q_layout)?;
        let (k, v) = (slices::of(k, k_layout)?, slices::of(v, v_layout)?);
        let level = Level::best();
        let group = self.group();
        let parts: Vec<Vec<Vec<f32>>> = (0..self.tasks(q_layout.dims()[0]))
            .into_par_iter()
            .map(|task| {
                let keys = self.keys(k, v, task);
                let (sequence, head) = (task / self.key_heads, task % self.key_heads);
                let one = |member| {
                    let queries = self.gathered(q, sequence, self.heads, head * group + member);
                    let mut out = vec![0.0; queries.len()];
                    dispatch!(level, v => keys.forward(v, &queries, &mut out));
                    out
                };
                (0..group).map(one).collect()
            })
            .collect();
        let mut out = vec![0.0; q.len()];
        for (task, parts) in parts.iter().enumerate() {
            let (sequence, head) = (task / self.key_heads, task % self.key_heads);
            for (member, part) in parts.iter().enumerate() {
                self.scatter(part, &mut out, sequence, self.heads, head * group + member);
            }
        }
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let level = Level::best();
        let group = self.group();
        let (of_q, of_k, of_v) = slices::with([q, k, v, gradient], |[q, k, v, gradient]| {
            let rows = q.len() / (self.heads * self.width);
            let parts: Vec<Gradients> = (0..self.tasks(rows))
                .into_par_iter()
                .map(|task| {
                    let keys = self.keys(k, v, task);
                    let (sequence, head) = (task / self.key_heads, task % self.key_heads);
                    let mut part = Gradients {
                        of_q: Vec::with_capacity(group),
                        of_k: vec![0.0; self.length * self.width],
                        of_v: vec![0.0; self.length * self.width],
                    };
                    for member in 0..group {
                        let head = head * group + member;
                        let queries = self.gathered(q, sequence, self.heads, head);
                        let gradient = self.gathered(gradient, sequence, self.heads, head);
                        let of_q = dispatch!(level, v => keys.backward(v, &queries, &gradient, &mut part));
                        part.of_q.push(of_q);
                    }
                    part
                })
                .collect();
            let (mut of_q, mut of_k, mut of_v) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
            for (task, part) in parts.iter().enumerate() {
                let (sequence, head) = (task / self.key_heads, task % self.key_heads);
                for (member, part) in part.of_q.iter().enumerate() {
                    self.scatter(part, &mut of_q, sequence, self.heads, head * group + member);
                }
                self.scatter(&part.of_k, &mut of_k, sequence, self.key_heads, head);
                self.scatter(&part.of_v, &mut of_v, sequence, self.key_heads, head);
            }
            Ok((of_q, of_k, of_v))
        })?;
        Ok((
            Some(slices::tensor(of_q, q.dims())?),
            Some(slices::tensor(of_k, k.dims())?),
            Some(slices::tensor(of_v, v.dims())?),
        ))
    }
}

/// Keys and values of one head over one sequence.
struct Keys {
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
    fn new(keys: Vec<f32>, values: Vec<f32>, length: usize, width: usize) -> Self {
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
    fn products<V: Vector>(&self, v: V, rows: [&[f32]; QUERIES], matrix: &[f32], blocks: usize, out: &mut Rows) {
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
    fn attend<V: Vector>(&self, v: V, queries: [&[f32]; QUERIES], first: usize, blocks: usize, out: &mut Rows) {
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
    fn forward<V: Vector>(&self, v: V, queries: &[f32], out: &mut [f32]) {
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
    fn backward<V: Vector>(&self, v: V, queries: &[f32], gradient: &[f32], part: &mut Gradients) -> Vec<f32> {
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
