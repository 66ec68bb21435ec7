//! Files that must not become a model: each gives an error that names the offending value.
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::path::PathBuf;

use models::gguf::{GgufWriter, TensorKind, Value};
use models::synth::{self, Shape};
use models::{BlockType, Compute, Device, GgufFile, LoadOptions, ModelError, ModelFactory};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("refusals-{}-{name}.gguf", std::process::id()))
}

/// A tiny Llama rewritten entry by entry: `change` may edit the metadata and the tensors.
fn altered(name: &str, change: impl FnOnce(&mut GgufWriter<'_>), keep: impl Fn(&str) -> bool) -> GgufFile {
    let from = path(&format!("{name}-from"));
    synth::write(Shape::TinyLlama, 3, &from).unwrap();
    let from = GgufFile::open(&from).unwrap();
    let mut to = GgufWriter::new();
    for (key, value) in from.metadata().iter().filter(|(key, _)| keep(key)) {
        to.metadata(key, value.clone());
    }
    for tensor in from.tensors().iter().filter(|tensor| keep(&tensor.name)) {
        let TensorKind::Known(block) = tensor.kind else {
            unreachable!("known types only")
        };
        to.tensor(
            tensor.name.as_str(),
            &tensor.shape,
            block,
            from.bytes(tensor).unwrap().to_vec(),
        )
        .unwrap();
    }
    change(&mut to);
    let path = path(name);
    to.write(&path).unwrap();
    GgufFile::open(&path).unwrap()
}

/// Sets one metadata entry.
fn set(key: &str, value: impl Into<Value>) -> impl FnOnce(&mut GgufWriter<'_>) {
    move |to| {
        to.metadata(key, value);
    }
}

fn refusal(file: &GgufFile) -> ModelError {
    match ModelFactory::from_gguf(file, &Device::Cpu, &mut |_| {}) {
        Ok(_) => panic!("the file became a model"),
        Err(error) => error,
    }
}

#[test]
fn an_unchanged_copy_loads_and_reports_all_of_its_progress() {
    let file = altered("unchanged", |_| {}, |_| true);
    let mut seen = Vec::new();
    ModelFactory::from_gguf(&file, &Device::Cpu, &mut |progress| seen.push(progress)).unwrap();
    let last = seen.last().unwrap();
    assert_eq!(last.done, last.total);
    assert!(seen.is_sorted_by_key(|progress| progress.done));
}

#[test]
fn an_unknown_architecture_is_named() {
    let file = altered("mamba", set("general.architecture", "mamba"), |_| true);
    let error = refusal(&file).to_string();
    assert!(
        error.contains("`mamba`") && error.contains("llama, qwen3, qwen3moe"),
        "{error}"
    );
}

#[test]
fn a_maker_refuses_a_file_of_another_architecture() {
    let file = altered("other", |_| {}, |_| true);
    let error = ModelFactory::create_quantized_qwen3(&file, &Device::Cpu, &mut |_| {})
        .err()
        .unwrap();
    assert!(matches!(error, ModelError::UnknownArchitecture { .. }));
}

#[test]
fn every_missing_and_surplus_tensor_is_listed_at_once() {
    let file = altered(
        "missing",
        |to| {
            to.tensor("blk.0.attn_q.bias", &[32], BlockType::F32, vec![0; 128])
                .unwrap();
        },
        |name| name != "blk.0.attn_k.weight" && name != "output_norm.weight",
    );
    let ModelError::Tensors {
        missing,
        misshapen,
        surplus,
    } = refusal(&file)
    else {
        panic!("another error")
    };
    assert_eq!(missing, ["blk.0.attn_k.weight", "output_norm.weight"]);
    assert_eq!(surplus, ["blk.0.attn_q.bias"]);
    assert!(misshapen.is_empty());
}

#[test]
fn a_misshapen_tensor_is_listed_with_both_shapes() {
    let shorter = |to: &mut GgufWriter<'_>| {
        to.tensor("output_norm.weight", &[31], BlockType::F32, vec![0; 124])
            .unwrap();
    };
    let error = refusal(&altered("misshapen", shorter, |name| {
        name != "output_norm.weight"
    }))
    .to_string();
    assert!(
        error.contains("output_norm.weight [31] instead of [32]"),
        "{error}"
    );
}

#[test]
fn settings_that_no_forward_pass_can_run_are_named_with_their_value() {
    for (key, value, shown) in [
        ("llama.block_count", 0u32, "0"),
        ("llama.block_count", u32::MAX, "4294967295"),
        ("llama.attention.head_count", 0, "0"),
        ("llama.attention.head_count_kv", 3, "3"),
        ("llama.attention.key_length", 7, "7"),
        ("llama.attention.value_length", 6, "6"),
        ("llama.rope.dimension_count", 4, "4"),
        ("llama.context_length", 0, "0"),
        ("llama.attention.key_length", 4_294_967_294, "4294967294"),
        ("llama.feed_forward_length", u32::MAX, "4294967295"),
        ("llama.attention.head_count", u32::MAX, "4294967295"),
        ("llama.attention.sliding_window", 4096, "4096"),
        ("llama.expert_count", 8, "8"),
    ] {
        let name = format!("setting-{key}-{value}");
        let error = refusal(&altered(&name, set(key, value), |_| true)).to_string();
        assert!(error.contains(key) && error.contains(shown), "{error}");
    }
    for value in [f32::NAN, -1.0, f32::INFINITY] {
        let name = format!("epsilon-{value}");
        let key = "llama.attention.layer_norm_rms_epsilon";
        let error = refusal(&altered(&name, set(key, value), |_| true)).to_string();
        assert!(error.contains(key), "{error}");
    }
    let clamped = altered("clamped", set("llama.attention.clamp_kqv", 8.0f32), |_| true);
    assert!(refusal(&clamped).to_string().contains("clamp_kqv"));
    let yarn = altered("yarn", set("llama.rope.scaling.type", "yarn"), |_| true);
    let error = refusal(&yarn).to_string();
    assert!(error.contains("yarn"), "{error}");
}

#[test]
fn a_plan_counts_what_loading_takes() {
    let file = altered("plan", |_| {}, |_| true);
    let options = LoadOptions {
        compute: Compute::Exact,
        ..LoadOptions::default()
    };
    let plan = ModelFactory::plan(&file.clone().into(), options).unwrap();
    let weights: usize = file
        .tensors()
        .iter()
        .map(|t| t.shape.iter().product::<usize>())
        .sum();
    assert_eq!(plan.parameters, weights as u64);
    // The tied embedding is held once as the output projection; its rows are decoded on demand.
    assert_eq!(plan.resident_bytes, 4 * weights as u64);
    // Two layers, two heads, eight keys and eight values of four bytes.
    assert_eq!(plan.cache_bytes_per_position, 2 * 2 * 16 * 4);
}
