//! Laws that hold for every architecture, on tiny models with seeded random weights.
//!
//! On kernels of our own they hold bit for bit. On Candle tensors a row may differ by rounding when its company changes;
//! there they hold within [`TOLERANCE`].
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::path::PathBuf;
use std::sync::OnceLock;

use models::synth::{self, Quant, Shape};
use models::{
    CacheType, Checkpoint, Compute, GgufFile, KvCache, LoadOptions, Logits, Model, ModelError, ModelFactory,
    RowAt, Rows, SequenceStep,
};
use proptest::prelude::*;

const TOLERANCE: f32 = 1e-4;
const SHAPES: [Shape; 4] = [
    Shape::TinyLlama,
    Shape::TinyQwen3,
    Shape::TinyQwen3Moe,
    Shape::TinyDeepseek,
];

/// A model, and how it computes.
#[derive(Clone, Copy, Debug)]
struct Case {
    shape: Shape,
    quant: Quant,
    compute: Compute,
    cache: CacheType,
}

/// Every shape on Candle tensors, and on kernels with weights that are numbers and with quantized ones.
fn cases() -> impl Iterator<Item = Case> {
    let ways = [
        (Quant::F16, Compute::Exact, CacheType::F32),
        (Quant::F16, Compute::Fast, CacheType::F32),
        (Quant::Q8_0, Compute::Fast, CacheType::F16),
    ];
    let each = move |shape| {
        ways.map(|(quant, compute, cache)| Case {
            shape,
            quant,
            compute,
            cache,
        })
    };
    SHAPES.into_iter().flat_map(each)
}

/// On Candle tensors.
fn exact(shape: Shape) -> Case {
    Case {
        shape,
        quant: Quant::F16,
        compute: Compute::Exact,
        cache: CacheType::F32,
    }
}

fn model(case: Case) -> Box<dyn Model> {
    static FILES: OnceLock<Vec<(Shape, Quant, GgufFile)>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let write = |(shape, quant)| {
            let name = format!("laws-{}-{shape:?}-{quant:?}.gguf", std::process::id());
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
            synth::write_as(shape, quant, 7, &path, &mut |_| {}).unwrap();
            (shape, quant, GgufFile::open(path).unwrap())
        };
        let both = |shape| [(shape, Quant::F16), (shape, Quant::Q8_0)];
        SHAPES.into_iter().flat_map(both).map(write).collect()
    });
    let found = files
        .iter()
        .find(|(shape, quant, _)| *shape == case.shape && *quant == case.quant);
    let options = LoadOptions {
        compute: case.compute,
        cache: Some(case.cache),
        ..LoadOptions::default()
    };
    ModelFactory::load(&Checkpoint::from(found.unwrap().2.clone()), options, &mut |_| {}).unwrap()
}

/// Logits of every row of `tokens` fed in chunks that end at `cuts`.
fn feed(model: &mut dyn Model, cache: &mut KvCache, tokens: &[u32], cuts: &[usize]) -> Vec<f32> {
    let mut all = Vec::new();
    let mut logits = Logits::new();
    let ends = cuts.iter().copied().chain([tokens.len()]);
    let mut from = 0;
    for to in ends {
        if to > from {
            let step = SequenceStep {
                tokens: &tokens[from..to],
                cache,
            };
            model.forward(&mut [step], Rows::All, &mut logits).unwrap();
            (0..logits.rows()).for_each(|row| all.extend_from_slice(logits.row(row)));
            from = to;
        }
    }
    all
}

fn whole(model: &mut dyn Model, tokens: &[u32]) -> Vec<f32> {
    let mut cache = model.new_cache();
    feed(model, &mut cache, tokens, &[])
}

#[track_caller]
fn assert_same(case: Case, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let distance = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let tolerance = match case.compute {
        Compute::Fast => 0.0,
        _ => TOLERANCE,
    };
    assert!(distance <= tolerance, "{case:?}: logits differ by {distance}");
    assert!(a.iter().all(|x| x.is_finite()));
}

