//! A decoded token allocates nothing on kernels of our own, but for a block of the cache at every 64th: counted over all
//! threads, for every architecture.
#![allow(unsafe_code, reason = "a global allocator that counts")]
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use models::synth::{self, Quant, Shape};
use models::{CacheType, Checkpoint, Compute, LoadOptions, Logits, ModelFactory, Rows, SequenceStep};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; growing a block goes through `alloc`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
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

// One test: another one beside it would be counted too.
#[test]
fn a_decoded_token_allocates_nothing_within_a_block() {
    for shape in [
        Shape::TinyLlama,
        Shape::TinyQwen3,
        Shape::TinyQwen3Moe,
        Shape::TinyDeepseek,
    ] {
        let name = format!("allocation-{}-{}.gguf", std::process::id(), shape.name());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        synth::write_as(shape, Quant::Q8_0, 3, &path, &mut |_| {}).unwrap();
        let options = LoadOptions {
            compute: Compute::Fast,
            cache: Some(CacheType::F16),
            ..LoadOptions::default()
        };
        let mut model = ModelFactory::load(&Checkpoint::open(&path).unwrap(), options, &mut |_| {}).unwrap();
        let mut logits = Logits::new();
        // The least of three runs: threads that begin late allocate what they are made of, whenever that is.
        let mut counts = [usize::MAX; 150];
        for _ in 0..3 {
            let mut cache = model.new_cache();
            for (token, count) in (0..).zip(&mut counts) {
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                let step = SequenceStep {
                    tokens: &[token],
                    cache: &mut cache,
                };
                model.forward(&mut [step], Rows::Last, &mut logits).unwrap();
                *count = (*count).min(ALLOCATIONS.load(Ordering::Relaxed) - before);
            }
        }
        // A block is an allocation or a few.
        let within: Vec<usize> = (0..150)
            .filter(|position| position % 64 != 0 && counts[*position] > 0)
            .collect();
        assert!(within.is_empty(), "{shape:?} allocates at {within:?}: {counts:?}");
    }
}
