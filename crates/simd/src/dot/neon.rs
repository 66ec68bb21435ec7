//! NEON: the dot product instruction where the CPU has it, else products in 16 bits, and pairwise sums.
#![allow(unsafe_code, reason = "intrinsics; every aarch64 target has them")]
#![allow(
    unused_unsafe,
    reason = "compilers differ in which of these intrinsics they hold safe"
)]

use std::arch::aarch64::*;
use std::arch::asm;
use std::array;

use super::scalar::{half, to_half};
use super::{BYTES, Dot};
use crate::vector::{LANES, Neon, Vector};

/// One intrinsic call.
macro_rules! op {
    ($call:expr) => {{
        // SAFETY: every aarch64 CPU has this instruction.
        unsafe { $call }
    }};
}

/// Adds the products of four signed bytes each to four lanes.
#[inline(always)]
fn quads(sum: int32x4_t, weights: int8x16_t, activations: int8x16_t) -> int32x4_t {
    let low = op!(vmull_s8(vget_low_s8(weights), vget_low_s8(activations)));
    let high = op!(vmull_high_s8(weights, activations));
    let pairs = (op!(vpaddlq_s16(low)), op!(vpaddlq_s16(high)));
    op!(vaddq_s32(sum, vpaddq_s32(pairs.0, pairs.1)))
}

