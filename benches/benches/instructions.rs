//! Instructions of the hot path, counted by callgrind: the same at every run, whatever else the machine does.
//!
//! One thread computes. Valgrind shows a CPU with AVX2 and nothing wider, so that counts of machines with AVX-512 and of
//! those without can be compared.
#![allow(
    missing_docs,
    unused_qualifications,
    reason = "the macros of gungraun define public items, and repeat paths in modules of theirs"
)]
#![allow(clippy::unwrap_used, reason = "a bench stops at a fault")]

mod logits;
mod pass;
mod recital;
mod sentences;
mod story;
mod synthetic;

use std::hint::black_box;

use generator::SpecialTokens;
use gungraun::prelude::*;
use gungraun::{Callgrind, EntryPoint};
use models::synth::Shape;
use models::{Special, Tokenizer};
use rayon::ThreadPoolBuilder;
use simd_sampling::{Level, SamplerChain, SamplingParams};

use pass::{PROMPT, Pass};
use sentences::{CHARACTERS, LETTERS};
use story::{Story, TOKENS};

/// Logits of a row that is sampled.
const VOCAB: usize = 32_768;
/// Decoded tokens whose instructions are counted together.
const STEPS: usize = 16;

/// A chain and a row that it is to sample.
struct Sampler {
    chain: SamplerChain,
    row: Vec<f32>,
}

impl Sampler {
    /// A sampler that was found to choose what the scalar kernels choose.
    fn new(params: SamplingParams) -> Self {
        let [scalar, best] = [Level::scalar(), Level::best()].map(|level| {
            let chain = SamplerChain::at_level(level, &params, VOCAB).unwrap();
            let row = logits::row(VOCAB);
            let mut sampler = Self { chain, row };
            let token = sampler.step();
            sampler.row = logits::row(VOCAB);
            (sampler, token)
        });
        assert_eq!(scalar.1, best.1);
        best.0
    }

    fn step(&mut self) -> u32 {
        self.chain.sample(&mut self.row, &[], 1, 1).unwrap().token
    }
}

/// A pass whose parallel parts run on the thread that calls it, where they are counted; its steps are warm, so that the
/// allocator finds what it gave before.
fn decoder(shape: Shape) -> Pass {
    let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    pool.build_global().unwrap();
    decode_steps(Pass::new(shape))
}

/// The same token many times: what the allocator does otherwise at one of them weighs little.
fn decode_steps(mut decoder: Pass) -> Pass {
    for _ in 0..STEPS {
        decoder.rewind(PROMPT);
        decoder.run(PROMPT + 1);
    }
    decoder
}

/// A story of a sentence.
fn story(sentence: &str) -> Story {
    let tokenizer = Tokenizer::from_gguf(&synthetic::file(Shape::TinyQwen3)).unwrap();
    let tokens = tokenizer.encode(sentence, Special::Literal).unwrap();
    Story::new(&tokenizer, &tokens)
}

fn callgrind() -> Callgrind {
    Callgrind::with_args(["--cache-sim=no"])
}

/// Counts one function of a crate's own, wherever and on whichever thread it runs. If it were inlined, the count would be
/// nothing at all.
fn only(function: &str) -> LibraryBenchmarkConfig {
    LibraryBenchmarkConfig::default()
        .tool(callgrind().entry_point(EntryPoint::Custom(function.to_owned())))
        .clone()
}

#[library_benchmark]
#[bench::greedy(args = (SamplingParams::greedy()), setup = Sampler::new)]
#[bench::default_chain(args = (SamplingParams::default()), setup = Sampler::new)]
fn sample(mut sampler: Sampler) -> Sampler {
    black_box(sampler.step());
    sampler
}

#[library_benchmark]
#[bench::tiny_llama(args = (Shape::TinyLlama), setup = decoder)]
fn decode(decoder: Pass) -> Pass {
    black_box(decode_steps(decoder))
}

#[library_benchmark(config = only("generator::detokenizer::Detokenizer::push"))]
#[bench::letters(args = (LETTERS), setup = story)]
#[bench::parts_of_characters(args = (CHARACTERS), setup = story)]
fn detokenize(story: Story) -> Story {
    let special = SpecialTokens::default();
    let stream = story
        .generator
        .generate(&recital::PROMPT[..], TOKENS as u32, special);
    story.read(stream);
    story
}

library_benchmark_group!(name = hot_path, benchmarks = [sample, decode, detokenize]);
main!(
    config = LibraryBenchmarkConfig::default()
        .env("RAYON_NUM_THREADS", "1")
        .env("CANDLE_NUM_THREADS", "1")
        .tool(callgrind()),
    library_benchmark_groups = hot_path
);
