//! Token ids to text as they come: the worker's time for a token of no text, of a letter, of a part of a character.
//!
//! What the worker does besides is the same for all three, so that the differences, which the end prints, are the
//! detokenizer's.
#![allow(missing_docs, reason = "the macros of criterion define public items")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on the terminal and stops at a fault"
)]

mod differences;
mod recital;
mod sentences;
mod story;
mod synthetic;

use std::time::Duration;

use criterion::{Criterion, Throughput};
use generator::SpecialTokens;
use models::synth::Shape;
use models::{Special, Tokenizer};

use sentences::{CHARACTERS, LETTERS};
use story::{Story, TOKENS};

fn recite(story: &Story) -> Duration {
    let special = SpecialTokens::default();
    let stream = story
        .generator
        .generate(&recital::PROMPT[..], TOKENS as u32, special);
    story.read(stream)
}

fn main() {
    let tokenizer = Tokenizer::from_gguf(&synthetic::file(Shape::TinyQwen3)).unwrap();
    let ids = |text| tokenizer.encode(text, Special::Literal).unwrap();
    let mark = tokenizer.token_id("<|im_start|>").unwrap();
    assert_eq!(tokenizer.token_bytes(mark), Some(&[][..]));
    let characters = ids(CHARACTERS);
    let is_part = |id: &&u32| str::from_utf8(tokenizer.token_bytes(**id).unwrap()).is_err();
    assert!(characters.iter().filter(is_part).count() * 2 > characters.len());
    let stories = [
        ("no text", Story::new(&tokenizer, &[mark])),
        ("letters", Story::new(&tokenizer, &ids(LETTERS))),
        ("parts of characters", Story::new(&tokenizer, &characters)),
    ];
    let times = stories
        .each_ref()
        .map(|(name, story)| (*name, move || recite(story)));
    for (_, recite) in &times {
        recite();
    }

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("detokenizer");
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
