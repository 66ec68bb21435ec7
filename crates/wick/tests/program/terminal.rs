//! `wick` at a terminal: keys of a person go in, and the screen is compared with what they should see.

use crate::files::{Files, with_long_context};
use crate::hub_server::Server;
use crate::process::{argument, wick};
use crate::screen::{Screen, Start};

fn start(files: &Files) -> Start {
    Start::at(&files.path("home"))
}

fn greeted(screen: Screen) -> Screen {
    screen.sees("/help lists commands");
    screen.asks();
    screen
}

/// A chat with a model of random weights.
fn chat(files: &Files, max_tokens: &str) -> Screen {
    let model = files.chatty();
    let arguments = ["--temperature", "1", "--seed", "5", "--max-tokens", max_tokens];
    greeted(start(files).wick([&["chat", "--model", argument(&model)][..], &arguments].concat()))
}

/// A chat whose answers would take minutes.
fn endless(files: &Files) -> Screen {
    let model = with_long_context(files, &files.chatty());
    let arguments = ["--temperature", "0", "--max-tokens", "99000"];
    greeted(start(files).wick([&["chat", "--model", argument(&model)][..], &arguments].concat()))
}

#[test]
fn two_turns_are_held_at_a_terminal() {
    let files = Files::new();
    let mut screen = chat(&files, "6");
    screen.say("Hello");
    screen.answer("And you?");
    screen.answer("/stats");
    screen.sees("2 turns");
    screen.leave();
}

#[test]
fn ctrl_d_leaves() {
    let files = Files::new();
    let mut screen = chat(&files, "6");
    screen.keys("\u{4}");
    assert_eq!(screen.ends(), 0);
}

#[test]
fn ctrl_c_at_the_prompt_leaves_the_second_time() {
    let files = Files::new();
    let mut screen = chat(&files, "6");
    screen.ctrl_c();
    screen.sees("Ctrl-C again leaves");
    screen.asks();
    screen.ctrl_c();
    assert_eq!(screen.ends(), 0);
}

#[test]
fn ctrl_c_stops_the_answer_and_the_next_one_leaves() {
    let files = Files::new();
    let mut screen = endless(&files);
    screen.say("Hello");
    screen.until("an answer", |text| text.lines().count() > 6);
    screen.ctrl_c();
    screen.sees("wick: stopped");
    screen.answer("/stats");
    screen.sees("1 turn");
    screen.sees("the last answer was stopped");
    screen.answer("Hello");
    screen.until("an answer", |text| text.lines().count() > 14);
    screen.ctrl_c();
    screen.until("the second stop", |text| {
        text.matches("wick: stopped").count() == 2
    });
    screen.asks();
    screen.ctrl_c();
    assert_eq!(screen.ends(), 0);
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
    let mut screen = start(&files).wick(arguments);
    assert_eq!(screen.ends(), 0);
    let shown = screen.bytes();
    // Progress bars do steer the terminal, and are gone before the answer.
    let answer = shown.rsplit('\u{1b}').next().unwrap_or_default();
    assert!(answer.contains(char::REPLACEMENT_CHARACTER), "{shown:?}");
    assert_eq!(answer.chars().find(steers), None, "{shown:?}");
}

#[test]
fn a_resize_in_mid_answer_changes_where_lines_end() {
    let files = Files::new();
    let mut screen = endless(&files);
    screen.say("Hello");
    screen.until("an answer", |text| text.lines().count() > 6);
    screen.resize(24, 40);
    screen.until("lines for the narrow screen", |text| {
        let lines: Vec<&str> = text.lines().collect();
        lines.len() > 20
            && lines
                .iter()
                .rev()
                .skip(1)
                .take(5)
                .all(|line| line.chars().count() <= 40)
    });
    screen.ctrl_c();
    screen.sees("wick: stopped");
    screen.leave();
}

