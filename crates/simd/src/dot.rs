//! Integer products of quantized weights, 16 rows at a time.
//!
//! A register of a matrix kernel holds one 32-bit sum for each of 16 rows, and a load of 64 bytes brings four columns of
//! each: lane = row, four bytes a lane. Integer sums are exact, so every level has the same; what is then done in `f32`
//! rounds where the scalar definition rounds. [`Dot::mul_add`] is the one fused operation, and it is fused everywhere.
//!
//! A *run* is the loop of a matrix kernel: some vectors of codes that share a scale, times rows of activations.
#![allow(
    clippy::needless_range_loop,
    reason = "kernels count: what the standard library does with arrays is compiled for the baseline where it is not inlined"
)]

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

/// How far ahead of what is multiplied a run asks for memory, in bytes.
pub const AHEAD: usize = 4096;

/// Sums of the weights in the low halves of bytes, and of those in the high ones, each for `N` tiles and `M` rows.
pub type Halves<'a, I32, const M: usize, const N: usize> = [&'a mut [[I32; M]; N]; 2];

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
    /// Whether the registers hold the sums of two tiles of so many rows.
    const TWO_TILES: bool = false;

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

    /// Adds the products of eight vectors of 8-bit codes of each of `N` tiles and `M` rows of activations, as
    /// [`Dot::dot_centred`] does, and asks for the memory ahead of the codes.
    #[inline(always)]
    fn run_of_bytes<const M: usize, const N: usize>(
        self,
        sums: &mut [[Self::I32; M]; N],
        codes: [&[[u8; BYTES]; 8]; N],
        activations: &[[[i8; 4]; M]; 8],
    ) {
        run_of_bytes(self, sums, codes, activations);
    }

    /// Adds the products of the low and the high halves of eight vectors of each of `N` tiles with `M` rows of activations
    /// each, and asks for the memory ahead of the codes.
    #[inline(always)]
    fn run_of_nibbles<const M: usize, const N: usize>(
        self,
        sums: Halves<'_, Self::I32, M, N>,
        codes: [&[[u8; BYTES]; 8]; N],
        activations: [&[[[i8; 4]; M]; 8]; 2],
    ) {
        run_of_nibbles(self, sums, codes, activations);
    }

    /// [`Dot::run_of_nibbles`] with a fifth bit for each weight: two more vectors, of which one has, from its lowest bit, those
    /// of four vectors, low half and high half in turn.
    #[inline(always)]
    fn run_of_five_bits<const M: usize, const N: usize>(
        self,
        sums: Halves<'_, Self::I32, M, N>,
        codes: [&[[u8; BYTES]; 10]; N],
        activations: [&[[[i8; 4]; M]; 8]; 2],
    ) {
        run_of_five_bits(self, sums, codes, activations);
    }

    /// Four vectors as in [`Dot::run_of_nibbles`] with two more bits for each weight: two more vectors, of which one has, from
    /// its lowest bit, those of two vectors, low half and high half in turn.
    #[inline(always)]
    fn run_of_six_bits<const M: usize, const N: usize>(
        self,
        sums: Halves<'_, Self::I32, M, N>,
        codes: [&[[u8; BYTES]; 6]; N],
        activations: [&[[[i8; 4]; M]; 4]; 2],
    ) {
        run_of_six_bits(self, sums, codes, activations);
    }

    /// Asks for the line of the cache that is read some time after these codes.
    #[inline(always)]
    fn ask_ahead(self, codes: &[u8; BYTES]) {
        self.prefetch(codes.as_ptr().wrapping_add(AHEAD));
    }

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

/// [`Dot::run_of_bytes`] on any level.
#[inline(always)]
fn run_of_bytes<V: Dot, const M: usize, const N: usize>(
    v: V,
    sums: &mut [[V::I32; M]; N],
    codes: [&[[u8; BYTES]; 8]; N],
    activations: &[[[i8; 4]; M]; 8],
) {
    for quad in 0..8 {
        for t in 0..N {
            v.ask_ahead(&codes[t][quad]);
            let weights = v.load_bytes(&codes[t][quad]);
            for m in 0..M {
                sums[t][m] = v.dot_centred(sums[t][m], weights, activations[quad][m]);
            }
        }
    }
}

