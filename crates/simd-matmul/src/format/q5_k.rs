//! Q5_K: Q4_K with a fifth bit for each weight.
//!
//! Two parts of 32 columns are eight vectors of four bits and two of the fifth ones; a vector of these has, from its lowest
//! bit, those of four vectors, first part and second part in turn.

use simd::Dot;

use super::q4_k::Totals;
use super::{K_SCALES, Tile, Weights, each, four, load, pack_k_scales, put};
use crate::activations::Group;

/// Tile of Q5_K.
pub(crate) struct Q5K;

/// Vectors of two parts.
const VECTORS: usize = 10;

impl Tile for Q5K {
    const SCALES: usize = K_SCALES;
    const CODES: usize = 4 * VECTORS * 64;

    fn pack(_: Weights, block: &[u8], row: usize, scales: &mut [u8], codes: &mut [u8]) {
        pack_k_scales(block, row, scales);
        let (fifths, low) = block[16..].split_at(32);
        for part in 0..4 {
            for quad in 0..8 {
                put(codes, part * VECTORS + quad, row, four(low, 32 * part + 4 * quad));
                let fifths = four(fifths, 4 * quad) >> (2 * part) & each(3);
                put(
                    codes,
                    part * VECTORS + 8 + quad / 4,
                    row,
                    fifths << (2 * (quad % 4)),
                );
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
        let pairs = &group.pairs[block * 4..][..4];
        let mut totals = Totals::new(v);
        for part in 0..4 {
            let (mut low, mut high) = ([v.splat_i32(0); M], [v.splat_i32(0); M]);
            for four in 0..2 {
                let fifths = load(v, codes, part * VECTORS + 8 + four);
                macro_rules! step {
                    ($i:literal, $first:literal, $second:literal) => {
                        let quad = four * 4 + $i;
                        let weights = load(v, codes, part * VECTORS + quad);
                        let (first, second) = v.nibbles(weights);
                        let first = v.above::<$first>(first, fifths, 1);
                        let second = v.above::<$second>(second, fifths, 1);
                        let (a, b) = (
                            &activations[part * 16 + quad],
                            &activations[part * 16 + 8 + quad],
                        );
                        for m in 0..M {
                            low[m] = v.dot(low[m], first, a[m]);
                            high[m] = v.dot(high[m], second, b[m]);
                        }
                    };
                }
                step!(0, 0, 1);
                step!(1, 2, 3);
                step!(2, 4, 5);
                step!(3, 6, 7);
            }
            totals.add(v, scales, part, low, high, &pairs[part]);
        }
        totals.finish(v, scales, &group.scales[block], sums);
    }
}
