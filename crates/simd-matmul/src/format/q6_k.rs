//! Q6_K: 256 columns in sixteen parts of 16, each with a signed scale; codes are six bits less 32.
//!
//! Two parts are four vectors of four bits, one in the low and one in the high ones, and two vectors of the bits above: each
//! has, from its lowest bit, those of two vectors, first part and second part in turn.

use simd::Dot;

use super::{Block, Tile, Weights, add_scaled, begun, bytes, each, each_of, four, put, some};
use crate::activations::Group;

/// Tile of Q6_K.
pub(crate) struct Q6K;

/// Bytes of what scales a block: a half of all, and the scales of the parts.
const SCALES: usize = 32 + 256;
/// Vectors of two parts.
const VECTORS: usize = 6;

impl Tile for Q6K {
    const SCALES: usize = SCALES;
    const CODES: usize = 8 * VECTORS * 64;

    fn pack(_: Weights, block: &[u8], row: usize, scales: &mut [u8], to: &mut [u8]) {
        let (low, rest) = block.split_at(128);
        let (high, rest) = rest.split_at(64);
        let (parts, scale) = rest.split_at(16);
        scales[2 * row..][..2].copy_from_slice(scale);
        for (part, scale) in parts.iter().enumerate() {
            scales[32 + 16 * part + row] = *scale;
        }
        // Put together here, so that each word of the tile is written once.
        let mut words = [0; 8 * VECTORS];
        for (pair, words) in words.as_chunks_mut::<VECTORS>().0.iter_mut().enumerate() {
            // The file interleaves four rows of 32 columns in each half.
            let (half, quarter) = (pair / 4, pair % 4);
            for second in 0..2 {
                for quad in 0..4 {
                    let i = 16 * second + 4 * quad;
                    let nibbles =
                        four(low, 64 * half + 32 * (quarter % 2) + i) >> (quarter / 2 * 4) & each(15);
                    words[quad] |= nibbles << (4 * second);
                    let above = four(high, 32 * half + i) >> (2 * quarter) & each(3);
                    words[4 + quad / 2] |= above << (4 * (quad % 2) + 2 * second);
                }
            }
        }
        for (vector, word) in words.into_iter().enumerate() {
            put(to, vector, row, word);
        }
    }

    #[inline(always)]
    fn product<V: Dot, const M: usize, const N: usize>(
        v: V,
        blocks: [Block<'_>; N],
        group: Group<'_, M>,
        number: usize,
        sums: &mut [[V::F32; M]; N],
    ) {
        let mut totals = begun::<V, M, N>(v, &[0; M]);
        let scales = each_of!(blocks, block => some::<SCALES, _>(block.scales, 0));
        for pair in 0..8 {
            let codes = each_of!(blocks, block => block.vectors(VECTORS * pair));
            let centres = some::<2, _>(group.centres, 16 * number + 2 * pair);
            let of_pair = 64 * number + 8 * pair;
            let activations = [some(group.codes, of_pair), some(group.codes, of_pair + 4)];
            let mut parts = [begun(v, &centres[0]), begun(v, &centres[1])];
            let [low, high] = &mut parts;
            v.run_of_six_bits([low, high], codes, activations);
            for t in 0..N {
                for half in 0..2 {
                    let scale = v.widen_signed(bytes(scales[t], 32 + 16 * (2 * pair + half)));
                    add_scaled(v, &parts[half][t], scale, &mut totals[t]);
                }
            }
        }
        for t in 0..N {
            let scale = v.halves(bytes(scales[t], 0));
            for m in 0..M {
                let product = v.mul(v.to_f32(totals[t][m]), scale);
                sums[t][m] = v.mul_add(product, v.splat(group.scales[number][m]), sums[t][m]);
            }
        }
    }
}
