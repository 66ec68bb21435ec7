//! From a row of logits to the text that may be shown nothing is allocated: counted over 1,000 tokens.
#![allow(unsafe_code, reason = "a global allocator that counts")]
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use simd_sampling::{SamplerChain, SamplingParams};

use detokenizer::Detokenizer;
use stop::StopMatcher;

// As they stand in the crate, which keeps them to itself; their own tests run a second time here.
#[path = "../src/detokenizer.rs"]
mod detokenizer;
#[path = "../src/stop.rs"]
mod stop;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged; growing a block goes through `alloc`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is the one that is needed.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What tokens 0 to 9 stand for: text, parts of characters, beginnings of the stop strings, bytes that are no text.
const PIECES: [&[u8]; 10] = [
    b" once",
    b"\n",
    b"\nUs",
    b"er",
    b"\xF0\x9F",
    b"\xA6\x80",
    b"\xFF",
    b"",
    b" upon a time",
    b"\xE2",
];

#[test]
fn a_thousand_tokens_are_drawn_and_shown_without_an_allocation() {
    let stops = [
        "\n\nUser:",
        "once upon a time, ",
        "🦀🦀🦀🦀🦀🦀🦀🦀",
        "er\n\n\n\n\n\n\n\n",
    ];
    let params = SamplingParams {
        temperature: 1.0,
        ..SamplingParams::neutral()
    };
    let mut chain = SamplerChain::new(&params, PIECES.len()).unwrap();
    let mut detokenizer = Detokenizer::new(true);
    let mut stops = StopMatcher::new(stops.map(str::to_owned).to_vec());
    let mut row = [0.0; PIECES.len()];
    let mut history = Vec::with_capacity(1_100);
    let (mut piece, mut text) = (String::with_capacity(64), String::with_capacity(16_000));
    let before = ALLOCATIONS.with(Cell::get);
    assert!(before > 0, "the allocator counts");
    for step in 0..1_000 {
        row.fill(0.0);
        let sampled = chain.sample(&mut row, &history, 5, step).unwrap();
        history.push(sampled.token);
        piece.clear();
        detokenizer.push(PIECES[sampled.token as usize], &mut piece);
        assert_eq!(stops.push(&mut piece), None, "{text:?}");
        text.push_str(&piece);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    detokenizer.finish(&mut text);
    stops.finish(&mut text);
    assert!(
        text.contains('🦀') && text.contains("\nUser") && text.contains('\u{FFFD}'),
        "{text}"
    );
}
