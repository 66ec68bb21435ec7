//! A packed matrix.
#![allow(
    unsafe_code,
    reason = "lines of the cache are read as bytes, and threads write apart from each other"
)]

use simd::LANES;

use crate::tile::{Layout, Line};
use crate::{Activations, Grain, MatrixError, Pool, Weights};

/// Shares of the work for each thread: enough that one which began late does not hold up the others.
const SHARES: usize = 4;

/// Quantized weights, shape `(rows, columns)`, in tiles of sixteen rows.
///
/// A last tile of fewer rows is filled up with rows of zeros, which are multiplied and not written.
#[derive(Clone, Debug)]
pub struct Matrix {
    layout: Layout,
    rows: usize,
    lines: Vec<Line>,
}

impl Matrix {
    /// Packs the blocks of a file.
    ///
    /// * `blocks`: rows one after the other, as GGML lays them out.
    ///
    /// # Errors
    ///
    /// * [`MatrixError::Columns`] if `columns` is no multiple of the type's block.
    /// * [`MatrixError::Bytes`] if `blocks` is not as long as rows and columns say.
    pub fn pack(weights: Weights, rows: usize, columns: usize, blocks: &[u8]) -> Result<Self, MatrixError> {
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
        let tiles = rows.div_ceil(LANES);
        let mut lines = vec![Line([0; 64]); tiles * layout.bytes / 64];
        let rows_of_tiles = blocks.chunks(LANES * layout.row_bytes());
        for (rows, tile) in rows_of_tiles.zip(bytes_mut(&mut lines).chunks_exact_mut(layout.bytes)) {
            layout.pack(rows, tile);
        }
        Ok(Self { layout, rows, lines })
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

    /// Bytes in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of::<Line>() * self.lines.len()
    }

    /// Multiplies with every row of activations: `out[m][n] = sum over k of activations[m][k] * self[n][k]`.
    ///
    /// * `out`: shape `(activations.rows(), rows)`, overwritten.
    ///
    /// The bits of a result depend on its row of activations alone.
    ///
    /// # Errors
    ///
    /// * [`MatrixError::Mismatch`] if the activations have other columns or blocks.
    /// * [`MatrixError::Output`] if `out` has another size.
    pub fn multiply(
        &self,
        pool: &Pool,
        activations: &Activations,
        out: &mut [f32],
    ) -> Result<(), MatrixError> {
        if activations.columns() != self.columns() || activations.grain() != self.grain() {
            return Err(MatrixError::Mismatch {
                columns: self.columns(),
                grain: self.grain(),
                found_columns: activations.columns(),
                found_grain: activations.grain(),
            });
        }
        let expected = activations.rows() * self.rows;
        if out.len() != expected {
            return Err(MatrixError::Output {
                rows: activations.rows(),
                columns: self.rows,
                expected,
                found: out.len(),
            });
        }
        let tiles = self.rows.div_ceil(LANES);
        let per_share = tiles.div_ceil(pool.threads() * SHARES).max(1);
        let out = Out(out.as_mut_ptr());
        pool.run(tiles.div_ceil(per_share), |share| {
            let first = share * per_share;
            let tiles = first..tiles.min(first + per_share);
            self.multiply_tiles(tiles, activations, &out);
        });
        Ok(())
    }

    /// Multiplies some of the tiles. The caller has checked shapes, and that nobody else has these tiles.
    fn multiply_tiles(&self, tiles: std::ops::Range<usize>, activations: &Activations, out: &Out) {
        let first = tiles.start * LANES;
        let range = tiles.start * self.layout.bytes..tiles.end * self.layout.bytes;
        let bytes = &bytes(&self.lines)[range];
        self.layout.multiply(bytes, activations, |tile, row, product| {
            let column = first + tile * LANES;
            let len = LANES.min(self.rows - column);
            let to = out.0.wrapping_add(row * self.rows + column);
            // SAFETY: `out` has `self.rows` numbers for each row of activations, of which `len` are left from `column`; no
            // other thread has this tile, and so none of these numbers.
            unsafe { std::ptr::copy_nonoverlapping(product.as_ptr(), to, len) };
        });
    }
}

/// Where results are written, each tile's by one thread.
struct Out(*mut f32);

// SAFETY: threads write to different places.
unsafe impl Sync for Out {}

fn bytes(lines: &[Line]) -> &[u8] {
    // SAFETY: lines are 64 bytes each and nothing else.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines)) }
}

fn bytes_mut(lines: &mut [Line]) -> &mut [u8] {
    // SAFETY: lines are 64 bytes each and nothing else, and any bytes are a line.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), size_of_val(lines)) }
}
