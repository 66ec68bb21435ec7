//! Q4_K: 256 columns in eight parts of 32, each with a scale and a minimum.
//!
//! Two parts share their bytes: one has the low four bits, the other the high.

use simd::Dot;

use super::{K_SCALES, Tile, Weights, bytes, four, load, pack_k_scales, put};
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
            for quad in 0..8 {
                let (first, second) = v.nibbles(load(v, codes, part * 8 + quad));
                let (a, b) = (&activations[part * 16 + quad], &activations[part * 16 + 8 + quad]);
                for m in 0..M {
                    low[m] = v.dot(low[m], first, a[m]);
                    high[m] = v.dot(high[m], second, b[m]);
                }
            }
            totals.add(v, scales, part, low, high, &pairs[part]);
        }
        totals.finish(v, scales, &group.scales[block], sums);
    }
}

/// What the parts of a super-block of Q4_K or Q5_K add up to, for each row of a group.
pub(super) struct Totals<V: Dot, const M: usize> {
    products: [V::I32; M],
    minima: [V::I32; M],
}

impl<V: Dot, const M: usize> Totals<V, M> {
    #[inline(always)]
    pub(super) fn new(v: V) -> Self {
        Self {
            products: [v.splat_i32(0); M],
            minima: [v.splat_i32(0); M],
        }
    }

    /// Adds the parts `2 * part` and the one after it.
    ///
    /// * `pairs`: the sums of their activations.
    #[inline(always)]
    pub(super) fn add(
        &mut self,
        v: V,
        scales: &[u8],
        part: usize,
        low: [V::I32; M],
        high: [V::I32; M],
        pairs: &[[i16; 2]; M],
    ) {
        let first = v.widen(bytes(scales, 64 + 32 * part));
        let second = v.widen(bytes(scales, 64 + 32 * part + 16));
        let minima = v.pairs(
            bytes(scales, 192 + 32 * part),
            bytes(scales, 192 + 32 * part + 16),
        );
        for m in 0..M {
            let sum = v.add_i32(v.mul_i32(low[m], first), v.mul_i32(high[m], second));
            self.products[m] = v.add_i32(self.products[m], sum);
            self.minima[m] = v.dot_pairs(self.minima[m], minima, pairs[m]);
        }
    }

    /// Scales the totals and adds them to the sums.
    #[inline(always)]
    pub(super) fn finish(self, v: V, scales: &[u8], by: &[f32; M], sums: &mut [V::F32; M]) {
        let (scale, minimum) = (v.halves(bytes(scales, 0)), v.halves(bytes(scales, 32)));
        for m in 0..M {
            let scale = v.mul(scale, v.splat(by[m]));
            let minimum = v.mul(minimum, v.splat(-by[m]));
            sums[m] = v.mul_add(v.to_f32(self.products[m]), scale, sums[m]);
            sums[m] = v.mul_add(v.to_f32(self.minima[m]), minimum, sums[m]);
        }
    }
}
