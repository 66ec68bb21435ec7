//! AVX2: two registers of eight lanes.
#![allow(
    unsafe_code,
    reason = "intrinsics; the level value proves that the CPU has them"
)]

use std::arch::x86_64::*;

use super::{LANES, ROUND, Vector};

/// Proof that this CPU has AVX2 and the bit-manipulation instructions of its time; [`Avx2::detect`] is the only
/// constructor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// Looks at the CPU (and at what the system saves on a context switch).
    #[must_use]
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        found.then_some(Self(()))
    }

    /// Runs `f` compiled for AVX2. All that `f` calls must be `#[inline(always)]`.
    #[inline]
    pub fn enable<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
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

/// One intrinsic on the low and on the high register.
macro_rules! both {
    ($op:ident, $a:expr) => {
        Pair(op!($op($a.0)), op!($op($a.1)))
    };
    ($op:ident, $a:expr, $b:expr) => {
        Pair(op!($op($a.0, $b.0)), op!($op($a.1, $b.1)))
    };
}

/// Lanes 0 to 7 and 8 to 15.
#[derive(Clone, Copy, Debug)]
pub struct Pair<T>(pub(crate) T, pub(crate) T);

impl Vector for Avx2 {
    type F32 = Pair<__m256>;
    type U32 = Pair<__m256i>;
    type Mask = Pair<__m256>;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        let x = op!(_mm256_set1_ps(x));
        Pair(x, x)
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        let (low, high) = from.split_at(8);
        // SAFETY: `low` is 32 readable bytes; the load accepts any alignment.
        let low = unsafe { _mm256_loadu_ps(low.as_ptr()) };
        // SAFETY: `high` is 32 readable bytes; the load accepts any alignment.
        let high = unsafe { _mm256_loadu_ps(high.as_ptr()) };
        Pair(low, high)
    }
    #[inline(always)]
    fn store(self, x: Self::F32, to: &mut [f32; LANES]) {
        let (low, high) = to.split_at_mut(8);
        // SAFETY: `low` is 32 writable bytes; the store accepts any alignment.
        unsafe { _mm256_storeu_ps(low.as_mut_ptr(), x.0) };
        // SAFETY: `high` is 32 writable bytes; the store accepts any alignment.
        unsafe { _mm256_storeu_ps(high.as_mut_ptr(), x.1) };
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        both!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        both!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        both!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        both!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        both!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        both!(_mm256_min_ps, a, b)
    }
    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        let sign = self.splat(-0.0);
        both!(_mm256_andnot_ps, sign, x)
    }
    #[inline(always)]
    fn gt(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        Pair(
            op!(_mm256_cmp_ps::<_CMP_GT_OQ>(a.0, b.0)),
            op!(_mm256_cmp_ps::<_CMP_GT_OQ>(a.1, b.1)),
        )
    }
    #[inline(always)]
    fn ge(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        Pair(
            op!(_mm256_cmp_ps::<_CMP_GE_OQ>(a.0, b.0)),
            op!(_mm256_cmp_ps::<_CMP_GE_OQ>(a.1, b.1)),
        )
    }
    #[inline(always)]
    fn eq(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        Pair(
            op!(_mm256_cmp_ps::<_CMP_EQ_OQ>(a.0, b.0)),
            op!(_mm256_cmp_ps::<_CMP_EQ_OQ>(a.1, b.1)),
        )
    }
    #[inline(always)]
    fn unordered(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        Pair(
            op!(_mm256_cmp_ps::<_CMP_UNORD_Q>(a.0, b.0)),
            op!(_mm256_cmp_ps::<_CMP_UNORD_Q>(a.1, b.1)),
        )
    }
    #[inline(always)]
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask {
        both!(_mm256_or_ps, a, b)
    }
    #[inline(always)]
    fn none(self) -> Self::Mask {
        self.splat(0.0)
    }
    #[inline(always)]
    fn lanes_of(self, bits: u16) -> Self::Mask {
        let low = op!(_mm256_setr_epi32(
            1,
            1 << 1,
            1 << 2,
            1 << 3,
            1 << 4,
            1 << 5,
            1 << 6,
            1 << 7
        ));
        let high = op!(_mm256_slli_epi32::<8>(low));
        let bits = op!(_mm256_set1_epi32(i32::from(bits)));
        let (weights, bits) = (Pair(low, high), Pair(bits, bits));
        let chosen = both!(_mm256_and_si256, bits, weights);
        let equal = both!(_mm256_cmpeq_epi32, chosen, weights);
        both!(_mm256_castsi256_ps, equal)
    }
    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u16 {
        let low = op!(_mm256_movemask_ps(mask.0));
        let high = op!(_mm256_movemask_ps(mask.1));
        (low | (high << 8)) as u16
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32 {
        Pair(
            op!(_mm256_blendv_ps(b.0, a.0, mask.0)),
            op!(_mm256_blendv_ps(b.1, a.1, mask.1)),
        )
    }
    #[inline(always)]
    fn keep(self, mask: Self::Mask, x: Self::F32) -> Self::F32 {
        both!(_mm256_and_ps, mask, x)
    }
    #[inline(always)]
    fn round(self, x: Self::F32) -> (Self::F32, Self::F32) {
        let shifted = self.add(x, self.splat(ROUND));
        (self.sub(shifted, self.splat(ROUND)), shifted)
    }
    #[inline(always)]
    fn scale(self, p: Self::F32, shifted: Self::F32) -> Self::F32 {
        let p = both!(_mm256_castps_si256, p);
        let exponent = both!(_mm256_castps_si256, shifted);
        let exponent = Pair(
            op!(_mm256_slli_epi32::<23>(exponent.0)),
            op!(_mm256_slli_epi32::<23>(exponent.1)),
        );
        let sum = both!(_mm256_add_epi32, p, exponent);
        both!(_mm256_castsi256_ps, sum)
    }
    #[inline(always)]
    fn count_from(self, first: u32) -> Self::U32 {
        let low = op!(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        let high = op!(_mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15));
        let first = op!(_mm256_set1_epi32(first as i32));
        let (lanes, first) = (Pair(low, high), Pair(first, first));
        both!(_mm256_add_epi32, lanes, first)
    }
    #[inline(always)]
    fn load_u32(self, from: &[u32; LANES]) -> Self::U32 {
        let (low, high) = from.split_at(8);
        // SAFETY: `low` is 32 readable bytes; the load accepts any alignment.
        let low = unsafe { _mm256_loadu_si256(low.as_ptr().cast()) };
        // SAFETY: `high` is 32 readable bytes; the load accepts any alignment.
        let high = unsafe { _mm256_loadu_si256(high.as_ptr().cast()) };
        Pair(low, high)
    }
    #[inline(always)]
    fn compress(self, mask: Self::Mask, x: Self::F32, to: &mut [f32; LANES]) -> usize {
        let x = both!(_mm256_castps_si256, x);
        let (packed, low, total) = self.pack(mask, x);
        let packed = both!(_mm256_castsi256_ps, packed);
        // SAFETY: `to` is 64 writable bytes, of which the first 32 are written.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), packed.0) };
        // SAFETY: at most 8 lanes were kept before, so 32 bytes from there are within `to`.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr().wrapping_add(low), packed.1) };
        total
    }
    #[inline(always)]
    fn compress_u32(self, mask: Self::Mask, x: Self::U32, to: &mut [u32; LANES]) -> usize {
        let (packed, low, total) = self.pack(mask, x);
        // SAFETY: `to` is 64 writable bytes, of which the first 32 are written.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), packed.0) };
        // SAFETY: at most 8 lanes were kept before, so 32 bytes from there are within `to`.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().wrapping_add(low).cast(), packed.1) };
        total
    }
    #[inline(always)]
    fn reduce_sum(self, x: Self::F32) -> f32 {
        let Pair(low, high) = x;
        fold_halves!(low, high, _mm256_add_ps, _mm_add_ps)
    }
    #[inline(always)]
    fn reduce_max(self, x: Self::F32) -> f32 {
        let Pair(low, high) = x;
        fold_halves!(low, high, _mm256_max_ps, _mm_max_ps)
    }
    #[inline(always)]
    fn reduce_min(self, x: Self::F32) -> f32 {
        let Pair(low, high) = x;
        fold_halves!(low, high, _mm256_min_ps, _mm_min_ps)
    }
}

