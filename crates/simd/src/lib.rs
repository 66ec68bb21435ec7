//! SIMD levels as proof values, one 16-lane vector trait, one exponential function.
//!
//! A [`Level`] can only be had from detection, so holding one proves that the CPU has its
//! instructions and calling a kernel with it is safe. A kernel is written once, generic over
//! [`Vector`], and [`dispatch!`] compiles it for each level.
//!
//! # Invariants
//!
//! * **A vector has 16 `f32` lanes at every level**: one AVX-512 register, two AVX2 registers, four
//!   NEON registers, an array. So every level reduces in the same order.
//! * **No fused multiply-add in [`Vector`].** Every operation of it rounds once, as IEEE 754 says; [`Dot::mul_add`] is
//!   fused at every level.
//! * **`max` is compare-and-select** (`a > b ? a : b`), which is one result for NaN and signed zeros
//!   at every level.
//! * **One exponential**, [`exp()`], built from these operations alone.
//!
//! Together: a kernel that uses nothing else gives the same bits on every CPU.
//!
//! # Example
//!
//! ```
//! use simd::{Level, Vector, dispatch};
//!
//! /// Sum of a slice in the order that all levels share.
//! #[inline(always)]
//! fn kernel<V: Vector>(v: V, row: &[f32]) -> f32 {
//!     let (blocks, tail) = row.as_chunks::<16>();
//!     let mut acc = v.splat(0.0);
//!     for block in blocks {
//!         acc = v.add(acc, v.load(block));
//!     }
//!     v.reduce_sum(acc) + tail.iter().sum::<f32>()
//! }
//!
//! let row: Vec<f32> = (0..100).map(|i| i as f32 * 0.1).collect();
//! let expected = dispatch!(Level::scalar(), v => kernel(v, &row));
//! for level in Level::available() {
//!     let sum = dispatch!(level, v => kernel(v, &row));
//!     assert_eq!(sum.to_bits(), expected.to_bits(), "{level}");
//! }
//! ```

pub mod dot;
pub mod exp;
pub mod level;
pub mod ln;
pub mod probe;
pub mod vector;

pub use dot::{AHEAD, BYTES, Dot, Halves};
pub use exp::{exp, exp_lane, exp_nonpositive};
pub use level::{Level, LevelError};
pub use ln::ln;
pub use vector::{LANES, Scalar, Vector};

#[cfg(target_arch = "x86_64")]
pub use vector::{Avx2, Avx512};

#[cfg(target_arch = "aarch64")]
pub use vector::Neon;
