//! The loss: how surprised the model is by the tokens that follow.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use simd::{LANES, Level, Vector, dispatch, exp};

use super::slices;

/// Mean of `ln(sum(e^logits)) - logits[target]` over rows, in nats.
///
/// * `logits`: `(rows, vocabulary)`, the vocabulary a multiple of 16.
/// * `targets`: one token id a row.
///
/// Returns a scalar.
///
/// # Errors
///
/// No rows, a number of targets that is not that of rows, a target outside the vocabulary.
pub fn cross_entropy(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    let (rows, vocabulary) = logits.dims2()?;
    slices::check_width("cross entropy", vocabulary)?;
    if rows == 0 || rows != targets.len() {
        candle_core::bail!("{rows} rows of logits meet {} targets", targets.len());
    }
    if let Some(target) = targets.iter().find(|&&target| target as usize >= vocabulary) {
        candle_core::bail!("target {target} in a vocabulary of {vocabulary}");
    }
    logits.apply_op1(CrossEntropy {
        targets: Arc::from(targets),
    })
}

struct CrossEntropy {
    targets: Arc<[u32]>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, vocabulary) = layout.shape().dims2()?;
        let logits = slices::of(logits, layout)?;
        let level = Level::best();
        let losses: Vec<f64> = logits
            .par_chunks(vocabulary)
            .zip(&*self.targets)
            .map(|(row, &target)| {
                let (max, sum) = dispatch!(level, v => max_and_sum(v, row));
                f64::from(max) + f64::from(sum).ln() - f64::from(row[target as usize])
            })
            .collect();
        let mean = losses.iter().sum::<f64>() / rows as f64;
        Ok((CpuStorage::F32(vec![mean as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _loss: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (rows, vocabulary) = logits.dims2()?;
        let share = gradient.to_scalar::<f32>()? / rows as f32;
        let of_logits = slices::with([logits], |[logits]| {
            let level = Level::best();
            let mut out = vec![0.0; logits.len()];
            out.par_chunks_mut(vocabulary)
                .zip(logits.par_chunks(vocabulary))
                .zip(&*self.targets)
                .for_each(|((out, row), &target)| {
                    dispatch!(level, v => {
                        let (max, sum) = max_and_sum(v, row);
                        softmax_scaled(v, row, max, share / sum, out);
                    });
                    out[target as usize] -= share;
                });
            Ok(out)
        })?;
        Ok(Some(slices::tensor(of_logits, logits.dims())?))
    }
}

/// The largest logit and the sum of `e^(logit - largest)`.
#[inline(always)]
fn max_and_sum<V: Vector>(v: V, row: &[f32]) -> (f32, f32) {
    let (blocks, _) = row.as_chunks::<LANES>();
    let mut max = v.splat(f32::NEG_INFINITY);
    for block in blocks {
        max = v.max(v.load(block), max);
    }
    let max = v.reduce_max(max);
    let pivot = v.splat(max);
    let mut sum = v.splat(0.0);
    for block in blocks {
        sum = v.add(sum, exp(v, v.sub(v.load(block), pivot)));
    }
    (max, v.reduce_sum(sum))
}

#[inline(always)]
fn softmax_scaled<V: Vector>(v: V, row: &[f32], max: f32, scale: f32, out: &mut [f32]) {
    let (row, _) = row.as_chunks::<LANES>();
    let (out, _) = out.as_chunks_mut::<LANES>();
    let (pivot, scale) = (v.splat(max), v.splat(scale));
    for (row, out) in row.iter().zip(out) {
        v.store(v.mul(exp(v, v.sub(v.load(row), pivot)), scale), out);
    }
}
