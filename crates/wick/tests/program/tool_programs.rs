//! Programs that a chat starts for its model: what they see, and that none of them outlives the chat.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process, test_kill_process_group};
use serde_json::json;

use crate::engine_server::{Server, chunk};
use crate::files::Files;
use crate::process::{LIMIT, argument, program, wait, with_input};
use crate::screen::{Screen, Start};

/// A server whose model calls the tool `fox` and then says what it got.
fn calling() -> Server {
    Server::start(|asked, _, wire| {
        wire.begin();
        let messages = asked.body["messages"].as_array().expect("messages");
        match messages.last() {
            Some(last) if last["role"] == "tool" => {
                wire.text(last["content"].as_str().unwrap_or_default());
                wire.finish("stop");
            }
            _ => {
                let call = json!({"index": 0, "id": "1", "type": "function",
                    "function": {"name": "fox", "arguments": "{}"}});
                wire.event(&chunk(&json!({"tool_calls": [call]}), None));
                wire.finish("tool_calls");
            }
        }
    })
}

fn tools(files: &Files, script: &str) -> std::path::PathBuf {
    let tools = json!([{"name": "fox", "command": ["sh", "-c", script]}]);
    files.bytes("tools.json", tools.to_string().as_bytes())
}

#[test]
fn a_program_sees_no_secret_of_the_chat() {
    let files = Files::new();
    let server = calling();
    let tools = tools(&files, "env");
    let arguments = [
        "chat",
        "--remote",
        &server.address,
        "--tools",
        argument(&tools),
        "--allow",
        "fox",
    ];
    let mut command = program();
    command.args(arguments);
    for secret in ["WICK_API_KEY", "HF_TOKEN"] {
        command.env(secret, format!("sk-{secret}"));
    }
    let ended = with_input(&mut command, b"Go\n");
    let seen = String::from_utf8_lossy(&ended.stdout);
    assert!(seen.contains("PATH=") && !seen.contains("sk-"), "{seen}");
    assert_eq!(
        server.asked()[0].authorization.as_deref(),
        Some("Bearer sk-WICK_API_KEY")
    );
}

