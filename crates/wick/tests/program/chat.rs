//! `wick chat` in a pipe: every line a message, every answer a piece of standard output.

use models::gguf::Value;

use crate::files::Files;
use crate::process::{argument, wick_with_input};

fn chat<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [
        &[
            "chat",
            "--model",
            model,
            "--max-tokens",
            "6",
            "--temperature",
            "0",
        ],
        more,
    ]
    .concat()
}

#[test]
fn two_turns_are_answered_and_the_second_knows_the_first() {
    let files = Files::new();
    let model = files.chatty();
    let arguments = chat(argument(&model), &[]);
    let both = wick_with_input(&arguments, b"Hello\nAnd you?\n").text();
    let first = wick_with_input(&arguments, b"Hello\n").text();
    assert!(
        both.starts_with(&first) && both.len() > first.len(),
        "{first:?} {both:?}"
    );
    let stats = wick_with_input(&arguments, b"Hello\nAnd you?\n/stats\n");
    assert!(stats.stderr.contains("2 turns"), "{}", stats.stderr);
    let prompt_tokens = |input: &[u8]| {
        let said = wick_with_input(&arguments, input).stderr;
        let count = said
            .split(" tokens after ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        count
            .and_then(|count| count.parse::<usize>().ok())
            .unwrap_or_else(|| panic!("{said}"))
    };
    let alone = prompt_tokens(b"And you?\n/stats\n");
    let after_another = prompt_tokens(b"Hello\nAnd you?\n/stats\n");
    assert!(after_another > alone + "Hello".len(), "{alone} {after_another}");
}

#[test]
fn a_conversation_taken_back_leaves_no_trace() {
    let files = Files::new();
    let model = files.chatty();
    let arguments = chat(argument(&model), &[]);
    let fresh = wick_with_input(&arguments, b"And you?\n").text();
    for forget in ["/undo", "/clear"] {
        let input = format!("Hello\n{forget}\nAnd you?\n");
        let ended = wick_with_input(&arguments, input.as_bytes());
        assert!(ended.status.success(), "{ended:?}");
        let answers = String::from_utf8(ended.stdout).expect("output is UTF-8");
        assert!(answers.ends_with(&fresh), "{forget}: {answers:?} {fresh:?}");
    }
}

#[test]
fn the_system_prompt_changes_the_answer() {
    let files = Files::new();
    let model = files.chatty();
    let plain = wick_with_input(&chat(argument(&model), &[]), b"Hello\n").text();
    let told = wick_with_input(&chat(argument(&model), &["--system", "Sing."]), b"Hello\n").text();
    assert_ne!(plain, told);
}

#[test]
fn an_unknown_command_is_named_and_the_chat_goes_on() {
    let files = Files::new();
    let model = files.chatty();
    let ended = wick_with_input(
        &chat(argument(&model), &[]),
        b"/dance\n/help\nHello\n/exit\nnever read\n",
    );
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.stderr.contains("unknown command /dance") && ended.stderr.contains("/undo"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stdout.is_empty());
}

#[test]
fn no_input_is_a_chat_without_turns() {
    let files = Files::new();
    let model = files.chatty();
    assert_eq!(wick_with_input(&chat(argument(&model), &[]), b"\n\n").text(), "");
}

#[test]
fn a_model_without_a_template_is_refused_before_any_message() {
    let files = Files::new();
    let model = files.plain();
    let ended = wick_with_input(&chat(argument(&model), &[]), b"");
    assert!(ended.complaint().contains("no chat template"), "{ended:?}");
}

#[test]
fn a_conversation_that_outgrows_the_context_fails_with_both_counts() {
    let files = Files::new();
    let model = files.chatty();
    let input = format!("{}\n", "word ".repeat(2000));
    let ended = wick_with_input(&chat(argument(&model), &[]), input.as_bytes());
    let complaint = ended.complaint();
    assert!(
        complaint.contains(&models::synth::CONTEXT.to_string()) && complaint.contains("tokens"),
        "{complaint}"
    );
}

#[test]
fn a_template_that_refuses_ends_a_pipe_with_its_words() {
    let files = Files::new();
    let refusing = Value::String("{{ raise_exception('no thanks') }}".to_owned());
    let model = files.with(
        &files.chatty(),
        "refusing.gguf",
        "tokenizer.chat_template",
        refusing,
    );
    let ended = wick_with_input(&chat(argument(&model), &[]), b"Hello\n");
    assert!(ended.complaint().contains("no thanks"), "{ended:?}");
}

#[test]
fn input_that_is_not_text_is_an_error() {
    let files = Files::new();
    let model = files.chatty();
    let ended = wick_with_input(&chat(argument(&model), &[]), b"\xff\xfe\n");
    assert!(ended.complaint().contains("standard input"), "{ended:?}");
}

#[test]
fn a_command_that_cannot_be_obeyed_says_how_it_is_meant_and_the_chat_goes_on() {
    let files = Files::new();
    let model = files.chatty();
    let input = "/set warmth 1\n/load x\n/export /nowhere/talk.md\nHello\n/export /nowhere/talk.md\n/regen now\n/help set\n";
    let ended = wick_with_input(&chat(argument(&model), &[]), input.as_bytes());
    assert!(ended.status.success() && !ended.stdout.is_empty(), "{ended:?}");
    for said in [
        "there is no setting \"warmth\"; there are reasoning, ",
        "memory is off",
        "there is nothing to export",
        "cannot write /nowhere/talk.md",
        "/regen takes no argument",
        "/set [NAME [VALUE]]",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
}

#[test]
fn a_pipe_keeps_a_conversation_only_where_a_file_is_named() {
    let files = Files::new();
    let (model, memory) = (files.chatty(), files.path("talks/memory.db"));
    wick_with_input(
        &chat(argument(&model), &["--memory", argument(&memory)]),
        b"Hello\nAnd you?\n",
    )
    .text();
    let told = wick_with_input(
        &chat(argument(&model), &["--memory", argument(&memory)]),
        b"/load Hello\n/show conversation\n",
    );
    assert!(told.status.success() && told.stdout.is_empty(), "{told:?}");
    assert!(
        told.stderr.contains("> Hello\n") && told.stderr.contains("> And you?\n"),
        "{}",
        told.stderr
    );
}

#[test]
fn tools_and_memories_that_cannot_be_used_are_refused_before_any_message() {
    let files = Files::new();
    let model = files.chatty();
    let broken = files.bytes("broken.json", br#"[{"name": "a", "command": []}]"#);
    let odd = files.bytes(
        "odd.json",
        br#"[{"name": "a", "command": ["true"], "seconds": 0}]"#,
    );
    let unknown = files.bytes(
        "unknown.json",
        br#"[{"name": "a", "command": ["true"], "shell": "x"}]"#,
    );
    let good = files.bytes("good.json", br#"[{"name": "a", "command": ["true"]}]"#);
    let memory = files.bytes("memory.db", &[0x5a; 9000]);
    for (more, said) in [
        (&["--tools", argument(&broken)][..], "the tool \"a\" in"),
        (&["--tools", argument(&odd)], "seconds of the tool \"a\" in"),
        (&["--tools", argument(&unknown)], "unknown field `shell`"),
        (&["--tools", "missing.json"], "cannot read missing.json"),
        (
            &["--tools", argument(&good), "--allow", "b"],
            "--allow names \"b\"",
        ),
        (&["--memory", argument(&memory)], "--no-memory chats without it"),
        (&["--memory", "x", "--no-memory"], "cannot be used with"),
        (&["--color", "sometimes"], "sometimes"),
    ] {
        let ended = wick_with_input(&chat(argument(&model), more), b"Hello\n");
        assert!(ended.complaint().contains(said), "{said}: {ended:?}");
    }
    assert_eq!(std::fs::read(&memory).expect("the file is there"), [0x5a; 9000]);
}

#[test]
fn a_call_in_a_pipe_runs_only_if_its_tool_is_allowed() {
    let files = Files::new();
    let server = crate::engine_server::Server::start(|asked, _, wire| {
        wire.begin();
        let messages = asked.body["messages"].as_array().expect("messages");
        match messages.last() {
            Some(last) if last["role"] == "tool" => {
                wire.text(last["content"].as_str().unwrap_or_default());
                wire.finish("stop");
            }
            _ => {
                let call = serde_json::json!({"index": 0, "id": "1", "type": "function",
                    "function": {"name": "a", "arguments": "{}"}});
                wire.event(&crate::engine_server::chunk(
                    &serde_json::json!({"tool_calls": [call]}),
                    None,
                ));
                wire.finish("tool_calls");
            }
        }
    });
    let tools = files.bytes("tools.json", br#"[{"name": "a", "command": ["echo", "yip"]}]"#);
    let ask = |more: &[&str]| {
        let arguments = [
            &["chat", "--remote", &server.address, "--tools", argument(&tools)][..],
            more,
        ]
        .concat();
        wick_with_input(&arguments, b"Call\n")
    };
    let allowed = ask(&["--allow", "a"]);
    assert_eq!(String::from_utf8_lossy(&allowed.stdout), "yip\n", "{allowed:?}");
    let refused = ask(&[]);
    assert!(
        refused.stderr.contains("a is not run: nobody can be asked"),
        "{refused:?}"
    );
    assert!(
        String::from_utf8_lossy(&refused.stdout).starts_with("refused"),
        "{refused:?}"
    );
}

/// A server of tools, as short as one can be: it answers three requests by their methods.
const TOOL_SERVER: &str = r#"while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) body='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"den","version":"1"}}' ;;
    *'"tools/list"'*) body='{"tools":[{"name":"fox","description":"Asks the fox.","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) body='{"content":[{"type":"text","text":"yip"}]}' ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$body"
done
"#;

#[cfg(unix)]
#[test]
fn a_server_of_tools_has_its_tools_called() {
    let files = Files::new();
    let script = files.bytes("server.sh", TOOL_SERVER.as_bytes());
    let mcp = format!("den=sh {}", argument(&script));
    let server = crate::engine_server::Server::start(|asked, _, wire| {
        wire.begin();
        let messages = asked.body["messages"].as_array().expect("messages");
        match messages.last() {
            Some(last) if last["role"] == "tool" => {
                wire.text(last["content"].as_str().unwrap_or_default());
                wire.finish("stop");
            }
            _ => {
                let call = serde_json::json!({"index": 0, "id": "1", "type": "function",
                    "function": {"name": "den__fox", "arguments": "{}"}});
                wire.event(&crate::engine_server::chunk(
                    &serde_json::json!({"tool_calls": [call]}),
                    None,
                ));
                wire.finish("tool_calls");
            }
        }
    });
    let arguments = [
        "chat",
        "--remote",
        &server.address,
        "--mcp",
        &mcp,
        "--allow",
        "den__fox",
    ];
    let ended = wick_with_input(&arguments, b"Call\n");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "yip\n", "{ended:?}");
    for (mcp, said) in [
        ("den=/nowhere/den", "/nowhere/den"),
        ("den", "NAME=PROGRAM"),
        ("den=false", "den"),
    ] {
        let ended = wick_with_input(&["chat", "--remote", &server.address, "--mcp", mcp], b"");
        assert!(ended.complaint().contains(said), "{said}: {ended:?}");
    }
}
