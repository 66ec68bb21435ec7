//! What a chat at a terminal keeps: over processes, kills, damage, and beside another chat.

use std::path::PathBuf;

use chat::memory::{Archive, Memory};

use crate::files::{Files, with_long_context};
use crate::process::argument;
use crate::screen::{Screen, Start};

/// A chat of a home that is `files`', with a model of random weights that forgets nothing.
fn chat(files: &Files) -> Screen {
    with(files, "12", &[])
}

fn with(files: &Files, max_tokens: &str, more: &[&str]) -> Screen {
    let model = files.path("long.gguf");
    if !model.exists() {
        with_long_context(files, &files.chatty());
    }
    let arguments = ["chat", "--model", argument(&model), "--max-tokens", max_tokens];
    let screen = Start::at(&files.path("home")).wick([&arguments[..], more].concat());
    screen.asks();
    screen
}

fn file(files: &Files) -> PathBuf {
    files.path("home/data/wick/memory.db")
}

fn archive(files: &Files) -> Archive {
    let archive = Archive::open(file(files)).expect("the memory opens");
    archive.check().expect("the memory is whole");
    archive
}

#[test]
fn a_conversation_is_saved_and_loaded_by_another_process() {
    let files = Files::new();
    let mut screen = chat(&files);
    screen.sees("conversations are kept");
    screen.say("Hello fox");
    screen.answer("/save about a fox");
    screen.sees("kept as conversation 1, \"about a fox\"");
    screen.leave();
    let mut screen = chat(&files);
    screen.say("/list");
    screen.sees("1 turn ");
    screen.sees("about a fox");
    screen.answer("/load wolf");
    screen.sees("no conversation is called \"wolf\"");
    screen.answer("/load fox");
    screen.sees("conversation 1, \"about a fox\", 1 turn");
    screen.sees("> Hello fox");
    screen.answer("And you?");
    screen.answer("/branch another fox");
    screen.sees("this is a copy of 2 turns, \"another fox\"");
    screen.answer("/undo");
    screen.sees("taken back: And you?");
    screen.leave();
    let archive = archive(&files);
    let found = archive.conversations().expect("conversations");
    let mut found: Vec<_> = found
        .iter()
        .map(|outline| (outline.title.as_str(), outline.turns))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("about a fox", 2), ("another fox", 1)]);
}

#[test]
fn an_answer_anew_replaces_the_last_one_in_the_memory_too() {
    let files = Files::new();
    let mut screen = chat(&files);
    screen.say("/set temperature 2");
    screen.answer("Hello");
    screen.answer("/regen");
    screen.answer("/stats");
    screen.sees("1 turn");
    screen.leave();
    let archive = archive(&files);
    let all = archive.conversations().expect("conversations");
    assert_eq!(all.iter().map(|outline| outline.turns).collect::<Vec<_>>(), [1]);
}

#[test]
fn facts_are_kept_shown_recalled_and_forgotten() {
    let files = Files::new();
    let mut screen = chat(&files);
    screen.say("/memory remember The fox is called Mira.");
    screen.sees("fact 1 is kept");
    screen.answer("What is the fox called?");
    screen.sees("recalled: The fox is called Mira.");
    screen.answer("/memory search fox");
    screen.sees("fact 1: The fox is called Mira.");
    screen.answer("/memory forget 1");
    screen.sees("fact 1 is gone");
    screen.answer("/memory facts");
    screen.sees("there are no facts");
    screen.answer("/memory forget 1");
    screen.sees("there is no fact 1");
    screen.leave();
}

