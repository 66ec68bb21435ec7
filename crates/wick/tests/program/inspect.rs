//! `wick inspect`: facts of a file, for people and for programs.

use models::gguf::Value as Metadata;
use serde_json::Value;

use crate::files::Files;
use crate::process::{argument, wick};

fn json(path: &std::path::Path) -> Value {
    let text = wick(&["inspect", argument(path), "--json"]).text();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    serde_json::from_str(&text).expect("the line is JSON")
}

#[test]
fn the_facts_of_a_file_are_those_in_its_header() {
    let files = Files::new();
    let path = files.chatty();
    let facts = json(&path);
    let file = models::GgufFile::open(&path).expect("the model opens");
    let weights: u64 = file.tensors().iter().map(models::gguf::TensorInfo::weights).sum();
    assert_eq!(facts["architecture"], "qwen3");
    assert_eq!(
        facts["bytes"],
        std::fs::metadata(&path).expect("the file is there").len()
    );
    assert_eq!(facts["parameters"], weights);
    assert_eq!(facts["context"], models::synth::CONTEXT);
    let counted: u64 = facts["tensors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|t| t["count"].as_u64().expect("a count"))
        .sum();
    assert_eq!(counted, file.tensors().len() as u64);
    assert_eq!(facts["tokenizer"]["bos"], Value::Null);
    assert!(
        !facts["tokenizer"]["end_of_generation"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
    assert_eq!(facts["chat_template"]["state"], "usable");
    let plan = models::ModelFactory::plan(&file.clone().into(), models::LoadOptions::default())
        .expect("the model can be run");
    assert_eq!(facts["memory"]["weights_bytes"], plan.resident_bytes);
    assert!(
        (1..=weights * 4).contains(&plan.resident_bytes),
        "no weight is held twice"
    );
    // Two layers, two key/value heads of 8 numbers, keys and values, 2 bytes each, 1,000 positions.
    assert_eq!(
        facts["memory"]["cache_bytes_per_1000_positions"],
        2 * 2 * 8 * 2 * 2 * 1000
    );
}

#[test]
fn a_page_for_people_says_the_same() {
    let files = Files::new();
    let page = wick(&["inspect", argument(&files.plain())]).text();
    for part in [
        "architecture",
        "llama",
        "context",
        "256",
        "start token",
        "chat template     none",
        "weights in memory",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn a_file_that_cannot_be_run_can_be_inspected() {
    let files = Files::new();
    let strange = Metadata::String("mamba9".to_owned());
    let path = files.with(&files.plain(), "other.gguf", "general.architecture", strange);
    let facts = json(&path);
    assert_eq!(facts["architecture"], "mamba9");
    assert_eq!(facts["context"], Value::Null);
    assert!(
        facts["memory"]["error"]
            .as_str()
            .expect("a text")
            .contains("mamba9"),
        "{facts}"
    );
    let runes = Metadata::String("runes".to_owned());
    let path = files.with(&files.plain(), "runes.gguf", "tokenizer.ggml.model", runes);
    assert!(
        json(&path)["tokenizer"]["error"]
            .as_str()
            .expect("a text")
            .contains("runes")
    );
}

#[test]
fn what_a_file_says_of_itself_cannot_steer_a_terminal() {
    let files = Files::new();
    let name = Metadata::String("\u{1b}[2J\nevil".to_owned());
    let page = wick(&[
        "inspect",
        argument(&files.with(&files.plain(), "evil.gguf", "general.name", name)),
    ])
    .text();
    assert!(!page.contains('\u{1b}') && page.contains("[2J evil"), "{page}");
}

#[test]
fn a_folder_has_the_facts_of_the_file_it_was_made_from() {
    let files = Files::new();
    let folder = files.published();
    let (file, published) = (json(&files.path("chatty.gguf")), json(&folder));
    for fact in [
        "architecture",
        "parameters",
        "context",
        "layers",
        "embedding",
        "feed_forward",
        "heads",
        "kv_heads",
        "chat_template",
    ] {
        assert_eq!(file[fact], published[fact], "{fact}");
        assert_ne!(published[fact], Value::Null, "{fact}");
    }
    assert_eq!(file["memory"], published["memory"]);
    assert_eq!(
        file["tokenizer"]["end_of_generation"],
        published["tokenizer"]["end_of_generation"]
    );
    assert_eq!(published["gguf_version"], Value::Null);
    let kinds: Vec<&str> = published["tensors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|total| total["type"].as_str().expect("a name"))
        .collect();
    assert!(kinds.contains(&"F16") && kinds.contains(&"F32"), "{kinds:?}");
    let page = wick(&["inspect", "--model", argument(&folder)]).text();
    assert!(page.contains("safetensors") && page.contains("F16"), "{page}");
}
