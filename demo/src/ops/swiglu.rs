//! The gate of a feed-forward block: `silu(gate) * up`.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use simd::{LANES, Level, Vector, dispatch, exp};

use super::slices;

/// Numbers that a task takes at once.
const BLOCK: usize = 1 << 14;

/// `gate / (1 + e^-gate) * up`, element by element; both `(rows, width)`, the width a multiple of 16.
///
/// # Errors
///
/// Shapes that differ.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.dims() != up.dims() {
        candle_core::bail!("swiglu of {:?} and {:?}", gate.dims(), up.dims());
    }
    slices::check_width("swiglu", gate.dim(1)?)?;
    gate.apply_op2(up, Swiglu)
}

struct Swiglu;

impl CustomOp2 for Swiglu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (slices::of(gate, gate_layout)?, slices::of(up, up_layout)?);
        let level = Level::best();
        let mut out = vec![0.0; gate.len()];
        out.par_chunks_mut(BLOCK)
            .zip(gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK)))
            .for_each(|(out, (gate, up))| dispatch!(level, v => forward(v, gate, up, out)));
        Ok((CpuStorage::F32(out), gate_layout.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_gate, of_up) = slices::with([gate, up, gradient], |[gate, up, gradient]| {
            let level = Level::best();
            let (mut of_gate, mut of_up) = (vec![0.0; gate.len()], vec![0.0; gate.len()]);
            of_gate
                .par_chunks_mut(BLOCK)
                .zip(of_up.par_chunks_mut(BLOCK))
                .zip(gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK)))
                .zip(gradient.par_chunks(BLOCK))
                .for_each(|(((of_gate, of_up), (gate, up)), gradient)| {
                    dispatch!(level, v => backward(v, gate, up, gradient, of_gate, of_up));
                });
            Ok((of_gate, of_up))
        })?;
        Ok((
            Some(slices::tensor(of_gate, gate.dims())?),
            Some(slices::tensor(of_up, up.dims())?),
        ))
    }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
fn sigmoid<V: Vector>(v: V, x: V::F32) -> V::F32 {
    let one = v.splat(1.0);
    v.div(one, v.add(one, exp(v, v.sub(v.splat(0.0), x))))
}

#[inline(always)]
fn forward<V: Vector>(v: V, gate: &[f32], up: &[f32], out: &mut [f32]) {
    let (gate, _) = gate.as_chunks::<LANES>();
    let (up, _) = up.as_chunks::<LANES>();
    let (out, _) = out.as_chunks_mut::<LANES>();
    for ((gate, up), out) in gate.iter().zip(up).zip(out) {
        let gate = v.load(gate);
        v.store(v.mul(v.mul(gate, sigmoid(v, gate)), v.load(up)), out);
    }
}

/// With `s = sigmoid(gate)`: `d gate = dy up s (1 + gate (1 - s))` and `d up = dy gate s`.
#[inline(always)]
fn backward<V: Vector>(
    v: V,
    gate: &[f32],
    up: &[f32],
    gradient: &[f32],
    of_gate: &mut [f32],
    of_up: &mut [f32],
) {
    let (gate, _) = gate.as_chunks::<LANES>();
    let (up, _) = up.as_chunks::<LANES>();
    let (gradient, _) = gradient.as_chunks::<LANES>();
    let (of_gate, _) = of_gate.as_chunks_mut::<LANES>();
    let (of_up, _) = of_up.as_chunks_mut::<LANES>();
    let one = v.splat(1.0);
    for i in 0..gate.len() {
        let (gate, gradient) = (v.load(&gate[i]), v.load(&gradient[i]));
        let s = sigmoid(v, gate);
        let slope = v.mul(s, v.add(one, v.mul(gate, v.sub(one, s))));
        v.store(v.mul(v.mul(gradient, v.load(&up[i])), slope), &mut of_gate[i]);
        v.store(v.mul(gradient, v.mul(gate, s)), &mut of_up[i]);
    }
}
