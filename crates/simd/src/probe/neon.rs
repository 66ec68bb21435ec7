//! Chains of NEON instructions that every aarch64 CPU has; the dot product of later ones is not among them.
#![allow(unsafe_code, reason = "intrinsics; every aarch64 CPU has them")]
#![allow(
    unused_unsafe,
    reason = "compilers differ in which of these intrinsics they hold safe"
)]

use std::arch::aarch64::*;

use super::CHAINS;

/// One intrinsic call.
macro_rules! op {
    ($call:expr) => {{
        // SAFETY: every aarch64 CPU has this instruction.
        unsafe { $call }
    }};
}

pub(super) fn multiply_add(a: f32, b: f32, rounds: u64) -> (u64, f32) {
    let (a, b) = (op!(vdupq_n_f32(a)), op!(vdupq_n_f32(b)));
    let mut chains: [float32x4_t; CHAINS] = std::array::from_fn(|chain| op!(vdupq_n_f32(chain as f32)));
    for _ in 0..rounds {
        for x in &mut chains {
            *x = op!(vfmaq_f32(b, *x, a));
        }
    }
    (4, chains.iter().map(|&x| op!(vgetq_lane_f32::<0>(x))).sum())
}

/// A widening product and a pairwise addition.
pub(super) fn dot_i8(a: i8, b: i8, rounds: u64) -> (u64, i32) {
    let (a, b) = (op!(vdup_n_s8(a)), op!(vdup_n_s8(b)));
    let mut chains: [int32x4_t; CHAINS] = std::array::from_fn(|chain| op!(vdupq_n_s32(chain as i32)));
    for _ in 0..rounds {
        for x in &mut chains {
            // The product depends on the chain, or it would be taken out of the loop.
            let bytes = op!(vreinterpretq_s8_s32(*x));
            let low = op!(veor_s8(op!(vget_low_s8(bytes)), a));
            *x = op!(vpadalq_s16(*x, op!(vmull_s8(low, b))));
        }
    }
    let lanes = chains.iter().map(|&x| op!(vgetq_lane_s32::<0>(x)));
    (8, lanes.fold(0, i32::wrapping_add))
}
