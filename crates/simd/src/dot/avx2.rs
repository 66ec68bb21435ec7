//! AVX2: products in 16 bits, which hold two of them, and then sums of pairs in 32.
#![allow(
    unsafe_code,
    reason = "intrinsics; the level value proves that the CPU has them"
)]

use std::arch::x86_64::*;

use super::{BYTES, Dot};
use crate::vector::{Avx2, LANES, Pair};

/// One intrinsic call.
macro_rules! op {
    ($call:expr) => {{
        // SAFETY: `self` proves that the CPU has this instruction.
        unsafe { $call }
    }};
}

/// One intrinsic on the low and on the high register.
macro_rules! both {
    ($op:ident, $a:expr) => {
        Pair(op!($op($a.0)), op!($op($a.1)))
    };
    ($op:ident, $a:expr, $b:expr) => {
        Pair(op!($op($a.0, $b.0)), op!($op($a.1, $b.1)))
    };
}

impl Avx2 {
    #[inline(always)]
    fn twice(self, x: __m256i) -> Pair<__m256i> {
        Pair(x, x)
    }

    /// Adds pairs of 16-bit sums to 32-bit ones.
    #[inline(always)]
    fn add_pairs(self, sum: Pair<__m256i>, products: Pair<__m256i>) -> Pair<__m256i> {
        let ones = self.twice(op!(_mm256_set1_epi16(1)));
        let quads = both!(_mm256_madd_epi16, products, ones);
        both!(_mm256_add_epi32, sum, quads)
    }

    /// The low and the high half of sixteen bytes, each with what is behind it.
    #[inline(always)]
    fn eights(self, from: *const u8) -> Pair<__m128i> {
        // SAFETY: the callers give the address of 16 readable bytes; the load accepts any alignment.
        let bytes = unsafe { _mm_loadu_si128(from.cast()) };
        Pair(bytes, op!(_mm_srli_si128::<8>(bytes)))
    }
}

impl Dot for Avx2 {
    type I32 = Pair<__m256i>;
    type Bytes = Pair<__m256i>;

    const OFFSET: i32 = 0;
    const ROWS: usize = 4;

