//! What is wrong with a matrix or with what it is to be multiplied with.

use crate::{Grain, Weights};

/// Why a product cannot be had. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatrixError {
    /// Rows of quantized weights consist of whole blocks.
    #[error("{columns} columns are no multiple of the {block} of a block of {weights}")]
    Columns {
        /// Columns asked for.
        columns: usize,
        /// Columns of a block.
        block: usize,
        /// Type of the weights.
        weights: Weights,
    },
    /// The blocks are more or fewer than the rows and columns make.
    #[error("{rows} rows of {columns} columns of {weights} are {expected} bytes, but there are {found}")]
    Bytes {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
        /// Type of the weights.
        weights: Weights,
        /// Bytes of such a matrix.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// Activations are whole rows of whole blocks.
    #[error("{found} activations are no rows of {columns} columns in blocks of {block}")]
    Activations {
        /// Activations given.
        found: usize,
        /// Columns of a row.
        columns: usize,
        /// Columns of a block.
        block: usize,
    },
    /// Matrix and activations have to do with other numbers of columns, or were quantized in other blocks.
    #[error(
        "a matrix of {columns} columns in {grain} cannot be multiplied with {found_columns} activations in {found_grain}"
    )]
    Mismatch {
        /// Columns of the matrix.
        columns: usize,
        /// Blocks that the matrix needs.
        grain: Grain,
        /// Columns of the activations.
        found_columns: usize,
        /// Blocks of the activations.
        found_grain: Grain,
    },
    /// The result does not have a place for each product.
    #[error("{rows} rows of {columns} results are {expected} numbers, but there is room for {found}")]
    Output {
        /// Rows of activations.
        rows: usize,
        /// Rows of the matrix.
        columns: usize,
        /// Numbers of the result.
        expected: usize,
        /// Numbers that there is room for.
        found: usize,
    },
}
