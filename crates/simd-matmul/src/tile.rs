//! All blocks of sixteen rows, and the loop over them.
//!
//! A tile begins with what scales all its blocks, filled up to a whole line of the cache, and goes on with their codes.

use simd::{Dot, LANES, Level, dispatch};

use crate::activations::{Activations, Group};
use crate::format::{Bytes, BytesWithMinimum, Floats, Halves, Q4K, Q5K, Q6K, Tile, UpperHalves};
use crate::{MatrixError, Weights};

/// Sizes of the tiles of a matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) weights: Weights,
    pub(crate) columns: usize,
    /// Bytes of what scales a tile, filled up.
    scales: usize,
    /// Bytes of the codes of a tile.
    codes: usize,
    /// Bytes of a tile.
    pub(crate) bytes: usize,
}

/// Runs an expression for the tile that a type of weights is kept in.
macro_rules! for_tile {
    ($weights:expr, $T:ident => $body:expr) => {
        match $weights {
            Weights::Q8_0 | Weights::Q4_0 | Weights::Q5_0 => {
                type $T = Bytes;
                $body
            }
            Weights::Q4_1 | Weights::Q5_1 => {
                type $T = BytesWithMinimum;
                $body
            }
            Weights::Q4_K => {
                type $T = Q4K;
                $body
            }
            Weights::Q5_K => {
                type $T = Q5K;
                $body
            }
            Weights::Q6_K => {
                type $T = Q6K;
                $body
            }
            Weights::F16 => {
                type $T = Halves;
                $body
            }
            Weights::BF16 => {
                type $T = UpperHalves;
                $body
            }
            Weights::F32 => {
                type $T = Floats;
                $body
            }
        }
    };
}

impl Layout {
    /// Tiles of rows of `columns`.
    ///
    /// # Errors
    ///
    /// [`MatrixError::Columns`] if these are no whole blocks.
    pub(crate) fn new(weights: Weights, columns: usize) -> Result<Self, MatrixError> {
        let block = weights.grain().columns();
        if columns == 0 || !columns.is_multiple_of(block) {
            return Err(MatrixError::Columns {
                columns,
                block,
                weights,
            });
        }
        let blocks = columns / block;
        let (scales, codes) = for_tile!(weights, T => (T::SCALES, T::CODES));
        let scales = (blocks * scales).next_multiple_of(64);
        Ok(Self {
            weights,
            columns,
            scales,
            codes: blocks * codes,
            bytes: scales + (blocks * codes).next_multiple_of(64),
        })
    }

    /// Bytes of a row in a file.
    pub(crate) const fn row_bytes(&self) -> usize {
        self.columns / self.weights.grain().columns() * self.weights.block_bytes()
    }

    /// Packs up to sixteen rows of a file.
    ///
    /// * `tile`: [`Layout::bytes`] bytes, all zero.
    pub(crate) fn pack(&self, rows: &[u8], tile: &mut [u8]) {
        for_tile!(self.weights, T => self.pack_as::<T>(rows, tile));
    }

    fn pack_as<T: Tile>(&self, rows: &[u8], tile: &mut [u8]) {
        let (scales, codes) = tile.split_at_mut(self.scales);
        for (row, blocks) in rows.chunks_exact(self.row_bytes()).enumerate() {
            let blocks = blocks.chunks_exact(self.weights.block_bytes());
            for (number, (block, codes)) in blocks.zip(codes.chunks_exact_mut(T::CODES)).enumerate() {
                let scales = &mut scales[number * T::SCALES..][..T::SCALES];
                T::pack(self.weights, block, row, scales, codes);
            }
        }
    }

    /// Multiplies tiles with every row of activations.
    ///
    /// * `tiles`: the bytes of consecutive tiles.
    /// * `write`: takes the number of the tile among them, the row of activations, and its product with the 16 rows.
    pub(crate) fn multiply(
        &self,
        tiles: &[u8],
        activations: &Activations,
        mut write: impl FnMut(usize, usize, &[f32; LANES]),
    ) {
        let level: Level = activations.level();
        for_tile!(self.weights, T => dispatch!(level, v => {
            for (number, tile) in tiles.chunks_exact(self.bytes).enumerate() {
                for (first, rows) in activations.groups() {
                    let write = |row: usize, product: &[f32; LANES]| write(number, first + row, product);
                    match rows {
                        8 => self.products::<T, _, 8>(v, tile, activations.group(first), write),
                        4 => self.products::<T, _, 4>(v, tile, activations.group(first), write),
                        2 => self.products::<T, _, 2>(v, tile, activations.group(first), write),
                        _ => self.products::<T, _, 1>(v, tile, activations.group(first), write),
                    }
                }
            }
        }));
    }

    #[inline(always)]
    fn products<T: Tile, V: Dot, const M: usize>(
        &self,
        v: V,
        tile: &[u8],
        group: Group<'_, M>,
        mut write: impl FnMut(usize, &[f32; LANES]),
    ) {
        let (scales, codes) = tile.split_at(self.scales);
        let sums = T::products(v, scales, &codes[..self.codes], group);
        for row in 0..M {
            let mut product = [0.0; LANES];
            v.store(sums[row], &mut product);
            write(row, &product);
        }
    }
}
