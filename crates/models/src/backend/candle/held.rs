//! A projection's weights: decoded once, or left in the file and decoded in pieces at every use.
//!
//! A model whose decoded weights would not fit is run from its mapped file; each product then decodes about a
//! million weights at a time, so that memory stays at the size of the file.

use std::ops::Range;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::ModelError;
use crate::backend::Holding;
use crate::weight::Weight;

/// Weights decoded at a time where they stay in the file.
const PIECE: usize = 1 << 20;

/// One projection, shape `(outputs, inputs)`.
#[derive(Debug)]
pub(crate) enum Held {
    Decoded(Tensor),
    Mapped(Weight),
}

impl Held {
    pub(crate) fn new(weight: Weight, holding: Holding, device: &Device) -> Result<Self, ModelError> {
        Ok(match holding {
            Holding::Mapped => Self::Mapped(weight),
            Holding::Memory => Self::Decoded(Tensor::from_vec(weight.dequantize()?, weight.shape(), device)?),
        })
    }

    /// Rows `(rows, inputs)` to `(rows, outputs)`.
    pub(super) fn project(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        match self {
            Self::Decoded(matrix) => Ok(x.matmul(&matrix.t()?)?),
            Self::Mapped(weight) => project_mapped(weight, x),
        }
    }
}

fn project_mapped(weight: &Weight, x: &Tensor) -> Result<Tensor, ModelError> {
    let (outputs, inputs) = (weight.rows(), weight.columns());
    let step = (PIECE / inputs).max(1);
    let pieces: Vec<Range<usize>> = (0..outputs)
        .step_by(step)
        .map(|first| first..(first + step).min(outputs))
        .collect();
    let products: Vec<Tensor> = pieces
        .into_par_iter()
        .map(|rows| {
            let mut values = vec![0.0; rows.len() * inputs];
            weight.dequantize_rows(rows.clone(), &mut values)?;
            let piece = Tensor::from_vec(values, (rows.len(), inputs), x.device())?;
            Ok(x.matmul(&piece.t()?)?)
        })
        .collect::<Result<_, ModelError>>()?;
    Ok(Tensor::cat(&products, 1)?)
}
