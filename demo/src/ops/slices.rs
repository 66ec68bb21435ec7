//! From tensors to slices and back.

use candle_core::{CpuStorage, Device, Layout, Result, Storage, Tensor};
use simd::{LANES, Vector};

/// The numbers of a contiguous storage.
pub(super) fn of<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("the operation takes contiguous tensors, not {layout:?}");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Runs `f` on the numbers of tensors.
pub(super) fn with<const N: usize, R>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> Result<R>,
) -> Result<R> {
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor.contiguous()?);
    }
    let guards: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut numbers = [[].as_slice(); N];
    for (numbers, (storage, layout)) in numbers.iter_mut().zip(&guards) {
        let Storage::Cpu(storage) = &**storage else {
            candle_core::bail!("the operation runs on the CPU");
        };
        *numbers = of(storage, layout)?;
    }
    f(numbers)
}

/// A tensor of these numbers.
pub(super) fn tensor(numbers: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

/// Sum of products in the order of 16 lanes; both of one length, a multiple of 16.
#[inline(always)]
pub(super) fn dot<V: Vector>(v: V, a: &[f32], b: &[f32]) -> f32 {
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    let mut sum = v.splat(0.0);
    for (a, b) in a.iter().zip(b) {
        sum = v.add(sum, v.mul(v.load(a), v.load(b)));
    }
    v.reduce_sum(sum)
}

/// Refuses a width that is no multiple of 16.
pub(super) fn check_width(what: &'static str, width: usize) -> Result<()> {
    if width == 0 || !width.is_multiple_of(LANES) {
        candle_core::bail!("{what} of width {width}, expected a multiple of {LANES}");
    }
    Ok(())
}
