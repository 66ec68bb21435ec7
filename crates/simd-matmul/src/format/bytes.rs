//! Eight-bit codes with a scale for 32 columns, and perhaps a minimum: Q8_0, and what fits into it exactly.
//!
//! Codes are kept with 128 added, which is how `vpdpbusd` takes them.

use std::array;

use simd::Dot;

use super::{Block, Tile, Weights, begun, bytes, each_of, four, put, some};
use crate::activations::Group;

/// Q8_0, Q4_0, Q5_0, IQ4_NL.
pub(crate) struct Bytes;

/// Q4_1, Q5_1.
pub(crate) struct BytesWithMinimum;

/// What the four bits of IQ4_NL stand for: dense around zero.
const NON_LINEAR: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/// 32 codes of a block of a file, with 128 added, and where its scales end.
fn codes(weights: Weights, block: &[u8]) -> ([u8; 32], usize) {
    let (scales, high) = match weights {
        Weights::Q8_0 => return (array::from_fn(|i| block[2 + i] ^ 128), 2),
        Weights::Q4_1 => (4, None),
        Weights::Q5_0 => (2, Some(2)),
        Weights::Q5_1 => (4, Some(4)),
        _ => (2, None),
    };
    let low = scales + if high.is_some() { 4 } else { 0 };
    // What the file's code is above the weight, in units of the scale.
    let centre = match weights {
        Weights::Q4_0 => 8,
        Weights::Q5_0 => 16,
        _ => 0,
    };
    let codes = array::from_fn(|i| {
        let byte = block[low + i % 16];
        let nibble = if i < 16 { byte & 15 } else { byte >> 4 };
        let fifth = high.map_or(0, |at| block[at + i / 8] >> (i % 8) & 1);
        match weights {
            Weights::IQ4_NL => NON_LINEAR[usize::from(nibble)] as u8 ^ 128,
            _ => nibble + (fifth << 4) + 128 - centre,
        }
    });
    (codes, scales)
}

fn pack_codes(codes: [u8; 32], row: usize, to: &mut [u8]) {
    for quad in 0..8 {
        put(to, quad, row, four(&codes, 4 * quad));
    }
}

/// Integer products of a block of each tile with each row of the group.
#[inline(always)]
fn integers<V: Dot, const M: usize, const N: usize>(
    v: V,
    blocks: &[Block<'_>; N],
    group: Group<'_, M>,
    number: usize,
) -> [[V::I32; M]; N] {
    let mut sums = begun(v, &group.centres[number]);
    let codes = each_of!(blocks, block => block.vectors::<8>(0));
    v.run_of_bytes(&mut sums, codes, some(group.codes, 8 * number));
    sums
}

impl Tile for Bytes {
    const SCALES: usize = 32;
    const CODES: usize = 512;

    fn pack(weights: Weights, block: &[u8], row: usize, scales: &mut [u8], to: &mut [u8]) {
        let (codes, _) = codes(weights, block);
        scales[2 * row..][..2].copy_from_slice(&block[..2]);
        pack_codes(codes, row, to);
    }

    #[inline(always)]
    fn product<V: Dot, const M: usize, const N: usize>(
        v: V,
        blocks: [Block<'_>; N],
        group: Group<'_, M>,
        number: usize,
        sums: &mut [[V::F32; M]; N],
    ) {
        {
            let integers = integers(v, &blocks, group, number);
            let by = &group.scales[number];
            for t in 0..N {
                let scale = v.halves(bytes(blocks[t].scales, 0));
                for m in 0..M {
                    let product = v.mul(v.to_f32(integers[t][m]), scale);
                    sums[t][m] = v.mul_add(product, v.splat(by[m]), sums[t][m]);
                }
            }
        }
    }
}

impl Tile for BytesWithMinimum {
    const SCALES: usize = 64;
    const CODES: usize = 512;

    fn pack(weights: Weights, block: &[u8], row: usize, scales: &mut [u8], to: &mut [u8]) {
        let (codes, _) = codes(weights, block);
        scales[2 * row..][..2].copy_from_slice(&block[..2]);
        scales[32 + 2 * row..][..2].copy_from_slice(&block[2..4]);
        pack_codes(codes, row, to);
    }

    #[inline(always)]
    fn product<V: Dot, const M: usize, const N: usize>(
        v: V,
        blocks: [Block<'_>; N],
        group: Group<'_, M>,
        number: usize,
        sums: &mut [[V::F32; M]; N],
    ) {
        {
            let integers = integers(v, &blocks, group, number);
            let by = &group.scales[number];
            for t in 0..N {
                let scales = blocks[t].scales;
                let (scale, minimum) = (v.halves(bytes(scales, 0)), v.halves(bytes(scales, 32)));
                for m in 0..M {
                    let product = v.mul(v.to_f32(integers[t][m]), scale);
                    sums[t][m] = v.mul_add(product, v.splat(by[m]), sums[t][m]);
                    sums[t][m] = v.mul_add(minimum, v.splat(group.sums[number][m]), sums[t][m]);
                }
            }
        }
    }
}
