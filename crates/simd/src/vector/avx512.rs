//! AVX-512: one register is the whole vector, and masks are registers of their own.
#![allow(
    unsafe_code,
    reason = "intrinsics; the level value proves that the CPU has them"
)]

use std::arch::x86_64::*;

use super::{LANES, Vector};

/// Proof that this CPU has AVX-512 as of Ice Lake; [`Avx512::detect`] is the only constructor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// Looks at the CPU (and at what the system saves on a context switch).
    #[must_use]
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bitalg")
            && is_x86_feature_detected!("avx512vpopcntdq");
        found.then_some(Self(()))
    }

    /// Runs `f` compiled for AVX-512. All that `f` calls must be `#[inline(always)]`.
    #[inline]
    pub fn enable<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(
            enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512ifma,avx512vbmi,avx512vbmi2,avx512vnni,avx512bitalg,avx512vpopcntdq"
        )]
        fn run<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: `self` proves that all these features were detected.
        unsafe { run(f) }
    }
}

/// One intrinsic call.
macro_rules! op {
    ($call:expr) => {{
        // SAFETY: `self` proves that the CPU has this instruction.
        unsafe { $call }
    }};
}

impl Vector for Avx512 {
    type F32 = __m512;
    type U32 = __m512i;
    type Mask = __mmask16;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        op!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        // SAFETY: `from` is 64 readable bytes; the load accepts any alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: Self::F32, to: &mut [f32; LANES]) {
        // SAFETY: `to` is 64 writable bytes; the store accepts any alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        op!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        op!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        op!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        op!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        op!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        op!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        op!(_mm512_abs_ps(x))
    }
    #[inline(always)]
    fn gt(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        op!(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b))
    }
    #[inline(always)]
    fn ge(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        op!(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b))
    }
    #[inline(always)]
    fn eq(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        op!(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b))
    }
    #[inline(always)]
    fn unordered(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        op!(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, b))
    }
    #[inline(always)]
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask {
        a | b
    }
    #[inline(always)]
    fn none(self) -> Self::Mask {
        0
    }
    #[inline(always)]
    fn lanes_of(self, bits: u16) -> Self::Mask {
        bits
    }
    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u16 {
        mask
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32 {
        op!(_mm512_mask_blend_ps(mask, b, a))
    }
    #[inline(always)]
    fn keep(self, mask: Self::Mask, x: Self::F32) -> Self::F32 {
        op!(_mm512_maskz_mov_ps(mask, x))
    }
    #[inline(always)]
    fn round(self, x: Self::F32) -> (Self::F32, Self::F32) {
        let n = op!(_mm512_roundscale_ps::<_MM_FROUND_TO_NEAREST_INT>(x));
        (n, n)
    }
    #[inline(always)]
    fn scale(self, p: Self::F32, n: Self::F32) -> Self::F32 {
        op!(_mm512_scalef_ps(p, n))
    }
    #[inline(always)]
    fn count_from(self, first: u32) -> Self::U32 {
        let lanes = op!(_mm512_setr_epi32(
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        ));
        let first = op!(_mm512_set1_epi32(first as i32));
        op!(_mm512_add_epi32(lanes, first))
    }
    #[inline(always)]
    fn load_u32(self, from: &[u32; LANES]) -> Self::U32 {
        // SAFETY: `from` is 64 readable bytes; the load accepts any alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn compress(self, mask: Self::Mask, x: Self::F32, to: &mut [f32; LANES]) -> usize {
        // In a register and then stored whole: compressing into memory is far slower on Zen 4.
        let packed = op!(_mm512_maskz_compress_ps(mask, x));
        self.store(packed, to);
        mask.count_ones() as usize
    }
    #[inline(always)]
    fn compress_u32(self, mask: Self::Mask, x: Self::U32, to: &mut [u32; LANES]) -> usize {
        let packed = op!(_mm512_maskz_compress_epi32(mask, x));
        // SAFETY: `to` is 64 writable bytes; the store accepts any alignment.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), packed) };
        mask.count_ones() as usize
    }
    #[inline(always)]
    fn reduce_sum(self, x: Self::F32) -> f32 {
        let low = op!(_mm512_castps512_ps256(x));
        let high = op!(_mm512_extractf32x8_ps::<1>(x));
        fold_halves!(low, high, _mm256_add_ps, _mm_add_ps)
    }
    #[inline(always)]
    fn reduce_max(self, x: Self::F32) -> f32 {
        let low = op!(_mm512_castps512_ps256(x));
        let high = op!(_mm512_extractf32x8_ps::<1>(x));
        fold_halves!(low, high, _mm256_max_ps, _mm_max_ps)
    }
    #[inline(always)]
    fn reduce_min(self, x: Self::F32) -> f32 {
        let low = op!(_mm512_castps512_ps256(x));
        let high = op!(_mm512_extractf32x8_ps::<1>(x));
        fold_halves!(low, high, _mm256_min_ps, _mm_min_ps)
    }
}