/// Adds the products of both halves.
#[inline(always)]
fn dots<V: Dot, const M: usize>(
    v: V,
    sums: [&mut [V::I32; M]; 2],
    weights: [V::Bytes; 2],
    activations: [&[[i8; 4]; M]; 2],
) {
    for m in 0..M {
        sums[0][m] = v.dot(sums[0][m], weights[0], activations[0][m]);
        sums[1][m] = v.dot(sums[1][m], weights[1], activations[1][m]);
    }
}

/// [`Dot::run_of_nibbles`] on any level.
#[inline(always)]
fn run_of_nibbles<V: Dot, const M: usize, const N: usize>(
    v: V,
    [low, high]: Halves<'_, V::I32, M, N>,
    codes: [&[[u8; BYTES]; 8]; N],
    [a, b]: [&[[[i8; 4]; M]; 8]; 2],
) {
    for t in 0..N {
        for quad in 0..8 {
            v.ask_ahead(&codes[t][quad]);
            let (first, second) = v.nibbles(v.load_bytes(&codes[t][quad]));
            dots(
                v,
                [&mut low[t], &mut high[t]],
                [first, second],
                [&a[quad], &b[quad]],
            );
        }
    }
}

/// [`Dot::run_of_five_bits`] on any level.
#[inline(always)]
fn run_of_five_bits<V: Dot, const M: usize, const N: usize>(
    v: V,
    [low, high]: Halves<'_, V::I32, M, N>,
    codes: [&[[u8; BYTES]; 10]; N],
    [a, b]: [&[[[i8; 4]; M]; 8]; 2],
) {
    for t in 0..N {
        for four in 0..2 {
            v.ask_ahead(&codes[t][8 + four]);
            let fifths = v.load_bytes(&codes[t][8 + four]);
            macro_rules! step {
                ($i:literal, $low:literal, $high:literal) => {
                    let quad = 4 * four + $i;
                    v.ask_ahead(&codes[t][quad]);
                    let (first, second) = v.nibbles(v.load_bytes(&codes[t][quad]));
                    let first = v.above::<$low>(first, fifths, 1);
                    let second = v.above::<$high>(second, fifths, 1);
                    dots(
                        v,
                        [&mut low[t], &mut high[t]],
                        [first, second],
                        [&a[quad], &b[quad]],
                    );
                };
            }
            step!(0, 0, 1);
            step!(1, 2, 3);
            step!(2, 4, 5);
            step!(3, 6, 7);
        }
    }
}

/// [`Dot::run_of_six_bits`] on any level.
#[inline(always)]
fn run_of_six_bits<V: Dot, const M: usize, const N: usize>(
    v: V,
    [low, high]: Halves<'_, V::I32, M, N>,
    codes: [&[[u8; BYTES]; 6]; N],
    [a, b]: [&[[[i8; 4]; M]; 4]; 2],
) {
    for t in 0..N {
        for two in 0..2 {
            v.ask_ahead(&codes[t][4 + two]);
            let above = v.load_bytes(&codes[t][4 + two]);
            macro_rules! step {
                ($i:literal, $low:literal, $high:literal) => {
                    let quad = 2 * two + $i;
                    v.ask_ahead(&codes[t][quad]);
                    let (first, second) = v.nibbles(v.load_bytes(&codes[t][quad]));
                    let first = v.above::<$low>(first, above, 3);
                    let second = v.above::<$high>(second, above, 3);
                    dots(
                        v,
                        [&mut low[t], &mut high[t]],
                        [first, second],
                        [&a[quad], &b[quad]],
                    );
                };
            }
            step!(0, 0, 2);
            step!(1, 4, 6);
        }
    }
}
