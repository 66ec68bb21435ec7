//! Choosing a token from 151,936 logits drawn from N(0, 1) * 3, beside candle's `LogitsProcessor`.
//!
//! Each measurement starts from a fresh copy of the row, which is not timed. As clocks drift, the end
//! prints each chain as a multiple of the max pass, the two measured turn by turn.
#![allow(missing_docs, reason = "the macros of criterion define public items")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on the terminal and stops at a fault"
)]

mod logits;

use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};
use criterion::{Bencher, Criterion};
use simd_sampling::{Level, Penalties, SamplerChain, SamplingParams, max_at};

const VOCAB: usize = 151_936;

/// The chains by name; the draw is part of each.
fn chains() -> Vec<(&'static str, SamplingParams)> {
    let neutral = SamplingParams::neutral;
    let penalties = Penalties {
        last_n: 64,
        repeat: 1.1,
        frequency: 0.1,
        presence: 0.1,
    };
    vec![
        ("greedy", SamplingParams::greedy()),
        (
            "temperature",
            SamplingParams {
                temperature: 0.8,
                ..neutral()
            },
        ),
        (
            "top-k 40",
            SamplingParams {
                top_k: 40,
                ..neutral()
            },
        ),
        (
            "top-p 0.95",
            SamplingParams {
                top_p: 0.95,
                ..neutral()
            },
        ),
        (
            "min-p 0.05",
            SamplingParams {
                min_p: 0.05,
                ..neutral()
            },
        ),
        (
            "typical 0.95",
            SamplingParams {
                typical_p: 0.95,
                ..neutral()
            },
        ),
        (
            "top-n-sigma 1",
            SamplingParams {
                top_n_sigma: 1.0,
                ..neutral()
            },
        ),
        ("mirostat 2", SamplingParams::mirostat()),
        (
            "penalties 64, top-k 40, top-p 0.95, min-p 0.05, temperature",
            SamplingParams {
                penalties,
                ..SamplingParams::default()
            },
        ),
    ]
}

/// Times `choose` alone; each call gets a fresh copy of the row.
fn fresh(bencher: &mut Bencher<'_>, row: &[f32], mut choose: impl FnMut(&mut [f32])) {
    let mut scratch = row.to_vec();
    bencher.iter_custom(|times| (0..times).map(|_| once(row, &mut scratch, &mut choose)).sum());
}

fn once(row: &[f32], scratch: &mut [f32], choose: &mut impl FnMut(&mut [f32])) -> Duration {
    scratch.copy_from_slice(row);
    let start = Instant::now();
    choose(scratch);
    start.elapsed()
}

/// A chain as a function of the row, a step further each time.
fn step_by_step(level: Level, params: &SamplingParams) -> impl FnMut(&mut [f32]) {
    let mut chain = SamplerChain::at_level(level, params, VOCAB).unwrap();
    let history: Vec<u32> = (0..64).map(|i| i * 2371 % VOCAB as u32).collect();
    let mut step = 0;
    move |row| {
        step += 1;
        black_box(chain.sample(row, &history, 1, step).unwrap());
    }
}

fn ours(criterion: &mut Criterion, row: &[f32]) {
    for level in Level::available() {
        let mut group = criterion.benchmark_group(format!("sampling/{level}"));
        group.bench_function("max pass", |b| {
            fresh(b, row, |row| {
                black_box(max_at(level, row).unwrap());
            });
        });
        for (name, params) in chains() {
            group.bench_function(name, |b| fresh(b, row, step_by_step(level, &params)));
        }
        group.finish();
    }
}

fn candle(criterion: &mut Criterion, row: &[f32]) {
    let logits = Tensor::new(row, &Device::Cpu).unwrap();
    let mut group = criterion.benchmark_group("sampling/candle");
    let temperature = 0.8;
    for (name, sampling) in [
        ("greedy", Sampling::ArgMax),
        ("temperature", Sampling::All { temperature }),
        ("top-k 40", Sampling::TopK { k: 40, temperature }),
        ("top-p 0.95", Sampling::TopP { p: 0.95, temperature }),
        (
            "top-k 40, top-p 0.95",
            Sampling::TopKThenTopP {
                k: 40,
                p: 0.95,
                temperature,
            },
        ),
    ] {
        let mut processor = LogitsProcessor::from_sampling(1, sampling);
        group.bench_function(name, |b| b.iter(|| processor.sample(black_box(&logits)).unwrap()));
    }
    group.finish();
}

/// Prints the median of each chain as a multiple of the median of the max pass.
fn multiples(row: &[f32]) {
    const TURNS: usize = 301;
    let level = Level::best();
    println!("\n{level}, {VOCAB} logits, {TURNS} turns: chain, median in us, multiple of the max pass");
    for (name, params) in chains() {
        let mut scratch = row.to_vec();
        let mut choose = step_by_step(level, &params);
        let (mut chain, mut max) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            max.push(once(row, &mut scratch, &mut |row| {
                black_box(max_at(level, row).unwrap());
            }));
            chain.push(once(row, &mut scratch, &mut choose));
        }
        chain.sort_unstable();
        max.sort_unstable();
        let [chain, max] = [chain, max].map(|times| times[TURNS / 2].as_secs_f64() * 1e6);
        println!("{name}: {chain:.1} us, {:.2} times {max:.1} us", chain / max);
    }
}

fn main() {
    let row = logits::row(VOCAB);
    let mut criterion = Criterion::default().configure_from_args();
    ours(&mut criterion, &row);
    candle(&mut criterion, &row);
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        multiples(&row);
    }
}
