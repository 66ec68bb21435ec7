//! The types of weights: how a file holds them, and how a tile does.
//!
//! One file per tile; [`Tile::product`] is the kernel.

mod bytes;
mod numbers;
mod q4_k;
mod q5_k;
mod q6_k;

use std::fmt;

use simd::{BYTES, Dot};

use crate::Grain;
use crate::activations::Group;

pub(crate) use bytes::{Bytes, BytesWithMinimum};
pub(crate) use numbers::{Floats, Halves, UpperHalves};
pub(crate) use q4_k::Q4K;
pub(crate) use q5_k::Q5K;
pub(crate) use q6_k::Q6K;

/// A type of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the names that GGML gives them")]
#[non_exhaustive]
pub enum Weights {
    /// 4 bits less 8, a scale for 32.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32.
    Q4_1,
    /// 5 bits less 16, a scale for 32.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32.
    Q5_1,
    /// 8 bits, a scale for 32.
    Q8_0,
    /// 4 bits that choose from a table of 8-bit values, a scale for 32.
    IQ4_NL,
    /// 4 bits, 6-bit scales and minima for 32, their scales for 256.
    Q4_K,
    /// 5 bits, 6-bit scales and minima for 32, their scales for 256.
    Q5_K,
    /// 6 bits less 32, 8-bit scales for 16, their scale for 256.
    Q6_K,
    /// Half-precision numbers.
    F16,
    /// The upper halves of single-precision numbers.
    BF16,
    /// Single-precision numbers.
    F32,
}

impl Weights {
    /// Every type.
    pub const ALL: [Self; 12] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::IQ4_NL,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::F16,
        Self::BF16,
        Self::F32,
    ];

    /// The blocks that activations need to be in.
    #[must_use]
    pub const fn grain(self) -> Grain {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::IQ4_NL => Grain::Block,
            Self::Q4_K | Self::Q5_K | Self::Q6_K => Grain::SuperBlock,
            Self::F16 | Self::BF16 | Self::F32 => Grain::Number,
        }
    }

    /// Bytes of a block in a file.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 | Self::IQ4_NL => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Sixteen rows of one block of columns, with lane = row.
pub(crate) trait Tile {
    /// Bytes of what scales the codes of a block.
    const SCALES: usize;
    /// Bytes of the codes of a block.
    const CODES: usize;
    /// Blocks whose scales fill whole lines of the cache.
    const RUN: usize = {
        let mut run = 1;
        while !(run * Self::SCALES).is_multiple_of(64) {
            run *= 2;
        }
        run
    };

    /// Writes one row's block of a file.
    ///
    /// * `scales`, `codes`: [`Tile::SCALES`] and [`Tile::CODES`] bytes that are zero for this row.
    fn pack(weights: Weights, block: &[u8], row: usize, scales: &mut [u8], codes: &mut [u8]);

    /// Adds the products of `N` tiles' blocks with the group's block number `number` to the sums.
    fn product<V: Dot, const M: usize, const N: usize>(
        v: V,
        blocks: [Block<'_>; N],
        group: Group<'_, M>,
        number: usize,
        sums: &mut [[V::F32; M]; N],
    );
}

/// A block of a tile.
#[derive(Clone, Copy, Default)]
pub(crate) struct Block<'a> {
    /// [`Tile::SCALES`] bytes.
    pub(crate) scales: &'a [u8],
    /// [`Tile::CODES`] bytes.
    pub(crate) codes: &'a [u8],
}

impl<'a> Block<'a> {
    /// `C` vectors of codes from vector `at` on.
    #[inline(always)]
    fn vectors<const C: usize>(self, at: usize) -> &'a [[u8; BYTES]; C] {
        some(self.codes.as_chunks().0, at)
    }
}

/// Puts four columns of a row into a vector of 64 bytes.
#[inline(always)]
fn put(codes: &mut [u8], vector: usize, row: usize, four: u32) {
    if let Some(to) = codes
        .get_mut(BYTES * vector + 4 * row..)
        .and_then(<[u8]>::first_chunk_mut)
    {
        *to = four.to_le_bytes();
    }
}

/// Four bytes of a block.
fn four(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes(block, at))
}

/// `bits` in each of four bytes.
const fn each(bits: u8) -> u32 {
    u32::from_le_bytes([bits; 4])
}

/// Scales and minima of the eight parts of a super-block of Q4_K or Q5_K, six bits each in twelve bytes.
fn six_bits(packed: &[u8]) -> [(u8, u8); 8] {
    std::array::from_fn(|i| match i {
        0..4 => (packed[i] & 63, packed[i + 4] & 63),
        _ => (
            (packed[i + 4] & 15) | (packed[i - 4] >> 6 << 4),
            (packed[i + 4] >> 4) | (packed[i] >> 6 << 4),
        ),
    })
}

/// The scales of a tile of Q4_K or Q5_K: halves of all scales, of all minima, eight times the 6-bit scales and minima.
const K_SCALES: usize = 64 + 256;

/// Writes what scales one row's block of Q4_K or Q5_K, whose first 16 bytes are the same.
fn pack_k_scales(block: &[u8], row: usize, scales: &mut [u8]) {
    scales[2 * row..][..2].copy_from_slice(&block[..2]);
    scales[32 + 2 * row..][..2].copy_from_slice(&block[2..4]);
    for (i, (scale, minimum)) in six_bits(&block[4..16]).into_iter().enumerate() {
        scales[64 + 16 * i + row] = scale;
        scales[192 + 16 * i + row] = minimum;
    }
}

/// Sums for each row of `N` tiles and each row of a group that begin with the same number for all lanes.
#[inline(always)]
fn begun<V: Dot, const M: usize, const N: usize>(v: V, numbers: &[i32; M]) -> [[V::I32; M]; N] {
    let mut all = [[v.splat_i32(0); M]; N];
    for t in 0..N {
        for m in 0..M {
            all[t][m] = v.splat_i32(numbers[m]);
        }
    }
    all
}

/// `to += sums * scale`.
#[inline(always)]
fn add_scaled<V: Dot, const M: usize>(v: V, sums: &[V::I32; M], scale: V::I32, to: &mut [V::I32; M]) {
    for m in 0..M {
        to[m] = v.add_i32(to[m], v.mul_i32(sums[m], scale));
    }
}

/// What stands for each of `N` tiles. No closure: it would be compiled for the baseline where it is not inlined.
macro_rules! each_of {
    ($tiles:ident, $tile:ident => $of_tile:expr) => {{
        let mut all = [{
            let $tile = $tiles[0];
            $of_tile
        }; N];
        for t in 1..N {
            let $tile = $tiles[t];
            all[t] = $of_tile;
        }
        all
    }};
}
use each_of;

/// `C` entries from number `at` on. One look at the bounds, and none while they are used.
#[inline(always)]
fn some<const C: usize, T>(from: &[T], at: usize) -> &[T; C] {
    let Some(entries) = from.get(at..).and_then(<[T]>::first_chunk) else {
        unreachable!("tiles and groups have all their parts")
    };
    entries
}

/// Bytes of a tile or of a block.
#[inline(always)]
fn bytes<const N: usize>(from: &[u8], at: usize) -> &[u8; N] {
    let Some(bytes) = from.get(at..).and_then(<[u8]>::first_chunk) else {
        unreachable!("tiles and blocks have all their parts")
    };
    bytes
}
