//! Products of every type of weights beside naive ones: dequantize, multiply, add.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "laws/naive.rs"]
mod naive;

use std::num::NonZero;
use std::sync::Arc;

use proptest::prelude::*;
use simd_matmul::{Activations, Blocks, Grain, Level, Matrix, MatrixError, Pool, Weights};

fn pool(threads: usize) -> Pool {
    Pool::new(NonZero::new(threads).unwrap()).unwrap()
}

/// Products at a level, shape `(activations, rows)`.
fn products(level: Level, threads: usize, matrix: &Matrix, x: &[f32]) -> Vec<f32> {
    let mut activations = Activations::new(level);
    let pool = pool(threads);
    activations
        .quantize(&pool, matrix.grain(), x, matrix.columns())
        .unwrap();
    let mut out = vec![f32::NAN; activations.rows() * matrix.rows()];
    matrix.multiply(&pool, &activations, &mut out).unwrap();
    out
}

/// Blocks of a file whose scales are ordinary numbers, and all else any bytes.
fn blocks(weights: Weights, count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut byte = move || {
        // The generator of Steele, Lea and Flood, `SplitMix`.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 32) as u8
    };
    let mut bytes: Vec<u8> = (0..count * weights.block_bytes()).map(|_| byte()).collect();
    for block in bytes.chunks_exact_mut(weights.block_bytes()) {
        match weights {
            Weights::BF16 => block[1] = block[1] & 0x80 | 0x3f,
            Weights::F32 => block[3] = block[3] & 0x80 | 0x3f,
            _ => {}
        }
        for at in naive::scales(weights) {
            // An exponent from -4 to 3, any sign and fraction.
            block[at + 1] = block[at + 1] & 0x83 | (11 + (block[at + 1] >> 2 & 7)) << 2;
        }
    }
    bytes
}

#[derive(Clone, Debug)]
struct Case {
    weights: Weights,
    rows: usize,
    columns: usize,
    blocks: Vec<u8>,
    x: Vec<f32>,
}

fn case() -> impl Strategy<Value = Case> {
    let shape = (
        prop::sample::select(&Weights::ALL[..]),
        1usize..40,
        1usize..4,
        0usize..20,
    );
    (shape, any::<u64>()).prop_flat_map(|((weights, rows, blocks_of_row, batch), seed)| {
        let blocks_of_row = match weights.grain() {
            Grain::Number => blocks_of_row * 13,
            Grain::Block | Grain::SuperBlock => blocks_of_row,
        };
        let columns = blocks_of_row * weights.grain().columns();
        let blocks = blocks(weights, rows * blocks_of_row, seed);
        let number = prop_oneof![8 => -4.0f32..4.0, 1 => Just(0.0), 1 => -100.0f32..100.0];
        prop::collection::vec(number, batch * columns).prop_map(move |x| Case {
            weights,
            rows,
            columns,
            blocks: blocks.clone(),
            x,
        })
    })
}

/// Blocks that are no file's.
#[derive(Debug)]
struct InMemory(Vec<u8>);

