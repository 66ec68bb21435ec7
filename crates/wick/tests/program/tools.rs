//! Calls of tools from the command line, and the prompt that a chat becomes.

use serde_json::{Value, json};

use crate::engine_server::{Server, chunk};
use crate::files::Files;
use crate::process::{argument, wick, wick_with_input};

/// Runs the demo model; its line about itself is no part of the answer.
#[track_caller]
fn demo(arguments: &[&str]) -> String {
    let ended = wick(&[&["run", "--temperature", "0"], arguments].concat());
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).expect("output is UTF-8")
}

fn tools(files: &Files) -> std::path::PathBuf {
    let calculator = json!([{"type": "function", "function": {
        "name": "calculator",
        "description": "Computes an arithmetic expression.",
        "parameters": {
            "type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"],
        },
    }}]);
    files.bytes("tools.json", calculator.to_string().as_bytes())
}

#[test]
fn a_call_is_a_line_of_json() {
    let files = Files::new();
    let tools = tools(&files);
    let asked = ["--prompt", "What is 12 + 30?", "--tools", argument(&tools)];
    let text = demo(&asked);
    let call: Value = serde_json::from_str(text.trim_end()).expect("a line of JSON");
    assert_eq!(call["function"]["name"], "calculator");
    let record: Value = serde_json::from_str(&demo(&[&asked[..], &["--json"]].concat())).expect("an object");
    assert_eq!(record["tool_calls"], json!([call]));
    assert_eq!(record["finish_reason"], "tool_calls");
}

#[test]
fn the_end_of_the_last_line_that_a_tool_prints_is_no_part_of_its_result() {
    let files = Files::new();
    let tools = json!([{"name": "answer", "command": ["echo", "42"]}]);
    let tools = files.bytes("programs.json", tools.to_string().as_bytes());
    let server = Server::start(|asked, _, wire| {
        wire.begin();
        match asked.body["messages"]
            .as_array()
            .and_then(|messages| messages.last())
        {
            Some(last) if last["role"] == "tool" => {
                wire.text(&format!("<{}>", last["content"].as_str().unwrap_or_default()));
                wire.finish("stop");
            }
            _ => {
                let call = json!({"index": 0, "id": "1", "type": "function",
                    "function": {"name": "answer", "arguments": "{}"}});
                wire.event(&chunk(&json!({"tool_calls": [call]}), None));
                wire.finish("tool_calls");
            }
        }
    });
    let arguments = [
        "chat",
        "--remote",
        &server.address,
        "--tools",
        argument(&tools),
        "--allow",
        "answer",
    ];
    let ended = wick_with_input(&arguments, b"Go\n");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "<42>\n", "{ended:?}");
}

#[test]
fn a_call_can_be_forced_and_forbidden() {
    let files = Files::new();
    let tools = tools(&files);
    let with = |choice: &str, prompt: &str| {
        demo(&[
            "--tools",
            argument(&tools),
            "--tool-choice",
            choice,
            "--prompt",
            prompt,
            "--json",
        ])
    };
    let read = |text: String| serde_json::from_str::<Value>(&text).expect("an object");
    for choice in ["required", "calculator"] {
        let record = read(with(choice, "Hello!"));
        assert_eq!(record["tool_calls"].as_array().map(Vec::len), Some(1), "{record}");
        assert_eq!(record["text"], "");
    }
    let record = read(with("none", "What is 12 + 30?"));
    assert_eq!(record.get("tool_calls"), None, "{record}");
}

#[test]
fn what_is_wrong_with_tools_is_said_before_a_model_is_loaded() {
    let files = Files::new();
    let tools = tools(&files);
    let broken = files.bytes("broken.json", b"{\"name\": 1}");
    let run = |arguments: &[&str]| {
        let ended = wick(&[&["run", "--prompt", "x", "--model", "missing.gguf"], arguments].concat());
        ended.complaint().to_owned()
    };
    let complaint = run(&["--tools", argument(&broken)]);
    assert!(complaint.contains("is no JSON array of tools"), "{complaint}");
    let bogus = br#"[{"type": "function", "function": {"name": "fox", "parameters": {"type": "sheep"}}}]"#;
    let bogus = files.bytes("bogus.json", bogus);
    let complaint = run(&["--tools", argument(&bogus)]);
    assert!(
        complaint.contains("the parameters of the tool \"fox\"") && complaint.contains("sheep"),
        "{complaint}"
    );
    let complaint = run(&["--tool-choice", "required"]);
    assert!(complaint.contains("tool_choice is \"required\""), "{complaint}");
    let complaint = run(&["--tools", argument(&tools), "--tool-choice", "other"]);
    assert!(complaint.contains("tool_choice is \"other\""), "{complaint}");
    let complaint = run(&["--provider", "parrot"]);
    assert!(
        complaint.contains("kimi-k2, qwen3-coder, qwen3, llama"),
        "{complaint}"
    );
}

#[test]
fn a_model_of_another_family_is_refused() {
    let files = Files::new();
    let model = files.chatty();
    let ended = wick(&[
        "run",
        "--prompt",
        "x",
        "--provider",
        "kimi-k2",
        "--model",
        argument(&model),
    ]);
    let complaint = ended.complaint();
    assert!(complaint.contains("is no model of kimi-k2"), "{complaint}");
}

#[test]
fn the_prompt_of_a_chat_can_be_looked_at() {
    let files = Files::new();
    let chat = json!({
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "now"}}],
    });
    let chat = files.bytes("chat.json", chat.to_string().as_bytes());
    let text = wick(&["inspect", "demo", "--render", argument(&chat)]).text();
    assert!(text.contains("<name>now</name>"), "{text}");
    assert!(
        text.ends_with("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
        "{text}"
    );
    let messages = files.bytes("messages.json", br#"[{"role": "user", "content": "Hi"}]"#);
    let text = wick(&["inspect", "demo", "--render", argument(&messages)]).text();
    assert_eq!(text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    let typo = files.bytes("typo.json", br#"{"messages": [], "tool": []}"#);
    let ended = wick(&["inspect", "demo", "--render", argument(&typo)]);
    assert!(ended.complaint().contains("unknown field `tool`"), "{ended:?}");
}

#[test]
fn what_would_be_ignored_is_refused() {
    let files = Files::new();
    let (model, text) = (files.plain(), files.bytes("text.txt", b"a b c"));
    let chat = files.bytes("chat.json", br#"[{"role": "user", "content": "Hi"}]"#);
    for (arguments, said) in [
        (
            &["bench", "--model", argument(&model), "--provider", "llama"][..],
            "leave --provider out",
        ),
        (
            &[
                "eval",
                "perplexity",
                "--model",
                argument(&model),
                "--file",
                argument(&text),
                "--provider",
                "llama",
            ],
            "leave --provider out",
        ),
        (
            &["run", "--prompt", "x", "--provider", "llama"],
            "leave --provider out",
        ),
        (
            &["run", "--prompt", "x", "--reasoning-effort", "low"],
            "does not read \"reasoning_effort\"",
        ),
        (
            &["run", "--prompt", "x", "--template-variable", "mood=1"],
            "does not read \"mood\"",
        ),
        (
            &["run", "--prompt", "x", "--parallel-tool-calls", "false"],
            "without tools",
        ),
        (
            &["inspect", "demo", "--json", "--render", argument(&chat)],
            "cannot be used with",
        ),
        (&["inspect", "demo", "--provider", "llama"], "--render"),
    ] {
        let ended = wick(arguments);
        assert!(
            !ended.status.success() && ended.stderr.contains(said),
            "{ended:?}"
        );
    }
}
