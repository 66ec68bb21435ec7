//! What stands between two products: norms, rotations, gates.
//!
//! Sums over a row run in sixteen lanes in the order of the row; all else is one number at a time. So every level has the
//! same bits.

use simd::{Dot, Level, dispatch, exp};

/// Root mean square norm of one row: `out = x / sqrt(mean(x * x) + epsilon) * weight`.
///
/// * `x`, `weight`, `out`: shape `(width,)`; what the shortest of them lacks is left as it is.
pub fn normalize(level: Level, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    dispatch!(level, v => {
        let scale = inverse_root(mean_square(v, x), epsilon);
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * scale * weight;
        }
    });
}

/// [`normalize`] of a row that is overwritten.
pub fn normalize_in_place(level: Level, x: &mut [f32], weight: &[f32], epsilon: f32) {
    dispatch!(level, v => {
        let scale = inverse_root(mean_square(v, x), epsilon);
        for (x, weight) in x.iter_mut().zip(weight) {
            *x = *x * scale * weight;
        }
    });
}

#[inline(always)]
fn inverse_root(mean_square: f32, epsilon: f32) -> f32 {
    1.0 / (mean_square + epsilon).sqrt()
}

#[inline(always)]
fn mean_square<V: Dot>(v: V, x: &[f32]) -> f32 {
    let (blocks, tail) = x.as_chunks::<16>();
    let mut sum = v.splat(0.0);
    for block in blocks {
        let x = v.load(block);
        sum = v.mul_add(x, x, sum);
    }
    if !tail.is_empty() {
        let mut last = [0.0; 16];
        last[..tail.len()].copy_from_slice(tail);
        let x = v.load(&last);
        sum = v.mul_add(x, x, sum);
    }
    v.reduce_sum(sum) / x.len().max(1) as f32
}

/// `gate = gate / (1 + e^-gate) * up`, each number by itself (SiLU).
pub fn gate(level: Level, gate: &mut [f32], up: &[f32]) {
    dispatch!(level, v => {
        let (blocks, tail) = gate.as_chunks_mut::<16>();
        let (of_up, up_tail) = up.as_chunks::<16>();
        for (block, up) in blocks.iter_mut().zip(of_up) {
            gate_lanes(v, block, up);
        }
        if !tail.is_empty() {
            let (mut last, mut up) = ([0.0; 16], [0.0; 16]);
            last[..tail.len()].copy_from_slice(tail);
            up[..up_tail.len()].copy_from_slice(up_tail);
            gate_lanes(v, &mut last, &up);
            tail.copy_from_slice(&last[..tail.len()]);
        }
    });
}

#[inline(always)]
fn gate_lanes<V: Dot>(v: V, gate: &mut [f32; 16], up: &[f32; 16]) {
    let x = v.load(gate);
    let below = v.add(v.splat(1.0), exp(v, v.sub(v.splat(0.0), x)));
    v.store(v.mul(v.div(x, below), v.load(up)), gate);
}

/// Turns the pairs `i` and `i + half` of one head.
///
/// * `x`: shape `(2 * half,)`; `cos`, `sin`: shape `(half,)`.
pub fn turn_halves(level: Level, x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, high) = x.split_at_mut(x.len() / 2);
    dispatch!(level, _v => {
        for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    });
}

/// Turns the pairs `2 i` and `2 i + 1` of one head; shapes as in [`turn_halves`].
pub fn turn_adjacent(level: Level, x: &mut [f32], cos: &[f32], sin: &[f32]) {
    dispatch!(level, _v => {
        for (([a, b], cos), sin) in x.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    });
}

/// `to += factor * x`, each number by itself.
pub fn add_scaled(level: Level, factor: f32, x: &[f32], to: &mut [f32]) {
    dispatch!(level, _v => {
        for (to, x) in to.iter_mut().zip(x) {
            *to += factor * x;
        }
    });
}
