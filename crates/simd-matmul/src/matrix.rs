//! A packed matrix, and products of several.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use simd::{Dot, LANES};

use crate::lines::Lines;
use crate::pieces::{Pieces, by_chunks};
use crate::tile::Layout;
use crate::{Activations, Grain, MatrixError, Pool, Weights};

/// Rows of activations that a thread takes at a time, at most.
const ROWS: usize = 128;
/// Shares of the work for each thread: enough that one which began late does not hold up the others.
const SHARES: usize = 4;
/// Bytes of blocks that are packed between two looks at what is done.
const PACKED_AT_ONCE: usize = 8 << 20;

/// Bytes of a file that stay where they are.
pub trait Blocks: fmt::Debug + Send + Sync {
    /// Rows one after the other as GGML lays them out, or the tiles of a packed matrix; the same bytes each time.
    fn bytes(&self) -> &[u8];
}

/// Weights, shape `(rows, columns)`, in tiles of sixteen rows.
///
/// A last tile of fewer rows is filled up with rows of zeros, which are multiplied and not written.
#[derive(Clone, Debug)]
pub struct Matrix {
    layout: Layout,
    rows: usize,
    held: Held,
}

#[derive(Clone, Debug)]
enum Held {
    Packed(Lines),
    /// Tiles that were packed before, in a file.
    Kept(Arc<dyn Blocks>),
    /// Tiles are packed when they are multiplied, each into memory that is used again.
    Unpacked(Arc<dyn Blocks>),
}

impl Matrix {
    /// What a packed matrix looks like: another number where a type's tiles are laid out differently.
    pub const TILES_VERSION: u32 = 1;

    /// Packs the blocks of a file.
    ///
    /// * `blocks`: rows one after the other, as GGML lays them out.
    ///
    /// # Errors
    ///
    /// * [`MatrixError::Columns`] if `columns` is no multiple of the type's block.
    /// * [`MatrixError::Bytes`] if `blocks` is not as long as rows and columns say.
    pub fn pack(
        pool: &Pool,
        weights: Weights,
        rows: usize,
        columns: usize,
        blocks: &[u8],
    ) -> Result<Self, MatrixError> {
        Self::pack_and(pool, weights, rows, columns, blocks, |_| {})
    }

    /// [`Matrix::pack`], which says from time to time which of the bytes are not needed any more.
    ///
    /// * `done`: takes ranges of `blocks` that follow one another.
    ///
    /// # Errors
    ///
    /// As [`Matrix::pack`].
    pub fn pack_and(
        pool: &Pool,
        weights: Weights,
        rows: usize,
        columns: usize,
        blocks: &[u8],
        mut done: impl FnMut(Range<usize>),
    ) -> Result<Self, MatrixError> {
        let layout = checked(weights, rows, columns, blocks)?;
        let tile_bytes = LANES * layout.row_bytes();
        let mut lines = Lines::zeros(rows.div_ceil(LANES) * layout.bytes);
        let tiles = (PACKED_AT_ONCE / tile_bytes).max(1);
        let parts = lines.bytes_mut().chunks_mut(tiles * layout.bytes);
        let mut start = 0;
        for (part, blocks) in parts.zip(blocks.chunks(tiles * tile_bytes)) {
            by_chunks(pool, part, layout.bytes, |number, tile| {
                let rows = &blocks[number * tile_bytes..];
                layout.pack(&rows[..tile_bytes.min(rows.len())], tile);
            });
            done(start..start + blocks.len());
            start += blocks.len();
        }
        let held = Held::Packed(lines);
        Ok(Self { layout, rows, held })
    }

    /// A matrix whose tiles are packed each time that they are multiplied: slower, and of no size in memory.
    ///
    /// Products have the same bits as those of a packed matrix.
    ///
    /// # Errors
    ///
    /// As [`Matrix::pack`].
    pub fn unpacked(
        weights: Weights,
        rows: usize,
        columns: usize,
        blocks: Arc<dyn Blocks>,
    ) -> Result<Self, MatrixError> {
        let layout = checked(weights, rows, columns, blocks.bytes())?;
        let held = Held::Unpacked(blocks);
        Ok(Self { layout, rows, held })
    }

    /// A matrix that was packed before and kept.
    ///
    /// * `tiles`: [`Matrix::tiles`] of a matrix of the same type and shape, under the same [`Matrix::TILES_VERSION`]; products are
    ///   fastest where they begin at a line of the cache. Other bytes of that length are other weights.
    ///
    /// # Errors
    ///
    /// * [`MatrixError::Columns`] if `columns` is no multiple of the type's block.
    /// * [`MatrixError::Bytes`] if `tiles` is not as long as rows and columns say.
    pub fn kept(
        weights: Weights,
        rows: usize,
        columns: usize,
        tiles: Arc<dyn Blocks>,
    ) -> Result<Self, MatrixError> {
        let layout = Layout::new(weights, columns)?;
        let (expected, found) = (Self::packed_bytes(weights, rows, columns)?, tiles.bytes().len());
        if expected != found {
            return Err(MatrixError::Bytes {
                rows,
                columns,
                weights,
                expected,
                found,
            });
        }
        let held = Held::Kept(tiles);
        Ok(Self { layout, rows, held })
    }

