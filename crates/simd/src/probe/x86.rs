//! Chains of AVX2 and AVX-512 instructions.
#![allow(
    unsafe_code,
    reason = "intrinsics; the level value proves that the CPU has them"
)]

use std::arch::x86_64::*;

use super::CHAINS;
use crate::{Avx2, Avx512};

/// One intrinsic call.
macro_rules! op {
    ($call:expr) => {{
        // SAFETY: the level value that stands around the call proves that the CPU has this instruction.
        unsafe { $call }
    }};
}

pub(super) fn multiply_add_avx2(v: Avx2, a: f32, b: f32, rounds: u64) -> (u64, f32) {
    v.enable(
        #[inline(always)]
        || {
            let (a, b) = (op!(_mm256_set1_ps(a)), op!(_mm256_set1_ps(b)));
            let mut chains: [__m256; CHAINS] = std::array::from_fn(|chain| op!(_mm256_set1_ps(chain as f32)));
            for _ in 0..rounds {
                for x in &mut chains {
                    *x = op!(_mm256_fmadd_ps(*x, a, b));
                }
            }
            (8, chains.iter().map(|&x| op!(_mm256_cvtss_f32(x))).sum())
        },
    )
}

pub(super) fn multiply_add_avx512(v: Avx512, a: f32, b: f32, rounds: u64) -> (u64, f32) {
    v.enable(
        #[inline(always)]
        || {
            let (a, b) = (op!(_mm512_set1_ps(a)), op!(_mm512_set1_ps(b)));
            let mut chains: [__m512; CHAINS] = std::array::from_fn(|chain| op!(_mm512_set1_ps(chain as f32)));
            for _ in 0..rounds {
                for x in &mut chains {
                    *x = op!(_mm512_fmadd_ps(*x, a, b));
                }
            }
            (16, chains.iter().map(|&x| op!(_mm512_cvtss_f32(x))).sum())
        },
    )
}

/// `vpmaddubsw`, `vpmaddwd`, `vpaddd`: what stands for a dot product where there is no instruction for one.
pub(super) fn dot_i8_avx2(v: Avx2, b: i8, rounds: u64) -> (u64, i32) {
    v.enable(
        #[inline(always)]
        || {
            let (b, ones) = (op!(_mm256_set1_epi8(b)), op!(_mm256_set1_epi16(1)));
            let mut chains: [__m256i; CHAINS] =
                std::array::from_fn(|chain| op!(_mm256_set1_epi32(chain as i32 + 1)));
            for _ in 0..rounds {
                for x in &mut chains {
                    // The product depends on the chain, or it would be taken out of the loop.
                    let pairs = op!(_mm256_maddubs_epi16(*x, b));
                    let quads = op!(_mm256_madd_epi16(pairs, ones));
                    *x = op!(_mm256_add_epi32(*x, quads));
                }
            }
            let lanes = chains.iter().map(|&x| op!(_mm256_cvtsi256_si32(x)));
            (32, lanes.fold(0, i32::wrapping_add))
        },
    )
}

/// `vpdpbusd`.
pub(super) fn dot_i8_avx512(v: Avx512, a: i8, b: i8, rounds: u64) -> (u64, i32) {
    v.enable(
        #[inline(always)]
        || {
            let (a, b) = (op!(_mm512_set1_epi8(a)), op!(_mm512_set1_epi8(b)));
            let mut chains: [__m512i; CHAINS] =
                std::array::from_fn(|chain| op!(_mm512_set1_epi32(chain as i32)));
            for _ in 0..rounds {
                for x in &mut chains {
                    *x = op!(_mm512_dpbusd_epi32(*x, a, b));
                }
            }
            let lanes = chains.iter().map(|&x| op!(_mm512_cvtsi512_si32(x)));
            (64, lanes.fold(0, i32::wrapping_add))
        },
    )
}