/// Up to 150 tokens, so that sequences cross two block borders, with a place to cut them.
fn cut_sequence() -> impl Strategy<Value = (Vec<u32>, usize)> {
    prop::collection::vec(0u32..200, 2..150).prop_flat_map(|tokens| {
        let len = tokens.len();
        (Just(tokens), 1..len)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_prompt_is_its_prefix_and_then_the_rest((tokens, cut) in cut_sequence(), second in 0usize..150) {
        for case in cases() {
            let mut model = model(case);
            let mut cache = model.new_cache();
            let cuts = [cut, second.clamp(cut, tokens.len())];
            let parts = feed(&mut *model, &mut cache, &tokens, &cuts);
            prop_assert_eq!(cache.len(), tokens.len());
            assert_same(case, &parts, &whole(&mut *model, &tokens));
        }
    }

    #[test]
    fn a_fork_and_its_origin_go_on_as_two_fresh_runs((tokens, cut) in cut_sequence()) {
        for case in cases() {
            let mut model = model(case);
            let vocab = model.capabilities().vocab;
            let mut origin = model.new_cache();
            feed(&mut *model, &mut origin, &tokens, &[]);
            let mut fork = origin.fork(cut).unwrap();
            prop_assert_eq!(fork.len(), cut);
            let other: Vec<u32> = tokens[..cut].iter().copied().chain([3, 1, 4, 1, 5]).collect();
            let forked = feed(&mut *model, &mut fork, &other[cut..], &[]);
            let more = feed(&mut *model, &mut origin, &[9, 2, 6], &[]);
            assert_same(case, &forked, &whole(&mut *model, &other)[cut * vocab..]);
            let longer: Vec<u32> = tokens.iter().copied().chain([9, 2, 6]).collect();
            assert_same(case, &more, &whole(&mut *model, &longer)[tokens.len() * vocab..]);
        }
    }

    #[test]
    fn a_truncated_cache_goes_on_as_if_it_had_never_gone_further((tokens, cut) in cut_sequence()) {
        for case in cases() {
            let mut model = model(case);
            let vocab = model.capabilities().vocab;
            let mut cache = model.new_cache();
            feed(&mut *model, &mut cache, &tokens, &[]);
            let kept = cache.fork(tokens.len()).unwrap();
            cache.truncate(cut);
            let again = feed(&mut *model, &mut cache, &[8, 8, 8], &[]);
            let other: Vec<u32> = tokens[..cut].iter().copied().chain([8, 8, 8]).collect();
            assert_same(case, &again, &whole(&mut *model, &other)[cut * vocab..]);
            // The fork shares blocks with the truncated cache and must not have seen its new tokens.
            let mut kept = kept;
            let tail = feed(&mut *model, &mut kept, &[5], &[]);
            let longer: Vec<u32> = tokens.iter().copied().chain([5]).collect();
            assert_same(case, &tail, &whole(&mut *model, &longer)[tokens.len() * vocab..]);
        }
    }

    #[test]
    fn a_batch_gives_each_sequence_what_it_gets_alone(
        sequences in prop::collection::vec(prop::collection::vec(0u32..200, 1..80), 1..5),
        cached in 0usize..70,
    ) {
        for case in cases() {
            let mut model = model(case);
            let prefix: Vec<u32> = (0..cached as u32).collect();
            let mut caches: Vec<KvCache> = sequences.iter().map(|_| model.new_cache()).collect();
            // Every second sequence starts behind a cached prefix, so that positions differ in one batch.
            for cache in caches.iter_mut().step_by(2) {
                feed(&mut *model, cache, &prefix, &[]);
            }
            let mut logits = Logits::new();
            let mut steps: Vec<SequenceStep<'_>> = sequences
                .iter()
                .zip(&mut caches)
                .map(|(tokens, cache)| SequenceStep { tokens, cache })
                .collect();
            model.forward(&mut steps, Rows::Last, &mut logits).unwrap();
            for (i, tokens) in sequences.iter().enumerate() {
                let start: &[u32] = if i % 2 == 0 { &prefix } else { &[] };
                let alone = whole(&mut *model, &[start, tokens].concat());
                assert_same(case, logits.row(i), &alone[alone.len() - logits.vocab()..]);
            }
        }
    }
}

#[test]
fn listed_rows_come_in_the_order_of_the_list() {
    for case in cases() {
        let mut model = model(case);
        let (a, b) = (vec![1, 2, 3], vec![4, 5]);
        let (mut first, mut second) = (model.new_cache(), model.new_cache());
        let mut steps = [
            SequenceStep {
                tokens: &a,
                cache: &mut first,
            },
            SequenceStep {
                tokens: &b,
                cache: &mut second,
            },
        ];
        let list = [RowAt { sequence: 1, row: 0 }, RowAt { sequence: 0, row: 2 }];
        let mut logits = Logits::new();
        model.forward(&mut steps, Rows::List(&list), &mut logits).unwrap();
        assert_same(case, logits.row(0), &whole(&mut *model, &[4]));
        let vocab = logits.vocab();
        assert_same(case, logits.row(1), &whole(&mut *model, &a)[2 * vocab..]);
    }
}

#[test]
fn an_empty_list_only_fills_the_cache() {
    let mut model = model(exact(Shape::TinyQwen3));
    let mut cache = model.new_cache();
    let mut logits = Logits::new();
    let step = SequenceStep {
        tokens: &[1, 2, 3],
        cache: &mut cache,
    };
    model.forward(&mut [step], Rows::List(&[]), &mut logits).unwrap();
    assert_eq!((logits.rows(), cache.len()), (0, 3));
}

#[test]
fn a_batch_that_cannot_run_leaves_the_caches_as_they_were() {
    let case = exact(Shape::TinyLlama);
    let mut model = model(case);
    let vocab = model.capabilities().vocab as u32;
    let mut cache = model.new_cache();
    feed(&mut *model, &mut cache, &[1, 2, 3], &[]);
    let mut logits = Logits::new();
    let long = vec![1; synth::CONTEXT as usize];
    for (tokens, rows) in [
        (&[][..], Rows::Last),
        (&[1, vocab][..], Rows::Last),
        (&long[..], Rows::Last),
        (&[1, 2][..], Rows::List(&[RowAt { sequence: 0, row: 2 }])),
        (&[1, 2][..], Rows::List(&[RowAt { sequence: 1, row: 0 }])),
    ] {
        let result = model.forward(
            &mut [SequenceStep {
                tokens,
                cache: &mut cache,
            }],
            rows,
            &mut logits,
        );
        assert!(result.is_err());
        assert_eq!(cache.len(), 3);
    }
    let mut counting = KvCache::counting();
    let step = SequenceStep {
        tokens: &[1],
        cache: &mut counting,
    };
    assert!(matches!(
        model.forward(&mut [step], Rows::Last, &mut logits),
        Err(ModelError::ForeignCache { .. })
    ));
    assert!(matches!(
        cache.fork(4),
        Err(ModelError::PrefixTooLong { prefix: 4, len: 3 })
    ));
    let after = feed(&mut *model, &mut cache, &[4], &[]);
    let alone = whole(&mut *model, &[1, 2, 3, 4]);
    assert_same(case, &after, &alone[alone.len() - vocab as usize..]);
}

#[test]
fn bytes_grow_by_blocks_and_shrink_with_truncation() {
    let mut model = model(exact(Shape::TinyLlama));
    let mut cache = model.new_cache();
    assert_eq!(cache.bytes(), 0);
    feed(&mut *model, &mut cache, &[1; 64], &[]);
    let one = cache.bytes();
    feed(&mut *model, &mut cache, &[1], &[]);
    assert_eq!(cache.bytes(), 2 * one);
    cache.truncate(64);
    assert_eq!(cache.bytes(), one);
}

#[test]
fn a_cache_of_another_backend_is_refused_and_left_as_it_was() {
    let of = |compute| Case {
        compute,
        ..exact(Shape::TinyQwen3)
    };
    let (mut exact, mut fast) = (model(of(Compute::Exact)), model(of(Compute::Fast)));
    let mut logits = Logits::new();
    let (mut of_exact, mut of_fast) = (exact.new_cache(), fast.new_cache());
    for (model, cache) in [(&mut exact, &mut of_fast), (&mut fast, &mut of_exact)] {
        let step = SequenceStep {
            tokens: &[1, 2],
            cache,
        };
        let result = model.forward(&mut [step], Rows::Last, &mut logits);
        assert!(
            matches!(result, Err(ModelError::ForeignCache { .. })),
            "{result:?}"
        );
    }
    assert_eq!((of_exact.len(), of_fast.len()), (0, 0));
}
