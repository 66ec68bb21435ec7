//! `wick run` with a prompt on standard input.

use serde_json::Value;

use crate::files::Files;
use crate::process::{argument, wick, wick_with_input};

/// Arguments of an answer of few tokens.
fn asking<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let run = [
        "run",
        "--model",
        model,
        "--temperature",
        "0",
        "--max-tokens",
        "4",
        "--json",
    ];
    [&run[..], more].concat()
}

/// What of a record depends on the prompt alone.
fn answer(text: &str) -> (Value, Value) {
    let record: Value = serde_json::from_str(text).expect("one object");
    (record["token_ids"].clone(), record["usage"].clone())
}

#[test]
fn what_is_piped_in_is_the_prompt() {
    let files = Files::new();
    let model = files.chatty();
    let model = argument(&model);
    let piped = wick_with_input(&asking(model, &[]), b"Hello there\n").text();
    let named = wick(&asking(model, &["--prompt", "Hello there"])).text();
    assert_eq!(answer(&piped), answer(&named));
    let other = wick(&asking(model, &["--prompt", "Hello"])).text();
    assert_ne!(answer(&piped), answer(&other));
}

#[test]
fn what_is_piped_in_stands_before_a_prompt_with_a_blank_line_between_them() {
    let files = Files::new();
    let model = files.chatty();
    let model = argument(&model);
    let both = wick_with_input(&asking(model, &["--prompt", "Which?"]), b"one\ntwo\n").text();
    let named = wick(&asking(model, &["--prompt", "one\ntwo\n\nWhich?"])).text();
    assert_eq!(answer(&both), answer(&named));
}

#[test]
fn a_raw_text_is_continued_to_the_letter() {
    let files = Files::new();
    let model = files.plain();
    let model = argument(&model);
    let piped = wick_with_input(&asking(model, &["--raw"]), b"once\n").text();
    let named = wick(&asking(model, &["--raw", "--prompt", "once\n"])).text();
    assert_eq!(answer(&piped), answer(&named));
}

#[test]
fn what_is_no_prompt_is_told_before_a_model_is_loaded() {
    let run = ["run", "--model", "missing.gguf"];
    let nothing = wick_with_input(&run, b"\n");
    assert!(nothing.complaint().contains("nothing to answer"), "{nothing:?}");
    assert_eq!(nothing.status.code(), Some(2));
    let broken = wick_with_input(&run, b"ab\xff");
    assert!(broken.complaint().contains("not UTF-8 at byte 2"), "{broken:?}");
    let long = wick_with_input(&run, &vec![b'a'; (64 << 20) + 1]);
    assert!(long.complaint().contains("has more than"), "{long:?}");
}

#[test]
fn instructions_and_a_raw_text_do_not_go_together() {
    let ended = wick(&["run", "--raw", "--system", "Sing.", "--prompt", "x"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
}
