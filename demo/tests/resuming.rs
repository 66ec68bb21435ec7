//! A run that is resumed from its half-way checkpoint ends with the same bits as one that was not interrupted.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use demo::network::Shape;
use demo::training::{self, Beginning, Plan};
use demo::vocabulary;

fn plan(folder: &Path, from: Beginning) -> Plan {
    Plan {
        folder: folder.to_owned(),
        shape: Shape {
            hidden: 64,
            layers: 1,
            heads: 2,
            key_heads: 1,
            intermediate: 64,
            ..Shape::shipped(vocabulary::SIZE)
        },
        held_out: 20,
        from,
    }
}

fn new(steps: u32, peak: f64, seed: u64) -> Beginning {
    Beginning::New { seed, steps, peak }
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join(training::LAST).join("weights.safetensors")).expect("the run left weights")
}

fn without_seconds(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("curve.csv")).expect("the run left a curve");
    let line = |line: &str| {
        let fields = line.split(',').enumerate().filter(|(at, _)| *at != 2);
        fields.map(|(_, field)| field).collect::<Vec<_>>().join(",")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_resumed_run_ends_with_the_same_weights_and_the_same_curve() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    let mut said = Vec::new();
    let whole = plan(folder, new(9, 1e-3, 3));
    training::train(&whole, &mut |line| said.push(line.to_owned())).expect("the run ends");
    let (whole, curve) = (weights(folder), without_seconds(folder));
    assert!(said.iter().any(|line| line.starts_with("step 9,")), "{said:?}");
    assert!(folder.join("curve.svg").exists());

    let resumed = plan(folder, Beginning::Checkpoint(training::HALF.to_owned()));
    training::train(&resumed, &mut |_| {}).expect("the resumed run ends");
    assert!(weights(folder) == whole, "the weights differ");
    assert_eq!(without_seconds(folder), curve);
}

#[test]
fn a_run_that_cannot_be_is_refused_by_its_value() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (from, value) in [
        (new(0, 1e-3, 1), "0 steps"),
        (new(9, f64::NAN, 1), "NaN"),
        (new(9, -0.5, 1), "-0.5"),
        (new(9, 1e-3, demo::validation::SEED), "held-out"),
    ] {
        let error = training::train(&plan(folder.path(), from), &mut |_| {}).expect_err("no run");
        assert!(error.to_string().contains(value), "{error}");
    }
}
