//! Answers at a terminal as a person sees them: a server says what a model would, to the letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::engine_server::{Server, Wire, chunk};
use crate::files::Files;
use crate::process::argument;
use crate::screen::{Screen, Start};

fn at(files: &Files) -> Start {
    Start::at(&files.path("home"))
}

fn chat(start: Start, server: &Server, more: &[&str]) -> Screen {
    let screen = start.wick([&["chat", "--remote", &server.address][..], more].concat());
    screen.sees("/help lists commands");
    screen.asks();
    screen
}

/// A server that says these pieces to everybody.
fn saying(pieces: &[&str]) -> Server {
    let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
    Server::start(move |_, _, wire| {
        wire.begin();
        for piece in &pieces {
            wire.text(piece);
        }
        wire.finish("stop");
    })
}

const PAGE: &str =
    "# Foxes\n\nThey are **quick** and `brown`.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";

#[test]
fn marks_are_shown_as_looks_in_whatever_pieces_they_come() {
    let files = Files::new();
    let letters: Vec<String> = PAGE.chars().map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    for pieces in [&letters[..], &[PAGE]] {
        let server = saying(pieces);
        let mut screen = chat(at(&files), &server, &[]);
        screen.say("Hi");
        screen.asks();
        screen.sees(
            "> Hi\nFoxes\n\nThey are quick and brown.\n\n• one\n• two\n\n\
             a         │ b\n───────── │ ─────────\n1         │ 2\n",
        );
        assert!(screen.is_bold("quick") && !screen.is_bold("They"));
        screen.leave();
    }
}

#[test]
fn without_colours_marks_stay_and_nothing_is_coloured() {
    let files = Files::new();
    let server = saying(&[PAGE]);
    for (start, more) in [
        (at(&files).variable("NO_COLOR", "1"), &[][..]),
        (at(&files), &["--color", "never"]),
        (at(&files).variable("TERM", "dumb"), &[]),
    ] {
        let dumb = start.is_dumb();
        let mut screen = start.wick([&["chat", "--remote", &server.address][..], more].concat());
        screen.sees("/help lists commands");
        screen.say("Hi");
        screen.sees("# Foxes\n\nThey are **quick** and `brown`.\n\n- one\n- two\n");
        screen.sees("cached");
        screen.say("/exit");
        assert_eq!(screen.ends(), 0);
        let bytes = screen.bytes();
        assert!(
            !bytes.contains("\u{1b}[1m") && !bytes.contains("\u{1b}[2m"),
            "{bytes:?}"
        );
        assert!(!dumb || !bytes.contains('\u{1b}'), "{bytes:?}");
    }
}

#[test]
fn a_narrow_terminal_gets_whole_words() {
    let files = Files::new();
    let server = saying(&["- The quick brown fox jumps over 日本語のテキスト"]);
    let mut screen = chat(at(&files).size(24, 20), &server, &[]);
    screen.say("Hi");
    screen.asks();
    screen.sees("• The quick brown\n  fox jumps over 日\n  本語のテキスト\n");
    screen.leave();
}

/// What a terminal must never be given: it would retitle, erase, answer, type, or turn the writing around.
const HOSTILE: &str =
    "a\u{1b}]0;owned\u{7}b\u{1b}[2Jc\u{1b}[6nd\u{9b}31me\u{90}f\u{202e}g\u{8}h\rI\u{1b}P+q\u{1b}\\j";

/// The program's own bytes hold no control that came from outside.
fn assert_harmless(screen: &Screen) {
    let bytes = screen.bytes();
    for steering in [
        "\u{1b}]",
        "\u{1b}[2J",
        "\u{1b}[6n",
        "\u{9b}",
        "\u{90}",
        "\u{202e}",
        "\u{8}",
        "\u{1b}P",
        "\u{7}",
    ] {
        assert!(!bytes.contains(steering), "{steering:?} in {bytes:?}");
    }
}

#[test]
fn hostile_answers_calls_results_and_titles_cannot_steer_a_terminal() {
    let files = Files::new();
    let server = Server::start(|_, number, wire| {
        wire.begin();
        match number {
            0 => {
                wire.event(&chunk(&json!({"reasoning_content": HOSTILE}), None));
                wire.text(HOSTILE);
                wire.text("\n```sh\n");
                wire.text(HOSTILE);
                wire.text("\n```\n| ");
                wire.text(HOSTILE);
                wire.text(" | b |\n|---|---|\n");
                wire.finish("stop");
            }
            1 => call(wire, "fox", &json!({"text": HOSTILE})),
            _ => {
                wire.text("done");
                wire.finish("stop");
            }
        }
    });
    let script = files.bytes("hostile.txt", HOSTILE.as_bytes());
    let tools = tools(&files, &["cat", argument(&script)]);
    let mut screen = chat(at(&files), &server, &["--tools", argument(&tools)]);
    screen.say("Hi");
    screen.answer("Call");
    screen.sees("run it?");
    screen.say("y");
    screen.sees("result of fox");
    screen.sees("done");
    screen.asks();
    screen.say("/show reasoning");
    screen.answer("/show conversation");
    screen.asks();
    assert_harmless(&screen);
    assert!(screen.bytes().contains(char::REPLACEMENT_CHARACTER));
    screen.leave();
    // Titles come from a memory, which somebody else may have written.
    use chat::memory::Memory as _;
    let archive = chat::memory::Archive::open(files.path("home/data/wick/memory.db")).expect("a memory");
    let id = archive.conversations().expect("conversations")[0].id;
    archive.rename(id, &format!("title {HOSTILE}")).expect("a title");
    drop(archive);
    let mut screen = chat(at(&files), &server, &[]);
    screen.say("/list");
    screen.sees("title");
    screen.answer("/load title");
    screen.sees("2 turns");
    screen.asks();
    screen.keys("/load t\t");
    screen.sees("/load title");
    screen.ctrl_c();
    assert_harmless(&screen);
    screen.leave();
}

