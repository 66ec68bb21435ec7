//! Where weights and cache entries are held changes memory, not results: decoded and mapped weights, f32 and f16
//! caches, shared blocks.
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

#[path = "seeded/file.rs"]
mod file;

use std::path::PathBuf;

use file::SeededFile;
use models::synth::{self, Shape};
use models::{
    BlockType, CacheType, Checkpoint, Compute, HeldWeights, KvCache, LoadOptions, Logits, Model, ModelError,
    ModelFactory, Residence, Rows, SequenceStep,
};

/// Mapped and decoded weights are the same numbers; only the order of a product's sums may differ.
const SAME_WEIGHTS: f32 = 1e-4;
/// Of the largest logit: an f16 has 11 bits, so that a cached entry is off by at most 2^-12 of itself; scores, hence
/// attention's weights, sum such faults over a head, and each layer adds its own.
const F16: f32 = 3e-3;

const SHAPES: [Shape; 4] = [
    Shape::TinyLlama,
    Shape::TinyQwen3,
    Shape::TinyQwen3Moe,
    Shape::TinyDeepseek,
];

/// Random routers come close to ties, and a choice that f16 rounding turns moves a row far past any tolerance for
/// rounding; under this seed no choice of these tests is that close.
const SEED: u64 = 7;

fn checkpoint(shape: Shape, test: &str) -> Checkpoint {
    let name = format!("holding-{}-{test}-{shape:?}.gguf", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    synth::write(shape, SEED, &path).unwrap();
    Checkpoint::open(path).unwrap()
}

/// A Llama wide enough for super-blocks, with the mix of types that is called Q4_K_M.
fn mixed() -> Checkpoint {
    of_types(BlockType::Q4_K, BlockType::Q6_K, "mixed")
}

/// A Llama wide enough for super-blocks of two types.
fn of_types(most: BlockType, some: BlockType, test: &str) -> Checkpoint {
    use BlockType::F32;
    let (vocab, hidden, intermediate) = (300, 256, 512);
    let mut file = SeededFile::new("llama", 9);
    file.set("block_count", 2u32)
        .set("context_length", 128u32)
        .set("embedding_length", hidden as u32)
        .set("feed_forward_length", intermediate as u32)
        .set("attention.head_count", 4u32)
        .set("attention.head_count_kv", 2u32)
        .set("attention.layer_norm_rms_epsilon", 1e-5f32)
        .tensor("token_embd.weight", &[vocab, hidden], most)
        .tensor("output_norm.weight", &[hidden], F32)
        .tensor("output.weight", &[vocab, hidden], some);
    for layer in 0..2 {
        let name = |tensor: &str| format!("blk.{layer}.{tensor}.weight");
        file.tensor(&name("attn_norm"), &[hidden], F32)
            .tensor(&name("attn_q"), &[hidden, hidden], most)
            .tensor(&name("attn_k"), &[hidden / 2, hidden], most)
            .tensor(&name("attn_v"), &[hidden / 2, hidden], some)
            .tensor(&name("attn_output"), &[hidden, hidden], most)
            .tensor(&name("ffn_norm"), &[hidden], F32)
            .tensor(&name("ffn_gate"), &[intermediate, hidden], most)
            .tensor(&name("ffn_up"), &[intermediate, hidden], most)
            .tensor(&name("ffn_down"), &[hidden, intermediate], some);
    }
    Checkpoint::open(file.write(test)).unwrap()
}

fn load(checkpoint: &Checkpoint, options: LoadOptions) -> Box<dyn Model> {
    ModelFactory::load(checkpoint, options, &mut |_| {}).unwrap()
}

fn cached_as(cache: CacheType) -> LoadOptions {
    LoadOptions {
        cache: Some(cache),
        compute: Compute::Exact,
        ..LoadOptions::default()
    }
}

fn held(weights: HeldWeights) -> LoadOptions {
    LoadOptions {
        weights,
        compute: Compute::Exact,
        ..LoadOptions::default()
    }
}

fn feed(model: &mut dyn Model, cache: &mut KvCache, tokens: &[u32]) -> Vec<f32> {
    let mut logits = Logits::new();
    let step = SequenceStep { tokens, cache };
    model.forward(&mut [step], Rows::All, &mut logits).unwrap();
    (0..logits.rows())
        .flat_map(|row| logits.row(row).to_vec())
        .collect()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|x| x.is_finite()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// What f16 entries may change in these logits.
fn f16_tolerance(logits: &[f32]) -> f32 {
    F16 * logits.iter().fold(0.0, |most, logit| logit.abs().max(most))
}

fn tokens(count: u32) -> Vec<u32> {
    (0..count).map(|i| i * 37 % 200).collect()
}

#[test]
fn mapped_weights_give_the_logits_of_decoded_ones() {
    let tiny = SHAPES.map(|shape| checkpoint(shape, "mapped"));
    for checkpoint in tiny.into_iter().chain([mixed()]) {
        let [decoded, mapped] = [HeldWeights::Decoded, HeldWeights::Mapped].map(|weights| {
            let mut model = load(&checkpoint, held(weights));
            let mut cache = model.new_cache();
            feed(&mut *model, &mut cache, &tokens(90))
        });
        let distance = distance(&decoded, &mapped);
        assert!(
            distance <= SAME_WEIGHTS,
            "{}: {distance}",
            checkpoint.path().display()
        );
    }
}

#[test]
fn a_plan_tells_the_memory_of_each_way_to_hold_weights() {
    let checkpoint = checkpoint(Shape::TinyLlama, "plan");
    let resident = |weights| {
        ModelFactory::plan(&checkpoint, held(weights))
            .unwrap()
            .resident_bytes
    };
    let stored: u64 = checkpoint.stored().iter().filter_map(|tensor| tensor.bytes).sum();
    let tied = checkpoint
        .stored()
        .iter()
        .find(|tensor| tensor.name == "token_embd.weight")
        .and_then(|tensor| tensor.bytes)
        .unwrap();
    // The tied table is gone through twice, as embedding rows and as the output projection.
    assert_eq!(resident(HeldWeights::Mapped), stored + tied);
    let weights = ModelFactory::plan(&checkpoint, LoadOptions::default())
        .unwrap()
        .parameters;
    assert_eq!(resident(HeldWeights::Decoded), 4 * weights);
}

#[test]
fn types_without_a_kernel_stay_in_their_file_in_exact_arithmetic_alone() {
    let checkpoint = of_types(BlockType::Q3_K, BlockType::Q4_K, "no-kernel");
    let options = |compute, weights| LoadOptions {
        compute,
        weights,
        ..LoadOptions::default()
    };
    let plan = |options| ModelFactory::plan(&checkpoint, options);
    let auto = plan(options(Compute::Auto, HeldWeights::Mapped)).unwrap();
    let exact = plan(options(Compute::Exact, HeldWeights::Mapped)).unwrap();
    assert_eq!(auto, exact);
    assert_eq!((auto.residence, auto.cache), (Residence::Mapped, CacheType::F32));
    let refused = plan(options(Compute::Fast, HeldWeights::Mapped)).unwrap_err();
    assert!(matches!(refused, ModelError::Unsupported { .. }), "{refused}");
    let packed = plan(options(Compute::Fast, HeldWeights::Auto)).unwrap();
    assert_eq!(packed.residence, Residence::Packed);
    // Four bytes for each weight of queries, outputs, keys, gates and the other halves of them, in two layers.
    let without_kernel = 2 * (2 * 256 * 256 + 128 * 256 + 2 * 512 * 256);
    assert!(packed.resident_bytes > 4 * without_kernel, "{packed:?}");

    let logits = [Compute::Auto, Compute::Exact].map(|compute| {
        let mut model = load(&checkpoint, options(compute, HeldWeights::Mapped));
        let mut cache = model.new_cache();
        feed(&mut *model, &mut cache, &[1, 2, 3, 4])
    });
    assert!(distance(&logits[0], &logits[1]) <= SAME_WEIGHTS);
}

#[test]
fn a_plan_counts_what_tiles_take_and_not_what_the_file_has() {
    let checkpoint = of_types(BlockType::Q4_0, BlockType::Q8_0, "tiles");
    let plan = ModelFactory::plan(&checkpoint, LoadOptions::default()).unwrap();
    let stored: u64 = checkpoint.stored().iter().filter_map(|tensor| tensor.bytes).sum();
    // Codes of four bits become bytes; the table stays as it is.
    assert!(
        plan.resident_bytes * 10 > stored * 14,
        "{} of {stored}",
        plan.resident_bytes
    );
    assert!(
        plan.resident_bytes < 2 * stored,
        "{} of {stored}",
        plan.resident_bytes
    );
}

#[test]
fn an_f16_cache_takes_half_the_memory_and_keeps_the_logits() {
    for shape in SHAPES {
        let checkpoint = checkpoint(shape, "f16");
        let [(whole, bytes), (halves, half_bytes)] = [CacheType::F32, CacheType::F16].map(|entry| {
            let mut model = load(&checkpoint, cached_as(entry));
            let mut cache = model.new_cache();
            let logits = feed(&mut *model, &mut cache, &tokens(130));
            (logits, cache.bytes())
        });
        assert_eq!(bytes, 2 * half_bytes);
        let (distance, tolerance) = (distance(&whole, &halves), f16_tolerance(&whole));
        assert!(0.0 < distance && distance <= tolerance, "{shape:?}: {distance}");
    }
}

#[test]
fn the_laws_of_caches_hold_for_f16_entries() {
    for shape in SHAPES {
        let mut model = load(&checkpoint(shape, "laws"), cached_as(CacheType::F16));
        let vocab = model.capabilities().vocab;
        let tokens = tokens(150);
        let whole = |model: &mut dyn Model, tokens: &[u32]| {
            let mut cache = model.new_cache();
            feed(model, &mut cache, tokens)
        };
        let all = whole(&mut *model, &tokens);
        let tolerance = f16_tolerance(&all);
        for cut in [1, 63, 64, 100] {
            let mut cache = model.new_cache();
            let mut parts = feed(&mut *model, &mut cache, &tokens[..cut]);
            parts.extend(feed(&mut *model, &mut cache, &tokens[cut..]));
            assert!(distance(&parts, &all) <= tolerance, "{shape:?} cut at {cut}");

            let mut fork = cache.fork(cut).unwrap();
            let other = [&tokens[..cut], &[3, 1, 4]].concat();
            let expected = whole(&mut *model, &other);
            let forked = feed(&mut *model, &mut fork, &other[cut..]);
            assert!(
                distance(&forked, &expected[cut * vocab..]) <= F16,
                "{shape:?} forked at {cut}"
            );
            cache.truncate(cut);
            let again = feed(&mut *model, &mut cache, &other[cut..]);
            assert!(
                distance(&again, &expected[cut * vocab..]) <= F16,
                "{shape:?} truncated to {cut}"
            );
        }
    }
}

#[test]
fn blocks_that_forks_share_are_counted_once() {
    let mut model = load(&checkpoint(Shape::TinyLlama, "shared"), LoadOptions::default());
    let mut origin = model.new_cache();
    feed(&mut *model, &mut origin, &tokens(130));
    let block = origin.bytes() / 3;
    assert_eq!(KvCache::bytes_together([&origin]), 3 * block);

    // Two full blocks are shared; the third, partial one is a copy.
    let mut fork = origin.fork(130).unwrap();
    assert_eq!(fork.bytes(), 3 * block);
    assert_eq!(KvCache::bytes_together([&origin, &fork]), 4 * block);
    // At a border nothing is copied.
    let at_border = origin.fork(128).unwrap();
    assert_eq!(KvCache::bytes_together([&origin, &fork, &at_border]), 4 * block);
    // What a fork adds is its own.
    feed(&mut *model, &mut fork, &tokens(63));
    assert_eq!(KvCache::bytes_together([&origin, &fork, &at_border]), 5 * block);
    // What the origin gives up is still held by the fork.
    drop(at_border);
    origin.truncate(0);
    assert_eq!(origin.bytes(), 0);
    assert_eq!(KvCache::bytes_together([&origin, &fork]), 4 * block);
    assert_eq!(KvCache::bytes_together([&KvCache::counting()]), 0);
}

#[test]
fn writing_into_a_shared_block_copies_it_first() {
    let mut model = load(&checkpoint(Shape::TinyQwen3, "copied"), LoadOptions::default());
    let mut origin = model.new_cache();
    feed(&mut *model, &mut origin, &tokens(128));
    let block = origin.bytes() / 2;
    let mut fork = origin.fork(128).unwrap();
    assert_eq!(KvCache::bytes_together([&origin, &fork]), 2 * block);
    fork.truncate(100);
    assert_eq!(KvCache::bytes_together([&origin, &fork]), 2 * block);
    feed(&mut *model, &mut fork, &[7]);
    assert_eq!(KvCache::bytes_together([&origin, &fork]), 3 * block);
}
