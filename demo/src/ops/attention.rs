//! Causal attention of grouped query heads; the weights of attention are computed again in the backward pass instead
//! of kept.
//!
//! A task takes one sequence and one head of keys with all its query heads, four queries at a time, so that each
//! load of a key or a value serves four products. Keys and values are held transposed too, so that sixteen positions
//! stand side by side where a product runs over the width of a head.

mod keys;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use simd::{Level, dispatch};

use super::slices;
use keys::Keys;

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
