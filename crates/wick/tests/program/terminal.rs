//! `wick` at a terminal: a pseudo-terminal types what a person would.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::files::{Files, with_long_context};
use crate::hub_server::Server;
use crate::process::{LIMIT, argument, program, wick};

/// The program at a terminal of its own; every wait is bounded.
pub(crate) fn at_terminal(mut command: Command) -> PtySession {
    command.env("TERM", "xterm");
    let limit = u64::try_from(LIMIT.as_millis()).expect("the limit is short");
    spawn_command(command, Some(limit)).expect("the program starts at a terminal")
}

fn chat(files: &Files, max_tokens: &str) -> PtySession {
    let model = files.chatty();
    let mut command = program();
    command.args([
        "chat",
        "--model",
        argument(&model),
        "--temperature",
        "1",
        "--seed",
        "5",
    ]);
    command.args(["--max-tokens", max_tokens]);
    let mut session = at_terminal(command);
    session
        .exp_string("/help lists commands")
        .expect("the chat begins");
    session
}

fn say(session: &mut PtySession, line: &str) {
    session.exp_string("> ").expect("the chat asks for a line");
    session.send_line(line).expect("the line can be typed");
}

#[track_caller]
fn ends_well(session: &PtySession) {
    let status = session.process().wait().expect("the program can be waited for");
    // The library does not name the type that it returns.
    let status = format!("{status:?}");
    assert!(
        status.starts_with("Exited(") && status.ends_with(", 0)"),
        "{status}"
    );
}

#[test]
fn two_turns_are_held_at_a_terminal() {
    let files = Files::new();
    let mut session = chat(&files, "6");
    say(&mut session, "Hello");
    say(&mut session, "And you?");
    say(&mut session, "/stats");
    session.exp_string("2 turns").expect("both turns are kept");
    say(&mut session, "/exit");
    session.exp_eof().expect("the chat ends");
    ends_well(&session);
}

#[test]
fn ctrl_d_leaves() {
    let files = Files::new();
    let mut session = chat(&files, "6");
    session.exp_string("> ").expect("the chat asks for a line");
    session.send_control('d').expect("the key can be pressed");
    session.exp_eof().expect("the chat ends");
    ends_well(&session);
}

#[test]
fn ctrl_c_at_the_prompt_leaves_the_second_time() {
    let files = Files::new();
    let mut session = chat(&files, "6");
    session.exp_string("> ").expect("the chat asks for a line");
    session.send_control('c').expect("the key can be pressed");
    session
        .exp_string("Ctrl-C again leaves")
        .expect("the first one is a warning");
    session.exp_string("> ").expect("the chat asks for a line");
    session.send_control('c').expect("the key can be pressed");
    session.exp_eof().expect("the chat ends");
    ends_well(&session);
}

/// A chat whose answers would take minutes.
fn endless_chat(files: &Files) -> PtySession {
    let model = with_long_context(files, &files.chatty());
    let mut command = program();
    command.args([
        "chat",
        "--model",
        argument(&model),
        "--temperature",
        "0",
        "--max-tokens",
        "99000",
    ]);
    let mut session = at_terminal(command);
    session
        .exp_string("/help lists commands")
        .expect("the chat begins");
    session
}

#[test]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    let files = Files::new();
    let mut session = endless_chat(&files);
    say(&mut session, "Hello");
    // The line's own echo ends before the answer begins.
    session
        .exp_regex("(?s)Hello[^\n]*\n.{20}")
        .expect("the answer streams");
    session.send_control('c').expect("the key can be pressed");
    session.exp_string("wick: stopped").expect("the answer stops");
    say(&mut session, "/stats");
    session.exp_string("1 turn").expect("what had come is kept");
    say(&mut session, "/exit");
    session.exp_eof().expect("the chat ends");
    ends_well(&session);
}

#[test]
fn an_answer_at_a_terminal_cannot_steer_it() {
    let files = Files::new();
    let model = files.plain();
    let arguments = [
        "run",
        "--model",
        argument(&model),
        "--raw",
        "--prompt",
        "a",
        "--temperature",
        "5",
        "--seed",
        "1",
    ];
    let steers = |c: &char| c.is_ascii_control() && !"\r\n\t".contains(*c);
    let answer = wick(&arguments).text();
    assert!(
        answer.chars().any(|c| steers(&c)),
        "the model drew nothing that could steer: {answer:?}"
    );
    // Progress bars do steer the terminal, on standard error.
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" \"$@\" 2>/dev/null", env!("CARGO_BIN_EXE_wick")])
        .args(arguments);
    let shown = at_terminal(command).exp_eof().expect("the answer ends");
    assert_eq!(shown.chars().find(steers), None, "{shown:?}");
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_holds_a_conversation_and_remembers_a_name() {
    let mut command = program();
    command.args(["chat", "--temperature", "0"]);
    let mut session = at_terminal(command);
    session
        .exp_string("built-in demo model")
        .expect("it says that it is a demo");
    session
        .exp_string("/help lists commands")
        .expect("the chat begins");
    say(&mut session, "Hello, my name is Mira.");
    say(&mut session, "What is my name?");
    session
        .exp_regex("name\\?[^\n]*\n[^\n]*Mira")
        .expect("the name is remembered");
    say(&mut session, "/exit");
    session.exp_eof().expect("the chat ends");
    ends_well(&session);
}

#[test]
fn a_chat_downloads_its_model_from_a_hub_and_the_next_one_finds_it() {
    let files = Files::new();
    let bytes = std::fs::read(files.chatty()).expect("the model");
    let server = Server::usual(&[("chat-Q8_0.gguf", &bytes), ("chat-Q4_0.gguf", b"another")]);
    for offline in [&[][..], &["--offline"]] {
        let mut command = program();
        command
            .args(["chat", "--model", "a/m:Q8_0", "--seed", "5", "--max-tokens", "6"])
            .args(offline)
            .env("HF_ENDPOINT", server.url())
            .env("HF_HOME", files.path("home"));
        for unset in ["HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"] {
            command.env_remove(unset);
        }
        let mut session = at_terminal(command);
        session
            .exp_string("/help lists commands")
            .expect("the chat begins");
        say(&mut session, "Hello");
        say(&mut session, "/stats");
        session.exp_string("1 turn").expect("the turn is kept");
        say(&mut session, "/exit");
        session.exp_eof().expect("the chat ends");
        ends_well(&session);
    }
    assert_eq!(server.files_asked().len(), 1);
}
