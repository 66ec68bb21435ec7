//! Norms, gates and rotations beside naive ones in f64, and their bits at every level.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use simd_matmul::{Level, add_scaled, gate, normalize, normalize_in_place, turn_adjacent, turn_halves};

fn numbers() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-8.0f32..8.0, 1..200)
}

/// The results at every level, which have to be the same bits.
fn at_every_level(x: &[f32], work: impl Fn(Level, &mut [f32])) -> Vec<f32> {
    let mut results = Level::available().map(|level| {
        let mut own = x.to_vec();
        work(level, &mut own);
        own
    });
    let first = results.next().unwrap();
    for other in results {
        assert!(
            first.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()),
            "{first:?} {other:?}"
        );
    }
    first
}

fn close(found: f32, expected: f64) -> bool {
    (f64::from(found) - expected).abs() <= 2e-6 * (1.0 + expected.abs())
}

proptest! {
    #[test]
    fn a_normed_row_has_a_mean_square_of_one_times_its_weights(x in numbers(), weight in -2.0f32..2.0) {
        let weights: Vec<f32> = (0..x.len()).map(|i| weight + i as f32 * 0.01).collect();
        let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64;
        let found = at_every_level(&x, |level, own| normalize(level, &x, &weights, 1e-5, own));
        let in_place = at_every_level(&x, |level, own| normalize_in_place(level, own, &weights, 1e-5));
        prop_assert_eq!(&found, &in_place);
        for ((found, x), weight) in found.iter().zip(&x).zip(&weights) {
            let expected = f64::from(*x) / (mean + 1e-5).sqrt() * f64::from(*weight);
            prop_assert!(close(*found, expected), "{found} beside {expected}");
        }
    }

    #[test]
    fn gates_are_sigmoid_weighted(x in numbers(), up in -4.0f32..4.0) {
        let ups = vec![up; x.len()];
        let found = at_every_level(&x, |level, own| gate(level, own, &ups));
        for (found, x) in found.iter().zip(&x) {
            let x = f64::from(*x);
            let expected = x / (1.0 + (-x).exp()) * f64::from(up);
            prop_assert!(close(*found, expected), "{found} beside {expected}");
        }
    }

    #[test]
    fn pairs_are_turned_and_keep_their_length(x in numbers(), angle in -7.0f64..7.0) {
        let x = &x[..x.len() / 2 * 2];
        let half = x.len() / 2;
        let angles: Vec<f64> = (0..half).map(|i| angle * (i + 1) as f64).collect();
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|a| (a.cos() as f32, a.sin() as f32)).unzip();
        let halves = at_every_level(x, |level, own| turn_halves(level, own, &cos, &sin));
        let adjacent = at_every_level(x, |level, own| turn_adjacent(level, own, &cos, &sin));
        for (i, angle) in angles.iter().enumerate() {
            let turned = |a: f32, b: f32| {
                let (a, b) = (f64::from(a), f64::from(b));
                (a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos())
            };
            let (a, b) = turned(x[i], x[half + i]);
            prop_assert!(close(halves[i], a) && close(halves[half + i], b));
            let (a, b) = turned(x[2 * i], x[2 * i + 1]);
            prop_assert!(close(adjacent[2 * i], a) && close(adjacent[2 * i + 1], b));
        }
    }

    #[test]
    fn scaled_rows_are_added(x in numbers(), factor in -2.0f32..2.0) {
        let found = at_every_level(&x, |level, own| add_scaled(level, factor, &x, own));
        for (found, x) in found.iter().zip(&x) {
            prop_assert_eq!(found.to_bits(), (x + factor * x).to_bits());
        }
    }
}

#[test]
fn a_gate_that_is_far_below_zero_closes_and_nothing_becomes_nan() {
    for x in [-100.0, -1e30, f32::NEG_INFINITY, -0.0] {
        for level in Level::available() {
            let mut own = [x; 3];
            gate(level, &mut own, &[2.0; 3]);
            assert!(
                own.iter().all(|y| *y == 0.0) || x == f32::NEG_INFINITY,
                "{level} {x}: {own:?}"
            );
        }
    }
}