/// Waits until the program has told its number.
fn number(file: &Path) -> Pid {
    let deadline = Instant::now() + LIMIT;
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let (true, Ok(number)) = (text.ends_with('\n'), text.trim().parse()) {
            return Pid::from_raw(number).expect("a number");
        }
        assert!(Instant::now() < deadline, "the tool does not run");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signalled(child: &Child, signal: Signal) {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(number.expect("a number"), signal).expect("the program runs");
}

#[test]
fn a_program_does_not_outlive_a_chat_that_a_signal_ends() {
    let files = Files::new();
    let server = calling();
    for (signal, status) in [
        (Signal::TERM, 143),
        (Signal::HUP, 129),
        (Signal::INT, 130),
        (Signal::QUIT, 131),
    ] {
        let told = files.path(&format!("number-{status}"));
        let tools = tools(&files, &format!("echo $$ > {}; exec sleep 1000", argument(&told)));
        let mut child = program()
            .args(["chat", "--remote", &server.address, "--allow", "fox"])
            .args(["--tools", argument(&tools)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        std::io::Write::write_all(&mut stdin, b"Go\n").expect("a message");
        let group = number(&told);
        signalled(&child, signal);
        assert_eq!(wait(&mut child).code(), Some(status));
        assert!(
            test_kill_process_group(group).is_err(),
            "{status}: the tool goes on"
        );
    }
}

/// Waits until nothing of a program runs; whoever it was left to may not have asked how it ended.
#[track_caller]
fn goes(process: Pid) {
    let deadline = Instant::now() + LIMIT;
    let state = format!("/proc/{}/stat", process.as_raw_nonzero());
    let has_ended = || {
        let stat = std::fs::read_to_string(&state).unwrap_or_default();
        test_kill_process(process).is_err() || stat.contains(") Z ")
    };
    while !has_ended() {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_a_tool_leaves_running_is_killed_when_it_ends() {
    let files = Files::new();
    let server = calling();
    let told = files.path("number");
    let script = format!("sleep 1000 & echo $! > {}; echo ok", argument(&told));
    let tools = tools(&files, &script);
    let mut command = program();
    command
        .args(["chat", "--remote", &server.address, "--allow", "fox"])
        .args(["--tools", argument(&tools)]);
    let ended = with_input(&mut command, b"Go\n");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "ok\n", "{ended:?}");
    goes(number(&told));
}

#[test]
fn a_server_of_tools_does_not_outlive_a_chat_that_a_signal_ends() {
    let files = Files::new();
    let server = calling();
    let told = files.path("number");
    // The end of its input does not end it.
    let script = format!("echo $$ > {}; exec sleep 1000", argument(&told));
    let script = files.bytes("server.sh", script.as_bytes());
    let mut child = program()
        .args(["chat", "--remote", &server.address])
        .args(["--mcp", &format!("den=sh {}", argument(&script))])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let process = number(&told);
    signalled(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(143));
    goes(process);
}

/// A chat as the job of a shell, which ends it once it stands still.
fn job(files: &Files, server: &Server, script: &str) -> Screen {
    let tools = tools(files, script);
    let script = "set -m; \"$0\" \"$@\"; kill %1; kill -CONT %1; \
        until [ \"$status\" = 143 ]; do sleep 0.02; wait %1; status=$?; done; echo \"status $status\"";
    let arguments = ["chat", "--remote", &server.address, "--allow", "fox"];
    let arguments = [&arguments[..], &["--no-memory", "--tools", argument(&tools)]].concat();
    let screen = Start::at(&files.path("home")).shell(script, arguments);
    screen.asks();
    screen
}

#[test]
fn a_chat_that_was_suspended_in_an_answer_can_be_ended() {
    let files = Files::new();
    let server = calling();
    let told = files.path("number");
    let script = format!("echo $$ > {}; exec sleep 1000", argument(&told));
    let mut screen = job(&files, &server, &script);
    screen.say("Go");
    let process = number(&told);
    screen.keys("\u{1a}");
    screen.sees("status 143");
    assert_eq!(screen.ends(), 0);
    goes(process);
}

#[test]
fn a_chat_that_was_suspended_at_the_prompt_can_be_ended() {
    let files = Files::new();
    let server = calling();
    let mut screen = job(&files, &server, "true");
    screen.keys("\u{1a}");
    screen.sees("status 143");
    assert_eq!(screen.ends(), 0);
}

#[test]
fn a_line_that_was_begun_is_gone_on_with_after_a_suspension() {
    let files = Files::new();
    let server = calling();
    let tools = tools(&files, "true");
    let arguments = ["chat", "--remote", &server.address, "--no-memory"];
    let arguments = [&arguments[..], &["--tools", argument(&tools)]].concat();
    let script = "set -m; \"$0\" \"$@\"; echo stands still; fg %1; echo \"status $?\"";
    let mut screen = Start::at(&files.path("home")).shell(script, arguments);
    screen.asks();
    screen.keys("/exi\u{1a}");
    screen.sees("stands still");
    screen.until("the line", |text| text.matches("> /exi").count() == 2);
    screen.say("t");
    screen.sees("status 0");
    assert_eq!(screen.ends(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_chat_that_was_started_to_outlive_its_terminal_does() {
    let files = Files::new();
    let server = calling();
    let told = files.path("number");
    let tools = tools(&files, &format!("echo $$ > {}; exec sleep 1000", argument(&told)));
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "trap '' HUP; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_wick"),
    ]);
    crate::process::alone(&mut command);
    let mut child = command
        .args(["chat", "--remote", &server.address, "--allow", "fox"])
        .args(["--tools", argument(&tools)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    std::io::Write::write_all(&mut stdin, b"Go\n").expect("a message");
    let group = number(&told);
    signalled(&child, Signal::HUP);
    std::thread::sleep(Duration::from_millis(200));
    assert!(matches!(child.try_wait(), Ok(None)), "it ended");
    signalled(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(143));
    assert!(test_kill_process_group(group).is_err(), "the tool goes on");
}