/// [`quads`] in one instruction, whose intrinsic is not stable.
///
/// # Safety
///
/// The CPU must have it.
#[inline(always)]
unsafe fn quads_at_once(mut sum: int32x4_t, weights: int8x16_t, activations: int8x16_t) -> int32x4_t {
    // SAFETY: the caller proves that the instruction exists; it reads and writes these registers alone.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {weights:v}.16b, {activations:v}.16b",
            sum = inout(vreg) sum,
            weights = in(vreg) weights,
            activations = in(vreg) activations,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

impl Dot for Neon {
    type I32 = [int32x4_t; 4];
    type Bytes = [uint8x16_t; 4];

    const OFFSET: i32 = 0;
    const ROWS: usize = 4;

    #[inline(always)]
    fn prefetch(self, from: *const u8) {
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { asm!("prfm pldl1keep, [{}]", in(reg) from, options(nostack, preserves_flags, readonly)) };
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I32 {
        [op!(vdupq_n_s32(x)); 4]
    }
    #[inline(always)]
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        array::from_fn(|i| op!(vaddq_s32(a[i], b[i])))
    }
    #[inline(always)]
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        array::from_fn(|i| op!(vmulq_s32(a[i], b[i])))
    }
    #[inline(always)]
    fn to_f32(self, x: Self::I32) -> Self::F32 {
        x.map(|x| op!(vcvtq_f32_s32(x)))
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; BYTES]) -> Self::Bytes {
        array::from_fn(|i| {
            // SAFETY: 16 bytes from `16 * i` are within the 64 of `from`; `i` is below 4.
            unsafe { vld1q_u8(from.as_ptr().wrapping_add(16 * i)) }
        })
    }
    #[inline(always)]
    fn nibbles(self, x: Self::Bytes) -> (Self::Bytes, Self::Bytes) {
        let mask = op!(vdupq_n_u8(15));
        (
            x.map(|x| op!(vandq_u8(x, mask))),
            x.map(|x| op!(vshrq_n_u8::<4>(x))),
        )
    }
    #[inline(always)]
    fn above<const SHIFT: u32>(self, low: Self::Bytes, bits: Self::Bytes, mask: u8) -> Self::Bytes {
        let mask = op!(vdupq_n_u8(mask << 4));
        let by = op!(vdupq_n_s8(4 - SHIFT as i8));
        array::from_fn(|i| {
            let moved = op!(vshlq_u8(bits[i], by));
            op!(vorrq_u8(low[i], vandq_u8(moved, mask)))
        })
    }
    #[inline(always)]
    fn dot(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        let activations = op!(vreinterpretq_s8_s32(vdupq_n_s32(i32::from_ne_bytes(
            activations.map(|x| x as u8)
        ))));
        // Below 128, a weight is the same number with a sign.
        let weights = weights.map(|weights| op!(vreinterpretq_s8_u8(weights)));
        if self.has_dot_product() {
            // SAFETY: the value says that the instruction was detected.
            array::from_fn(|i| unsafe { quads_at_once(sum[i], weights[i], activations) })
        } else {
            array::from_fn(|i| quads(sum[i], weights[i], activations))
        }
    }
    #[inline(always)]
    fn dot_centred(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        let flip = op!(vdupq_n_u8(128));
        self.dot(sum, weights.map(|w| op!(veorq_u8(w, flip))), activations)
    }
    #[inline(always)]
    fn widen(self, from: &[u8; LANES]) -> Self::I32 {
        // SAFETY: `from` is 16 readable bytes.
        let bytes = unsafe { vld1q_u8(from.as_ptr()) };
        let (low, high) = (op!(vmovl_u8(vget_low_u8(bytes))), op!(vmovl_high_u8(bytes)));
        let quads = [
            op!(vmovl_u16(vget_low_u16(low))),
            op!(vmovl_high_u16(low)),
            op!(vmovl_u16(vget_low_u16(high))),
            op!(vmovl_high_u16(high)),
        ];
        quads.map(|x| op!(vreinterpretq_s32_u32(x)))
    }
    #[inline(always)]
    fn widen_signed(self, from: &[u8; LANES]) -> Self::I32 {
        // SAFETY: `from` is 16 readable bytes.
        let bytes = unsafe { vld1q_s8(from.as_ptr().cast()) };
        let (low, high) = (op!(vmovl_s8(vget_low_s8(bytes))), op!(vmovl_high_s8(bytes)));
        [
            op!(vmovl_s16(vget_low_s16(low))),
            op!(vmovl_high_s16(low)),
            op!(vmovl_s16(vget_low_s16(high))),
            op!(vmovl_high_s16(high)),
        ]
    }
    #[inline(always)]
    fn dot_pairs(self, sum: Self::I32, pairs: Self::I32, [low, high]: [i16; 2]) -> Self::I32 {
        let other = (i32::from(low) & 0xffff) | (i32::from(high) << 16);
        let other = op!(vreinterpretq_s16_s32(vdupq_n_s32(other)));
        array::from_fn(|i| {
            let pairs = op!(vreinterpretq_s16_s32(pairs[i]));
            let first = op!(vmull_s16(vget_low_s16(pairs), vget_low_s16(other)));
            let second = op!(vmull_high_s16(pairs, other));
            op!(vaddq_s32(sum[i], vpaddq_s32(first, second)))
        })
    }
    #[inline(always)]
    fn pairs(self, low: &[u8; LANES], high: &[u8; LANES]) -> Self::I32 {
        let (low, high) = (self.widen(low), self.widen(high));
        array::from_fn(|i| op!(vorrq_s32(low[i], vshlq_n_s32::<16>(high[i]))))
    }
    #[inline(always)]
    fn floats(self, from: &[u8; BYTES]) -> Self::F32 {
        self.load_bytes(from).map(|x| op!(vreinterpretq_f32_u8(x)))
    }
    #[inline(always)]
    fn halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        // The vector type of halves is unstable.
        let numbers = array::from_fn(|i| half(u16::from_le_bytes([from[2 * i], from[2 * i + 1]])));
        self.load(&numbers)
    }
    #[inline(always)]
    fn store_halves(self, x: Self::F32, to: &mut [u8; 2 * LANES]) {
        let mut numbers = [0.0; LANES];
        self.store(x, &mut numbers);
        for (x, to) in numbers.into_iter().zip(to.as_chunks_mut::<2>().0) {
            *to = to_half(x).to_le_bytes();
        }
    }
    #[inline(always)]
    fn upper_halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        array::from_fn(|i| {
            // SAFETY: 8 bytes from `8 * i` are within the 32 of `from`; `i` is below 4.
            let halves = unsafe { vld1_u16(from.as_ptr().wrapping_add(8 * i).cast()) };
            op!(vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(halves))))
        })
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        array::from_fn(|i| op!(vfmaq_f32(c[i], a[i], b[i])))
    }
}
