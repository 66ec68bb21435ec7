//! All blocks of sixteen rows, and the loop over them.
//!
//! A tile is a row of runs: what scales some blocks, as many as fill whole lines of the cache, and then their codes. So a
//! product reads memory from the first byte to the last.

use std::ops::Range;

use simd::{Dot, dispatch};

use crate::activations::{Activations, Group};
use crate::format::{Block, Bytes, BytesWithMinimum, Floats, Halves, Q4K, Q5K, Q6K, Tile, UpperHalves};
use crate::matrix::Out;
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
            Weights::Q8_0 | Weights::Q4_0 | Weights::Q5_0 | Weights::IQ4_NL => {
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

    /// Multiplies tiles with rows of activations that begin with a whole group.
    ///
    /// * `tiles`: the bytes of consecutive tiles.
    /// * `out`: takes the products.
    pub(crate) fn multiply(&self, tiles: &[u8], activations: &Activations, rows: Range<usize>, out: Out<'_>) {
        for_tile!(self.weights, T => dispatch!(activations.level(), v => self.multiply_as::<T, _>(v, tiles, activations, rows, out)));
    }

    #[inline(always)]
    fn multiply_as<T: Tile, V: Dot>(
        &self,
        v: V,
        tiles: &[u8],
        activations: &Activations,
        rows: Range<usize>,
        out: Out<'_>,
    ) {
        let pairs = V::TWO_TILES && rows.len() >= V::ROWS;
        let (mut number, mut rest) = (0, tiles);
        while let Some((first, after)) = rest.split_at_checked(self.bytes) {
            (number, rest) = match after.split_at_checked(self.bytes) {
                Some((second, after)) if pairs => {
                    self.by_groups::<T, V, 2>(v, [first, second], number, activations, &rows, out);
                    (number + 2, after)
                }
                _ => {
                    self.by_groups::<T, V, 1>(v, [first], number, activations, &rows, out);
                    (number + 1, after)
                }
            };
        }
    }

    #[inline(always)]
    fn by_groups<T: Tile, V: Dot, const N: usize>(
        &self,
        v: V,
        tiles: [&[u8]; N],
        number: usize,
        activations: &Activations,
        rows: &Range<usize>,
        out: Out<'_>,
    ) {
        for (first, rows) in activations.groups(rows) {
            let at = (number, first);
            match rows {
                4 => self.products::<T, V, 4, N>(v, tiles, activations.group(first), at, out),
                2 => self.products::<T, V, 2, N>(v, tiles, activations.group(first), at, out),
                _ => self.products::<T, V, 1, N>(v, tiles, activations.group(first), at, out),
            }
        }
    }

    #[inline(always)]
    fn products<T: Tile, V: Dot, const M: usize, const N: usize>(
        &self,
        v: V,
        tiles: [&[u8]; N],
        group: Group<'_, M>,
        (first_tile, first_row): (usize, usize),
        out: Out<'_>,
    ) {
        let mut sums = [[v.splat(0.0); M]; N];
        let (mut first, mut at) = (0, 0);
        for (blocks, scales) in runs::<T>(self.blocks) {
            for t in 0..N {
                let (lines, _) = tiles[t][at..at + scales].as_chunks();
                for line in 0..lines.len() {
                    v.ask_ahead(&lines[line]);
                }
            }
            for number in 0..blocks {
                let mut parts = [Block::default(); N];
                for t in 0..N {
                    let (of_scales, codes) = tiles[t][at..].split_at(scales);
                    parts[t] = Block {
                        scales: &of_scales[number * T::SCALES..][..T::SCALES],
                        codes: &codes[number * T::CODES..][..T::CODES],
                    };
                }
                T::product(v, parts, group, first + number, &mut sums);
            }
            (first, at) = (first + blocks, at + scales + blocks * T::CODES);
        }
        for tile in 0..N {
            for row in 0..M {
                out.write(v, first_tile + tile, first_row + row, sums[tile][row]);
            }
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
