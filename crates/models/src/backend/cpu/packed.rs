//! Weights of a file as packed matrices.

use std::sync::Arc;

use simd_matmul::{Blocks, Matrix, Pool, Weights};

use crate::ModelError;
use crate::backend::Holding;
use crate::quant::BlockType;
use crate::weight::Weight;

/// Packs a matrix, or leaves it in its file; a type that no kernel has is decoded to single-precision numbers.
pub(super) fn matrix(pool: &Pool, weight: &Weight, holding: Holding) -> Result<Matrix, ModelError> {
    let (rows, columns) = (weight.rows(), weight.columns());
    match (weight.block().and_then(kernel), holding) {
        (Some(weights), Holding::Memory) => {
            let done = |range| weight.release(range);
            Ok(Matrix::pack_and(
                pool,
                weights,
                rows,
                columns,
                weight.stored(),
                done,
            )?)
        }
        (Some(weights), Holding::Mapped) => {
            let blocks = Arc::new(weight.clone());
            Ok(Matrix::unpacked(weights, rows, columns, blocks)?)
        }
        (None, _) => {
            let matrix = numbers(pool, &weight.dequantize()?, rows, columns)?;
            weight.release(0..weight.stored_bytes());
            Ok(matrix)
        }
    }
}

/// The type that a matrix is packed as.
pub(super) fn weights(weight: &Weight) -> Weights {
    weight.block().and_then(kernel).unwrap_or(Weights::F32)
}

/// Bytes of a matrix in memory, and whether a kernel multiplies its type.
pub(crate) fn size(block: Option<BlockType>, rows: usize, columns: usize) -> (u64, bool) {
    let weights = block.and_then(kernel);
    let packed = Matrix::packed_bytes(weights.unwrap_or(Weights::F32), rows, columns);
    // What has no whole blocks is an error when it is read.
    (packed.unwrap_or_default() as u64, weights.is_some())
}

impl Blocks for Weight {
    fn bytes(&self) -> &[u8] {
        self.stored()
    }
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
        BlockType::IQ4_NL => Weights::IQ4_NL,
        BlockType::Q4_K => Weights::Q4_K,
        BlockType::Q5_K => Weights::Q5_K,
        BlockType::Q6_K => Weights::Q6_K,
        BlockType::Q2_K | BlockType::Q3_K | BlockType::IQ4_XS | BlockType::MXFP4 => {
            return None;
        }
    })
}
