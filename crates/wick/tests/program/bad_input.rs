//! Everything a user can get wrong: one line that names it, a failing exit status, no panic and no hang.

use models::gguf::Value;

use crate::files::Files;
use crate::process::{Ended, argument, wick};

fn run(model: &std::path::Path, more: &[&str]) -> Ended {
    wick(&[&["run", "--model", argument(model)], more].concat())
}

/// Checks that the program complains in one line that contains all of `parts`.
#[track_caller]
fn complains(ended: &Ended, parts: &[&str]) {
    let line = ended.complaint();
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

const PROMPT: [&str; 3] = ["--raw", "--prompt", "abc"];

#[test]
fn a_missing_file_is_named() {
    let files = Files::new();
    let path = files.path("absent.gguf");
    complains(&run(&path, &PROMPT), &["absent.gguf", "No such file"]);
    complains(
        &wick(&["inspect", argument(&path)]),
        &["absent.gguf", "No such file"],
    );
}

#[test]
fn a_folder_without_weights_is_not_a_model() {
    let files = Files::new();
    let path = files.path("");
    complains(&run(&path, &PROMPT), &["neither `model.safetensors`"]);
    complains(
        &wick(&["inspect", argument(&path)]),
        &["neither `model.safetensors`"],
    );
}

#[test]
fn a_file_of_something_else_is_refused() {
    let files = Files::new();
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("short", b"GGUF"),
        ("text", b"once upon a time there was a file"),
    ] {
        let path = files.bytes(name, bytes);
        complains(&run(&path, &PROMPT), &[name]);
        complains(&wick(&["inspect", argument(&path)]), &[name]);
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let files = Files::new();
    let whole = std::fs::read(files.plain()).expect("the model can be read");
    for part in 1..8 {
        let path = files.bytes("cut.gguf", &whole[..whole.len() * part / 8]);
        complains(&run(&path, &PROMPT), &["cut.gguf"]);
    }
    let path = files.bytes("cut.gguf", &whole[..whole.len() - 1]);
    complains(&run(&path, &PROMPT), &["cut.gguf"]);
}

#[test]
fn a_damaged_header_is_refused() {
    let files = Files::new();
    let whole = std::fs::read(files.plain()).expect("the model can be read");
    let damage: [(&str, usize, &[u8]); 3] = [
        ("magic", 0, b"GGML"),
        ("version", 4, &[9, 0, 0, 0]),
        ("tensor-count", 8, &[0, 0, 0, 0, 0, 0, 0, 16]),
    ];
    for (name, at, bytes) in damage {
        let mut damaged = whole.clone();
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        complains(&run(&files.bytes(name, &damaged), &PROMPT), &[name]);
    }
}

#[test]
fn an_unknown_architecture_is_named() {
    let files = Files::new();
    let path = files.with(
        &files.plain(),
        "other.gguf",
        "general.architecture",
        Value::String("mamba9".to_owned()),
    );
    complains(&run(&path, &PROMPT), &["other.gguf", "mamba9"]);
}

#[test]
fn an_unknown_tokenizer_is_named() {
    let files = Files::new();
    let path = files.with(
        &files.plain(),
        "other.gguf",
        "tokenizer.ggml.model",
        Value::String("runes".to_owned()),
    );
    complains(&run(&path, &PROMPT), &["other.gguf", "runes"]);
}

#[test]
fn an_unknown_tensor_type_is_named_with_its_tensor() {
    let files = Files::new();
    let mut bytes = std::fs::read(files.plain()).expect("the model can be read");
    let name = b"output_norm.weight";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .expect("the tensor is in the header");
    // After the name stand the number of dimensions, that many sizes, and the type.
    let dims = at + name.len();
    let count = usize::from(bytes[dims]);
    let kind = dims + 4 + 8 * count;
    bytes[kind..kind + 4].copy_from_slice(&77u32.to_le_bytes());
    let path = files.bytes("types.gguf", &bytes);
    complains(&run(&path, &PROMPT), &["types.gguf", "output_norm.weight", "77"]);
    let seen = wick(&["inspect", argument(&path)]).text();
    assert!(seen.contains("77"), "{seen}");
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_with_both_counts() {
    let files = Files::new();
    let prompt = "a b ".repeat(2000);
    let ended = run(&files.plain(), &["--raw", "--prompt", &prompt]);
    complains(
        &ended,
        &["the prompt has ", " tokens", &models::synth::CONTEXT.to_string()],
    );
}

#[test]
fn an_empty_raw_prompt_without_a_start_token_is_refused() {
    let files = Files::new();
    complains(
        &run(&files.chatty(), &["--raw", "--prompt", ""]),
        &["chatty.gguf", "empty", "start token"],
    );
}

#[test]
fn an_empty_chat_prompt_is_refused() {
    let files = Files::new();
    complains(&run(&files.chatty(), &["--prompt", ""]), &["empty"]);
}

#[test]
fn a_chat_prompt_without_a_template_is_refused_by_the_files_name() {
    let files = Files::new();
    complains(
        &run(&files.plain(), &["--prompt", "Hello"]),
        &["plain.gguf", "no chat template"],
    );
}

#[test]
fn a_template_that_does_not_parse_spares_raw_prompts() {
    let files = Files::new();
    let broken = Value::String("{% for %}".to_owned());
    let path = files.with(&files.chatty(), "broken.gguf", "tokenizer.chat_template", broken);
    complains(&run(&path, &["--prompt", "Hello"]), &["broken.gguf", "line 1"]);
    run(&path, &["--raw", "--prompt", "Hello", "--max-tokens", "2"]).text();
}

#[test]
fn a_template_that_refuses_is_quoted() {
    let files = Files::new();
    let refusing = Value::String("{{ raise_exception('no\nthanks') }}".to_owned());
    let path = files.with(
        &files.chatty(),
        "refusing.gguf",
        "tokenizer.chat_template",
        refusing,
    );
    complains(&run(&path, &["--prompt", "Hello"]), &["no thanks"]);
}

#[test]
fn a_template_that_never_ends_is_stopped() {
    let files = Files::new();
    let endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let path = files.with(
        &files.chatty(),
        "endless.gguf",
        "tokenizer.chat_template",
        Value::String(endless.to_owned()),
    );
    complains(&run(&path, &["--prompt", "Hello"]), &["stopped"]);
}

#[test]
fn parameters_out_of_range_are_named_with_their_value() {
    let files = Files::new();
    let model = files.plain();
    for (option, value, shown) in [
        ("--temperature", "NaN", "temperature is NaN"),
        ("--temperature", "-0.5", "temperature is -0.5"),
        ("--temperature", "inf", "temperature is inf"),
        ("--temperature", "-inf", "temperature is -inf"),
        ("--max-tokens", "0", "max_tokens is 0"),
    ] {
        complains(&run(&model, &[&PROMPT[..], &[option, value]].concat()), &[shown]);
    }
}

#[test]
fn arguments_that_do_not_parse_are_named_with_their_value() {
    let files = Files::new();
    let model = files.plain();
    for (option, value) in [
        ("--temperature", "warm"),
        ("--max-tokens", "-5"),
        ("--max-tokens", "99999999999"),
        ("--seed", "1.5"),
        ("--seed", "-1"),
    ] {
        let ended = run(&model, &[&PROMPT[..], &[option, value]].concat());
        complains(&ended, &[option, value]);
        assert_eq!(ended.status.code(), Some(2));
    }
    complains(&wick(&["run", "--model", "x"]), &["--prompt"]);
    complains(&wick(&["sing"]), &["sing"]);
    complains(
        &run(&model, &[&PROMPT[..], &["--cache", "f8"]].concat()),
        &["--cache", "f8"],
    );
}

#[test]
fn bad_parameters_are_found_before_the_model_is_touched() {
    let ended = wick(&[
        "run",
        "--model",
        "/nowhere",
        "--prompt",
        "x",
        "--temperature",
        "NaN",
    ]);
    complains(&ended, &["temperature is NaN"]);
}

#[test]
fn values_that_cannot_be_are_all_the_same_status() {
    for arguments in [
        &["--temperature", "-1"][..],
        &["--max-tokens", "0"],
        &["--max-tokens", "x"],
        &["--tool-choice", "foo"],
        &["--tool-choice", "required"],
        &["--min-tokens", "5000"],
        &["--stop", ""],
        &["--top-p", "2"],
        &["--provider", "parrot"],
    ] {
        let ended = wick(&[&["run", "--model", "missing.gguf", "--prompt", "x"], arguments].concat());
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {ended:?}");
    }
    for command in ["run", "chat"] {
        let help = wick(&[command, "--help"]).text();
        assert!(help.contains("Exit status:") && help.contains("130 "), "{help}");
    }
}
