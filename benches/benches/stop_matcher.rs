//! Stop strings looked for in a stream: the worker's time for a token with none, one and sixteen of them.
//!
//! None of them ever comes whole, and each begins as the text does again and again, so that text is held back and let
//! go. What the worker does besides is the same for all three; the end prints the differences.
#![allow(missing_docs, reason = "the macros of criterion define public items")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on the terminal and stops at a fault"
)]

mod differences;
mod recital;
mod stops;
mod story;
mod synthetic;

use std::time::Duration;

use criterion::{Criterion, Throughput};
use generator::StopCause;
use models::synth::Shape;
use models::{Special, Tokenizer};

use stops::{STOPS, TEXT, stream};
use story::{Story, TOKENS};

fn recite(story: &Story, stops: &[&str]) -> Duration {
    story.read(stream(story, stops))
}

/// A string that comes ends the story before it, beside any number that do not.
fn check(story: &Story) {
    let ending = &story.whole[40..46];
    let stops = [&STOPS[..], &[ending]].concat();
    let (mut text, mut end) = (String::new(), None);
    for chunk in stream(story, &stops).blocking_iter() {
        let chunk = chunk.unwrap();
        text.push_str(&chunk.text);
        end = chunk.end;
    }
    assert_eq!(text, story.whole[..40]);
    assert_eq!(end.unwrap().stop, Some(StopCause::Text(ending.to_owned())));
}

fn main() {
    let tokenizer = Tokenizer::from_gguf(&synthetic::file(Shape::TinyQwen3)).unwrap();
    let story = Story::new(&tokenizer, &tokenizer.encode(TEXT, Special::Literal).unwrap());
    check(&story);
    let cases = [
        ("none", &STOPS[..0]),
        ("one", &STOPS[..1]),
        ("sixteen", &STOPS[..]),
    ];
    let times = cases.map(|(name, stops)| {
        let story = &story;
        (name, move || recite(story, stops))
    });
    for (_, recite) in &times {
        recite();
    }

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("stop_matcher");
    group.throughput(Throughput::Elements(TOKENS as u64 - 1));
    for (name, recite) in &times {
        group.bench_function(*name, |b| {
            b.iter_custom(|times| (0..times).map(|_| recite()).sum());
        });
    }
    group.finish();
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        differences::print(&times);
    }
}
