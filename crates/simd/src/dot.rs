//! Integer products of quantized weights, 16 rows at a time.
//!
//! A register of a matrix kernel holds one 32-bit sum for each of 16 rows, and a load of 64 bytes brings four columns of
//! each: lane = row, four bytes a lane. Integer sums are exact, so every level has the same; what is then done in `f32`
//! rounds where the scalar definition rounds. [`Dot::mul_add`] is the one fused operation, and it is fused everywhere.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::vector::{LANES, Vector};

/// Bytes of a vector of weights: four columns of 16 rows.
pub const BYTES: usize = 4 * LANES;

/// Integer operations on 16 lanes; the implementing value proves that the CPU has them.
pub trait Dot: Vector {
    /// Sixteen `i32`.
    type I32: Copy;
    /// Sixty-four `u8`, four a lane.
    type Bytes: Copy;

    /// How far [`Dot::dot_centred`] is from the product of centred weights, per unit of the sum of activations.
    const OFFSET: i32;
    /// Activation rows whose sums fit the registers beside the weights.
    const ROWS: usize;

    /// Asks for the line of the cache that this address lies in, if there is one; does not wait for it.
    #[inline(always)]
    fn prefetch(self, _: *const u8) {}

    /// `x` in all lanes.
    fn splat_i32(self, x: i32) -> Self::I32;
    /// `a + b`, wrapping.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a * b`, wrapping.
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The nearest number, ties to even.
    fn to_f32(self, x: Self::I32) -> Self::F32;

    /// Reads 64 bytes; any alignment.
    fn load_bytes(self, from: &[u8; BYTES]) -> Self::Bytes;
    /// The low and the high four bits of each byte.
    fn nibbles(self, x: Self::Bytes) -> (Self::Bytes, Self::Bytes);
    /// `low | ((bits >> SHIFT) & mask) << 4` of each byte: more bits above four.
    ///
    /// `SHIFT` is below 8, and `mask` the bits that one weight has in `bits`: 1 or 3.
    fn above<const SHIFT: u32>(self, low: Self::Bytes, bits: Self::Bytes, mask: u8) -> Self::Bytes;

    /// Adds to each lane the product of its four weights with four activations.
    ///
    /// * `weights`: each below 128.
    /// * `activations`: four `i8` as they lie in memory, none of them -128.
    fn dot(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32;
    /// [`Dot::dot`] of weights that are kept with 128 added: each lane gains the product of `weight - 128`, and
    /// [`Dot::OFFSET`] times the sum of the activations, which the caller takes away again.
    fn dot_centred(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32;
    /// Sixteen bytes as numbers.
    fn widen(self, from: &[u8; LANES]) -> Self::I32;
    /// Sixteen bytes as numbers with a sign.
    fn widen_signed(self, from: &[u8; LANES]) -> Self::I32;
    /// Adds to each lane the product of its two 16-bit numbers with two others.
    ///
    /// * `pairs`: two `i16` a lane.
    fn dot_pairs(self, sum: Self::I32, pairs: Self::I32, other: [i16; 2]) -> Self::I32;
    /// Sixteen bytes as the low, sixteen others as the high 16 bits of the lanes.
    fn pairs(self, low: &[u8; LANES], high: &[u8; LANES]) -> Self::I32;

    /// Sixteen single-precision numbers, as their bytes say (little endian).
    fn floats(self, from: &[u8; BYTES]) -> Self::F32;
    /// Sixteen half-precision numbers, as the bits of their bytes say (little endian).
    fn halves(self, from: &[u8; 2 * LANES]) -> Self::F32;
    /// Writes sixteen numbers as half-precision ones, rounded to the nearest, ties to even; too large ones become infinite.
    fn store_halves(self, x: Self::F32, to: &mut [u8; 2 * LANES]);
    /// Sixteen numbers of which only the upper 16 bits are kept, little endian (bfloat16).
    fn upper_halves(self, from: &[u8; 2 * LANES]) -> Self::F32;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
}
