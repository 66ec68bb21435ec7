//! AVX-512 with VNNI: one instruction for four products of 16 lanes.
#![allow(
    unsafe_code,
    reason = "intrinsics; the level value proves that the CPU has them"
)]

mod runs;

use std::arch::x86_64::*;

use super::{BYTES, Dot, Halves};
use crate::vector::{Avx512, LANES};
use runs::Sums;

/// One intrinsic call.
macro_rules! op {
    ($call:expr) => {{
        // SAFETY: `self` proves that the CPU has this instruction.
        unsafe { $call }
    }};
}

/// What a run works on, by the types that it has where `M` is 4 and `N` is 2.
macro_rules! two_by_four {
    ($($x:expr => $type:ty),*) => {
        // SAFETY: `M` is 4 and `N` is 2, which makes each type of an argument the one beside it; it is used this once.
        unsafe { ($(std::ptr::read((&raw const $x).cast::<$type>())),*) }
    };
}

impl Dot for Avx512 {
    type I32 = __m512i;
    type Bytes = __m512i;

    // `vpdpbusd` takes the weights unsigned.
    const OFFSET: i32 = 128;
    const ROWS: usize = 4;
    const TWO_TILES: bool = true;

    #[inline(always)]
    fn prefetch(self, from: *const u8) {
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) };
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I32 {
        op!(_mm512_set1_epi32(x))
    }
    #[inline(always)]
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        op!(_mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        op!(_mm512_mullo_epi32(a, b))
    }
    #[inline(always)]
    fn to_f32(self, x: Self::I32) -> Self::F32 {
        op!(_mm512_cvtepi32_ps(x))
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; BYTES]) -> Self::Bytes {
        // SAFETY: `from` is 64 readable bytes; the load accepts any alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn nibbles(self, x: Self::Bytes) -> (Self::Bytes, Self::Bytes) {
        let mask = op!(_mm512_set1_epi8(15));
        let high = op!(_mm512_srli_epi16::<4>(x));
        (op!(_mm512_and_si512(x, mask)), op!(_mm512_and_si512(high, mask)))
    }
    #[inline(always)]
    fn above<const SHIFT: u32>(self, low: Self::Bytes, bits: Self::Bytes, mask: u8) -> Self::Bytes {
        let mask = op!(_mm512_set1_epi8((mask << 4) as i8));
        // Bits that cross a border of bytes are masked away.
        let bits = if SHIFT <= 4 {
            op!(_mm512_sll_epi16(bits, _mm_cvtsi32_si128(4 - SHIFT.min(4) as i32)))
        } else {
            op!(_mm512_srl_epi16(bits, _mm_cvtsi32_si128(SHIFT as i32 - 4)))
        };
        // `low | (bits & mask)`.
        op!(_mm512_ternarylogic_epi32::<0b1111_1000>(low, bits, mask))
    }
    #[inline(always)]
    fn dot(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        let activations = self.splat_i32(i32::from_ne_bytes(activations.map(|x| x as u8)));
        op!(_mm512_dpbusd_epi32(sum, weights, activations))
    }
    #[inline(always)]
    fn dot_centred(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        self.dot(sum, weights, activations)
    }
    #[inline(always)]
    fn widen(self, from: &[u8; LANES]) -> Self::I32 {
        // SAFETY: `from` is 16 readable bytes; the load accepts any alignment.
        let bytes = unsafe { _mm_loadu_si128(from.as_ptr().cast()) };
        op!(_mm512_cvtepu8_epi32(bytes))
    }
    #[inline(always)]
    fn widen_signed(self, from: &[u8; LANES]) -> Self::I32 {
        // SAFETY: `from` is 16 readable bytes; the load accepts any alignment.
        let bytes = unsafe { _mm_loadu_si128(from.as_ptr().cast()) };
        op!(_mm512_cvtepi8_epi32(bytes))
    }
    #[inline(always)]
    fn dot_pairs(self, sum: Self::I32, pairs: Self::I32, [low, high]: [i16; 2]) -> Self::I32 {
        let other = self.splat_i32((i32::from(low) & 0xffff) | (i32::from(high) << 16));
        op!(_mm512_dpwssd_epi32(sum, pairs, other))
    }
    #[inline(always)]
    fn pairs(self, low: &[u8; LANES], high: &[u8; LANES]) -> Self::I32 {
        let high = op!(_mm512_slli_epi32::<16>(self.widen(high)));
        op!(_mm512_or_si512(self.widen(low), high))
    }
    #[inline(always)]
    fn run_of_bytes<const M: usize, const N: usize>(
        self,
        sums: &mut [[Self::I32; M]; N],
        codes: [&[[u8; BYTES]; 8]; N],
        activations: &[[[i8; 4]; M]; 8],
    ) {
        if M == 4 && N == 2 {
            let (sums, codes, activations) = two_by_four!(
                sums => &mut Sums, codes => [&[[u8; BYTES]; 8]; 2], activations => &[[[i8; 4]; 4]; 8]
            );
            op!(runs::of_bytes(sums, codes, activations));
        } else {
            super::run_of_bytes(self, sums, codes, activations);
        }
    }
    #[inline(always)]
    fn run_of_nibbles<const M: usize, const N: usize>(
        self,
        sums: Halves<'_, Self::I32, M, N>,
        codes: [&[[u8; BYTES]; 8]; N],
        activations: [&[[[i8; 4]; M]; 8]; 2],
    ) {
        if M == 4 && N == 2 {
            let (sums, codes, activations) = two_by_four!(
                sums => [&mut Sums; 2], codes => [&[[u8; BYTES]; 8]; 2], activations => [&[[[i8; 4]; 4]; 8]; 2]
            );
            op!(runs::of_nibbles(sums, codes, activations));
        } else {
            super::run_of_nibbles(self, sums, codes, activations);
        }
    }
    #[inline(always)]
    fn run_of_five_bits<const M: usize, const N: usize>(
        self,
        sums: Halves<'_, Self::I32, M, N>,
        codes: [&[[u8; BYTES]; 10]; N],
        activations: [&[[[i8; 4]; M]; 8]; 2],
    ) {
        if M == 4 && N == 2 {
            let (sums, codes, activations) = two_by_four!(
                sums => [&mut Sums; 2], codes => [&[[u8; BYTES]; 10]; 2], activations => [&[[[i8; 4]; 4]; 8]; 2]
            );
            op!(runs::of_five_bits(sums, codes, activations));
        } else {
            super::run_of_five_bits(self, sums, codes, activations);
        }
    }
    #[inline(always)]
    fn run_of_six_bits<const M: usize, const N: usize>(
        self,
        sums: Halves<'_, Self::I32, M, N>,
        codes: [&[[u8; BYTES]; 6]; N],
        activations: [&[[[i8; 4]; M]; 4]; 2],
    ) {
        if M == 4 && N == 2 {
            let (sums, codes, activations) = two_by_four!(
                sums => [&mut Sums; 2], codes => [&[[u8; BYTES]; 6]; 2], activations => [&[[[i8; 4]; 4]; 4]; 2]
            );
            op!(runs::of_six_bits(sums, codes, activations));
        } else {
            super::run_of_six_bits(self, sums, codes, activations);
        }
    }
    #[inline(always)]
    fn floats(self, from: &[u8; BYTES]) -> Self::F32 {
        // SAFETY: `from` is 64 readable bytes; the load accepts any alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        // SAFETY: `from` is 32 readable bytes; the load accepts any alignment.
        let halves = unsafe { _mm256_loadu_si256(from.as_ptr().cast()) };
        op!(_mm512_cvtph_ps(halves))
    }
    #[inline(always)]
    fn store_halves(self, x: Self::F32, to: &mut [u8; 2 * LANES]) {
        let halves = op!(_mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x));
        // SAFETY: `to` is 32 writable bytes; the store accepts any alignment.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), halves) };
    }
    #[inline(always)]
    fn upper_halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        // SAFETY: `from` is 32 readable bytes; the load accepts any alignment.
        let halves = unsafe { _mm256_loadu_si256(from.as_ptr().cast()) };
        let bits = op!(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)));
        op!(_mm512_castsi512_ps(bits))
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        op!(_mm512_fmadd_ps(a, b, c))
    }
}
