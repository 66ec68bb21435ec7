//! Root mean square normalization of rows.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use simd::{LANES, Level, Vector, dispatch};

use super::slices;

/// Rows whose gradients are summed before the sums meet.
const BLOCK: usize = 64;

/// `x / rms(x) * weight`, row by row, with `rms(x) = sqrt(mean(x^2) + epsilon)`.
///
/// * `x`: `(rows, width)`, the width a multiple of 16.
/// * `weight`: `(width,)`.
///
/// # Errors
///
/// Shapes that do not fit.
pub fn norm(x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
    let width = weight.dims1()?;
    slices::check_width("norm", width)?;
    if x.dim(1)? != width {
        candle_core::bail!("norm: rows of {} meet a weight for {width}", x.dim(1)?);
    }
    x.apply_op2(weight, Norm { epsilon })
}

struct Norm {
    epsilon: f32,
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let width = weight_layout.shape().dims1()?;
        let (x, weight) = (slices::of(x, x_layout)?, slices::of(weight, weight_layout)?);
        let level = Level::best();
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(width * BLOCK)
            .zip(x.par_chunks(width * BLOCK))
            .for_each(|(out, x)| {
                dispatch!(level, v => forward(v, x, weight, self.epsilon, out));
            });
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _normed: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = weight.dims1()?;
        let (of_x, of_weight) = slices::with([x, weight, gradient], |[x, weight, gradient]| {
            let level = Level::best();
            let mut of_x = vec![0.0; x.len()];
            let partial: Vec<Vec<f32>> = of_x
                .par_chunks_mut(width * BLOCK)
                .zip(x.par_chunks(width * BLOCK))
                .zip(gradient.par_chunks(width * BLOCK))
                .map(|((of_x, x), gradient)| {
                    let mut of_weight = vec![0.0; width];
                    dispatch!(level, v => backward(v, x, weight, self.epsilon, gradient, of_x, &mut of_weight));
                    of_weight
                })
                .collect();
            Ok((of_x, folded(partial, width)))
        })?;
        Ok((
            Some(slices::tensor(of_x, x.dims())?),
            Some(slices::tensor(of_weight, &[width])?),
        ))
    }
}

/// Sums of blocks, in their order.
pub(super) fn folded(partial: Vec<Vec<f32>>, width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for block in partial {
        for (sum, block) in sum.iter_mut().zip(block) {
            *sum += block;
        }
    }
    sum
}

/// One over the root mean square of a row.
#[inline(always)]
pub(super) fn inverse<V: Vector>(v: V, row: &[f32], epsilon: f32) -> f32 {
    1.0 / (slices::dot(v, row, row) / row.len() as f32 + epsilon).sqrt()
}

#[inline(always)]
pub(super) fn forward<V: Vector>(v: V, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let width = weight.len();
    let (weight, _) = weight.as_chunks::<LANES>();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let scale = v.splat(inverse(v, x, epsilon));
        let (x, _) = x.as_chunks::<LANES>();
        let (out, _) = out.as_chunks_mut::<LANES>();
        for ((x, weight), out) in x.iter().zip(weight).zip(out) {
            v.store(v.mul(v.mul(v.load(x), scale), v.load(weight)), out);
        }
    }
}

/// With `r = 1 / rms(x)`: `dx = r (dy w) - x r^3 mean(dy w x)` and `dw = sum over rows of dy x r`.
#[inline(always)]
pub(super) fn backward<V: Vector>(
    v: V,
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    gradient: &[f32],
    of_x: &mut [f32],
    of_weight: &mut [f32],
) {
    let width = weight.len();
    let (weight, _) = weight.as_chunks::<LANES>();
    let (of_weight, _) = of_weight.as_chunks_mut::<LANES>();
    let rows = x.chunks_exact(width).zip(gradient.chunks_exact(width));
    for ((x, gradient), of_x) in rows.zip(of_x.chunks_exact_mut(width)) {
        let r = inverse(v, x, epsilon);
        let (x, _) = x.as_chunks::<LANES>();
        let (gradient, _) = gradient.as_chunks::<LANES>();
        let (of_x, _) = of_x.as_chunks_mut::<LANES>();
        let scale = v.splat(r);
        let mut sum = v.splat(0.0);
        for i in 0..weight.len() {
            let (x, gradient) = (v.load(&x[i]), v.load(&gradient[i]));
            let scaled = v.mul(gradient, v.load(&weight[i]));
            sum = v.add(sum, v.mul(scaled, x));
            let share = v.mul(gradient, v.mul(x, scale));
            v.store(v.add(v.load(&of_weight[i]), share), &mut of_weight[i]);
            v.store(v.mul(scaled, scale), &mut of_x[i]);
        }
        let pull = v.splat(v.reduce_sum(sum) * r * r * r / width as f32);
        for (of_x, x) in of_x.iter_mut().zip(x) {
            v.store(v.sub(v.load(of_x), v.mul(v.load(x), pull)), of_x);
        }
    }
}
