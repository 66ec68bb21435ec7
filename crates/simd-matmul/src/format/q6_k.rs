//! Q6_K: 256 columns in sixteen parts of 16, each with a signed scale; codes are six bits less 32.
//!
//! Two parts are four vectors of four bits, one in the low and one in the high ones, and two vectors of the bits above: each
//! has, from its lowest bit, those of two vectors, first part and second part in turn.

use simd::Dot;

use super::{Tile, Weights, bytes, each, four, load, put, splats};
use crate::activations::Group;

/// Tile of Q6_K.
pub(crate) struct Q6K;

/// Vectors of two parts.
const VECTORS: usize = 6;

impl Tile for Q6K {
    const SCALES: usize = 32 + 256;
    const CODES: usize = 8 * VECTORS * 64;

    fn pack(_: Weights, block: &[u8], row: usize, scales: &mut [u8], to: &mut [u8]) {
        let (low, rest) = block.split_at(128);
        let (high, rest) = rest.split_at(64);
        let (parts, scale) = rest.split_at(16);
        scales[2 * row..][..2].copy_from_slice(scale);
        for (part, scale) in parts.iter().enumerate() {
            scales[32 + 16 * part + row] = *scale;
        }
        for pair in 0..8 {
            // The file interleaves four rows of 32 columns in each half.
            let (half, quarter) = (pair / 4, pair % 4);
            for (second, quad) in [0, 1]
                .into_iter()
                .flat_map(|second| (0..4).map(move |quad| (second, quad)))
            {
                let i = 16 * second + 4 * quad;
                let nibbles = four(low, 64 * half + 32 * (quarter % 2) + i) >> (quarter / 2 * 4) & each(15);
                put(to, pair * VECTORS + quad, row, nibbles << (4 * second));
                let above = four(high, 32 * half + i) >> (2 * quarter) & each(3);
                let shift = 4 * (quad % 2) + 2 * second;
                put(to, pair * VECTORS + 4 + quad / 2, row, above << shift);
            }
        }
    }

    #[inline(always)]
    fn product<V: Dot, const M: usize>(
        v: V,
        scales: &[u8],
        codes: &[u8],
        group: Group<'_, M>,
        block: usize,
        sums: &mut [V::F32; M],
    ) {
        let activations = &group.codes[block * 64..][..64];
        let centres = &group.centres[block * 16..][..16];
        let mut totals = [v.splat_i32(0); M];
        for pair in 0..8 {
            let mut low = splats(v, &centres[2 * pair]);
            let mut high = splats(v, &centres[2 * pair + 1]);
            for two in 0..2 {
                let above = load(v, codes, pair * VECTORS + 4 + two);
                macro_rules! step {
                    ($i:literal, $first:literal, $second:literal) => {
                        let quad = two * 2 + $i;
                        let weights = load(v, codes, pair * VECTORS + quad);
                        let (first, second) = v.nibbles(weights);
                        let first = v.above::<$first>(first, above, 3);
                        let second = v.above::<$second>(second, above, 3);
                        let (a, b) = (
                            &activations[pair * 8 + quad],
                            &activations[pair * 8 + 4 + quad],
                        );
                        for m in 0..M {
                            low[m] = v.dot(low[m], first, a[m]);
                            high[m] = v.dot(high[m], second, b[m]);
                        }
                    };
                }
                step!(0, 0, 2);
                step!(1, 4, 6);
            }
            let first = v.widen_signed(bytes(scales, 32 + 32 * pair));
            let second = v.widen_signed(bytes(scales, 48 + 32 * pair));
            for m in 0..M {
                let sum = v.add_i32(v.mul_i32(low[m], first), v.mul_i32(high[m], second));
                totals[m] = v.add_i32(totals[m], sum);
            }
        }
        let scale = v.halves(bytes(scales, 0));
        for m in 0..M {
            let scale = v.mul(scale, v.splat(group.scales[block][m]));
            sums[m] = v.mul_add(v.to_f32(totals[m]), scale, sums[m]);
        }
    }
}
