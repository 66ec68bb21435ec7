//! Forward passes of tiny models with random weights, one of each architecture: what a pass costs beside arithmetic.
//!
//! Each measurement starts from a cache as it was; bringing it there is not timed.
#![allow(missing_docs, reason = "the macros of criterion define public items")]
#![allow(clippy::unwrap_used, reason = "a bench stops at a fault")]

mod pass;
mod synthetic;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use models::synth::Shape;

use pass::{PROMPT, Pass};

const SHAPES: [Shape; 4] = [
    Shape::TinyLlama,
    Shape::TinyQwen3,
    Shape::TinyQwen3Moe,
    Shape::TinyDeepseek,
];

fn time(pass: &mut Pass, from: usize, to: usize) -> Duration {
    pass.rewind(from);
    let started = Instant::now();
    pass.run(to);
    started.elapsed()
}

fn main() {
    let mut passes = SHAPES.map(|shape| (shape, Pass::new(shape)));
    let mut criterion = Criterion::default().configure_from_args();
    for (name, from, to) in [("decode", PROMPT, PROMPT + 1), ("prefill 32", 0, PROMPT)] {
        let mut group = criterion.benchmark_group(format!("forward/{name}"));
        group.throughput(Throughput::Elements((to - from) as u64));
        for (shape, pass) in &mut passes {
            pass.rewind(0);
            pass.run(PROMPT);
            group.bench_function(shape.name(), |b| {
                b.iter_custom(|times| (0..times).map(|_| time(pass, from, to)).sum());
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