impl Blocks for InMemory {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Case {
    fn matrix(&self) -> Matrix {
        Matrix::pack(&pool(2), self.weights, self.rows, self.columns, &self.blocks).unwrap()
    }
}

proptest! {
    #[test]
    fn a_product_is_the_sum_of_products(case in case()) {
        let Case { weights, rows, columns, .. } = case;
        let dense = naive::dequantized(weights, &case.blocks);
        let found = products(Level::scalar(), 1, &case.matrix(), &case.x);
        let quantized = naive::quantized(weights.grain(), &case.x);
        for (m, x) in quantized.chunks_exact(columns).enumerate() {
            for n in 0..rows {
                let terms = dense[n * columns..][..columns].iter().zip(x).map(|(w, x)| w * x);
                let (mut sum, mut size) = (0.0, 0.0);
                for term in terms {
                    sum += term;
                    size += term.abs();
                }
                let found = f64::from(found[m * rows + n]);
                prop_assert!((found - sum).abs() <= 1e-6 * size + 1e-30, "{m} {n}: {found} beside {sum}");
            }
        }
    }

    #[test]
    fn blocks_that_are_packed_for_each_product_give_the_same_bits(case in case()) {
        let Case { weights, rows, columns, .. } = case;
        let blocks = Arc::new(InMemory(case.blocks.clone()));
        let unpacked = Matrix::unpacked(weights, rows, columns, blocks).unwrap();
        let bits = |out: Vec<f32>| out.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let expected = bits(products(Level::best(), 2, &case.matrix(), &case.x));
        prop_assert_eq!(bits(products(Level::best(), 2, &unpacked, &case.x)), expected);
        prop_assert_eq!(unpacked.bytes(), 0);
        let size = Matrix::packed_bytes(weights, rows, columns).unwrap();
        prop_assert_eq!(case.matrix().bytes(), size);
    }

    #[test]
    fn a_product_has_the_same_bits_at_every_level_on_any_threads_and_in_any_company(case in case()) {
        let matrix = case.matrix();
        let bits = |out: Vec<f32>| out.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let expected = bits(products(Level::scalar(), 1, &matrix, &case.x));
        for level in Level::available() {
            prop_assert_eq!(&bits(products(level, 3, &matrix, &case.x)), &expected, "{}", level);
            for (x, expected) in case.x.chunks(case.columns).zip(expected.chunks(case.rows)) {
                prop_assert_eq!(&bits(products(level, 1, &matrix, x))[..], expected, "{}", level);
            }
        }
    }
}

#[test]
fn rows_of_a_prompt_that_several_threads_share_have_the_bits_that_each_has_alone() {
    for weights in Weights::ALL {
        let (rows, columns, batch) = (40, 256, 261);
        let blocks = blocks(weights, rows * columns / weights.grain().columns(), 9);
        let matrix = Matrix::pack(&pool(2), weights, rows, columns, &blocks).unwrap();
        let x: Vec<f32> = (0..batch * columns).map(|i| (i as f32 * 0.13).sin()).collect();
        let expected = products(Level::scalar(), 1, &matrix, &x);
        for level in Level::available() {
            for threads in [1, 2, 5] {
                let found = products(level, threads, &matrix, &x);
                let same = found
                    .iter()
                    .zip(&expected)
                    .all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{weights} {level} {threads}");
            }
        }
    }
}

#[test]
fn eight_bits_of_activations_cost_less_than_a_hundredth() {
    for weights in Weights::ALL {
        let columns = 1024;
        let blocks = blocks(weights, 64 * columns / weights.grain().columns(), 7);
        let dense = naive::dequantized(weights, &blocks);
        let matrix = Matrix::pack(&pool(2), weights, 64, columns, &blocks).unwrap();
        let x: Vec<f32> = (0..columns).map(|i| (i as f32 * 0.37).sin()).collect();
        let found = products(Level::best(), 1, &matrix, &x);
        let (mut error, mut size) = (0.0, 0.0);
        for (n, found) in found.into_iter().enumerate() {
            let row = &dense[n * columns..][..columns];
            let sum: f64 = row.iter().zip(&x).map(|(w, x)| w * f64::from(*x)).sum();
            error += (f64::from(found) - sum).powi(2);
            size += row
                .iter()
                .zip(&x)
                .map(|(w, x)| (w * f64::from(*x)).powi(2))
                .sum::<f64>();
        }
        assert!(error < 1e-4 * size, "{weights}: {}", (error / size).sqrt());
    }
}

#[test]
fn what_is_not_finite_does_not_hide() {
    let columns = 256;
    for weights in Weights::ALL {
        let per_row = columns / weights.grain().columns();
        let matrix = Matrix::pack(&pool(2), weights, 16, columns, &blocks(weights, 16 * per_row, 3)).unwrap();
        for hidden in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for level in Level::available() {
                let mut x = vec![1.0; 2 * columns];
                x[columns + 100] = hidden;
                let out = products(level, 1, &matrix, &x);
                assert!(out[..16].iter().all(|y| y.is_finite()), "{weights} {level}");
                assert!(
                    out[16..].iter().all(|y| !y.is_finite()),
                    "{weights} {level} {hidden}"
                );
            }
        }
    }
}

#[test]
fn the_least_and_the_greatest_numbers_are_numbers() {
    let blocks = blocks(Weights::Q8_0, 16, 5);
    let matrix = Matrix::pack(&pool(2), Weights::Q8_0, 16, 32, &blocks).unwrap();
    for x in [f32::MIN_POSITIVE, 1e-45, -1e-38, 1e30, -1e30, 0.0] {
        let out = products(Level::best(), 1, &matrix, &[x; 32]);
        assert!(out.iter().all(|y| y.is_finite()), "{x}: {out:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let error = Matrix::pack(&pool(2), Weights::Q4_K, 1, 128, &[]).unwrap_err();
    assert_eq!(
        error,
        MatrixError::Columns {
            columns: 128,
            block: 256,
            weights: Weights::Q4_K
        }
    );
    let error = Matrix::pack(&pool(2), Weights::Q8_0, 2, 32, &[0; 67]).unwrap_err();
    assert!(
        error.to_string().contains("68 bytes, but there are 67"),
        "{error}"
    );
    let error = Matrix::pack(&pool(2), Weights::Q8_0, usize::MAX, 32, &[0; 67]).unwrap_err();
    assert!(matches!(error, MatrixError::Bytes { .. }), "{error}");

    let matrix = Matrix::pack(&pool(2), Weights::Q8_0, 2, 32, &[0; 68]).unwrap();
    let mut activations = Activations::new(Level::best());
    let error = activations
        .quantize(&pool(1), Grain::Block, &[0.0; 33], 32)
        .unwrap_err();
    assert!(error.to_string().contains("33 activations"), "{error}");
    activations
        .quantize(&pool(1), Grain::Block, &[0.0; 64], 64)
        .unwrap();
    let error = matrix
        .multiply(&pool(1), &activations, &mut [0.0; 2])
        .unwrap_err();
    assert!(matches!(error, MatrixError::Mismatch { .. }), "{error}");
    activations
        .quantize(&pool(1), Grain::Block, &[0.0; 64], 32)
        .unwrap();
    let error = matrix
        .multiply(&pool(1), &activations, &mut [0.0; 3])
        .unwrap_err();
    assert!(
        error.to_string().contains("4 numbers, but there is room for 3"),
        "{error}"
    );
}
