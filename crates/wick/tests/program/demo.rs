//! The model that is built in: the first command of a newcomer, without options and without a download.

use std::fs;
use std::path::Path;

use crate::files::Files;
use crate::process::{argument, program, wick};

const HINT: &str = "wick: this is the built-in demo model, very small; for a real one get a GGUF file of Qwen3, Llama or Kimi K2 \
                    and name it with --model\n";

#[test]
fn a_prompt_without_a_model_is_answered_by_the_demo() {
    for named in [&[][..], &["--model", "demo"]] {
        let ended = wick(&[&["run", "--prompt", "Hello!", "--temperature", "0"], named].concat());
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(ended.stderr, HINT);
        let text = String::from_utf8(ended.stdout).expect("output is UTF-8");
        assert!(text.starts_with("Hello") || text.starts_with("Hi"), "{text}");
    }
}

#[test]
fn the_demo_ends_its_answer_by_itself() {
    let story = "Tell me a story about a fox in the forest.";
    let ended = wick(&["run", "--prompt", story, "--temperature", "0", "--json"]);
    assert!(ended.status.success(), "{ended:?}");
    let answer: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("one object");
    assert_eq!(answer["finish_reason"], "stop", "{answer}");
    assert!(
        answer["text"].as_str().is_some_and(|text| text.contains("fox")),
        "{answer}"
    );
}

#[test]
fn a_calculation_is_refused_where_no_tool_is_declared() {
    let ended = wick(&["run", "--prompt", "What is 12 plus 30?", "--temperature", "0"]);
    assert!(ended.status.success(), "{ended:?}");
    let text = String::from_utf8(ended.stdout).expect("output is UTF-8");
    assert!(!text.contains("<tool_call>"), "{text}");
    assert!(text.contains("no tool") || text.contains("cannot"), "{text}");
}

/// What the demo answers to a greeting, greedily and as JSON.
fn hello(more: &[&str]) -> serde_json::Value {
    let hello = ["run", "--prompt", "Hello!", "--temperature", "0", "--json"];
    let ended = wick(&[&hello[..], more].concat());
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_slice(&ended.stdout).expect("one object")
}

#[test]
fn a_stop_string_ends_the_text_before_it() {
    let whole = hello(&[]);
    let whole = whole["text"].as_str().expect("a string");
    let last = whole.chars().next_back().expect("an answer").to_string();
    let stopped = hello(&["--stop", "never written", "--stop", &last]);
    assert_eq!(stopped["text"], whole.split(&last).next().unwrap_or_default());
    assert_eq!(stopped["finish_reason"], "stop");
    let refused = wick(&["run", "--prompt", "Hello!", "--stop", ""]);
    assert!(!refused.status.success());
    assert!(
        refused.stderr.contains("stop is \"\" at index 0"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_answer_goes_on_where_its_end_is_ignored() {
    let tokens = |more: &[&str]| {
        let answer = hello(&[&["--max-tokens", "60"], more].concat());
        answer["usage"]["completion_tokens"].as_u64().expect("a count")
    };
    assert!(tokens(&[]) < 30);
    assert!(tokens(&["--min-tokens", "40"]) >= 40);
    assert_eq!(tokens(&["--ignore-eos"]), 60);
}

#[test]
fn guessing_ahead_changes_nothing_of_an_answer() {
    let answer = |draft: &str| hello(&["--max-tokens", "200", "--ignore-eos", "--draft", draft]);
    let (plain, guessed) = (answer("0"), answer("16"));
    assert_eq!(plain["text"], guessed["text"]);
    assert_eq!(
        plain["usage"]["completion_tokens"],
        guessed["usage"]["completion_tokens"]
    );
}

#[test]
fn the_demo_can_be_inspected_and_tokenized_by_its_name() {
    let page = wick(&["inspect", "demo"]).text();
    assert!(page.contains("qwen3"), "{page}");
    let tokens = wick(&["tokenize", "--model", "demo", "--text", "12 + 7"]).text();
    assert_eq!(tokens.lines().count(), 6, "digits stand alone: {tokens}");
}

#[test]
fn a_folder_of_its_name_does_not_hide_the_demo_and_is_reached_by_a_path() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::create_dir(folder.path().join("demo")).expect("a folder can be made");
    let inspect = |model: &str| {
        let mut command = program();
        command.args(["inspect", model]).current_dir(folder.path());
        command.output().expect("the program runs")
    };
    assert!(inspect("demo").status.success());
    assert!(!inspect("./demo").status.success());
}

#[test]
fn kernels_of_our_own_change_the_perplexity_of_a_text_by_less_than_half_a_percent() {
    let files = Files::new();
    let stories: String = ["a fox in the forest", "a baker in a town", "a brave mouse"]
        .into_iter()
        .map(|about| {
            let prompt = format!("Tell me a story about {about}.");
            wick(&["run", "--prompt", &prompt, "--temperature", "0"]).text_beside(HINT)
        })
        .collect();
    let text = files.bytes("stories", stories.as_bytes());
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../providers/assets/demo-q8_0.gguf");
    let perplexity = |more: &[&str]| {
        let of = [
            "eval",
            "perplexity",
            "--model",
            argument(&demo),
            "--file",
            argument(&text),
        ];
        let shown = wick(&[&of[..], &["--context", "64", "--json"], more].concat()).text();
        let found: serde_json::Value = serde_json::from_str(&shown).expect("one object");
        found["perplexity"].as_f64().expect("a number")
    };
    let exact = perplexity(&[]);
    for fast in [
        perplexity(&["--compute", "fast"]),
        perplexity(&["--compute", "fast", "--cache", "f16"]),
    ] {
        assert!((fast / exact - 1.0).abs() < 0.005, "{fast} beside {exact}");
    }
}
