//! A server in the place of a model.

use serde_json::{Value, json};

use crate::engine_server::Server;
use crate::process::{Ended, program, run, wick};

/// A server that says hello to everybody.
fn polite() -> Server {
    Server::start(|_, _, wire| {
        wire.begin();
        for text in ["Good ", "day", "."] {
            wire.text(text);
        }
        wire.finish("stop");
    })
}

fn with_key(key: &str, arguments: &[&str]) -> Ended {
    run(program().args(arguments).env("WICK_API_KEY", key))
}

#[test]
fn a_server_answers_in_the_place_of_a_model() {
    let server = polite();
    let asking = [
        "run",
        "--remote",
        &server.address,
        "--model",
        "synthetic",
        "--prompt",
        "Hi",
        "--max-tokens",
        "9",
    ];
    let ended = with_key("sk-secret", &asking);
    assert_eq!(ended.text(), "Good day.");
    let record: Value =
        serde_json::from_str(&wick(&[&asking[..], &["--json"]].concat()).text()).expect("an object");
    assert_eq!(
        (&record["text"], &record["usage"]["prompt_tokens"]),
        (&json!("Good day."), &json!(11))
    );
    let asked = server.asked();
    assert_eq!(asked[0].authorization.as_deref(), Some("Bearer sk-secret"));
    assert_eq!(asked[1].authorization, None);
    assert_eq!(
        (&asked[0].body["model"], &asked[0].body["max_tokens"]),
        (&json!("synthetic"), &json!(9))
    );
}

#[test]
fn a_conversation_goes_to_the_server_turn_by_turn() {
    let server = polite();
    let chat = crate::process::wick_with_input(&["chat", "--remote", &server.address], b"Hi\nAnd?\n");
    assert_eq!(chat.text(), "Good day.\nGood day.\n");
    let turns = server.asked()[1].body["messages"].as_array().map(Vec::len);
    assert_eq!(turns, Some(3));
}

#[test]
fn what_a_server_cannot_do_is_said_in_a_line() {
    let refusing = Server::start(|_, _, wire| wire.json(400, &json!({"error": {"message": "no such luck"}})));
    let ended = with_key(
        "sk-secret",
        &["run", "--remote", &refusing.address, "--prompt", "Hi"],
    );
    assert!(ended.complaint().contains("no such luck"), "{ended:?}");
    assert!(!ended.stderr.contains("sk-secret"));
    for (arguments, said) in [
        (
            &["run", "--remote", "nowhere", "--prompt", "x"][..],
            "http://host:8000",
        ),
        (
            &["run", "--remote", "http://127.0.0.1:9", "--prompt", "x"],
            "127.0.0.1:9",
        ),
        (
            &[
                "run",
                "--remote",
                "http://127.0.0.1:9",
                "--offline",
                "--prompt",
                "x",
            ],
            "cannot be used with",
        ),
        (&["bench", "--remote", "http://127.0.0.1:9"], "leave --remote out"),
    ] {
        let ended = wick(arguments);
        assert!(ended.complaint().contains(said), "{ended:?}");
    }
}