#[test]
fn two_hundred_pasted_lines_are_one_message() {
    let files = Files::new();
    let model = with_long_context(&files, &files.chatty());
    let mut screen = start(&files).wick(["chat", "--model", argument(&model), "--max-tokens", "3"]);
    screen.asks();
    let lines: Vec<String> = (0..200).map(|n| format!("line {n}")).collect();
    screen.paste(&lines.join("\r"));
    screen.sees("line 199");
    screen.say("");
    screen.answer("/stats");
    screen.sees("1 turn");
    let exported = files.path("talk.json");
    screen.answer(&format!("/export {}", argument(&exported)));
    screen.sees("written to");
    screen.leave();
    let talk = std::fs::read_to_string(&exported).expect("the talk");
    assert!(
        talk.contains("line 0\\nline 1\\n") && talk.contains("line 199\""),
        "{talk}"
    );
}

#[test]
fn a_message_may_have_several_lines() {
    let files = Files::new();
    let mut screen = chat(&files, "3");
    screen.say("one\\");
    screen.say("two");
    screen.asks();
    screen.keys("three\u{1b}\r");
    screen.say("four");
    screen.answer("\"\"\"");
    screen.say("five");
    screen.say("\"\"\"");
    screen.answer("/stats");
    screen.sees("3 turns");
    screen.leave();
}

