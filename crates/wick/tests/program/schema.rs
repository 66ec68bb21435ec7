//! `wick run --schema`: answers that fit a schema, and those that do not.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::engine_server::Server;
use crate::files::Files;
use crate::process::{argument, wick};

fn person(files: &Files) -> PathBuf {
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["name", "age"],
        "properties": {
            "name": {"type": "string", "maxLength": 8},
            "age": {"type": "integer", "minimum": 0, "maximum": 99},
        },
    });
    files.bytes("person.json", schema.to_string().as_bytes())
}

#[test]
fn an_answer_fits_its_schema_whatever_the_model_would_say() {
    let files = Files::new();
    let (model, schema) = (files.chatty(), person(&files));
    for seed in ["1", "2", "3"] {
        let asking = [
            "run",
            "--model",
            argument(&model),
            "--prompt",
            "Who?",
            "--schema",
            argument(&schema),
            "--seed",
            seed,
        ];
        let text = wick(&asking).text();
        let record: Value =
            serde_json::from_str(&wick(&[&asking[..], &["--json"]].concat()).text()).expect("an object");
        assert_eq!(record["text"], text);
        let person: Value = serde_json::from_str(&text).expect("the answer is JSON");
        assert_eq!(person.as_object().map(|fields| fields.len()), Some(2), "{text}");
        assert!(
            person["name"]
                .as_str()
                .is_some_and(|name| name.chars().count() <= 8),
            "{text}"
        );
        assert!(person["age"].as_u64().is_some_and(|age| age <= 99), "{text}");
    }
}

#[test]
fn an_answer_that_is_cut_before_it_fits_is_a_failure() {
    let files = Files::new();
    let (model, schema) = (files.chatty(), person(&files));
    for json in [&[][..], &["--json"]] {
        let asking = [
            "run",
            "--model",
            argument(&model),
            "--prompt",
            "Who?",
            "--schema",
            argument(&schema),
            "--max-tokens",
            "3",
        ];
        let ended = wick(&[&asking[..], json].concat());
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("was cut after 3 tokens"), "{ended:?}");
        assert!(!ended.stdout.is_empty(), "what there is of it is shown");
    }
}

#[test]
fn a_schema_that_cannot_be_followed_is_told_before_a_model_is_loaded() {
    let files = Files::new();
    for (text, said) in [
        (&br#"{"type": "sheep"}"#[..], "sheep"),
        (
            br#"{"type": "string", "minLength": 3, "maxLength": 1}"#,
            "schema.json",
        ),
        (b"{", "is no JSON"),
        (b"[1]", "is [1], expected a JSON schema"),
    ] {
        let schema = files.bytes("schema.json", text);
        let ended = wick(&[
            "run",
            "--model",
            "missing.gguf",
            "--prompt",
            "x",
            "--schema",
            argument(&schema),
        ]);
        assert!(ended.complaint().contains(said), "{ended:?}");
        assert!(ended.complaint().contains("schema.json"), "{ended:?}");
    }
    let ended = wick(&[
        "run",
        "--model",
        "missing.gguf",
        "--prompt",
        "x",
        "--schema",
        "absent.json",
    ]);
    assert!(ended.complaint().contains("absent.json"), "{ended:?}");
}

#[test]
fn a_server_is_asked_for_the_schema_and_its_answer_is_looked_at() {
    let files = Files::new();
    let schema = person(&files);
    let talking = Server::start(|_, _, wire| {
        wire.begin();
        wire.text("I would rather not.");
        wire.finish("stop");
    });
    let ended = wick(&[
        "run",
        "--remote",
        &talking.address,
        "--prompt",
        "Who?",
        "--schema",
        argument(&schema),
    ]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("is no JSON, though a schema was asked for"),
        "{ended:?}"
    );
    let format = &talking.asked()[0].body["response_format"];
    assert_eq!(
        format["json_schema"]["schema"]["required"],
        json!(["name", "age"])
    );
}

#[test]
fn an_answer_that_is_json_and_does_not_fit_is_a_failure_that_names_what_does_not() {
    let files = Files::new();
    let schema = person(&files);
    let lying = Server::start(|_, _, wire| {
        wire.begin();
        wire.text(r#"{"name": "Pim", "age": "seven"}"#);
        wire.finish("stop");
    });
    for json in [&[][..], &["--json"]] {
        let asking = [
            "run",
            "--remote",
            &lying.address,
            "--prompt",
            "Who?",
            "--schema",
            argument(&schema),
        ];
        let ended = wick(&[&asking[..], json].concat());
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(
            ended.stderr.contains("does not fit the schema: /age: \"seven\""),
            "{ended:?}"
        );
    }
}
