//! The trained network and the one that users run are the same function.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use demo::batches::Place;
use demo::checkpoint::Progress;
use demo::export::{self, Mix};
use demo::network::{Network, Shape};
use demo::vocabulary::{self, Vocabulary};
use demo::{corpus, rendering};
use models::{Checkpoint, Compute, LoadOptions, ModelFactory, OutputRows, Rows, SequenceStep};

const IDS: [u32; 9] = [2026, 300, 301, 17, 2027, 1000, 999, 3, 2027];

fn shipped() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/providers/assets/demo-q8_0.gguf"
    ))
}

#[test]
fn logits_of_the_trained_network_are_those_of_the_loaded_model() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    export::dequantized(shipped(), folder.path()).expect("the shipped weights can be written");
    let weights =
        candle_core::safetensors::load(folder.path().join("model.safetensors"), &candle_core::Device::Cpu);
    let shape = Shape::shipped(vocabulary::SIZE);
    let network =
        Network::with_weights(shape, &weights.expect("weights")).expect("the shape is that of the file");
    let trained = computed(&network);
    agrees(
        &trained,
        &loaded(&Checkpoint::open(shipped()).expect("the file is whole")),
        1e-5,
    );
}

#[test]
fn exported_files_compute_what_the_network_computes() {
    let texts = (0..6000).flat_map(|index| {
        let segments = rendering::segments(&corpus::dialogue(9, index));
        segments
            .into_iter()
            .flat_map(|segment| vocabulary::between_added(&segment.text))
            .collect::<Vec<_>>()
    });
    let vocabulary = Vocabulary::train(texts).expect("there is enough text");
    let shape = Shape {
        layers: 2,
        ..Shape::shipped(vocabulary::SIZE)
    };
    let network = Network::new(shape, 5).expect("random weights");
    let trained = computed(&network);
    let progress = Progress {
        seed: 9,
        steps: 9,
        peak: 1e-3,
        step: 9,
        place: Place::default(),
        tokens: 0,
        seconds: 0.0,
    };
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (mix, tolerance) in [(Mix::F32, 1e-5), (Mix::Q8_0, 3e-2), (Mix::Q4_K_M, 3e-1)] {
        let path = folder.path().join(mix.name()).with_extension("gguf");
        export::gguf(&network, &vocabulary, &progress, mix, &path).expect("the file can be written");
        let checkpoint = Checkpoint::open(&path).expect("the file is whole");
        agrees(&trained, &loaded(&checkpoint), tolerance);
        let tokenizer = checkpoint.tokenizer().expect("the tokenizer is inside");
        let text = "<|im_start|>user\nWhat is 12 + 7, Mira?<|im_end|>\n";
        let ids = tokenizer.encode_prompt(text).expect("text can be encoded");
        assert_eq!(ids, vocabulary.encode(text).expect("text can be encoded"));
    }
    let published = folder.path().join("published");
    export::publish(&network, &vocabulary, &published).expect("the folder can be written");
    agrees(
        &trained,
        &loaded(&Checkpoint::open(&published).expect("the folder is whole")),
        1e-5,
    );
}

/// Logits after every one of [`IDS`].
fn computed(network: &Network) -> Vec<f32> {
    let at: Vec<u32> = (0..IDS.len() as u32).collect();
    let logits = network.logits(&IDS, IDS.len(), &at).expect("the network runs");
    logits
        .flatten_all()
        .and_then(|logits| logits.to_vec1())
        .expect("numbers")
}

fn loaded(checkpoint: &Checkpoint) -> Vec<f32> {
    let options = LoadOptions {
        compute: Compute::Exact,
        ..LoadOptions::default()
    };
    let mut model = ModelFactory::load(checkpoint, options, &mut |_| {}).expect("the model loads");
    let mut cache = model.new_cache();
    let mut rows = OutputRows::new();
    let step = SequenceStep {
        tokens: &IDS,
        cache: &mut cache,
    };
    model
        .forward(&mut [step], Rows::All, &mut rows)
        .expect("the model runs");
    (0..rows.rows()).flat_map(|at| rows.row(at).to_vec()).collect()
}

/// Errors of this share of the logits' size, both as root mean squares, are what storing weights in few bits may cost.
#[track_caller]
fn agrees(trained: &[f32], loaded: &[f32], tolerance: f32) {
    assert_eq!(trained.len(), loaded.len());
    let size = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| x * x).sum::<f32>().sqrt();
    let apart = size(&mut trained.iter().zip(loaded).map(|(a, b)| a - b));
    let apart = apart / size(&mut trained.iter().copied());
    assert!(apart < tolerance, "{apart} apart, expected less than {tolerance}");
}
