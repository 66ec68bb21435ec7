//! A kernel of one's own: written once, compiled for every level, with the same bits at each.
//!
//! ```sh
//! cargo run -p simd --example kernel
//! SIMD_LEVEL=scalar cargo run -p simd --example kernel    # as on a CPU without vectors
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use simd::{LANES, Level, LevelError, Vector, dispatch, exp};

/// The logarithm of the sum of `exp` of a row: 16 lanes at every level, so that all of them add in one order.
#[inline(always)]
fn kernel<V: Vector>(v: V, row: &[f32], max: f32) -> f32 {
    let (blocks, tail) = row.as_chunks::<LANES>();
    let mut sum = v.splat(0.0);
    for block in blocks {
        let shifted = v.sub(v.load(block), v.splat(max));
        sum = v.add(sum, exp(v, shifted));
    }
    let mut rest = [f32::NEG_INFINITY; LANES];
    for (place, logit) in rest.iter_mut().zip(tail) {
        *place = logit - max;
    }
    v.reduce_sum(v.add(sum, exp(v, v.load(&rest)))).ln() + max
}

fn main() -> Result<(), LevelError> {
    let row: Vec<f32> = (0..1_000).map(|i| (i as f32 * 0.7).sin() * 4.0).collect();
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for level in Level::available() {
        let sum = dispatch!(level, v => kernel(v, &row, max));
        println!("{level}: {sum} ({:08x})", sum.to_bits());
    }
    // A level is proof that the CPU has it; the environment may ask for a lower one.
    Level::from_environment()?;
    println!("used where nothing is said: {}", Level::best());
    Ok(())
}