#[test]
fn lines_of_an_earlier_chat_come_back_and_nobody_else_may_read_them() {
    let files = Files::new();
    let mut screen = chat(&files, "3");
    screen.say("a line to remember");
    screen.leave();
    let kept = files.path("home/state/wick/history");
    let text = std::fs::read_to_string(&kept).expect("lines are kept");
    assert!(text.contains("a line to remember"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&kept).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mut screen = chat(&files, "3");
    screen.keys("\u{1b}[A\u{1b}[A");
    screen.sees("a line to remember");
    screen.ctrl_c();
    screen.leave();
}

#[test]
fn commands_are_completed() {
    let files = Files::new();
    let mut screen = chat(&files, "3");
    screen.keys("/he\t");
    screen.sees("> /help");
    screen.say("undo");
    screen.sees("take back the last message");
    screen.asks();
    screen.keys("/model de\t");
    screen.sees("> /model demo");
    screen.keys("\u{15}");
    screen.keys("/set top_n\t");
    screen.sees("> /set top_n_sigma");
    screen.keys("\u{15}");
    screen.say("/exit");
    assert_eq!(screen.ends(), 0);
}

#[test]
fn settings_are_checked_shown_and_taken_back() {
    let files = Files::new();
    let mut screen = chat(&files, "3");
    screen.say("/set temperature -1");
    screen.sees("temperature is -1, expected a finite number, 0 or more");
    screen.answer("/set temperature 0.5");
    screen.sees("wick: temperature is 0.5");
    screen.answer("/set temperature default");
    screen.sees("wick: temperature is 1");
    screen.answer("/set temperature hot");
    screen.sees("temperature is \"hot\", expected a number, 0 or more or default");
    screen.answer("/set warmth 1");
    screen.sees("there is no setting \"warmth\"");
    screen.leave();
}

#[test]
fn a_message_that_no_context_holds_is_refused_and_the_chat_goes_on() {
    let files = Files::new();
    let mut screen = chat(&files, "3");
    screen.paste(&"ten bytes \r".repeat(1_000_000));
    screen.say("");
    screen.sees("no more than 4194304 can be sent");
    screen.answer("Hello");
    screen.answer("/stats");
    screen.sees("1 turn");
    screen.leave();
}

#[test]
fn a_chat_downloads_its_model_from_a_hub_and_the_next_one_finds_it() {
    let files = Files::new();
    let bytes = std::fs::read(files.chatty()).expect("the model");
    let server = Server::usual(&[("chat-Q8_0.gguf", &bytes), ("chat-Q4_0.gguf", b"another")]);
    let home = files.path("hub");
    for offline in [&[][..], &["--offline"]] {
        let arguments = ["chat", "--model", "a/m:Q8_0", "--seed", "5", "--max-tokens", "6"];
        let mut screen = start(&files)
            .variable("HF_ENDPOINT", &server.url())
            .variable("HF_HOME", argument(&home))
            .wick([&arguments[..], offline].concat());
        screen.answer("Hello");
        screen.answer("/stats");
        screen.sees("1 turn");
        screen.keys("/model a/\t");
        screen.sees("/model a/m");
        screen.ctrl_c();
        screen.leave();
    }
    assert_eq!(server.files_asked().len(), 1);
}

#[test]
fn a_prompt_can_be_looked_at_and_instructions_can_be_changed() {
    let files = Files::new();
    let mut screen = chat(&files, "3");
    screen.resize(60, 80);
    screen.say("/system Sing.");
    screen.sees("the instructions are: Sing.");
    screen.answer("Hello");
    screen.answer("/show prompt");
    screen.sees("Sing.");
    screen.sees("(your next message)");
    screen.answer("/system off");
    screen.sees("there are no instructions");
    screen.answer("/show all");
    screen.sees("context 256");
    screen.sees("1 turn");
    screen.leave();
}

#[cfg(feature = "demo")]
mod demo {
    use serde_json::json;

    use super::*;

    fn demo(files: &Files, more: &[&str]) -> Screen {
        let screen = start(files).wick([&["chat", "--temperature", "0"][..], more].concat());
        screen.sees("built-in demo model");
        greeted(screen)
    }

    #[test]
    fn the_demo_holds_a_conversation_and_remembers_a_name() {
        let files = Files::new();
        let mut screen = demo(&files, &[]);
        screen.say("Hello, my name is Mira.");
        screen.answer("What is my name?");
        screen.until("the name", |text| {
            text.split_once("What is my name?")
                .is_some_and(|(_, answer)| answer.contains("Mira"))
        });
        screen.leave();
    }

    /// A calculator that knows one result.
    fn calculator(files: &Files) -> std::path::PathBuf {
        let tools = json!([{"name": "calculator", "description": "Computes an arithmetic expression.",
            "parameters": {"type": "object", "properties": {"expression": {"type": "string"}},
                "required": ["expression"]},
            "command": ["sh", "-c", "cat > \"$0\"; echo 42", argument(&files.path("seen"))]}]);
        files.bytes("tools.json", tools.to_string().as_bytes())
    }

    #[test]
    fn the_demo_calls_a_tool_once_it_may() {
        let files = Files::new();
        let tools = calculator(&files);
        let mut screen = demo(&files, &["--tools", argument(&tools)]);
        screen.say("What is 12 + 30?");
        screen.sees("call of calculator");
        screen.sees("run it?");
        assert!(!files.path("seen").exists(), "nothing ran before the answer");
        screen.say("y");
        screen.sees("result of calculator");
        screen.until("the result in the answer", |text| {
            text.rsplit_once("result of calculator")
                .is_some_and(|(_, rest)| rest.matches("42").count() >= 2)
        });
        screen.leave();
        let seen = std::fs::read_to_string(files.path("seen")).expect("it ran");
        let seen: serde_json::Value = serde_json::from_str(&seen).expect("arguments as JSON");
        assert!(
            seen["expression"]
                .as_str()
                .is_some_and(|text| text.contains("12")),
            "{seen}"
        );
    }

    #[test]
    fn the_demo_answers_without_a_tool_that_it_may_not_call() {
        let files = Files::new();
        let tools = calculator(&files);
        let mut screen = demo(&files, &["--tools", argument(&tools)]);
        screen.say("What is 12 + 30?");
        screen.sees("run it?");
        screen.say("n");
        screen.sees("refused: the user did not allow this call");
        screen.sees(" cached");
        screen.answer("/stats");
        screen.sees("1 turn");
        assert!(!files.path("seen").exists());
        screen.leave();
    }

    #[test]
    fn another_model_goes_on_with_the_conversation() {
        let files = Files::new();
        let model = files.chatty();
        let mut screen = demo(&files, &[]);
        screen.say("Hello, my name is Mira.");
        screen.answer("/model missing.gguf");
        screen.sees("missing.gguf");
        screen.answer(&format!("/model {}", argument(&model)));
        screen.sees("the model is tiny-qwen3");
        screen.answer("/set max_tokens 3");
        screen.answer("Hello");
        screen.answer("/model demo");
        screen.sees("the model is");
        screen.answer("/set max_tokens default");
        screen.answer("What is my name?");
        screen.answer("/stats");
        screen.sees("3 turns");
        screen.leave();
    }
}
