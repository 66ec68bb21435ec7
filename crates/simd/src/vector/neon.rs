//! NEON: four registers of four lanes; part of every aarch64 CPU. The instruction for dot products is looked for.
#![allow(unsafe_code, reason = "intrinsics; every aarch64 target has them")]
#![allow(
    unused_unsafe,
    reason = "compilers differ in which of these intrinsics they hold safe"
)]

use std::arch::aarch64::*;

use super::scalar::pack;
use super::{LANES, ROUND, Vector};

/// The level of every aarch64 CPU, and whether this one has an instruction for dot products (ARMv8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neon {
    dot_product: bool,
}

impl Neon {
    /// Needs no detection: the architecture demands NEON.
    #[must_use]
    pub const fn new() -> Self {
        Self { dot_product: false }
    }

    /// Looks at the CPU for what the architecture does not demand.
    #[must_use]
    pub fn detect() -> Self {
        Self {
            dot_product: std::arch::is_aarch64_feature_detected!("dotprod"),
        }
    }

    /// Whether there is an instruction for dot products.
    #[inline(always)]
    pub(crate) const fn has_dot_product(self) -> bool {
        self.dot_product
    }
}

/// One intrinsic call.
macro_rules! op {
    ($call:expr) => {{
        // SAFETY: every aarch64 CPU has this instruction.
        unsafe { $call }
    }};
}

/// Applies an intrinsic to each of the four registers.
macro_rules! each {
    ($op:ident, $($x:expr),+) => {
        [op!($op($($x[0]),+)), op!($op($($x[1]),+)), op!($op($($x[2]),+)), op!($op($($x[3]),+))]
    };
}

impl Vector for Neon {
    type F32 = [float32x4_t; 4];
    type U32 = [uint32x4_t; 4];
    type Mask = [uint32x4_t; 4];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [op!(vdupq_n_f32(x)); 4]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        let at = |i: usize| {
            // SAFETY: 4 numbers from `i` are within the 16 of `from`; `i` is 0, 4, 8 or 12.
            unsafe { vld1q_f32(from.as_ptr().wrapping_add(i)) }
        };
        [at(0), at(4), at(8), at(12)]
    }
    #[inline(always)]
    fn store(self, x: Self::F32, to: &mut [f32; LANES]) {
        for (i, x) in x.into_iter().enumerate() {
            // SAFETY: 4 numbers from `4 * i` are within the 16 of `to`; `i` is below 4.
            unsafe { vst1q_f32(to.as_mut_ptr().wrapping_add(4 * i), x) };
        }
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(vaddq_f32, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(vsubq_f32, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(vmulq_f32, a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(vdivq_f32, a, b)
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        self.select(self.gt(a, b), a, b)
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        self.select(self.gt(b, a), a, b)
    }
    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        each!(vabsq_f32, x)
    }
    #[inline(always)]
    fn gt(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        each!(vcgtq_f32, a, b)
    }
    #[inline(always)]
    fn ge(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        each!(vcgeq_f32, a, b)
    }
    #[inline(always)]
    fn eq(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        each!(vceqq_f32, a, b)
    }
    #[inline(always)]
    fn unordered(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        let a = each!(vceqq_f32, a, a);
        let b = each!(vceqq_f32, b, b);
        let ordered = each!(vandq_u32, a, b);
        each!(vmvnq_u32, ordered)
    }
    #[inline(always)]
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask {
        each!(vorrq_u32, a, b)
    }
    #[inline(always)]
    fn none(self) -> Self::Mask {
        [op!(vdupq_n_u32(0)); 4]
    }
    #[inline(always)]
    fn lanes_of(self, bits: u16) -> Self::Mask {
        const WEIGHTS: [u32; LANES] = {
            let mut weights = [1; LANES];
            let mut lane = 0;
            while lane < LANES {
                weights[lane] = 1 << lane;
                lane += 1;
            }
            weights
        };
        let weights = self.load_u32(&WEIGHTS);
        let bits = [op!(vdupq_n_u32(u32::from(bits))); 4];
        each!(vtstq_u32, bits, weights)
    }
    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u16 {
        const WEIGHTS: [u32; 4] = [1, 2, 4, 8];
        // SAFETY: `WEIGHTS` is 16 readable bytes.
        let weights = unsafe { vld1q_u32(WEIGHTS.as_ptr()) };
        let weights = [weights; 4];
        let weighted = each!(vandq_u32, mask, weights);
        let sums = each!(vaddvq_u32, weighted);
        (sums[0] | (sums[1] << 4) | (sums[2] << 8) | (sums[3] << 12)) as u16
    }
    #[inline(always)]
    fn any(self, mask: Self::Mask) -> bool {
        let low = op!(vorrq_u32(mask[0], mask[1]));
        let high = op!(vorrq_u32(mask[2], mask[3]));
        let all = op!(vorrq_u32(low, high));
        op!(vmaxvq_u32(all)) != 0
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(vbslq_f32, mask, a, b)
    }
    #[inline(always)]
    fn keep(self, mask: Self::Mask, x: Self::F32) -> Self::F32 {
        let x = each!(vreinterpretq_u32_f32, x);
        let kept = each!(vandq_u32, mask, x);
        each!(vreinterpretq_f32_u32, kept)
    }
    #[inline(always)]
    fn round(self, x: Self::F32) -> (Self::F32, Self::F32) {
        let shifted = self.add(x, self.splat(ROUND));
        (self.sub(shifted, self.splat(ROUND)), shifted)
    }
    #[inline(always)]
    fn scale(self, p: Self::F32, shifted: Self::F32) -> Self::F32 {
        let p = each!(vreinterpretq_u32_f32, p);
        let exponent = each!(vreinterpretq_u32_f32, shifted);
        let shift = |x| op!(vshlq_n_u32::<23>(x));
        let exponent = exponent.map(shift);
        let sum = each!(vaddq_u32, p, exponent);
        each!(vreinterpretq_f32_u32, sum)
    }
    #[inline(always)]
    fn count_from(self, first: u32) -> Self::U32 {
        let mut ids = [0; LANES];
        for (lane, id) in ids.iter_mut().enumerate() {
            *id = first.wrapping_add(lane as u32);
        }
        self.load_u32(&ids)
    }
    #[inline(always)]
    fn load_u32(self, from: &[u32; LANES]) -> Self::U32 {
        let at = |i: usize| {
            // SAFETY: 4 numbers from `i` are within the 16 of `from`; `i` is 0, 4, 8 or 12.
            unsafe { vld1q_u32(from.as_ptr().wrapping_add(i)) }
        };
        [at(0), at(4), at(8), at(12)]
    }
    #[inline(always)]
    fn compress(self, mask: Self::Mask, x: Self::F32, to: &mut [f32; LANES]) -> usize {
        let mut lanes = [0.0; LANES];
        self.store(x, &mut lanes);
        pack(self.bits(mask), &lanes, to)
    }
    #[inline(always)]
    fn compress_u32(self, mask: Self::Mask, x: Self::U32, to: &mut [u32; LANES]) -> usize {
        let mut lanes = [0; LANES];
        for (i, x) in x.into_iter().enumerate() {
            // SAFETY: 4 numbers from `4 * i` are within the 16 of `lanes`; `i` is below 4.
            unsafe { vst1q_u32(lanes.as_mut_ptr().wrapping_add(4 * i), x) };
        }
        pack(self.bits(mask), &lanes, to)
    }
}
