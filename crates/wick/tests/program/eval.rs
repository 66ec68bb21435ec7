//! `wick eval`: logits in a file, and perplexity by its definition.

use std::path::{Path, PathBuf};

use models::safetensors::{Element, SafetensorsSet};
use models::{Checkpoint, Compute, LoadOptions, Logits, ModelFactory, Rows, SequenceStep, Special};
use serde_json::Value;

use crate::files::Files;
use crate::process::{Ended, argument, wick};

/// Logits after every token, from a model that nothing else has touched.
fn logits(model: &Path, tokens: &[u32]) -> Logits {
    let checkpoint = Checkpoint::open(model).expect("the model opens");
    let options = LoadOptions {
        compute: Compute::Exact,
        ..LoadOptions::default()
    };
    let mut model = ModelFactory::load(&checkpoint, options, &mut |_| {}).expect("the model loads");
    let mut cache = model.new_cache();
    let mut logits = Logits::new();
    let step = SequenceStep {
        tokens,
        cache: &mut cache,
    };
    model
        .forward(&mut [step], Rows::All, &mut logits)
        .expect("the model runs");
    logits
}

fn eval_logits(model: &Path, ids: &str, out: &Path) -> Ended {
    wick(&[
        "eval",
        "logits",
        "--model",
        argument(model),
        "--ids",
        ids,
        "--out",
        argument(out),
    ])
}