/// A call of a tool by the server's model.
fn call(wire: &mut Wire, name: &str, arguments: &Value) {
    let call = json!({"index": 0, "id": "call-1", "type": "function",
        "function": {"name": name, "arguments": arguments.to_string()}});
    wire.event(&chunk(&json!({"tool_calls": [call]}), None));
    wire.finish("tool_calls");
}

/// A file with one tool, `fox`, which runs this.
fn tools(files: &Files, command: &[&str]) -> std::path::PathBuf {
    let tools = json!([{"name": "fox", "description": "Asks the fox.", "command": command, "seconds": 20,
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}]);
    files.bytes("tools.json", tools.to_string().as_bytes())
}

/// A server whose model calls the fox once for each message that has no result yet.
fn calling() -> Server {
    Server::start(|asked, _, wire| {
        wire.begin();
        let messages = asked.body["messages"].as_array().expect("messages");
        match messages.last() {
            Some(last) if last["role"] == "tool" => {
                wire.text(&format!(
                    "The fox said: {}",
                    last["content"].as_str().unwrap_or_default()
                ));
                wire.finish("stop");
            }
            _ => call(wire, "fox", &json!({"text": "hello"})),
        }
    })
}

#[test]
fn a_call_runs_after_a_yes_and_always_is_asked_once() {
    let files = Files::new();
    let server = calling();
    let seen = files.path("seen");
    let command = ["sh", "-c", "cat >> \"$0\"; echo 'yip'", argument(&seen)];
    let tools = tools(&files, &command);
    let mut screen = chat(at(&files), &server, &["--tools", argument(&tools)]);
    screen.say("/tools");
    screen.sees("asks before each call; Asks the fox.");
    screen.answer("One");
    screen.sees("call of fox {\"text\":\"hello\"}");
    screen.sees("run it?");
    assert!(!seen.exists(), "nothing ran before the answer");
    screen.say("y");
    screen.sees("The fox said: yip");
    assert_eq!(
        std::fs::read_to_string(&seen).expect("it ran"),
        r#"{"text":"hello"}"#
    );
    screen.answer("Two");
    screen.until("a second question", |text| text.matches("run it?").count() == 2);
    screen.say("a");
    screen.asks();
    screen.say("Three");
    screen.until("a third answer", |text| {
        text.matches("The fox said: yip").count() == 3
    });
    assert_eq!(screen.text().matches("run it?").count(), 2);
    screen.answer("/tools");
    screen.sees("runs unasked");
    screen.leave();
}

#[test]
fn whatever_is_no_yes_refuses_a_call() {
    let files = Files::new();
    let server = calling();
    let seen = files.path("seen");
    let tools = tools(&files, &["sh", "-c", "touch \"$0\"", argument(&seen)]);
    let mut screen = chat(at(&files).size(60, 80), &server, &["--tools", argument(&tools)]);
    for (turn, key) in ["\r", "n\r", "yikes\r", "\u{4}"].into_iter().enumerate() {
        screen.say("Call");
        screen.until("a question", |text| text.matches("run it?").count() == turn + 1);
        screen.keys(key);
        screen.until("a refusal", |text| {
            text.matches("The fox said: refused: the user did not allow this call")
                .count()
                == turn + 1
        });
        screen.asks();
    }
    screen.say("Call");
    screen.until("a question", |text| text.matches("run it?").count() == 5);
    screen.ctrl_c();
    screen.sees("wick: stopped");
    screen.answer("/stats");
    screen.sees("the last answer was stopped");
    screen.asks();
    assert!(!seen.exists());
    screen.leave();
}

