//! Products of packed quantized matrices with quantized activations.
//!
//! A [`Matrix`] holds weights in tiles of 16 rows, made once from the blocks of a GGUF file: a load brings four columns of
//! each of 16 rows, and the same tile serves one row of activations (decoding) and many (prefill). [`Activations`] are
//! quantized once to 8 bits and shared by every matrix that reads them. [`Pool`] runs the tiles on its threads.
//!
//! # Invariants
//!
//! * **Packing changes no weight.** A type is stored in another's tile only where that is exact: Q4_0, Q5_0 and IQ4_NL
//!   become the 8-bit codes of Q8_0, Q4_1 and Q5_1 those with a minimum.
//! * **Integer sums are exact**, and what follows them in `f32` is done in one order: a product has the same bits at every
//!   [`Level`], on any number of threads, and whatever other rows of activations come with it.
//! * **Nothing is allocated by a product** of packed matrices, and by quantizing only while rows grow in number.
//!
//! # Example
//!
//! ```
//! use simd::Level;
//! use simd_matmul::{Activations, Matrix, Pool, Weights};
//!
//! // Two rows of 32 weights: the numbers 0 to 31, and their negatives, times a half.
//! let row = |sign: i8| [0x00, 0x38].into_iter().chain((0..32).map(move |i| (sign * i) as u8));
//! let blocks: Vec<u8> = row(1).chain(row(-1)).collect();
//! let pool = Pool::new(std::num::NonZero::<usize>::MIN)?;
//! let matrix = Matrix::pack(&pool, Weights::Q8_0, 2, 32, &blocks)?;
//!
//! let mut ones = Activations::new(Level::best());
//! ones.quantize(&pool, matrix.grain(), &[1.0; 32], 32)?;
//! let mut out = [0.0; 2];
//! matrix.multiply(&pool, &ones, &mut out)?;
//! assert!((out[0] - 248.0).abs() < 1e-3 && out[0] == -out[1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Source
//!
//! The blocks are those of GGML, as GGUF files hold them.

#![allow(
    clippy::needless_range_loop,
    reason = "kernels count: what the standard library does with arrays is compiled for the baseline where it is not inlined"
)]

mod activations;
mod error;
mod format;
mod attention;
mod elementwise;
mod latent;
mod lines;
mod matrix;
mod pieces;
mod pool;
mod tile;

pub use activations::{Activations, Grain};
pub use attention::{BLOCK, Entry, Heads, Span, attend, write_key, write_value};
pub use elementwise::{add_scaled, gate, normalize, normalize_in_place, turn_adjacent, turn_halves};
pub use error::MatrixError;
pub use format::Weights;
pub use latent::{Latent, LatentScratch, attend_latent};
pub use lines::Lines;
pub use matrix::{Blocks, Matrix, Product, Products};
pub use pieces::by_chunks;
pub use pool::Pool;
pub use simd::{LANES, Level};