    #[inline(always)]
    fn prefetch(self, from: *const u8) {
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) };
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I32 {
        self.twice(op!(_mm256_set1_epi32(x)))
    }
    #[inline(always)]
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        both!(_mm256_add_epi32, a, b)
    }
    #[inline(always)]
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        both!(_mm256_mullo_epi32, a, b)
    }
    #[inline(always)]
    fn to_f32(self, x: Self::I32) -> Self::F32 {
        both!(_mm256_cvtepi32_ps, x)
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; BYTES]) -> Self::Bytes {
        let (low, high) = from.split_at(32);
        // SAFETY: `low` is 32 readable bytes; the load accepts any alignment.
        let low = unsafe { _mm256_loadu_si256(low.as_ptr().cast()) };
        // SAFETY: `high` is 32 readable bytes; the load accepts any alignment.
        let high = unsafe { _mm256_loadu_si256(high.as_ptr().cast()) };
        Pair(low, high)
    }
    #[inline(always)]
    fn nibbles(self, x: Self::Bytes) -> (Self::Bytes, Self::Bytes) {
        let mask = self.twice(op!(_mm256_set1_epi8(15)));
        let high = Pair(op!(_mm256_srli_epi16::<4>(x.0)), op!(_mm256_srli_epi16::<4>(x.1)));
        (
            both!(_mm256_and_si256, x, mask),
            both!(_mm256_and_si256, high, mask),
        )
    }
    #[inline(always)]
    fn above<const SHIFT: u32>(self, low: Self::Bytes, bits: Self::Bytes, mask: u8) -> Self::Bytes {
        let mask = self.twice(op!(_mm256_set1_epi8((mask << 4) as i8)));
        // Bits that cross a border of bytes are masked away.
        let bits = if SHIFT <= 4 {
            let by = op!(_mm_cvtsi32_si128(4 - SHIFT.min(4) as i32));
            Pair(
                op!(_mm256_sll_epi16(bits.0, by)),
                op!(_mm256_sll_epi16(bits.1, by)),
            )
        } else {
            let by = op!(_mm_cvtsi32_si128(SHIFT as i32 - 4));
            Pair(
                op!(_mm256_srl_epi16(bits.0, by)),
                op!(_mm256_srl_epi16(bits.1, by)),
            )
        };
        let bits = both!(_mm256_and_si256, bits, mask);
        both!(_mm256_or_si256, low, bits)
    }
    #[inline(always)]
    fn dot(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        let activations = self.splat_i32(i32::from_ne_bytes(activations.map(|x| x as u8)));
        // Two products of numbers below 128: 16 bits hold them.
        let products = both!(_mm256_maddubs_epi16, weights, activations);
        self.add_pairs(sum, products)
    }
    #[inline(always)]
    fn dot_centred(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        let activations = self.splat_i32(i32::from_ne_bytes(activations.map(|x| x as u8)));
        let flip = self.twice(op!(_mm256_set1_epi8(-128)));
        let weights = both!(_mm256_xor_si256, weights, flip);
        // The weight's sign goes to the activation. Two products of at most 128 and 127 fit 16 bits.
        let activations = both!(_mm256_sign_epi8, activations, weights);
        let weights = both!(_mm256_abs_epi8, weights);
        let products = both!(_mm256_maddubs_epi16, weights, activations);
        self.add_pairs(sum, products)
    }
    #[inline(always)]
    fn widen(self, from: &[u8; LANES]) -> Self::I32 {
        let bytes = self.eights(from.as_ptr());
        both!(_mm256_cvtepu8_epi32, bytes)
    }
    #[inline(always)]
    fn widen_signed(self, from: &[u8; LANES]) -> Self::I32 {
        let bytes = self.eights(from.as_ptr());
        both!(_mm256_cvtepi8_epi32, bytes)
    }
    #[inline(always)]
    fn dot_pairs(self, sum: Self::I32, pairs: Self::I32, [low, high]: [i16; 2]) -> Self::I32 {
        let other = self.splat_i32((i32::from(low) & 0xffff) | (i32::from(high) << 16));
        let products = both!(_mm256_madd_epi16, pairs, other);
        both!(_mm256_add_epi32, sum, products)
    }
    #[inline(always)]
    fn pairs(self, low: &[u8; LANES], high: &[u8; LANES]) -> Self::I32 {
        let (low, high) = (self.widen(low), self.widen(high));
        Pair(
            op!(_mm256_or_si256(low.0, _mm256_slli_epi32::<16>(high.0))),
            op!(_mm256_or_si256(low.1, _mm256_slli_epi32::<16>(high.1))),
        )
    }
    #[inline(always)]
    fn floats(self, from: &[u8; BYTES]) -> Self::F32 {
        let bytes = self.load_bytes(from);
        both!(_mm256_castsi256_ps, bytes)
    }
    #[inline(always)]
    fn halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        let (low, high) = from.split_at(16);
        // SAFETY: `low` is 16 readable bytes; the load accepts any alignment.
        let low = unsafe { _mm_loadu_si128(low.as_ptr().cast()) };
        // SAFETY: `high` is 16 readable bytes; the load accepts any alignment.
        let high = unsafe { _mm_loadu_si128(high.as_ptr().cast()) };
        Pair(op!(_mm256_cvtph_ps(low)), op!(_mm256_cvtph_ps(high)))
    }
    #[inline(always)]
    fn store_halves(self, x: Self::F32, to: &mut [u8; 2 * LANES]) {
        let (low, high) = to.split_at_mut(16);
        let halves = Pair(
            op!(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x.0)),
            op!(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x.1)),
        );
        // SAFETY: `low` is 16 writable bytes; the store accepts any alignment.
        unsafe { _mm_storeu_si128(low.as_mut_ptr().cast(), halves.0) };
        // SAFETY: `high` is 16 writable bytes; the store accepts any alignment.
        unsafe { _mm_storeu_si128(high.as_mut_ptr().cast(), halves.1) };
    }
    #[inline(always)]
    fn upper_halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        let (low, high) = from.split_at(16);
        // SAFETY: `low` is 16 readable bytes; the load accepts any alignment.
        let low = unsafe { _mm_loadu_si128(low.as_ptr().cast()) };
        // SAFETY: `high` is 16 readable bytes; the load accepts any alignment.
        let high = unsafe { _mm_loadu_si128(high.as_ptr().cast()) };
        let bits = Pair(
            op!(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(low))),
            op!(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(high))),
        );
        both!(_mm256_castsi256_ps, bits)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        Pair(
            op!(_mm256_fmadd_ps(a.0, b.0, c.0)),
            op!(_mm256_fmadd_ps(a.1, b.1, c.1)),
        )
    }
}
