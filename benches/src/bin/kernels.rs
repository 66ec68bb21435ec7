//! Prints how fast packed matrices are multiplied, one line of JSON for each type of weights; `kernels T` takes T threads,
//! `kernels T C` matrices of C columns.
//!
//! One row of activations meets a matrix that no cache holds, which is decoding; 8, 85 and 512 rows meet one that fits, which is
//! what a batch, an expert and a prompt ask for. All of it on one thread, one row and 512 on all of them too.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program: it prints what it measured")]

use std::num::NonZero;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;
use simd_matmul::{Activations, Level, Matrix, Pool, Weights};

const TYPES: [Weights; 5] = [
    Weights::Q4_K,
    Weights::Q5_K,
    Weights::Q6_K,
    Weights::Q8_0,
    Weights::F16,
];
/// Columns of all matrices, unless others are asked for.
const COLUMNS: usize = 1024;
/// Bytes of a matrix that no cache holds.
const LARGE: usize = 192 << 20;
/// Rows of one that fits.
const ROWS: usize = 1536;
/// Measurements of each figure, of which the best counts.
const TRIES: usize = 7;

fn main() -> anyhow::Result<()> {
    let threads: NonZero<usize> = match std::env::args().nth(1) {
        Some(given) => given
            .parse()
            .with_context(|| format!("{given} is no number of threads"))?,
        None => std::thread::available_parallelism().context("the number of cores is not known")?,
    };
    let columns = match std::env::args().nth(2) {
        Some(given) => given
            .parse()
            .with_context(|| format!("{given} is no number of columns"))?,
        None => COLUMNS,
    };
    let (one, all) = (Pool::new(NonZero::<usize>::MIN)?, Pool::new(threads)?);
    for weights in TYPES {
        let large = LARGE / (columns / weights.grain().columns() * weights.block_bytes());
        let large = matrix(&all, weights, large, columns)?;
        let gigabytes = large.bytes() as f64 / 1e9;
        let read = |pool| anyhow::Ok(gigabytes / seconds(pool, &large, 1)?);
        let (read_one, read_all) = (read(&one)?, read(&all)?);
        drop(large);
        let small = matrix(&all, weights, ROWS, columns)?;
        let product = |pool, rows: usize| {
            let operations = 2.0 * (rows * ROWS * columns) as f64;
            anyhow::Ok(operations / 1e9 / seconds(pool, &small, rows)?)
        };
        println!(
            "{}",
            json!({
                "weights": weights.to_string(),
                "level": Level::best().name(),
                "threads": threads,
                "columns": columns,
                "one_row_gb_s": {"one": read_one, "all": read_all},
                "gops": {"8": product(&one, 8)?, "85": product(&one, 85)?, "512": product(&one, 512)?},
                "gops_all": product(&all, 512)?,
            })
        );
    }
    Ok(())
}

/// Weights of no meaning, whose scales are small numbers.
fn matrix(pool: &Pool, weights: Weights, rows: usize, columns: usize) -> anyhow::Result<Matrix> {
    let size = weights.block_bytes();
    let blocks = rows * columns / weights.grain().columns();
    let mut state = 1_u32;
    let mut bytes: Vec<u8> = (0..blocks * size)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    for block in bytes.chunks_exact_mut(size) {
        let scale = match weights {
            Weights::Q6_K => size - 2,
            _ => 0,
        };
        block[scale..scale + 2].copy_from_slice(&[0, 0x2c]);
        if matches!(weights, Weights::Q4_K | Weights::Q5_K) {
            block[2..4].copy_from_slice(&[0, 0x2c]);
        }
    }
    Ok(Matrix::pack(pool, weights, rows, columns, &bytes)?)
}

/// Time of a product with `rows` rows of activations.
fn seconds(pool: &Pool, matrix: &Matrix, rows: usize) -> anyhow::Result<f64> {
    let columns = matrix.columns();
    let x: Vec<f32> = (0..rows * columns).map(|i| (i as f32).sin()).collect();
    let mut activations = Activations::new(Level::best());
    activations.quantize(pool, matrix.grain(), &x, columns)?;
    let mut out = vec![0.0; rows * matrix.rows()];
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let begun = Instant::now();
        let mut times = 0.0;
        while times < 3.0 || begun.elapsed().as_millis() < 30 {
            matrix.multiply(pool, &activations, &mut out)?;
            times += 1.0;
        }
        best = best.min(begun.elapsed().as_secs_f64() / times);
    }
    Ok(best)
}
