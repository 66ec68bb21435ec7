//! The product alone: a matrix of floats quantized to 8 bits, packed, and multiplied with a vector on every core.
//!
//! ```sh
//! cargo run -p simd-matmul --example product
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use half::f16;
use simd_matmul::{Activations, Level, Matrix, Pool, Weights};

const ROWS: usize = 64;
const COLUMNS: usize = 256;

/// A row of weights as blocks of Q8_0, the form that GGUF files hold: a scale and 32 codes.
fn quantize(row: &[f32]) -> Vec<u8> {
    let mut blocks = Vec::new();
    for block in row.chunks(32) {
        let largest = block
            .iter()
            .fold(0.0f32, |largest, weight| largest.max(weight.abs()));
        let scale = f16::from_f32(largest / 127.0);
        blocks.extend(scale.to_le_bytes());
        let code = |weight: &f32| (weight / scale.to_f32().max(f32::MIN_POSITIVE)).round() as i8;
        blocks.extend(block.iter().map(|weight| code(weight).to_le_bytes()[0]));
    }
    blocks
}

fn main() -> Result<(), Box<dyn Error>> {
    let weights: Vec<f32> = (0..ROWS * COLUMNS).map(|i| (i as f32 * 0.37).sin()).collect();
    let vector: Vec<f32> = (0..COLUMNS).map(|i| (i as f32 * 0.11).cos()).collect();

    let threads = std::thread::available_parallelism()?;
    let pool = Pool::new(threads)?;
    let blocks: Vec<u8> = weights.chunks(COLUMNS).flat_map(quantize).collect();
    let matrix = Matrix::pack(&pool, Weights::Q8_0, ROWS, COLUMNS, &blocks)?;

    // Quantized once, for every matrix that reads it.
    let mut activations = Activations::new(Level::best());
    activations.quantize(&pool, matrix.grain(), &vector, COLUMNS)?;
    let mut product = vec![0.0; ROWS];
    matrix.multiply(&pool, &activations, &mut product)?;

    let exact: Vec<f32> = weights
        .chunks(COLUMNS)
        .map(|row| row.iter().zip(&vector).map(|(a, b)| a * b).sum())
        .collect();
    let error = product
        .iter()
        .zip(&exact)
        .fold(0.0f32, |error, (a, b)| error.max((a - b).abs()));
    println!("{ROWS} by {COLUMNS} at {:?}, {threads} threads", Level::best());
    println!("the first rows give {:.3?}", &product[..4]);
    println!("in f32 they give    {:.3?}", &exact[..4]);
    println!("the largest difference of all is {error:.4}");
    Ok(())
}
