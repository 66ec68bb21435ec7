//! Queries or keys made ready for attention: every head normalized, then rotated by its position.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use simd::{Level, dispatch};

use super::{norm, slices};

/// Rows whose gradients are summed before the sums meet.
const BLOCK: usize = 64;

/// Cosines and sines of rotary positions; element `i` of a head is paired with `i + half`.
///
/// Source: Su et al., *RoFormer*, 2021, in the pairing of GPT-NeoX.
#[derive(Clone, Debug)]
pub struct Rotation {
    half: usize,
    /// `(positions, half)` each.
    cosines: Arc<Vec<f32>>,
    sines: Arc<Vec<f32>>,
}

impl Rotation {
    /// Tables for heads of `width` and positions below `positions`, with frequencies `base^(-2i / width)`.
    pub fn new(width: usize, positions: usize, base: f64) -> Self {
        let half = width / 2;
        let angles = (0..positions).flat_map(|position| {
            (0..half).map(move |i| position as f64 * base.powf(-2.0 * i as f64 / width as f64))
        });
        let (cosines, sines) = angles
            .map(|angle| (angle.cos() as f32, angle.sin() as f32))
            .unzip();
        Self {
            half,
            cosines: Arc::new(cosines),
            sines: Arc::new(sines),
        }
    }

    /// Cosines and sines, `(positions, half)` each.
    #[cfg(test)]
    pub(super) fn tables(&self) -> (&[f32], &[f32]) {
        (&self.cosines, &self.sines)
    }

    /// Rotates one head in place; backwards where `sign` is -1.
    fn turn(&self, head: &mut [f32], position: usize, sign: f32) {
        let at = position * self.half;
        let (low, high) = head.split_at_mut(self.half);
        let tables = self.cosines[at..].iter().zip(&self.sines[at..]);
        for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(tables) {
            let (a, b, sine) = (*low, *high, sine * sign);
            *low = a * cosine - b * sine;
            *high = b * cosine + a * sine;
        }
    }
}

/// Normalizes every head of every row and rotates it by the row's position.
///
/// * `x`: `(batch * length, heads * width)`, the width of a head a multiple of 32.
/// * `weight`: `(width,)`, shared by all heads.
///
/// # Errors
///
/// Shapes that do not fit, and a length beyond the positions of `rotation`.
pub fn rotated_heads(
    x: &Tensor,
    weight: &Tensor,
    length: usize,
    epsilon: f32,
    rotation: &Rotation,
) -> Result<Tensor> {
    let width = weight.dims1()?;
    if width != 2 * rotation.half || !rotation.half.is_multiple_of(16) {
        candle_core::bail!("heads of width {width} meet a rotation of {}", 2 * rotation.half);
    }
    let (rows, columns) = x.dims2()?;
    if !columns.is_multiple_of(width) || length == 0 || !rows.is_multiple_of(length) {
        candle_core::bail!("{rows} rows of {columns} are no sequences of {length} with heads of {width}");
    }
    if length * rotation.half > rotation.cosines.len() {
        candle_core::bail!(
            "a length of {length} goes beyond {} positions",
            rotation.cosines.len() / rotation.half
        );
    }
    let op = RotatedHeads {
        length,
        epsilon,
        rotation: rotation.clone(),
    };
    x.apply_op2(weight, op)
}

struct RotatedHeads {
    length: usize,
    epsilon: f32,
    rotation: Rotation,
}

impl RotatedHeads {
    /// Rotates all heads of the rows from `first` on.
    fn turn(&self, rows: &mut [f32], columns: usize, first: usize, sign: f32) {
        for (row, numbers) in rows.chunks_exact_mut(columns).enumerate() {
            let position = (first + row) % self.length;
            for head in numbers.chunks_exact_mut(2 * self.rotation.half) {
                self.rotation.turn(head, position, sign);
            }
        }
    }
}

impl CustomOp2 for RotatedHeads {
    fn name(&self) -> &'static str {
        "rotated-heads"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, columns) = x_layout.shape().dims2()?;
        let (x, weight) = (slices::of(x, x_layout)?, slices::of(weight, weight_layout)?);
        let level = Level::best();
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(columns * BLOCK)
            .zip(x.par_chunks(columns * BLOCK))
            .enumerate()
            .for_each(|(block, (out, x))| {
                dispatch!(level, v => norm::forward(v, x, weight, self.epsilon, out));
                self.turn(out, columns, block * BLOCK, 1.0);
            });
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _turned: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = weight.dims1()?;
        let (_, columns) = x.dims2()?;
        let (of_x, of_weight) = slices::with([x, weight, gradient], |[x, weight, gradient]| {
            let level = Level::best();
            let mut of_x = vec![0.0; x.len()];
            let partial: Vec<Vec<f32>> = of_x
                .par_chunks_mut(columns * BLOCK)
                .zip(x.par_chunks(columns * BLOCK))
                .zip(gradient.par_chunks(columns * BLOCK))
                .enumerate()
                .map(|(block, ((of_x, x), gradient))| {
                    let mut gradient = gradient.to_vec();
                    self.turn(&mut gradient, columns, block * BLOCK, -1.0);
                    let mut of_weight = vec![0.0; width];
                    dispatch!(level, v => norm::backward(
                        v, x, weight, self.epsilon, &gradient, of_x, &mut of_weight
                    ));
                    of_weight
                })
                .collect();
            Ok((of_x, norm::folded(partial, width)))
        })?;
        Ok((
            Some(slices::tensor(of_x, x.dims())?),
            Some(slices::tensor(of_weight, &[width])?),
        ))
    }
}
