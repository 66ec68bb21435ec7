//! How much longer a token takes in one way than in another, measured turn by turn, as clocks drift.

use std::time::Duration;

use crate::story::TOKENS;

/// Prints the median time of a token of each, and by how much it exceeds that of the first.
///
/// * `measured`: names, and what takes the time that it says for all tokens of a story but the first.
pub(crate) fn print(measured: &[(&str, impl Fn() -> Duration)]) {
    const TURNS: usize = 101;
    let mut times = vec![Vec::with_capacity(TURNS); measured.len()];
    for _ in 0..TURNS {
        for ((_, recite), times) in measured.iter().zip(&mut times) {
            times.push(recite());
        }
    }
    let medians = times.iter_mut().map(|times| {
        times.sort_unstable();
        times[TURNS / 2].as_secs_f64() * 1e9 / (TOKENS - 1) as f64
    });
    let medians: Vec<f64> = medians.collect();
    println!(
        "\n{TURNS} turns: median in ns of a token, beyond {}",
        measured[0].0
    );
    for ((name, _), median) in measured.iter().zip(&medians) {
        println!("{name}: {median:.1} ns, {:.1} ns", median - medians[0]);
    }
}
