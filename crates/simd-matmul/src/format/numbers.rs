//! Weights that are numbers already, which are multiplied with activations as they are.

use simd::Dot;

use super::{Block, Tile, Weights, bytes};
use crate::activations::Group;

/// F32.
pub(crate) struct Floats;

/// F16.
pub(crate) struct Halves;

/// BF16.
pub(crate) struct UpperHalves;

macro_rules! tile {
    ($tile:ident, $bytes:literal, $v:ident, $codes:ident => $weights:expr) => {
        impl Tile for $tile {
            const SCALES: usize = 0;
            const CODES: usize = 16 * $bytes;

            fn pack(_: Weights, block: &[u8], row: usize, _: &mut [u8], codes: &mut [u8]) {
                codes[$bytes * row..][..$bytes].copy_from_slice(block);
            }

            #[inline(always)]
            fn product<V: Dot, const M: usize, const N: usize>(
                $v: V,
                blocks: [Block<'_>; N],
                group: Group<'_, M>,
                number: usize,
                sums: &mut [[V::F32; M]; N],
            ) {
                let activations = &group.values[number];
                for t in 0..N {
                    let $codes = blocks[t].codes;
                    let weights = $weights;
                    for m in 0..M {
                        sums[t][m] = $v.mul_add(weights, $v.splat(activations[m]), sums[t][m]);
                    }
                }
            }
        }
    };
}

tile!(Halves, 2, v, codes => v.halves(bytes(codes, 0)));
tile!(UpperHalves, 2, v, codes => v.upper_halves(bytes(codes, 0)));
tile!(Floats, 4, v, codes => v.floats(bytes(codes, 0)));
