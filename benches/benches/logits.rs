//! A row of logits as models give them: normal deviates times 3.

use simd_sampling::random::{Use, uniform};

/// Drawn by Box and Muller's method, always the same.
pub(crate) fn row(len: usize) -> Vec<f32> {
    (0..len as u64)
        .map(|i| {
            let (u, angle) = (1.0 - uniform(5, i, Use::Draw), uniform(5, i, Use::Xtc));
            (3.0 * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
        })
        .collect()
}