impl Avx2 {
    /// Each register's true lanes moved to its front; how many the low one has, and both.
    #[inline(always)]
    fn pack(self, mask: Pair<__m256>, x: Pair<__m256i>) -> (Pair<__m256i>, usize, usize) {
        let bits = self.bits(mask);
        let (low, high) = (usize::from(bits & 0xff), usize::from(bits >> 8));
        let order = Pair(self.order(low), self.order(high));
        let packed = both!(_mm256_permutevar8x32_epi32, x, order);
        (packed, low.count_ones() as usize, bits.count_ones() as usize)
    }

    /// Lane numbers of the set bits, first ones first.
    #[inline(always)]
    fn order(self, bits: usize) -> __m256i {
        // SAFETY: the entry is 8 readable bytes, which is what this load reads.
        let bytes = unsafe { _mm_loadl_epi64(ORDER[bits & 0xff].as_ptr().cast()) };
        op!(_mm256_cvtepu8_epi32(bytes))
    }
}

/// For each set of 8 lanes the numbers of its members in order.
static ORDER: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut lane, mut len) = (0, 0);
        while lane < 8 {
            if bits >> lane & 1 == 1 {
                table[bits][len] = lane;
                len += 1;
            }
            lane += 1;
        }
        bits += 1;
    }
    table
};
