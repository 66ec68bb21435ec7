//! Sixteen `f32` lanes with the operations that kernels are written in.
//!
//! One file per level; [`scalar`](Scalar) is the definition that the others are tested against.

/// Folds two times eight lanes in the order of [`Vector::reduce_sum`].
#[cfg(target_arch = "x86_64")]
macro_rules! fold_halves {
    ($low:expr, $high:expr, $eight:ident, $four:ident) => {{
        let eight = op!($eight($low, $high));
        let four = op!($four(
            _mm256_castps256_ps128(eight),
            _mm256_extractf128_ps::<1>(eight)
        ));
        let two = op!($four(four, _mm_movehl_ps(four, four)));
        op!(_mm_cvtss_f32($four(two, _mm_shuffle_ps::<1>(two, two))))
    }};
}
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
pub use scalar::Scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Pair;
pub(crate) use scalar::Lanes;

/// Lanes of a vector, at every level.
pub const LANES: usize = 16;

/// 1.5 * 2^23: adding it to a small number rounds that to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

mod sealed {
    /// Only this crate's levels are vectors: their operations must agree bit for bit.
    pub trait Sealed {}
    impl Sealed for super::Scalar {}
    #[cfg(target_arch = "x86_64")]
    impl Sealed for super::Avx2 {}
    #[cfg(target_arch = "x86_64")]
    impl Sealed for super::Avx512 {}
    #[cfg(target_arch = "aarch64")]
    impl Sealed for super::Neon {}
}

/// Operations on 16 lanes; the implementing value proves that the CPU has them.
///
/// Every operation gives the same bits at every level, NaN payloads aside. No operation fuses a
/// product with a sum.
pub trait Vector: Copy + sealed::Sealed + Send + Sync + 'static {
    /// Sixteen `f32`.
    type F32: Copy;
    /// Sixteen `u32`.
    type U32: Copy;
    /// Sixteen truth values.
    type Mask: Copy;

    /// `x` in all lanes.
    fn splat(self, x: f32) -> Self::F32;
    /// Reads 16 numbers; any alignment.
    fn load(self, from: &[f32; LANES]) -> Self::F32;
    /// Writes 16 numbers; any alignment.
    fn store(self, x: Self::F32, to: &mut [f32; LANES]);

    /// `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b`.
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`.
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a > b ? a : b`: `b` where either is NaN or both are zero.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a < b ? a : b`: `b` where either is NaN or both are zero.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `|x|`.
    fn abs(self, x: Self::F32) -> Self::F32;

    /// `a > b`; false where either is NaN.
    fn gt(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a >= b`; false where either is NaN.
    fn ge(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a == b`; false where either is NaN.
    fn eq(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a < b`; false where either is NaN.
    #[inline(always)]
    fn lt(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        self.gt(b, a)
    }
    /// Whether `a` or `b` is NaN.
    fn unordered(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a || b`.
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// No lane.
    fn none(self) -> Self::Mask;
    /// The lanes whose bit is set, lane 0 lowest.
    fn lanes_of(self, bits: u16) -> Self::Mask;
    /// The truth values as bits, lane 0 lowest.
    fn bits(self, mask: Self::Mask) -> u16;
    /// Whether any lane is true.
    #[inline(always)]
    fn any(self, mask: Self::Mask) -> bool {
        self.bits(mask) != 0
    }
    /// `mask ? a : b`.
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `mask ? x : +0`.
    fn keep(self, mask: Self::Mask, x: Self::F32) -> Self::F32;

    /// `x` rounded to an integer, ties to even, twice: as a number, and in the form that [`Vector::scale`] takes. `|x|` must be below
    /// 2^21; lanes where it is not are unspecified.
    fn round(self, x: Self::F32) -> (Self::F32, Self::F32);
    /// `p * 2^n` where `n` is the second result of [`Vector::round`]; `p` must lie in `[0.5, 2]` and the result among the normal
    /// numbers, lanes where they do not are unspecified.
    fn scale(self, p: Self::F32, n: Self::F32) -> Self::F32;

    /// `first + lane` in each lane.
    fn count_from(self, first: u32) -> Self::U32;
    /// Reads 16 integers.
    fn load_u32(self, from: &[u32; LANES]) -> Self::U32;

    /// Writes the true lanes of `x` to the front of `to`, in order, and returns their number. The rest of `to` is left with
    /// unspecified numbers.
    fn compress(self, mask: Self::Mask, x: Self::F32, to: &mut [f32; LANES]) -> usize;
    /// [`Vector::compress`] for integers.
    fn compress_u32(self, mask: Self::Mask, x: Self::U32, to: &mut [u32; LANES]) -> usize;

    /// Sum of all lanes: lane i with lane i + 8, then + 4, + 2, + 1.
    #[inline(always)]
    fn reduce_sum(self, x: Self::F32) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(x, &mut lanes);
        fold(lanes, |a, b| a + b)
    }

    /// Largest lane by compare-and-select, in the order of [`Vector::reduce_sum`].
    #[inline(always)]
    fn reduce_max(self, x: Self::F32) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(x, &mut lanes);
        fold(lanes, |a, b| if a > b { a } else { b })
    }

    /// Smallest lane by compare-and-select, in the order of [`Vector::reduce_sum`].
    #[inline(always)]
    fn reduce_min(self, x: Self::F32) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(x, &mut lanes);
        fold(lanes, |a, b| if a < b { a } else { b })
    }
}

/// Halves 16 numbers four times: i with i + 8, + 4, + 2, + 1.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], op: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        let mut i = 0;
        while i < half {
            lanes[i] = op(lanes[i], lanes[i + half]);
            i += 1;
        }
        half /= 2;
    }
    lanes[0]
}
