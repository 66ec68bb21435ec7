//! The trained network and the one that users run are the same function.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use demo::export;
use demo::network::{Network, Shape};
use demo::vocabulary;
use models::{Checkpoint, GgufFile, ModelFactory, OutputRows, Rows, SequenceStep};

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
    let at: Vec<u32> = (0..IDS.len() as u32).collect();
    let trained = network.logits(&IDS, IDS.len(), &at).expect("the network runs");
    let trained = trained
        .flatten_all()
        .and_then(|logits| logits.to_vec1::<f32>())
        .expect("numbers");

    let file = GgufFile::open(shipped()).expect("the file is whole");
    let checkpoint = Checkpoint::from(file);
    let mut model =
        ModelFactory::load(&checkpoint, Default::default(), &mut |_| {}).expect("the model loads");
    let mut cache = model.new_cache();
    let mut rows = OutputRows::new();
    let step = SequenceStep {
        tokens: &IDS,
        cache: &mut cache,
    };
    model
        .forward(&mut [step], Rows::All, &mut rows)
        .expect("the model runs");
    for (at, trained) in trained.chunks(vocabulary::SIZE).enumerate() {
        for (ours, trained) in rows.row(at).iter().zip(trained) {
            assert!(
                (ours - trained).abs() < 1e-3,
                "position {at}: {ours} and {trained}"
            );
        }
    }
}
