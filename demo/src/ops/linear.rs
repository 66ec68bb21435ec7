//! A linear map whose weight lies as checkpoints store it, `(out, in)`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

/// `x` times the transpose of `weight`.
///
/// * `x`: `(rows, in)`.
/// * `weight`: `(out, in)`.
///
/// Returns `(rows, out)`.
///
/// # Errors
///
/// Shapes that do not fit.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.apply_op2(weight, Linear)
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = x_layout.shape().dims2()?;
        let (out, of_weight) = weight_layout.shape().dims2()?;
        if width != of_weight {
            candle_core::bail!("linear: {width} columns meet a weight for {of_weight}");
        }
        let transposed = weight_layout.transpose(0, 1)?;
        let product = x.matmul(weight, (1, rows, out, width), x_layout, &transposed)?;
        Ok((product, (rows, out).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _product: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, weight) = (x.detach(), weight.detach());
        let of_x = gradient.matmul(&weight)?;
        let of_weight = gradient.t()?.matmul(&x)?;
        Ok((Some(of_x), Some(of_weight)))
    }
}
