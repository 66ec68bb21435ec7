//! Chunks handed from the worker's thread to their readers: tokens per second of a model that costs nothing.
//!
//! Read afterwards, the worker never waits and wakes nobody; read at once, it hands over as it goes, or has to wait.
#![allow(missing_docs, reason = "the macros of criterion define public items")]
#![allow(clippy::unwrap_used, reason = "a bench stops at a fault")]

mod recital;
mod synthetic;

use std::sync::mpsc::Receiver;

use criterion::{Criterion, Throughput};
use generator::{AsyncStream, CandleStringChunk, GenerateError, Limits, SpecialTokens, TextGenerator};
use models::Tokenizer;
use models::synth::Shape;

/// Tokens of a stream.
const TOKENS: usize = 1024;
/// Streams where there are several at once.
const STREAMS: usize = 4;

type Stream = AsyncStream<Result<CandleStringChunk, GenerateError>>;

struct Source {
    generator: TextGenerator,
    done: Receiver<()>,
}

impl Source {
    fn new(tokenizer: &Tokenizer, unread: usize) -> Self {
        let tokens = (0..TOKENS as u32).map(|at| u32::from(b'a') + at % 26).collect();
        let limits = Limits {
            unread,
            ..Limits::default()
        };
        let (generator, done) = recital::generator(tokenizer, tokens, limits);
        Self { generator, done }
    }

    fn stream(&self) -> Stream {
        let special = SpecialTokens::default();
        self.generator
            .generate(&recital::PROMPT[..], TOKENS as u32, special)
    }

    /// Tokens of a stream that is read when it is complete.
    fn afterwards(&self) -> usize {
        tokens(recital::afterwards(self.stream(), &self.done))
    }

    /// Tokens of a stream that is read as it comes.
    fn at_once(&self) -> usize {
        tokens(self.stream().blocking_iter())
    }

    /// Tokens of several streams, each read as it comes by a thread of its own.
    fn together(&self) -> usize {
        std::thread::scope(|scope| {
            let readers = [(); STREAMS].map(|()| {
                let stream = self.stream();
                scope.spawn(|| tokens(stream.blocking_iter()))
            });
            readers.into_iter().map(|reader| reader.join().unwrap()).sum()
        })
    }
}

fn tokens(chunks: impl IntoIterator<Item = Result<CandleStringChunk, GenerateError>>) -> usize {
    chunks.into_iter().map(|chunk| chunk.unwrap().tokens.len()).sum()
}

fn main() {
    let tokenizer = Tokenizer::from_gguf(&synthetic::file(Shape::TinyQwen3)).unwrap();
    let [roomy, usual, narrow] =
        [TOKENS, Limits::default().unread, 1].map(|unread| Source::new(&tokenizer, unread));
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("stream");
    let mut bench = |name: &str, streams: usize, read: &dyn Fn() -> usize| {
        assert_eq!(read(), streams * TOKENS, "{name}");
        group.throughput(Throughput::Elements((streams * TOKENS) as u64));
        group.bench_function(name, |b| b.iter(read));
    };
    bench("read afterwards", 1, &|| roomy.afterwards());
    bench("read at once, usual room", 1, &|| usual.at_once());
    bench("read at once, room for one", 1, &|| narrow.at_once());
    bench("four read at once, usual room", STREAMS, &|| usual.together());
    group.finish();
    criterion.final_summary();
}
