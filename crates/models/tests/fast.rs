//! Kernels of our own beside exact arithmetic, on models of every architecture and type of weights.
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::path::PathBuf;

use models::synth::{self, Quant, Shape};
use models::{
    CacheType, Checkpoint, Compute, HeldWeights, LoadOptions, Logits, Model, ModelError, ModelFactory,
    Residence, Rows, SequenceStep,
};

const SHAPES: [Shape; 4] = [
    Shape::TinyLlama,
    Shape::TinyQwen3,
    Shape::TinyQwen3Moe,
    Shape::TinyDeepseek,
];

fn model(shape: Shape, quant: Quant, compute: Compute, cache: CacheType) -> Box<dyn Model> {
    let name = format!(
        "fast-{}-{}-{}.gguf",
        std::process::id(),
        shape.name(),
        quant.name()
    );
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !path.exists() {
        synth::write_as(shape, quant, 11, &path, &mut |_| {}).unwrap();
    }
    let options = LoadOptions {
        compute,
        cache: Some(cache),
        ..LoadOptions::default()
    };
    ModelFactory::load(&Checkpoint::open(&path).unwrap(), options, &mut |_| {}).unwrap()
}

fn logits(mut model: Box<dyn Model>, tokens: &[u32]) -> Vec<f32> {
    let mut cache = model.new_cache();
    let mut logits = Logits::new();
    let step = SequenceStep {
        tokens,
        cache: &mut cache,
    };
    model.forward(&mut [step], Rows::All, &mut logits).unwrap();
    (0..logits.rows())
        .flat_map(|row| logits.row(row).to_vec())
        .collect()
}

/// Distance of two lists of numbers, as a share of the length of the first.
fn distance(exact: &[f32], fast: &[f32]) -> f64 {
    assert_eq!(exact.len(), fast.len());
    let square = |x: f32| f64::from(x).powi(2);
    let apart: f64 = exact.iter().zip(fast).map(|(a, b)| square(a - b)).sum();
    let length: f64 = exact.iter().map(|a| square(*a)).sum();
    (apart / length).sqrt()
}

#[test]
fn weights_that_are_numbers_give_what_exact_arithmetic_gives() {
    let tokens: Vec<u32> = (0..130).map(|i| i * 7 % 200).collect();
    for shape in SHAPES {
        for quant in [Quant::F32, Quant::F16] {
            let exact = logits(model(shape, quant, Compute::Exact, CacheType::F32), &tokens);
            let fast = logits(model(shape, quant, Compute::Fast, CacheType::F32), &tokens);
            let distance = distance(&exact, &fast);
            assert!(distance < 1e-4, "{shape:?} {quant:?}: {distance}");
        }
    }
}

#[test]
fn quantized_weights_cost_what_eight_bits_of_activations_cost() {
    let tokens: Vec<u32> = (0..130).map(|i| i * 7 % 200).collect();
    // Random experts are chosen by hairs: one that is chosen otherwise is another model.
    for shape in [Shape::TinyLlama, Shape::TinyQwen3] {
        for quant in [Quant::Q8_0, Quant::Q4KM] {
            let exact = logits(model(shape, quant, Compute::Exact, CacheType::F32), &tokens);
            for cache in [CacheType::F32, CacheType::F16] {
                let fast = logits(model(shape, quant, Compute::Fast, cache), &tokens);
                let distance = distance(&exact, &fast);
                assert!(distance < 0.03, "{shape:?} {quant:?} {cache:?}: {distance}");
            }
        }
    }
}

#[test]
fn decoded_weights_are_refused() {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fast-held-{}.gguf", std::process::id()));
    synth::write(Shape::TinyLlama, 11, &path).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let options = LoadOptions {
        compute: Compute::Fast,
        weights: HeldWeights::Decoded,
        ..LoadOptions::default()
    };
    let refused = [
        ModelFactory::plan(&checkpoint, options).err(),
        ModelFactory::load(&checkpoint, options, &mut |_| {}).err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(ModelError::Unsupported { .. })), "{error:?}");
    }
}

#[test]
fn weights_that_stay_in_their_file_give_the_same_bits() {
    let tokens: Vec<u32> = (0..130).map(|i| i * 7 % 200).collect();
    for shape in SHAPES {
        for quant in [Quant::F16, Quant::Q8_0, Quant::Q4KM] {
            let name = format!(
                "mapped-{}-{}-{}.gguf",
                std::process::id(),
                shape.name(),
                quant.name()
            );
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
            if synth::write_as(shape, quant, 11, &path, &mut |_| {}).is_err() {
                continue;
            }
            let checkpoint = Checkpoint::open(&path).unwrap();
            let [packed, mapped] = [HeldWeights::Auto, HeldWeights::Mapped].map(|weights| {
                let options = LoadOptions {
                    compute: Compute::Fast,
                    weights,
                    ..LoadOptions::default()
                };
                let residence = ModelFactory::plan(&checkpoint, options).unwrap().residence;
                let model = ModelFactory::load(&checkpoint, options, &mut |_| {}).unwrap();
                (residence, logits(model, &tokens))
            });
            assert_eq!((packed.0, mapped.0), (Residence::Packed, Residence::Mapped));
            assert_eq!(packed.1, mapped.1, "{shape:?} {quant:?}");
        }
    }
}

#[test]
fn what_is_not_asked_for_is_chosen_to_fit() {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fast-auto-{}.gguf", std::process::id()));
    synth::write(Shape::TinyLlama, 11, &path).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let plan = |compute, weights, cache| {
        let options = LoadOptions {
            compute,
            weights,
            cache,
            ..LoadOptions::default()
        };
        let plan = ModelFactory::plan(&checkpoint, options).unwrap();
        (plan.residence, plan.cache_bytes_per_position)
    };
    let auto = plan(Compute::Auto, HeldWeights::Auto, None);
    assert_eq!(auto, plan(Compute::Fast, HeldWeights::Auto, Some(CacheType::F16)));
    let decoded = plan(Compute::Auto, HeldWeights::Decoded, None);
    assert_eq!(
        decoded,
        plan(Compute::Exact, HeldWeights::Decoded, Some(CacheType::F32))
    );
    assert_eq!(decoded.1, 2 * auto.1);
}
