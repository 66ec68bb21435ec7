//! All blocks of sixteen rows, and the loop over them.
//!
//! A tile is a row of runs: what scales some blocks, as many as fill whole lines of the cache, and then their codes. So a
//! product reads memory from the first byte to the last.

use simd::{Dot, LANES, Level, dispatch};

use crate::activations::{Activations, Group};
use crate::format::{Bytes, BytesWithMinimum, Floats, Halves, Q4K, Q5K, Q6K, Tile, UpperHalves};
use crate::{MatrixError, Weights};

/// Sizes of the tiles of a matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) weights: Weights,
    pub(crate) columns: usize,
    /// Blocks of a row.
    blocks: usize,
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
        let bytes = for_tile!(weights, T => runs::<T>(blocks).map(|(blocks, scales)| scales + blocks * T::CODES).sum());
        Ok(Self {
            weights,
            columns,
            blocks,
            bytes: usize::next_multiple_of(bytes, 64),
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
        let size = self.weights.block_bytes();
        let (mut first, mut rest) = (0, tile);
        for (blocks, scales) in runs::<T>(self.blocks) {
            let (run, after) = rest.split_at_mut(scales + blocks * T::CODES);
            let (scales, codes) = run.split_at_mut(scales);
            for (row, of_row) in rows.chunks_exact(self.row_bytes()).enumerate() {
                let of_row = &of_row[first * size..][..blocks * size];
                let codes = codes.chunks_exact_mut(T::CODES);
                for (number, (block, codes)) in of_row.chunks_exact(size).zip(codes).enumerate() {
                    let scales = &mut scales[number * T::SCALES..][..T::SCALES];
                    T::pack(self.weights, block, row, scales, codes);
                }
            }
            (first, rest) = (first + blocks, after);
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
        let mut sums = [v.splat(0.0); M];
        let (mut first, mut rest) = (0, tile);
        for (blocks, scales) in runs::<T>(self.blocks) {
            let (run, after) = rest.split_at(scales + blocks * T::CODES);
            let (scales, codes) = run.split_at(scales);
            for (number, codes) in codes.chunks_exact(T::CODES).enumerate() {
                let scales = &scales[number * T::SCALES..][..T::SCALES];
                T::product(v, scales, codes, group, first + number, &mut sums);
            }
            (first, rest) = (first + blocks, after);
        }
        for row in 0..M {
            let mut product = [0.0; LANES];
            v.store(sums[row], &mut product);
            write(row, &product);
        }
    }
}

/// The runs of a tile of so many blocks: blocks of each, and bytes of what scales them, filled up.
#[inline(always)]
fn runs<T: Tile>(blocks: usize) -> impl Iterator<Item = (usize, usize)> {
    let run = if T::SCALES == 0 { blocks } else { T::RUN };
    (0..blocks).step_by(run).map(move |first| {
        let blocks = run.min(blocks - first);
        (blocks, (blocks * T::SCALES).next_multiple_of(64))
    })
}