    /// The tiles of a packed matrix, to be kept; `None` of one whose tiles are packed at every use.
    #[must_use]
    pub fn tiles(&self) -> Option<&[u8]> {
        match &self.held {
            Held::Packed(lines) => Some(lines.bytes()),
            Held::Kept(tiles) => Some(tiles.bytes()),
            Held::Unpacked(_) => None,
        }
    }

    /// Bytes that a packed matrix takes in memory.
    ///
    /// # Errors
    ///
    /// [`MatrixError::Columns`] if `columns` is no multiple of the type's block.
    pub fn packed_bytes(weights: Weights, rows: usize, columns: usize) -> Result<usize, MatrixError> {
        let layout = Layout::new(weights, columns)?;
        Ok(rows.div_ceil(LANES).saturating_mul(layout.bytes))
    }

    /// Rows, which are the numbers of a result.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns, which are the activations of a row.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.layout.columns
    }

    /// Type of the weights.
    #[must_use]
    pub const fn weights(&self) -> Weights {
        self.layout.weights
    }

    /// The blocks that activations need to be quantized in.
    #[must_use]
    pub const fn grain(&self) -> Grain {
        self.layout.weights.grain()
    }

    /// Bytes in memory, without a file's.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.held {
            Held::Packed(lines) => lines.bytes().len(),
            Held::Kept(_) | Held::Unpacked(_) => 0,
        }
    }

    /// Multiplies with every row of activations: `out[m][n] = sum over k of activations[m][k] * self[n][k]`.
    ///
    /// * `out`: shape `(activations.rows(), rows)`, overwritten.
    ///
    /// The bits of a result depend on its row of activations alone.
    ///
    /// # Errors
    ///
    /// As [`Products::multiply`].
    pub fn multiply(
        &self,
        pool: &Pool,
        activations: &Activations,
        out: &mut [f32],
    ) -> Result<(), MatrixError> {
        Products::from([Product::new(self, activations, out)]).multiply(pool)
    }

    /// Multiplies as [`Matrix::multiply`] does, and adds the results to what stands in `out`.
    ///
    /// # Errors
    ///
    /// As [`Products::multiply`].
    pub fn multiply_add(
        &self,
        pool: &Pool,
        activations: &Activations,
        out: &mut [f32],
    ) -> Result<(), MatrixError> {
        Products::from([Product::new(self, activations, out).adding()]).multiply(pool)
    }

    const fn tile_count(&self) -> usize {
        self.rows.div_ceil(LANES)
    }
}

/// A matrix, what it is multiplied with, and where the results go.
pub struct Product<'a> {
    matrix: &'a Matrix,
    activations: &'a Activations,
    out: Pieces<'a, f32>,
    add: bool,
}

impl<'a> Product<'a> {
    /// `out[m][n] = sum over k of activations[m][k] * matrix[n][k]`.
    ///
    /// * `out`: shape `(activations.rows(), matrix.rows())`, overwritten.
    pub fn new(matrix: &'a Matrix, activations: &'a Activations, out: &'a mut [f32]) -> Self {
        Self {
            matrix,
            activations,
            out: Pieces::new(out),
            add: false,
        }
    }

    /// Adds the results to what stands in `out`.
    #[must_use]
    pub fn adding(self) -> Self {
        Self { add: true, ..self }
    }

    fn check(&self) -> Result<(), MatrixError> {
        let (matrix, activations) = (self.matrix, self.activations);
        if activations.columns() != matrix.columns() || activations.grain() != matrix.grain() {
            return Err(MatrixError::Mismatch {
                columns: matrix.columns(),
                grain: matrix.grain(),
                found_columns: activations.columns(),
                found_grain: activations.grain(),
            });
        }
        let expected = activations.rows() * matrix.rows;
        if self.out.len() != expected {
            return Err(MatrixError::Output {
                rows: activations.rows(),
                columns: matrix.rows,
                expected,
                found: self.out.len(),
            });
        }
        Ok(())
    }

    /// Multiplies some of the tiles with some of the rows of activations, which no other thread does.
    fn multiply_tiles(&self, pool: &Pool, tiles: Range<usize>, activations: Range<usize>) {
        let Matrix { layout, rows, held } = self.matrix;
        let out = |first: usize| Out {
            numbers: &self.out,
            rows: *rows,
            first: first * LANES,
            add: self.add,
        };
        let packed = |all: &[u8]| {
            let tiles_of = &all[tiles.start * layout.bytes..tiles.end * layout.bytes];
            layout.multiply(tiles_of, self.activations, activations.clone(), out(tiles.start));
        };
        match held {
            Held::Packed(lines) => packed(lines.bytes()),
            Held::Kept(tiles) => packed(tiles.bytes()),
            Held::Unpacked(blocks) => {
                let tile_bytes = LANES * layout.row_bytes();
                let mut room = pool.room(2 * layout.bytes);
                for first in tiles.clone().step_by(2) {
                    let count = (tiles.end - first).min(2);
                    let packed = &mut room.bytes_mut()[..count * layout.bytes];
                    packed.fill(0);
                    let blocks = &blocks.bytes()[first * tile_bytes..];
                    for (tile, rows) in packed
                        .chunks_exact_mut(layout.bytes)
                        .zip(blocks.chunks(tile_bytes))
                    {
                        layout.pack(rows, tile);
                    }
                    layout.multiply(packed, self.activations, activations.clone(), out(first));
                }
                pool.give_back(room);
            }
        }
    }
}

