//! The definition of every operation.

use std::array;

use super::{BYTES, Dot};
use crate::vector::{LANES, Lanes, Scalar};

impl Dot for Scalar {
    type I32 = Lanes<i32>;
    type Bytes = [[u8; 4]; LANES];

    const OFFSET: i32 = 0;
    const ROWS: usize = 1;

    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I32 {
        Lanes([x; LANES])
    }
    #[inline(always)]
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        Lanes(array::from_fn(|i| a.0[i].wrapping_add(b.0[i])))
    }
    #[inline(always)]
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        Lanes(array::from_fn(|i| a.0[i].wrapping_mul(b.0[i])))
    }
    #[inline(always)]
    fn to_f32(self, x: Self::I32) -> Self::F32 {
        Lanes(x.0.map(|x| x as f32))
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; BYTES]) -> Self::Bytes {
        array::from_fn(|i| array::from_fn(|k| from[4 * i + k]))
    }
    #[inline(always)]
    fn nibbles(self, x: Self::Bytes) -> (Self::Bytes, Self::Bytes) {
        (
            x.map(|lane| lane.map(|b| b & 15)),
            x.map(|lane| lane.map(|b| b >> 4)),
        )
    }
    #[inline(always)]
    fn above<const SHIFT: u32>(self, low: Self::Bytes, bits: Self::Bytes, mask: u8) -> Self::Bytes {
        array::from_fn(|i| array::from_fn(|k| low[i][k] | (((bits[i][k] >> SHIFT) & mask) << 4)))
    }
    #[inline(always)]
    fn dot(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        Lanes(array::from_fn(|i| {
            let products: [i32; 4] = array::from_fn(|k| i32::from(weights[i][k]) * i32::from(activations[k]));
            sum.0[i].wrapping_add(products.iter().sum())
        }))
    }
    #[inline(always)]
    fn dot_centred(self, sum: Self::I32, weights: Self::Bytes, activations: [i8; 4]) -> Self::I32 {
        Lanes(array::from_fn(|i| {
            let products: [i32; 4] =
                array::from_fn(|k| (i32::from(weights[i][k]) - 128) * i32::from(activations[k]));
            sum.0[i].wrapping_add(products.iter().sum())
        }))
    }
    #[inline(always)]
    fn widen(self, from: &[u8; LANES]) -> Self::I32 {
        Lanes(from.map(i32::from))
    }
    #[inline(always)]
    fn widen_signed(self, from: &[u8; LANES]) -> Self::I32 {
        Lanes(from.map(|x| i32::from(x as i8)))
    }
    #[inline(always)]
    fn dot_pairs(self, sum: Self::I32, pairs: Self::I32, other: [i16; 2]) -> Self::I32 {
        let [first, second] = other.map(i32::from);
        Lanes(array::from_fn(|i| {
            let (low, high) = (i32::from(pairs.0[i] as i16), pairs.0[i] >> 16);
            sum.0[i].wrapping_add(low * first).wrapping_add(high * second)
        }))
    }
    #[inline(always)]
    fn pairs(self, low: &[u8; LANES], high: &[u8; LANES]) -> Self::I32 {
        Lanes(array::from_fn(|i| i32::from(low[i]) | (i32::from(high[i]) << 16)))
    }
    #[inline(always)]
    fn floats(self, from: &[u8; BYTES]) -> Self::F32 {
        let (numbers, _) = from.as_chunks::<4>();
        Lanes(array::from_fn(|i| f32::from_le_bytes(numbers[i])))
    }
    #[inline(always)]
    fn halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        Lanes(array::from_fn(|i| {
            half(u16::from_le_bytes([from[2 * i], from[2 * i + 1]]))
        }))
    }
    #[inline(always)]
    fn store_halves(self, x: Self::F32, to: &mut [u8; 2 * LANES]) {
        for (x, to) in x.0.into_iter().zip(to.as_chunks_mut::<2>().0) {
            *to = to_half(x).to_le_bytes();
        }
    }
    #[inline(always)]
    fn upper_halves(self, from: &[u8; 2 * LANES]) -> Self::F32 {
        Lanes(array::from_fn(|i| {
            f32::from_bits(u32::from_le_bytes([0, 0, from[2 * i], from[2 * i + 1]]))
        }))
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        Lanes(array::from_fn(|i| a.0[i].mul_add(b.0[i], c.0[i])))
    }
}

/// A half-precision number; every one of them is a single-precision number too.
#[inline(always)]
pub(super) fn half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    // The exponents' biases differ by 112: the product shifts one to the other, subnormals included.
    let number = f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23);
    let special = u32::from(bits & 0x7c00 == 0x7c00).wrapping_neg() & 0x7f80_0000;
    f32::from_bits(number.to_bits() | special | sign)
}

/// The nearest half-precision number, ties to even; a NaN stays one.
#[inline(always)]
pub(super) fn to_half(x: f32) -> u16 {
    let sign = (x.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let half = if magnitude > 0x7f80_0000 {
        // Quiet, with the upper bits of its payload.
        0x7e00 | (magnitude >> 13 & 0x3ff)
    } else if magnitude >= 0x4780_0000 {
        0x7c00
    } else if magnitude < 0x3880_0000 {
        // Below the normal numbers: adding a half moves the last place of the result to the last place of the sum.
        (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5f32.to_bits()
    } else {
        // The exponent's bias changes by 112; half of the place below the last is added, less one where that is even.
        (magnitude - (112 << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13
    };
    half as u16 | sign
}
