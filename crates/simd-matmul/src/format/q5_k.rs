//! Q5_K: Q4_K with a fifth bit for each weight.
//!
//! Two parts of 32 columns are eight vectors of four bits and two of the fifth ones; a vector of these has, from its lowest
//! bit, those of four vectors, first part and second part in turn.

use simd::Dot;

use super::q4_k::Totals;
use super::{Block, K_SCALES, Tile, Weights, begun, each, each_of, four, pack_k_scales, put, some};
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
            let mut of_part = [0; 2];
            for quad in 0..8 {
                put(codes, part * VECTORS + quad, row, four(low, 32 * part + 4 * quad));
                let fifths = four(fifths, 4 * quad) >> (2 * part) & each(3);
                of_part[quad / 4] |= fifths << (2 * (quad % 4));
            }
            for (four, fifths) in of_part.into_iter().enumerate() {
                put(codes, part * VECTORS + 8 + four, row, fifths);
            }
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
        let mut totals = Totals::new(v, blocks);
        for part in 0..4 {
            let codes = each_of!(blocks, block => block.vectors(VECTORS * part));
            let of_part = 64 * number + 16 * part;
            let activations = [some(group.codes, of_part), some(group.codes, of_part + 8)];
            let mut parts = [begun(v, &[0; M]); 2];
            let [low, high] = &mut parts;
            v.run_of_five_bits([low, high], codes, activations);
            totals.add(v, 2 * part, &parts[0]);
            totals.add(v, 2 * part + 1, &parts[1]);
        }
        totals.finish(v, group, number, sums);
    }
}
