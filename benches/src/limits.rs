//! The most that this machine gives: how fast memory is read, how fast one core and all of them multiply.
//!
//! A figure is the best of several measurements: a limit is what is reached when nothing disturbs.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use simd::probe::{self, Work};
use simd::{LANES, Level, Vector, dispatch};

/// Numbers that are read, 256 MiB: more than caches hold.
const NUMBERS: usize = 64 << 20;
/// Measurements of each figure.
const TRIES: usize = 5;
/// Least time of a measurement of arithmetic.
const TIME: Duration = Duration::from_millis(50);

/// Limits of a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// The SIMD level that they were measured at.
    pub level: String,
    /// Threads of what `all` stands for.
    pub threads: usize,
    /// Memory that is read, in gigabytes (10^9 bytes) per second.
    pub read_gb_s: Rate,
    /// Fused multiplications and additions of `f32`, in 10^9 operations per second; a pair counts as two.
    pub f32_fma_gflops: Rate,
    /// Multiplications and additions of 8-bit integers, counted the same.
    pub int8_dot_gops: Rate,
}

/// One thread's rate, and that of all together.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Rate {
    /// With one thread.
    pub one: f64,
    /// With all threads.
    pub all: f64,
}

impl Limits {
    /// Measures with up to `threads` threads, in a few seconds.
    #[must_use]
    pub fn measure(threads: NonZeroUsize) -> Self {
        let (level, threads) = (Level::best(), threads.get());
        let buffer = vec![1.0; NUMBERS];
        let bytes = size_of_val(buffer.as_slice()) as f64;
        let read = |threads| best(|| bytes / read(level, &buffer, threads).as_secs_f64());
        let read_gb_s = Rate::of(threads, read);
        Self {
            level: level.name().to_owned(),
            threads,
            read_gb_s,
            f32_fma_gflops: Rate::of(threads, |threads| peak(level, probe::multiply_add, threads)),
            int8_dot_gops: Rate::of(threads, |threads| peak(level, probe::dot_i8, threads)),
        }
    }
}

impl Rate {
    /// In 10^9 per second, from a rate per second.
    fn of(threads: usize, rate: impl Fn(usize) -> f64) -> Self {
        Self {
            one: rate(1) / 1e9,
            all: rate(threads) / 1e9,
        }
    }
}

fn best(mut measure: impl FnMut() -> f64) -> f64 {
    (0..TRIES).map(|_| measure()).fold(0.0, f64::max)
}

/// Time until every thread has read its share of the buffer.
fn read(level: Level, buffer: &[f32], threads: usize) -> Duration {
    let share = buffer.len().div_ceil(threads);
    together(buffer.chunks(share), |numbers| {
        black_box(dispatch!(level, v => sum(v, numbers)));
    })
}

/// Operations per second of as many threads, each repeating `chain` for at least [`TIME`].
fn peak(level: Level, chain: fn(Level, u64) -> Work, threads: usize) -> f64 {
    let mut rounds = 1 << 16;
    while once(level, chain, rounds, 1).0 < TIME {
        rounds *= 2;
    }
    best(|| {
        let (elapsed, operations) = once(level, chain, rounds, threads);
        operations / elapsed.as_secs_f64()
    })
}

/// Time and operations of all threads.
fn once(level: Level, chain: fn(Level, u64) -> Work, rounds: u64, threads: usize) -> (Duration, f64) {
    let elapsed = together(0..threads, |_| {
        let _ = black_box(chain(level, rounds));
    });
    let each = chain(level, 1).operations * rounds;
    (elapsed, each as f64 * threads as f64)
}

/// Runs `work` on every share at the same time, a thread each; from the first one's start to the last one's end.
fn together<T: Send>(shares: impl ExactSizeIterator<Item = T>, work: impl Fn(T) + Sync) -> Duration {
    let (barrier, work) = (&Barrier::new(shares.len()), &work);
    let run = |share| {
        barrier.wait();
        let begun = Instant::now();
        work(share);
        (begun, Instant::now())
    };
    let times: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let running: Vec<_> = shares.map(|share| scope.spawn(move || run(share))).collect();
        running
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let begun = times.iter().map(|(begun, _)| *begun).min();
    let ended = times.iter().map(|(_, ended)| *ended).max();
    match (begun, ended) {
        (Some(begun), Some(ended)) => ended - begun,
        _ => Duration::ZERO,
    }
}

/// Sum in four chains of 16 lanes, so that additions do not wait for one another.
#[inline(always)]
fn sum<V: Vector>(v: V, numbers: &[f32]) -> f32 {
    let (blocks, _) = numbers.as_chunks::<LANES>();
    let (quads, rest) = blocks.as_chunks::<4>();
    let mut chains = [v.splat(0.0); 4];
    for quad in quads {
        for (chain, block) in chains.iter_mut().zip(quad) {
            *chain = v.add(*chain, v.load(block));
        }
    }
    for (chain, block) in chains.iter_mut().zip(rest) {
        *chain = v.add(*chain, v.load(block));
    }
    let [a, b, c, d] = chains;
    v.reduce_sum(v.add(v.add(a, b), v.add(c, d)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read_once_at_every_level() {
        let numbers: Vec<f32> = (0..LANES * 11).map(|at| at as f32).collect();
        for level in Level::available() {
            let found = dispatch!(level, v => sum(v, &numbers));
            assert_eq!(found, numbers.iter().sum(), "{level}");
        }
    }

    #[test]
    fn time_runs_until_the_last_share_is_done() {
        let pause = Duration::from_millis(20);
        let elapsed = together([Duration::ZERO, pause].into_iter(), std::thread::sleep);
        assert!(elapsed >= pause / 2, "{elapsed:?}");
    }
}