/// Names in the folder, for what a failure leaves behind.
fn names(files: &Files) -> Vec<String> {
    let entries = std::fs::read_dir(files.path("")).expect("the folder can be read");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn logits_are_those_of_one_forward_pass() {
    let files = Files::new();
    let model = files.published();
    let out = files.path("out.safetensors");
    assert_eq!(eval_logits(&model, "1,2, 3,250", &out).text(), "");
    let expected = logits(&model, &[1, 2, 3, 250]);
    let set = SafetensorsSet::open(&out).expect("the file opens");
    let tensor = set.tensor("logits").expect("it has the tensor");
    assert_eq!(
        (&tensor.shape[..], &tensor.element),
        (&[4, expected.vocab()][..], &Element::F32)
    );
    let (numbers, rest) = set.bytes(tensor).expect("the data is there").as_chunks::<4>();
    assert!(rest.is_empty());
    for (row, found) in numbers.chunks_exact(expected.vocab()).enumerate() {
        let found: Vec<f32> = found.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(found, expected.row(row), "row {row}");
    }
    assert_eq!(names(&files), ["chatty.gguf", "out.safetensors", "published"]);
}

#[test]
fn logits_that_cannot_be_computed_or_written_leave_no_file() {
    let files = Files::new();
    let model = files.plain();
    let out = files.bytes("out", b"mine");
    for (ids, named) in [
        ("1,100000", "token 100000"),
        (&["1"; 257].join(",")[..], "257 positions"),
        ("", "--ids"),
        ("1,,2", "--ids"),
        ("1,-2", "-2"),
        ("4294967296", "4294967296"),
    ] {
        let ended = eval_logits(&model, ids, &out);
        assert!(ended.complaint().contains(named), "{ended:?}");
    }
    let nowhere = files.path("no/such/folder");
    assert!(
        eval_logits(&model, "1", &nowhere)
            .complaint()
            .contains("no/such/folder")
    );
    assert!(
        eval_logits(&model, "1", &files.path(""))
            .complaint()
            .contains("cannot write")
    );
    assert_eq!(std::fs::read(&out).expect("it is there"), b"mine");
    assert_eq!(names(&files), ["out", "plain.gguf"]);
}

fn text(files: &Files, words: usize) -> PathBuf {
    let words: Vec<&str> = ["the ", "and\n", "in a ", "é ", "then, "]
        .into_iter()
        .cycle()
        .take(words)
        .collect();
    files.bytes("text", (words.concat() + "\n").as_bytes())
}

fn perplexity(model: &Path, text: &Path, more: &[&str]) -> Ended {
    let arguments = [
        "eval",
        "perplexity",
        "--model",
        argument(model),
        "--file",
        argument(text),
    ];
    wick(&[&arguments[..], more].concat())
}

/// The definition, written down once more: every chunk by itself, its second half scored in plain arithmetic.
fn by_definition(model: &Path, text: &Path, context: usize) -> (Vec<f64>, f64) {
    let text = std::fs::read_to_string(text).expect("the text is there");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let tokenizer = Checkpoint::open(model)
        .and_then(|checkpoint| checkpoint.tokenizer())
        .expect("it has a tokenizer");
    let mut tokens = tokenizer.encode(text, Special::Literal).expect("ids");
    let start = tokenizer.bos().filter(|_| tokenizer.adds_bos());
    if let Some(start) = start {
        tokens.insert(0, start);
    }
    let (mut losses, mut running) = (Vec::new(), Vec::new());
    for chunk in 0..tokens.len() / context {
        let chunk = &tokens[chunk * context..(chunk + 1) * context];
        let mut fed = chunk.to_vec();
        fed[0] = start.unwrap_or(fed[0]);
        let logits = logits(model, &fed);
        for at in context / 2..context - 1 {
            let row = logits.row(at);
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            losses.push(sum.ln() - f64::from(row[chunk[at + 1] as usize]));
        }
        running.push((losses.iter().sum::<f64>() / losses.len() as f64).exp());
    }
    let count = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / count;
    let spread = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / count;
    let error = (spread / (count - 1.0)).sqrt() * mean.exp();
    (running, error)
}

#[test]
fn perplexity_is_what_its_definition_says_with_and_without_a_start_token() {
    let files = Files::new();
    let text = text(&files, 120);
    for model in [files.plain(), files.published()] {
        for context in [3, 16, 37] {
            let shown = perplexity(&model, &text, &["--json", "--context", &context.to_string()]).text();
            let found: Value = serde_json::from_str(&shown).expect("the line is JSON");
            let (running, error) = by_definition(&model, &text, context);
            let close = |found: &Value, expected: f64| {
                let found = found.as_f64().expect("a number");
                assert!(
                    (found - expected).abs() < 1e-4 * expected,
                    "{found} is not {expected}"
                );
            };
            assert_eq!(found["chunks"].as_array().map(Vec::len), Some(running.len()));
            for (at, &expected) in running.iter().enumerate() {
                close(&found["chunks"][at], expected);
            }
            close(&found["perplexity"], *running.last().expect("a chunk"));
            close(&found["standard_error"], error);
            assert_eq!(found["context"], context);
            assert_eq!(found["scored"], running.len() * (context - 1 - context / 2));
        }
    }
}

#[test]
fn a_chunk_longer_than_one_step_is_the_same_chunk() {
    let files = Files::new();
    let model = crate::files::with_long_context(&files, &files.plain());
    let text = text(&files, 400);
    let shown = perplexity(&model, &text, &["--context", "301"]).text();
    let (running, error) = by_definition(&model, &text, 301);
    let figure = running.last().expect("a chunk");
    let (estimates, end) = shown.trim_end().split_once('\n').expect("two lines");
    assert_eq!(end, format!("Final estimate: PPL = {figure:.4} +/- {error:.5}"));
    let expected: String = running
        .iter()
        .enumerate()
        .map(|(at, figure)| format!("[{}]{figure:.4},", at + 1))
        .collect();
    assert_eq!(estimates, expected);
}

#[test]
fn a_text_that_cannot_be_scored_is_refused() {
    let files = Files::new();
    let model = files.plain();
    let short = files.bytes("short", b"the end");
    let broken = files.bytes("broken", b"\xff\xfe");
    let long = text(&files, 400);
    for (text, more, named) in [
        (&short, &[][..], "512 are needed, two chunks of 256"),
        (&broken, &[], "broken"),
        (&files.path("absent"), &[], "absent"),
        (&long, &["--context", "2"], "context of 2"),
        (&long, &["--context", "0"], "context of 0"),
        (&long, &["--context", "257"], "257 positions"),
        (
            &long,
            &["--context", "18446744073709551615"],
            "18446744073709551615 positions",
        ),
        (&long, &["--context", "few"], "few"),
    ] {
        let ended = perplexity(&model, text, more);
        assert!(ended.complaint().contains(named), "{named} is not in {ended:?}");
    }
}