/// The layout of a matrix whose blocks are as long as they should be.
fn checked(weights: Weights, rows: usize, columns: usize, blocks: &[u8]) -> Result<Layout, MatrixError> {
    let layout = Layout::new(weights, columns)?;
    let expected = rows.checked_mul(layout.row_bytes());
    if expected != Some(blocks.len()) {
        return Err(MatrixError::Bytes {
            rows,
            columns,
            weights,
            expected: expected.unwrap_or(usize::MAX),
            found: blocks.len(),
        });
    }
    Ok(layout)
}

/// Where the results of some tiles go.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a> {
    /// Shape `(activations, rows)`.
    numbers: &'a Pieces<'a, f32>,
    /// Rows of the matrix.
    rows: usize,
    /// The first of the tiles' rows.
    first: usize,
    /// Whether to add to what stands there.
    add: bool,
}

impl Out<'_> {
    /// Writes the product of a tile with one row of activations.
    #[inline(always)]
    pub(crate) fn write<V: Dot>(&self, v: V, tile: usize, row: usize, product: V::F32) {
        let column = self.first + tile * LANES;
        let to = self
            .numbers
            .piece(row * self.rows + column, LANES.min(self.rows - column));
        if let Some(to) = to.first_chunk_mut::<LANES>() {
            let product = if self.add {
                v.add(v.load(to), product)
            } else {
                product
            };
            v.store(product, to);
        } else {
            // The last tile.
            let mut lanes = [0.0; LANES];
            v.store(product, &mut lanes);
            for (to, x) in to.iter_mut().zip(lanes) {
                *to = if self.add { *to + x } else { x };
            }
        }
    }
}

/// Up to `N` products that do not depend on each other, to be one piece of work.
pub struct Products<'a, const N: usize> {
    list: [Option<Product<'a>>; N],
    len: usize,
}

impl<'a, const N: usize> Products<'a, N> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            list: [const { None }; N],
            len: 0,
        }
    }

    /// Adds one.
    ///
    /// # Panics
    ///
    /// If there are `N`.
    pub fn push(&mut self, product: Product<'a>) {
        assert!(self.len < N, "there is room for {N} products");
        self.list[self.len] = Some(product);
        self.len += 1;
    }

    /// Multiplies all of them. Nothing is allocated, but by unpacked matrices until the pool has room for the largest tiles.
    ///
    /// # Errors
    ///
    /// * [`MatrixError::Mismatch`] if activations have other columns or blocks than their matrix.
    /// * [`MatrixError::Output`] if an `out` has another size.
    ///
    /// Nothing is written then.
    pub fn multiply(self, pool: &Pool) -> Result<(), MatrixError> {
        let products = || self.list.iter().flatten();
        products().try_for_each(Product::check)?;
        // With many rows, a thread takes few of them and most of the tiles: what it then writes it meets again in the stages
        // that follow, and the tiles come from a cache that all share.
        let rows = products().map(|product| product.activations.rows());
        let parts = rows.max().unwrap_or(0).div_ceil(ROWS).max(1);
        // What is packed for each product is packed once.
        let unpacked = products().any(|product| matches!(product.matrix.held, Held::Unpacked(_)));
        let parts = if unpacked { 1 } else { parts };
        let total: usize = products().map(|product| product.matrix.tile_count()).sum();
        let stretches = (pool.threads() * SHARES).div_ceil(parts).min(total);
        pool.run(parts * stretches, |share| {
            let (part, stretch) = (share / stretches, share % stretches);
            let mine = total * stretch / stretches..total * (stretch + 1) / stretches;
            let mut first = 0;
            for product in products() {
                let own = first..first + product.matrix.tile_count();
                first = own.end;
                let (start, end) = (mine.start.max(own.start), mine.end.min(own.end));
                let rows = product.activations.part(part, parts);
                if start < end && !rows.is_empty() {
                    product.multiply_tiles(pool, start - own.start..end - own.start, rows);
                }
            }
        });
        Ok(())
    }
}

impl<const N: usize> Default for Products<'_, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, const N: usize> From<[Product<'a>; N]> for Products<'a, N> {
    fn from(list: [Product<'a>; N]) -> Self {
        Self {
            list: list.map(Some),
            len: N,
        }
    }
}
