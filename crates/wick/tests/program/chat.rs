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
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
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
    let input = "/regen\n/set warmth 1\n/set min_tokens 5000\n/load x\n/export /nowhere/talk.md\nHello\n\
        /export /nowhere/talk.md\n/regen now\n/help set\n/clear\n/regen\n";
    let ended = wick_with_input(&chat(argument(&model), &[]), input.as_bytes());
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(!ended.stdout.is_empty(), "{ended:?}");
    assert_eq!(
        ended.stderr.matches("there is no message to answer anew").count(),
        2,
        "{}",
        ended.stderr
    );
    for said in [
        "min_tokens is 5000 with max_tokens of 6",
        "1 turn of this conversation, kept nowhere, cannot be gone back to",
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
    *'"tools/call"'*) body='{"content":[{"type":"text","text":"yip'"$WICK_API_KEY$HF_TOKEN"'"}]}' ;;
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
    let mut command = crate::process::program();
    command
        .args(arguments)
        .env("WICK_API_KEY", "sk-1")
        .env("HF_TOKEN", "hf-1");
    let ended = crate::process::with_input(&mut command, b"Call\n");
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

/// A server that says "Hello." to everybody.
fn polite() -> crate::engine_server::Server {
    crate::engine_server::Server::start(|_, _, wire| {
        wire.begin();
        wire.text("Hello.");
        wire.finish("stop");
    })
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_to_is_a_failure_with_its_cause() {
    use std::process::Stdio;
    let server = polite();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("the device is there");
    let (reader, closed) = std::io::pipe().expect("a pipe");
    drop(reader);
    for (stdout, said) in [
        (Stdio::from(full), "No space left"),
        (Stdio::from(closed), "its reader has gone"),
    ] {
        let mut child = crate::process::program()
            .args(["chat", "--remote", &server.address])
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        std::io::Write::write_all(&mut stdin, b"Hi\n").expect("a message");
        drop(stdin);
        assert_eq!(crate::process::wait(&mut child).code(), Some(1));
        let mut told = String::new();
        let mut stderr = child.stderr.take().expect("stderr is piped");
        std::io::Read::read_to_string(&mut stderr, &mut told).expect("it can be read");
        assert!(
            told.contains("cannot write to standard output") && told.contains(said),
            "{told}"
        );
    }
}

#[test]
fn servers_of_tools_over_http_are_refused_offline_and_tokens_only_of_files_that_are_private() {
    let files = Files::new();
    let model = files.chatty();
    let key = files.bytes("key", b"sk-tool\n");
    let named = format!("den={}", argument(&key));
    let at = "den=http://127.0.0.1:9/mcp";
    for (more, said, status) in [
        (&["--offline", "--mcp", at][..], "\"den\" of --mcp", 2),
        (
            &["--mcp-key-file", &named],
            "names \"den\", which is no server",
            2,
        ),
        (
            &["--mcp", "den=cat", "--mcp-key-file", &named],
            "names \"den\", which is no server",
            2,
        ),
        (&["--mcp-key-file", "den"], "it is NAME=FILE", 2),
        #[cfg(unix)]
        (
            &["--mcp", at, "--mcp-key-file", &named],
            "may be read by others",
            2,
        ),
        (&["--mcp", at], "the server of tools \"den\"", 1),
    ] {
        let ended = wick_with_input(&chat(argument(&model), more), b"");
        assert!(ended.complaint().contains(said), "{said}: {ended:?}");
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
    }
}

#[test]
fn what_may_be_secret_in_a_server_of_tools_is_never_shown() {
    let files = Files::new();
    let model = files.chatty();
    for (mcp, said, status) in [
        (
            "den=http://fox:hunter2@127.0.0.1:9/mcp",
            "a user or a password",
            2,
        ),
        ("den=HTTP://hunter2@127.0.0.1:9/mcp", "a user or a password", 2),
        (
            "den=http://fox:hun/hunter2@den",
            "\"http://...\" is no address",
            2,
        ),
        ("http://fox:hunter2@den/mcp", "expected NAME=PROGRAM", 2),
        ("http://fox:hunter2@den/?a=b", "expected NAME=PROGRAM", 2),
        (
            "den=http://127.0.0.1:9/mcp?key=hunter2",
            "http://127.0.0.1:9/mcp",
            1,
        ),
        (
            "den=/nowhere/den --token hunter2",
            "\"/nowhere/den\" with 2 arguments",
            1,
        ),
    ] {
        let ended = wick_with_input(&chat(argument(&model), &["--mcp", mcp]), b"");
        let complaint = ended.complaint();
        assert!(complaint.contains(said), "{said}: {ended:?}");
        assert!(!complaint.contains("hunter"), "{ended:?}");
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
    }
}

#[test]
fn turns_that_a_memory_does_not_take_are_counted_and_make_the_status_1() {
    use std::io::{Read as _, Write as _};
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use ::chat::memory::{Archive, Memory as _};
    let files = Files::new();
    let server = polite();
    let file = files.path("memory.db");
    let archive = Archive::open(&file).expect("the memory opens");
    let mut child = crate::process::program()
        .args(["chat", "--remote", &server.address, "--memory", argument(&file)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(b"Hello\n").expect("a message");
    let deadline = Instant::now() + crate::process::LIMIT;
    let id = loop {
        let found = archive.conversations().expect("conversations");
        if let Some(kept) = found.first() {
            break kept.id;
        }
        assert!(Instant::now() < deadline, "nothing is kept");
        std::thread::sleep(Duration::from_millis(5));
    };
    archive.delete(id).expect("it is there");
    stdin.write_all(b"And you?\n").expect("a message");
    drop(stdin);
    let status = crate::process::wait(&mut child);
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("stderr is piped");
    stderr.read_to_string(&mut said).expect("complaints are UTF-8");
    assert!(
        said.contains("2 turns of this conversation could not be kept: "),
        "{said}"
    );
    assert_eq!(status.code(), Some(1), "{said}");
}

#[cfg(unix)]
#[test]
fn a_token_of_a_file_is_sent_to_its_server_of_tools() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new();
    let model = files.chatty();
    let key = files.bytes("key", b"sk-tool\n");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let _ = (&stream).write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
            let _ = told.send(head.join("\n").to_lowercase());
        }
    });
    let (at, named) = (
        format!("den=http://127.0.0.1:{port}/mcp"),
        format!("den={}", argument(&key)),
    );
    let more = ["--mcp", &at, "--mcp-key-file", &named];
    let ended = wick_with_input(&chat(argument(&model), &more), b"");
    assert!(!ended.complaint().contains("sk-tool"), "{ended:?}");
    let head = heard.recv_timeout(crate::process::LIMIT).expect("a request");
    assert!(head.contains("authorization: bearer sk-tool"), "{head}");
}
