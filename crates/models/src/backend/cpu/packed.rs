//! Weights of a file as packed matrices.

use simd_matmul::{Matrix, Pool, Weights};

use crate::ModelError;
use crate::quant::BlockType;
use crate::weight::Weight;

/// Packs a matrix; a type that no kernel has is decoded to single-precision numbers.
pub(super) fn matrix(pool: &Pool, weight: &Weight) -> Result<Matrix, ModelError> {
    let (rows, columns) = (weight.rows(), weight.columns());
    let matrix = match weight.block().and_then(kernel) {
        Some(weights) => Matrix::pack(pool, weights, rows, columns, weight.stored())?,
        None => numbers(pool, &weight.dequantize()?, rows, columns)?,
    };
    weight.release();
    Ok(matrix)
}

/// Packs numbers, shape `(rows, columns)`.
pub(super) fn numbers(
    pool: &Pool,
    values: &[f32],
    rows: usize,
    columns: usize,
) -> Result<Matrix, ModelError> {
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    Ok(Matrix::pack(pool, Weights::F32, rows, columns, &bytes)?)
}

/// The type of weights that a kernel multiplies.
fn kernel(block: BlockType) -> Option<Weights> {
    Some(match block {
        BlockType::F32 => Weights::F32,
        BlockType::F16 => Weights::F16,
        BlockType::BF16 => Weights::BF16,
        BlockType::Q4_0 => Weights::Q4_0,
        BlockType::Q4_1 => Weights::Q4_1,
        BlockType::Q5_0 => Weights::Q5_0,
        BlockType::Q5_1 => Weights::Q5_1,
        BlockType::Q8_0 => Weights::Q8_0,
        BlockType::Q4_K => Weights::Q4_K,
        BlockType::Q5_K => Weights::Q5_K,
        BlockType::Q6_K => Weights::Q6_K,
        BlockType::Q2_K | BlockType::Q3_K | BlockType::IQ4_NL | BlockType::IQ4_XS | BlockType::MXFP4 => {
            return None;
        }
    })
}
