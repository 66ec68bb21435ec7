//! Chains in portable code, compiled for the target's baseline.

use super::CHAINS;

/// Numbers of a chain; the compiler puts them into vectors of the baseline.
const LANES: usize = 4;

pub(super) fn multiply_add(a: f32, b: f32, rounds: u64) -> (u64, f32) {
    let mut chains: [[f32; LANES]; CHAINS] = std::array::from_fn(|chain| [chain as f32; LANES]);
    for _ in 0..rounds {
        for x in chains.as_flattened_mut() {
            *x = *x * a + b;
        }
    }
    (LANES as u64, chains.iter().map(|chain| chain[0]).sum())
}

pub(super) fn dot_i8(a: i8, b: i8, rounds: u64) -> (u64, i32) {
    let mut chains: [[i32; LANES]; CHAINS] = std::array::from_fn(|chain| [chain as i32; LANES]);
    for _ in 0..rounds {
        for x in chains.as_flattened_mut() {
            // The product depends on the chain, or it would be taken out of the loop.
            *x = x.wrapping_add(i32::from(*x as i8 ^ a) * i32::from(b));
        }
    }
    let digest = chains.iter().map(|chain| chain[0]).fold(0, i32::wrapping_add);
    (LANES as u64, digest)
}
