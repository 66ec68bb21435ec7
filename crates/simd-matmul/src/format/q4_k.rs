//! Q4_K: 256 columns in eight parts of 32, each with a scale and a minimum.
//!
//! Two parts share their bytes: one has the low four bits, the other the high.

use simd::Dot;

use super::{
    Block, K_SCALES, Tile, Weights, add_scaled, begun, bytes, each_of, four, pack_k_scales, put, some,
};
use crate::activations::Group;

/// Tile of Q4_K.
pub(crate) struct Q4K;

impl Tile for Q4K {
    const SCALES: usize = K_SCALES;
    const CODES: usize = 2048;

    fn pack(_: Weights, block: &[u8], row: usize, scales: &mut [u8], codes: &mut [u8]) {
        pack_k_scales(block, row, scales);
        // The file pairs parts in the same way.
        for quad in 0..32 {
            put(codes, quad, row, four(block, 16 + 4 * quad));
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
            let codes = each_of!(blocks, block => block.vectors(8 * part));
            let of_part = 64 * number + 16 * part;
            let activations = [some(group.codes, of_part), some(group.codes, of_part + 8)];
            let mut parts = [begun(v, &[0; M]); 2];
            let [low, high] = &mut parts;
            v.run_of_nibbles([low, high], codes, activations);
            totals.add(v, 2 * part, &parts[0]);
            totals.add(v, 2 * part + 1, &parts[1]);
        }
        totals.finish(v, group, number, sums);
    }
}

/// What the parts of a super-block of Q4_K or Q5_K add up to, for each tile and each row of a group.
pub(super) struct Totals<'a, V: Dot, const M: usize, const N: usize> {
    scales: [&'a [u8; K_SCALES]; N],
    products: [[V::I32; M]; N],
}

impl<'a, V: Dot, const M: usize, const N: usize> Totals<'a, V, M, N> {
    #[inline(always)]
    pub(super) fn new(v: V, blocks: [Block<'a>; N]) -> Self {
        Self {
            scales: each_of!(blocks, block => some(block.scales, 0)),
            products: begun(v, &[0; M]),
        }
    }

    /// Adds the products of a part.
    #[inline(always)]
    pub(super) fn add(&mut self, v: V, part: usize, sums: &[[V::I32; M]; N]) {
        for t in 0..N {
            let scale = v.widen(bytes(self.scales[t], 64 + 16 * part));
            add_scaled(v, &sums[t], scale, &mut self.products[t]);
        }
    }

    /// Scales the totals and takes the minima away: `sums += (products * scale - minima * minimum) * by`, where the minima are
    /// multiplied with the sums of their parts' activations.
    #[inline(always)]
    pub(super) fn finish(&self, v: V, group: Group<'_, M>, number: usize, sums: &mut [[V::F32; M]; N]) {
        let by = &group.scales[number];
        let pairs: &[[[i16; 2]; M]; 4] = some(group.pairs, 4 * number);
        for t in 0..N {
            let (scales, products, sums) = (self.scales[t], &self.products[t], &mut sums[t]);
            let (scale, minimum) = (v.halves(bytes(scales, 0)), v.halves(bytes(scales, 32)));
            let minimum = v.mul(minimum, v.splat(-1.0));
            let mut minima = [v.splat_i32(0); 4];
            for pair in 0..4 {
                let at = 192 + 32 * pair;
                minima[pair] = v.pairs(bytes(scales, at), bytes(scales, at + 16));
            }
            for m in 0..M {
                let mut of_row = v.splat_i32(0);
                for pair in 0..4 {
                    of_row = v.dot_pairs(of_row, minima[pair], pairs[pair][m]);
                }
                let product = v.mul(v.to_f32(products[m]), scale);
                let product = v.mul_add(v.to_f32(of_row), minimum, product);
                sums[m] = v.mul_add(product, v.splat(by[m]), sums[m]);
            }
        }
    }
}
