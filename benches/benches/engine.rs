//! What the engine adds to a request and to each of its tokens, beside the bare generator.
//!
//! The model costs nothing, so that the engine is not lost in it. Streams of chunks that are ready beforehand show its
//! share alone; the end prints that, measured turn by turn, as clocks drift.
#![allow(missing_docs, reason = "the macros of criterion define public items")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on the terminal and stops at a fault"
)]

mod recital;
mod synthetic;

use std::fmt::Debug;
use std::hint::black_box;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use engine::{
    AsyncStream, CandleCompletionChunk, CandleCompletionParams, CandlePrompt, CandleStringChunk, Engine,
    EngineConfig, EngineError, GenerateError, Request,
};
use futures::stream;
use generator::{Limits, SpecialTokens, TextGenerator};
use models::Tokenizer;
use models::synth::Shape;

/// Tokens of a long answer.
const LONG: usize = 1024;

type Generation = AsyncStream<Result<CandleStringChunk, GenerateError>>;
type Completion = AsyncStream<Result<CandleCompletionChunk, EngineError>>;

/// An answer of so many tokens, with and without an engine, from a generator and from chunks that are ready.
struct Answer {
    tokens: usize,
    generator: TextGenerator,
    done: Receiver<()>,
    chunks: Vec<CandleStringChunk>,
    engine: Engine,
}

impl Answer {
    fn new(tokenizer: &Tokenizer, tokens: usize) -> Self {
        let limits = Limits {
            unread: tokens,
            ..Limits::default()
        };
        let ids = (0..tokens as u32).map(|at| u32::from(b'a') + at % 26).collect();
        let (generator, done) = recital::generator(tokenizer, ids, limits);
        let mut answer = Self {
            tokens,
            generator,
            done,
            chunks: Vec::new(),
            engine: Engine::new(EngineConfig::named("bench")).unwrap(),
        };
        answer.chunks = answer.generated().into_iter().map(Result::unwrap).collect();
        answer.check();
        answer
    }

    /// The engine hands on the same text and tokens, whatever they come from.
    fn check(&self) {
        let text: String = self.chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        let bare = self.chunks.iter().map(|chunk| chunk.tokens.len()).sum::<usize>();
        assert_eq!((text.len(), bare), (self.tokens, self.tokens));
        for completion in [self.coordinated(), read(self.through(self.ready()))] {
            let chunks: Vec<CandleCompletionChunk> = completion.into_iter().map(Result::unwrap).collect();
            let completed: String = chunks.iter().filter_map(|chunk| chunk.text()).collect();
            let tokens = chunks.iter().map(|chunk| chunk.tokens().len()).sum::<usize>();
            assert_eq!((completed, tokens), (text.clone(), self.tokens));
        }
    }

    fn generation(generator: &TextGenerator, tokens: usize) -> Generation {
        generator.generate(&recital::PROMPT[..], tokens as u32, SpecialTokens::default())
    }

    fn generated(&self) -> Vec<Result<CandleStringChunk, GenerateError>> {
        recital::afterwards(Self::generation(&self.generator, self.tokens), &self.done)
    }

    fn coordinated(&self) -> Vec<Result<CandleCompletionChunk, EngineError>> {
        let (generator, tokens) = (self.generator.clone(), self.tokens);
        let generation = move || Self::generation(&generator, tokens);
        let stream = self.engine.coordinate_generation(request(), generation);
        recital::afterwards(stream, &self.done)
    }

    fn ready(&self) -> Generation {
        AsyncStream::from_stream(stream::iter(self.chunks.clone().into_iter().map(Ok)))
    }

    fn through(&self, generation: Generation) -> Completion {
        self.engine.coordinate_generation(request(), || generation)
    }

    /// Median nanoseconds that the engine adds to reading the ready chunks.
    fn overhead(&self) -> f64 {
        const TURNS: usize = 1001;
        let nanoseconds = |started: Instant| started.elapsed().as_secs_f64() * 1e9;
        let (mut bare, mut engine) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let generation = self.ready();
            let started = Instant::now();
            black_box(read(generation));
            bare.push(nanoseconds(started));
            let generation = self.ready();
            let started = Instant::now();
            black_box(read(self.through(generation)));
            engine.push(nanoseconds(started));
        }
        bare.sort_unstable_by(f64::total_cmp);
        engine.sort_unstable_by(f64::total_cmp);
        engine[TURNS / 2] - bare[TURNS / 2]
    }
}

fn request() -> Request {
    Request::new(&CandlePrompt::raw("once"), &CandleCompletionParams::default()).unwrap()
}

fn read<T, E: Debug>(stream: AsyncStream<Result<T, E>>) -> Vec<Result<T, E>> {
    stream.blocking_iter().collect()
}

fn measure(criterion: &mut Criterion, answer: &Answer) {
    let mut group = criterion.benchmark_group(format!("engine/{} tokens", answer.tokens));
    group.throughput(Throughput::Elements(answer.tokens as u64));
    group.bench_function("generator", |b| b.iter(|| answer.generated()));
    group.bench_function("generator, engine", |b| b.iter(|| answer.coordinated()));
    let size = criterion::BatchSize::SmallInput;
    group.bench_function("ready chunks", |b| {
        b.iter_batched(|| answer.ready(), read, size);
    });
    group.bench_function("ready chunks, engine", |b| {
        b.iter_batched(|| answer.ready(), |ready| read(answer.through(ready)), size);
    });
    group.finish();
}

fn main() {
    let tokenizer = Tokenizer::from_gguf(&synthetic::file(Shape::TinyQwen3)).unwrap();
    let [one, long] = [1, LONG].map(|tokens| Answer::new(&tokenizer, tokens));
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, &one);
    measure(&mut criterion, &long);
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        let (request, all) = (one.overhead(), long.overhead());
        let token = (all - request) / (LONG - 1) as f64;
        println!(
            "\nthe engine adds {request:.0} ns to a request of one token and {token:.1} ns to each further one"
        );
    }
}
