//! Packed weights that are kept beside the model: a later load finds them, the results are the same bits, and what is not
//! whole or belongs to another model never counts.
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::fs;
use std::path::{Path, PathBuf};

use models::synth::{self, Shape};
use models::{
    Checkpoint, Compute, GgufFile, HeldWeights, LoadOptions, LoadProgress, Logits, Model, ModelError,
    ModelFactory, Residence, Rows, SequenceStep,
};
use tempfile::TempDir;

const SHAPES: [Shape; 4] = [
    Shape::TinyLlama,
    Shape::TinyQwen3,
    Shape::TinyQwen3Moe,
    Shape::TinyDeepseek,
];

fn model(shape: Shape, seed: u64, folder: &TempDir) -> PathBuf {
    let path = folder.path().join("model.gguf");
    synth::write(shape, seed, &path).unwrap();
    path
}

fn held(weights: HeldWeights) -> LoadOptions {
    LoadOptions {
        weights,
        compute: Compute::Fast,
        ..LoadOptions::default()
    }
}

/// The bits of some logits, and what was told of the load.
fn load(path: &Path, weights: HeldWeights) -> (Vec<u32>, Vec<LoadProgress>) {
    let checkpoint = Checkpoint::open(path).unwrap();
    let mut told = Vec::new();
    let progress = &mut |progress| told.push(progress);
    let model = ModelFactory::load(&checkpoint, held(weights), progress).unwrap();
    (logits(model), told)
}

fn logits(mut model: Box<dyn Model>) -> Vec<u32> {
    let (mut cache, mut logits) = (model.new_cache(), Logits::new());
    let step = SequenceStep {
        tokens: &[1, 5, 9, 2, 6, 1, 5],
        cache: &mut cache,
    };
    model.forward(&mut [step], Rows::All, &mut logits).unwrap();
    let rows = (0..logits.rows()).flat_map(|row| logits.row(row));
    rows.map(|logit| logit.to_bits()).collect()
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Whether the load found the file, and packed nothing.
fn found(told: &[LoadProgress]) -> bool {
    told.len() == 1 && told[0].done == told[0].total
}

#[test]
fn a_second_load_finds_what_the_first_one_packed_and_gives_the_same_bits() {
    for shape in SHAPES {
        let folder = tempfile::tempdir().unwrap();
        let path = model(shape, 3, &folder);
        let (expected, _) = load(&path, HeldWeights::Auto);
        let (first, packed) = load(&path, HeldWeights::Kept);
        let (second, mapped) = load(&path, HeldWeights::Kept);
        assert_eq!((&first, &second), (&expected, &expected), "{shape:?}");
        assert!(packed.len() > 1, "{shape:?}: {packed:?}");
        assert!(packed.is_sorted_by_key(|progress| progress.done));
        assert_eq!(
            packed.last().map(|last| last.done),
            mapped.last().map(|last| last.total)
        );
        assert!(found(&mapped), "{shape:?}: {mapped:?}");
        assert_eq!(names(&folder), ["model.gguf", "model.gguf.packed"]);
    }
}

#[test]
fn what_is_damaged_or_cut_off_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(Shape::TinyQwen3, 4, &folder);
    let (expected, _) = load(&path, HeldWeights::Kept);
    let kept = folder.path().join("model.gguf.packed");
    let whole = fs::read(&kept).unwrap();
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = whole.len() - 1;
    let damaged = [
        0,
        whole.len() / 2,
        whole.len() - 300,
        last - 19,
        last - 10,
        last - 3,
        last,
    ]
    .map(changed);
    let cut = [0, 1, 19, whole.len() / 2, last].map(|length| whole[..length].to_vec());
    for bytes in damaged.into_iter().chain(cut) {
        fs::write(&kept, bytes).unwrap();
        let (anew, told) = load(&path, HeldWeights::Kept);
        assert_eq!(anew, expected);
        assert!(!found(&told), "{told:?}");
        assert_eq!(fs::read(&kept).unwrap(), whole);
    }
}

#[test]
fn another_model_of_the_same_name_is_packed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(Shape::TinyLlama, 5, &folder);
    let (before, _) = load(&path, HeldWeights::Kept);
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    let path = model(Shape::TinyLlama, 6, &folder);
    // Not even its time tells it.
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(times)
        .unwrap();
    let (after, told) = load(&path, HeldWeights::Kept);
    assert_ne!(before, after);
    assert_eq!(after, load(&path, HeldWeights::Auto).0);
    assert!(!found(&told));
}

#[test]
fn of_several_loads_at_once_one_packs() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(Shape::TinyDeepseek, 7, &folder);
    // A process that was killed left it.
    let left = folder.path().join(".model.gguf.packed.1-0.partial");
    fs::write(left, "half").unwrap();
    let (expected, _) = load(&path, HeldWeights::Auto);
    let loads = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| load(&path, HeldWeights::Kept)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(loads.iter().all(|(logits, _)| *logits == expected));
    assert_eq!(loads.iter().filter(|(_, told)| !found(told)).count(), 1);
    assert_eq!(names(&folder), ["model.gguf", "model.gguf.packed"]);
}

#[test]
fn where_no_file_can_be_made_the_error_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(Shape::TinyLlama, 8, &folder);
    let kept = folder.path().join("model.gguf.packed");
    fs::create_dir(&kept).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let refused = ModelFactory::load(&checkpoint, held(HeldWeights::Kept), &mut |_| {}).err();
    assert!(
        matches!(&refused, Some(ModelError::NotAFile { path }) if *path == kept),
        "{refused:?}"
    );
}

#[test]
fn a_model_in_memory_is_packed_there_and_exact_arithmetic_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(Shape::TinyLlama, 9, &folder);
    let held_file = GgufFile::from_bytes("built in", fs::read(&path).unwrap()).unwrap();
    let residence = |checkpoint: &Checkpoint| {
        let plan = ModelFactory::plan(checkpoint, held(HeldWeights::Kept)).unwrap();
        plan.residence
    };
    let in_memory = Checkpoint::from(held_file);
    assert_eq!(residence(&in_memory), Residence::Packed);
    assert_eq!(residence(&Checkpoint::open(&path).unwrap()), Residence::Mapped);
    let model = ModelFactory::load(&in_memory, held(HeldWeights::Kept), &mut |_| {}).unwrap();
    assert_eq!(logits(model), load(&path, HeldWeights::Auto).0);
    assert_eq!(names(&folder), ["model.gguf"]);

    let exact = LoadOptions {
        compute: Compute::Exact,
        ..held(HeldWeights::Kept)
    };
    let refused = ModelFactory::load(&in_memory, exact, &mut |_| {}).err();
    assert!(
        matches!(&refused, Some(ModelError::Unsupported { .. })),
        "{refused:?}"
    );
}