#[test]
fn nothing_is_kept_where_memory_is_off() {
    let files = Files::new();
    let mut screen = with(&files, "3", &["--no-memory"]);
    screen.sees("nothing is kept");
    screen.say("Hello");
    screen.answer("/save a title");
    screen.sees("memory is off; /memory on turns it on");
    screen.answer("/list");
    screen.asks();
    assert!(!file(&files).exists());
    screen.say("/memory on");
    screen.sees("this conversation is kept from its first turn on");
    screen.answer("And you?");
    screen.leave();
    let all = archive(&files).conversations().expect("conversations");
    assert_eq!(all.iter().map(|outline| outline.turns).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_memory_that_is_damaged_is_left_alone_and_there_is_a_way_around_it() {
    let files = Files::new();
    let damaged = [b"SQLite format 3\0".as_slice(), &[0x5a; 8192]].concat();
    let path = file(&files);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
    std::fs::write(&path, &damaged).expect("the file can be written");
    let model = files.chatty();
    let arguments = ["chat", "--model", argument(&model), "--max-tokens", "3"];
    let mut screen = Start::at(&files.path("home")).size(24, 300).wick(arguments);
    assert_eq!(screen.ends(), 1);
    let text = screen.text();
    for said in ["memory.db", "it is left as it is", "--no-memory"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let mut screen = with(&files, "3", &["--no-memory"]);
    screen.say("Hello");
    screen.answer("/memory on");
    screen.sees("it is left as it is");
    screen.leave();
    assert_eq!(std::fs::read(&path).expect("the file is there"), damaged);
}

#[test]
fn two_chats_write_at_the_same_time() {
    let files = Files::new();
    let (mut one, mut two) = (chat(&files), chat(&files));
    for turn in 0..5 {
        one.say(&format!("fox {turn}"));
        two.say(&format!("bear {turn}"));
        one.asks();
        two.asks();
    }
    let all = archive(&files).conversations().expect("conversations");
    assert_eq!(
        all.iter().map(|outline| outline.turns).collect::<Vec<_>>(),
        [5, 5]
    );
    two.say("/load fox 0");
    two.sees("5 turns");
    two.answer("a sixth");
    two.asks();
    one.say("another sixth");
    one.sees("was changed elsewhere");
    one.answer("/save apart");
    one.sees("this one is kept apart");
    one.leave();
    two.leave();
    let archive = archive(&files);
    let all = archive.conversations().expect("conversations");
    let mut turns: Vec<_> = all.iter().map(|outline| outline.turns).collect();
    turns.sort_unstable();
    assert_eq!(turns, [5, 6, 6]);
}

/// Kills a chat in every turn, at another moment each time, and looks at what is kept after each.
fn killed(turns: usize) {
    let files = Files::new();
    let mut screen = chat(&files);
    screen.say("turn 0");
    screen.answer("/save talk");
    screen.leave();
    let mut kept = 1;
    for turn in 1..=turns {
        let mut screen = with(&files, "300", &[]);
        screen.say("/load talk");
        screen.sees(&format!("\"talk\", {kept} turn"));
        screen.asks();
        let before = screen.bytes().len();
        screen.say(&format!("turn {turn}"));
        let whole = match turn % 3 {
            0 => {
                screen.asks();
                true
            }
            1 => {
                // No more than an answer has.
                screen.grows(before, turn * 7 % 250);
                false
            }
            _ => false,
        };
        screen.kill();
        let archive = archive(&files);
        let id = archive.conversations().expect("conversations")[0].id;
        let found = archive.turns(id).expect("turns");
        assert!(
            found.len() == kept + 1 || (!whole && found.len() == kept),
            "turn {turn}: {} of {kept}",
            found.len()
        );
        for kept in &found {
            assert!(
                kept.user.starts_with("turn ") && !kept.answer.is_empty(),
                "{kept:?}"
            );
        }
        kept = found.len();
    }
}

#[test]
fn a_chat_that_is_killed_loses_the_turn_in_flight_at_most() {
    killed(10);
}

#[test]
#[ignore = "takes a minute; `cargo xtask ci --full` runs it"]
fn a_chat_that_is_killed_a_hundred_times_loses_the_turns_in_flight_at_most() {
    killed(100);
}

#[test]
fn what_nothing_keeps_is_dropped_only_after_a_yes() {
    let files = Files::new();
    let mut screen = with(&files, "3", &["--no-memory"]);
    screen.say("Hello");
    screen.answer("/clear");
    screen.sees("drop 1 turn of this conversation, kept nowhere, for good?");
    screen.say("");
    screen.sees("the conversation stays");
    screen.answer("/stats");
    screen.sees("1 turn");
    screen.answer("/clear");
    screen.until("a second question", |text| text.matches("for good?").count() == 2);
    screen.say("y");
    screen.sees("the conversation is empty");
    screen.answer("/clear");
    screen.until("no question", |text| {
        text.matches("the conversation is empty").count() == 2
    });
    screen.leave();
}
