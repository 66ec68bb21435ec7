//! What the program asks a person at a terminal, and what it does not wait for there.

use std::io::Read as _;
use std::process::{Command, Stdio};

use rexpect::session::{PtySession, spawn_command};

use crate::files::Files;
use crate::process::{LIMIT, argument, program, wait, wick};

/// The program at a terminal of its own; every wait is bounded.
fn at_terminal(mut command: Command) -> PtySession {
    command.env("TERM", "xterm");
    let limit = u64::try_from(LIMIT.as_millis()).expect("the limit is short");
    spawn_command(command, Some(limit)).expect("the program starts at a terminal")
}

#[test]
fn forgetting_is_asked_for_and_only_yes_means_it() {
    let files = Files::new();
    let export = files.bytes("export.json", br#"{"facts": ["a"], "conversations": []}"#);
    let file = files.path("memory.db");
    let memory = ["memory", "--memory", argument(&file)];
    let listed = || wick(&[&memory[..], &["list"]].concat()).text().lines().count();
    wick(&[&memory[..], &["import", argument(&export)]].concat()).text();
    for (answer, left) in [("", 1), ("n", 1), ("yes", 0)] {
        let mut command = program();
        command.args(memory).args(["forget", "--all"]);
        let mut session = at_terminal(command);
        session.exp_string("? [y/N] ").expect("it asks");
        session.send_line(answer).expect("the answer can be typed");
        session.exp_eof().expect("it ends");
        assert_eq!(listed(), left, "{answer:?}");
    }
}

#[test]
fn a_terminal_is_not_waited_for() {
    let mut command = program();
    command.args(["run", "--model", "missing.gguf"]);
    let said = at_terminal(command).exp_eof().expect("it ends by itself");
    assert!(said.contains("there is nothing to answer"), "{said}");
    let files = Files::new();
    let model = files.chatty();
    let mut command = program();
    command.args([
        "run",
        "--model",
        argument(&model),
        "--prompt",
        "Hello",
        "--max-tokens",
        "2",
    ]);
    at_terminal(command).exp_eof().expect("it ends by itself");
}

#[test]
fn ctrl_c_ends_the_wait_for_what_is_piped_in() {
    let mut child = program()
        .args(["run", "--model", "missing.gguf", "--prompt", "x"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let expected = b"wick: waiting for the end of standard input";
    let mut said = vec![0; expected.len()];
    stderr.read_exact(&mut said).expect("it says what it waits for");
    assert_eq!(said, expected);
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill can be run").success());
    assert_eq!(wait(&mut child).code(), Some(130));
}
