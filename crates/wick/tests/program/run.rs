//! `wick run`: streaming, JSON, determinism and being stopped.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;

use crate::files::Files;
use crate::process::{argument, program, wait, wick};

/// The object that `--json` prints, with the check that it is the only line.
#[track_caller]
fn json(arguments: &[&str]) -> Value {
    let text = wick(&[arguments, &["--json"]].concat()).text();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    serde_json::from_str(&text).expect("the line is JSON")
}

#[test]
fn the_json_object_has_exactly_the_documented_shape() {
    let files = Files::new();
    let model = files.chatty();
    let record = json(&[
        "run",
        "--model",
        argument(&model),
        "--prompt",
        "Hello",
        "--max-tokens",
        "5",
        "--temperature",
        "0",
    ]);
    let keys = |value: &Value| {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&record),
        ["text", "token_ids", "finish_reason", "usage", "timings"]
    );
    assert_eq!(
        keys(&record["usage"]),
        ["prompt_tokens", "cached_tokens", "completion_tokens"]
    );
    assert_eq!(
        keys(&record["timings"]),
        ["load_ms", "ttft_ms", "prefill_tok_s", "decode_tok_s"]
    );
    assert!(["stop", "length"].contains(&record["finish_reason"].as_str().expect("a string")));
    let ids = record["token_ids"].as_array().expect("a list").len() as u64;
    assert_eq!(record["usage"]["completion_tokens"], ids);
    assert!((1..=5).contains(&ids), "{record}");
    assert!(
        record["usage"]["prompt_tokens"].as_u64().expect("a count") > 5,
        "the template adds to the prompt"
    );
    assert!(record["timings"]["load_ms"].as_f64().expect("a time") > 0.0);
    assert!(record["timings"]["ttft_ms"].as_f64().expect("a time") > 0.0);
}

#[test]
fn what_streams_is_what_the_json_says() {
    let files = Files::new();
    let model = files.plain();
    let arguments = [
        "run",
        "--model",
        argument(&model),
        "--raw",
        "--prompt",
        "one two",
        "--max-tokens",
        "40",
        "--seed",
        "3",
    ];
    let record = json(&arguments);
    assert_eq!(wick(&arguments).text(), record["text"].as_str().expect("a text"));
    assert_eq!(
        record["usage"]["completion_tokens"],
        record["token_ids"].as_array().expect("a list").len()
    );
}

#[test]
fn an_empty_raw_prompt_is_the_start_token_alone() {
    let files = Files::new();
    let model = files.plain();
    let record = json(&[
        "run",
        "--model",
        argument(&model),
        "--raw",
        "--prompt",
        "",
        "--max-tokens",
        "3",
    ]);
    assert_eq!(record["usage"]["prompt_tokens"], 1);
}

#[test]
fn the_same_seed_gives_the_same_tokens() {
    let files = Files::new();
    let model = files.plain();
    let ids = |seed: &str| {
        let arguments = [
            "run",
            "--model",
            argument(&model),
            "--raw",
            "--prompt",
            "abc",
            "--max-tokens",
            "24",
        ];
        json(&[&arguments[..], &["--temperature", "1.5", "--seed", seed]].concat())["token_ids"].clone()
    };
    let first = ids("42");
    assert_eq!(first, ids("42"));
    assert_ne!(first, ids("43"), "another seed draws otherwise");
}

#[test]
fn greedy_answers_need_no_seed() {
    let files = Files::new();
    let model = files.plain();
    let arguments = [
        "run",
        "--model",
        argument(&model),
        "--raw",
        "--prompt",
        "abc",
        "--max-tokens",
        "24",
        "--temperature",
        "0",
    ];
    assert_eq!(json(&arguments)["token_ids"], json(&arguments)["token_ids"]);
}

#[test]
fn an_answer_ends_where_the_context_ends() {
    let files = Files::new();
    let model = files.plain();
    let record = json(&[
        "run",
        "--model",
        argument(&model),
        "--raw",
        "--prompt",
        "abc",
        "--max-tokens",
        "100000",
        "--seed",
        "1",
    ]);
    let total = record["usage"]["prompt_tokens"].as_u64().expect("a count")
        + record["usage"]["completion_tokens"].as_u64().expect("a count");
    if record["finish_reason"] == "length" {
        assert_eq!(total, u64::from(models::synth::CONTEXT));
    } else {
        assert!(total <= u64::from(models::synth::CONTEXT));
    }
}

#[test]
fn a_closed_output_is_a_quiet_end() {
    let files = Files::new();
    let model = files.plain();
    let mut child = program()
        .args([
            "run",
            "--model",
            argument(&model),
            "--raw",
            "--prompt",
            "abc",
            "--seed",
            "1",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let status = wait(&mut child);
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("stderr is piped")
        .read_to_string(&mut said)
        .expect("stderr can be read");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn help_and_version_are_answers_and_not_errors() {
    assert!(wick(&["--help"]).text().contains("inspect"));
    assert!(wick(&["run", "--help"]).text().contains("--max-tokens"));
    assert!(wick(&["--version"]).text().starts_with("wick "));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_answer_with_the_status_that_shells_expect() {
    let files = Files::new();
    let model = crate::files::with_long_context(&files, &files.plain());
    let mut child = program()
        .args([
            "run",
            "--model",
            argument(&model),
            "--raw",
            "--prompt",
            "abc",
            "--temperature",
            "0",
        ])
        .args(["--max-tokens", "99000"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = child.stdout.take().expect("stdout is piped");
    stdout.read_exact(&mut [0; 20]).expect("the answer streams");
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill can be run").success());
    let draining = std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    assert_eq!(wait(&mut child).code(), Some(130));
    draining
        .join()
        .expect("the reader does not panic")
        .expect("stdout can be read");
}

#[test]
fn a_published_folder_answers_as_its_gguf_file_does() {
    let files = Files::new();
    let folder = files.published();
    let ids = |model: &std::path::Path, cache: &str| {
        let arguments = [
            "run",
            "--model",
            argument(model),
            "--prompt",
            "Hello",
            "--max-tokens",
            "8",
        ];
        json(&[&arguments[..], &["--temperature", "0", "--cache", cache]].concat())["token_ids"].clone()
    };
    assert_eq!(ids(&folder, "f32"), ids(&files.path("chatty.gguf"), "f32"));
    assert_eq!(
        ids(&folder, "f16").as_array().map(Vec::len).map(|len| len > 0),
        Some(true)
    );
}