#[test]
fn a_call_takes_no_yes_before_it_was_shown_whole() {
    let files = Files::new();
    let lines: Vec<String> = (0..200).map(|line| format!("echo harmless {line}")).collect();
    let script = lines.join("; ") + "; rm -rf everything";
    let server = Server::start(move |asked, _, wire| {
        wire.begin();
        let messages = asked.body["messages"].as_array().expect("messages");
        match messages.last() {
            Some(last) if last["role"] == "tool" => {
                wire.text("It ran.");
                wire.finish("stop");
            }
            _ => call(wire, "fox", &json!({ "text": script })),
        }
    });
    let seen = files.path("seen");
    let tools = tools(&files, &["sh", "-c", "touch \"$0\"", argument(&seen)]);
    let mut screen = chat(at(&files), &server, &["--tools", argument(&tools)]);
    screen.say("Call");
    screen.sees("more letters");
    screen.sees("[v]iew it whole first");
    for yes in ["y", "always"] {
        screen.say(yes);
        screen.sees("not all of the call was shown");
        assert!(!seen.exists());
    }
    assert!(!screen.bytes().contains("rm -rf everything"));
    screen.say("v");
    screen.sees("rm -rf everything");
    screen.sees("run it? [y]es");
    screen.say("y");
    screen.sees("It ran.");
    assert!(seen.exists());
    screen.leave();
}

#[test]
fn what_was_typed_before_a_question_does_not_answer_it() {
    let files = Files::new();
    let may_call = Arc::new(AtomicBool::new(false));
    let wait = Arc::clone(&may_call);
    let server = Server::start(move |_, number, wire| {
        wire.begin();
        if number > 0 {
            wire.text("refused");
            return wire.finish("stop");
        }
        wire.text("Wait: ");
        while !wait.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        call(wire, "fox", &json!({"text": "hello"}));
    });
    let seen = files.path("seen");
    let tools = tools(&files, &["sh", "-c", "touch \"$0\"", argument(&seen)]);
    let mut screen = chat(at(&files), &server, &["--tools", argument(&tools)]);
    screen.say("Call");
    screen.sees("Wait:");
    screen.keys("y\r");
    screen.until("what was typed", |text| {
        text.contains("Wait:y") || text.contains("y\n")
    });
    may_call.store(true, Ordering::Release);
    screen.sees("run it?");
    assert!(!seen.exists());
    screen.say("n");
    screen.asks();
    assert!(!seen.exists());
    screen.leave();
}

#[test]
fn a_tool_that_fails_or_hangs_is_told_and_left_behind() {
    let files = Files::new();
    let server = calling();
    let failing = tools(&files, &["sh", "-c", "echo no such fox >&2; exit 3"]);
    let mut screen = chat(
        at(&files),
        &server,
        &["--tools", argument(&failing), "--allow", "fox"],
    );
    screen.say("Call");
    screen.sees("The fox said: error: exit status: 3: no such fox");
    screen.leave();
    let hanging = tools(&files, &["sh", "-c", "sleep 1000 & sleep 1000"]);
    let mut screen = chat(
        at(&files),
        &server,
        &["--tools", argument(&hanging), "--allow", "fox"],
    );
    screen.say("Call");
    screen.sees("call of fox");
    screen.ctrl_c();
    screen.sees("wick: stopped");
    screen.leave();
}

/// A server whose model thinks before it answers.
fn thinking() -> Server {
    Server::start(|_, _, wire| {
        wire.begin();
        for piece in ["Foxes ", "are red."] {
            wire.event(&chunk(&json!({"reasoning_content": piece}), None));
        }
        wire.text("Red.");
        wire.finish("length");
    })
}

#[test]
fn reasoning_is_shown_folded_or_hidden() {
    let files = Files::new();
    let server = thinking();
    let mut screen = chat(at(&files), &server, &[]);
    screen.say("One");
    screen.sees("> One\nFoxes are red.\n\nRed.\n");
    assert!(screen.is_faint("Foxes"));
    screen.answer("/set reasoning fold");
    screen.answer("Two");
    screen.until("a folded thought", |text| {
        text.contains("> Two\nthought for 0.0 s") && text.matches("Red.\n").count() == 2
    });
    screen.answer("/set reasoning hide");
    screen.answer("Three");
    screen.sees("> Three\nRed.\n");
    assert_eq!(screen.text().matches("Foxes").count(), 1);
    screen.answer("/show reasoning");
    screen.until("the thought", |text| text.matches("Foxes are red.").count() == 2);
    screen.leave();
}

#[test]
fn figures_follow_an_answer_unless_they_are_not_wanted() {
    let files = Files::new();
    let server = thinking();
    let mut screen = chat(at(&files), &server, &[]);
    screen.say("One");
    screen.sees("2 tokens");
    screen.sees("cut at its length");
    screen.asks();
    let text = screen.text();
    let line = text
        .lines()
        .find(|line| line.starts_with("2 tokens"))
        .expect("figures");
    assert!(
        line.chars().count() <= 80 && line.ends_with("cut at its length"),
        "{text}"
    );
    screen.say("/set status off");
    screen.answer("Two");
    screen.asks();
    assert_eq!(screen.text().matches("cut at its length").count(), 1);
    screen.leave();
    let mut screen = chat(at(&files).size(24, 120), &server, &[]);
    screen.say("One");
    screen.sees("8 of 11 prompt tokens cached · cut at its length");
    screen.leave();
}

#[test]
fn a_pipe_gets_the_text_alone() {
    let server = saying(&[PAGE]);
    let ended = crate::process::wick_with_input(&["chat", "--remote", &server.address], b"Hi\n");
    assert_eq!(ended.text(), PAGE);
}
