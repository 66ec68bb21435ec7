//! The most that one core computes at a level: independent chains of one operation, for benches to time.
//!
//! Nothing here is for kernels. The chains fuse products with sums, which [`Vector`](crate::Vector) forbids, and what
//! they compute means nothing: it is handed out so that the compiler cannot leave the work away.

#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::hint::black_box;

use crate::Level;

/// Chains that run side by side: enough to hide the latency of an operation on every CPU with two units for it.
const CHAINS: usize = 12;

/// What was computed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "work whose result is dropped may not be done"]
pub struct Work {
    /// Multiplications and additions, each counted as one.
    pub operations: u64,
    /// Depends on all of them.
    pub digest: f64,
}

/// Multiplies and adds `f32` numbers in registers, fused where the level has that.
///
/// * `rounds`: steps of every chain; time grows with it and nothing else does.
pub fn multiply_add(level: Level, rounds: u64) -> Work {
    // Every chain tends to `b / (1 - a)`, far from what is slow to compute with.
    let (a, b) = black_box((0.5, 1.0));
    let (lanes, digest) = match level {
        Level::Scalar(_) => scalar::multiply_add(a, b, rounds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(v) => x86::multiply_add_avx2(v, a, b, rounds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(v) => x86::multiply_add_avx512(v, a, b, rounds),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(_) => neon::multiply_add(a, b, rounds),
    };
    work(lanes, rounds, f64::from(digest))
}

/// Multiplies 8-bit integers and adds the products up in 32 bits, in registers.
///
/// * `rounds`: as for [`multiply_add`].
pub fn dot_i8(level: Level, rounds: u64) -> Work {
    let (a, b) = black_box((3, -2));
    let (lanes, digest) = match level {
        Level::Scalar(_) => scalar::dot_i8(a, b, rounds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(v) => x86::dot_i8_avx2(v, b, rounds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(v) => x86::dot_i8_avx512(v, a, b, rounds),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(_) => neon::dot_i8(a, b, rounds),
    };
    work(lanes, rounds, f64::from(digest))
}

/// A product and a sum for each lane of each step.
fn work(lanes: u64, rounds: u64, digest: f64) -> Work {
    Work {
        operations: rounds * CHAINS as u64 * lanes * 2,
        digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_does_the_work_that_it_counts() {
        for level in Level::available() {
            let (one, ten) = (multiply_add(level, 1), multiply_add(level, 10));
            assert_eq!(one.operations * 10, ten.operations, "{level}");
            // Sums of `CHAINS` numbers on their way to 2.
            let end = multiply_add(level, 100).digest / CHAINS as f64;
            assert!((end - 2.0).abs() < 1e-6, "{level}: {end}");
            assert_ne!(dot_i8(level, 1).digest, dot_i8(level, 2).digest, "{level}");
        }
    }
}
