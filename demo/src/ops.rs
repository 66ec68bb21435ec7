//! Differentiable operations of the network, each with a backward pass of its own.
//!
//! Candle's fused forward operations (its norms, softmax and rope) have no backward pass: a gradient through them is
//! lost without an error. These here have one, checked against candle's slow, differentiable operations. Sums of
//! gradients over rows are taken over fixed blocks in order, so that a step gives the same bits whenever it is
//! repeated on a machine with the same number of threads.
//!
//! Activations are `(rows, width)` f32 on the CPU, `rows = batch * length`, the positions of a sequence in order.

mod attention;
mod cross_entropy;
mod linear;
mod norm;
mod rotated_heads;
mod slices;
mod swiglu;

pub use attention::attention;
pub use cross_entropy::cross_entropy;
pub use linear::linear;
pub use norm::norm;
pub use rotated_heads::{Rotation, rotated_heads};
pub use swiglu::swiglu;

#[cfg(test)]
mod tests;
