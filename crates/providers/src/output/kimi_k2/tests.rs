//! What is read from output as models write it, whole and in pieces.

use engine::ToolCall;
use proptest::prelude::*;

use super::*;
use crate::output::read::{Output, at_every_split, chunk};

fn read_whole(text: &str) -> Output {
    at_every_split(text, KimiK2::new)
}

fn call(id: &str, arguments: &str) -> String {
    format!("<|tool_call_begin|>{id}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>")
}

#[test]
fn calls_have_the_ids_that_the_model_wrote() {
    let text = format!(
        "Let me look.\n<|tool_calls_section_begin|>{}\n{}<|tool_calls_section_end|>",
        call("functions.now:0", "{}"),
        call("functions.add:17", "{\"a\": 1,\n \"b\": \"<x>\"}"),
    );
    let output = read_whole(&text);
    assert_eq!(output.text(), "Let me look.");
    let expected = [
        ToolCall::new("functions.now:0", "now", "{}"),
        ToolCall::new("functions.add:17", "add", "{\"a\": 1,\n \"b\": \"<x>\"}"),
    ];
    assert_eq!(output.calls(), expected.each_ref());
}

#[test]
fn sections_may_be_missing_unfinished_or_singular() {
    for (before, after) in [
        ("", ""),
        ("<|tool_call_section_begin|>", "<|tool_call_section_end|>"),
        ("<|tool_calls_section_begin|> ", ""),
        ("", "\n<|tool_calls_section_end|>"),
        ("<|tool_call_end|>", "<|tool_call_argument_begin|>"),
    ] {
        let output = read_whole(&format!(
            "{before}{}{after}",
            call("functions.f:0", " {\"a\": 1} ")
        ));
        assert_eq!(output.text(), "", "{before:?} {after:?}");
        let expected = ToolCall::new("functions.f:0", "f", "{\"a\": 1}");
        assert_eq!(output.calls(), [&expected], "{before:?} {after:?}");
    }
}

#[test]
fn a_name_is_what_there_is_of_it() {
    for (id, name) in [
        ("functions.a.b-c_d:3", "a.b-c_d"),
        ("f:0", "f"),
        ("functions.f", "f"),
        ("f", "f"),
        ("f:", "f"),
    ] {
        let output = read_whole(&call(&format!(" {id}\n"), "{}"));
        assert_eq!(output.calls(), [&ToolCall::new(id, name, "{}")]);
    }
    for id in [
        "",
        "functions.",
        "functions.:0",
        "two words:0",
        "f:x",
        "f:0:1",
        &"x".repeat(300),
    ] {
        let output = read_whole(&format!("a<|tool_call_begin|>{id}<|tool_call_argument_begin|>b"));
        assert!(output.calls().is_empty(), "{id}");
        assert_eq!(output.text(), format!("a{id}b"));
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    for text in [
        "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|> <|tool_call_end|>",
        "<|tool_call_begin|>functions.f:0<|tool_call_end|>",
        "<|tool_call_begin|>functions.f:0<|tool_calls_section_end|>",
    ] {
        let output = read_whole(text);
        assert_eq!(
            output.calls(),
            [&ToolCall::new("functions.f:0", "f", "{}")],
            "{text}"
        );
    }
}

#[test]
fn a_call_that_is_cut_off_has_what_there_was() {
    let head = "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>";
    for (rest, arguments) in [
        ("", ""),
        ("{\"a\": 1, \"", "{\"a\": 1, \""),
        ("{\"a\": \"x\"}", "{\"a\": \"x\"}"),
        ("{\"a\": \"x\"}<|tool_call_", "{\"a\": \"x\"}<|tool_call_"),
    ] {
        let output = read_whole(&format!("{head}{rest}"));
        assert_eq!(output.calls(), [&ToolCall::new("functions.f:0", "f", arguments)]);
    }
    assert_eq!(
        read_whole("so:<|tool_call_begin|>functions.f").text(),
        "so:functions.f"
    );
}

#[test]
fn every_choice_is_read_for_itself() {
    let mut parser = KimiK2::new();
    let pieces = [
        (0, "<|tool_call_begin|>functions.f:0<|tool_call_argument"),
        (1, "hello <"),
        (0, "_begin|>{}<|tool_call_end|>"),
        (1, "b>"),
    ];
    let mut events = Events::new();
    for (choice, piece) in pieces {
        parser.push(&chunk(choice, piece, vec![choice]), &mut events);
    }
    parser.finish(1, &mut events);
    parser.finish(0, &mut events);
    let (mut text, mut calls) = (String::new(), Vec::new());
    while let Some(event) = events.pop() {
        text += event.text().unwrap_or_default();
        calls.extend(event.tool_call().cloned());
    }
    assert_eq!(text, "hello <b>");
    assert_eq!(calls, [ToolCall::new("functions.f:0", "f", "{}")]);
}

proptest! {
    #[test]
    fn any_output_reads_the_same_at_every_split(
        fragments in prop::collection::vec(
            prop_oneof![
                6 => prop::sample::select(vec![
                    "<|tool_calls_section_begin|>",
                    "<|tool_call_section_begin|>",
                    "<|tool_calls_section_end|>",
                    "<|tool_call_section_end|>",
                    "<|tool_call_begin|>",
                    "<|tool_call_argument_begin|>",
                    "<|tool_call_end|>",
                    "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>",
                    "<|tool_call",
                    "functions.",
                    "f",
                    ":",
                    "0",
                    "{\"a\": ",
                    "}",
                    " ",
                    "\n",
                    "語",
                ]).prop_map(str::to_owned),
                1 => "[a-z<>|_\n é]{0,5}",
            ],
            0..16,
        ),
    ) {
        let text = fragments.concat();
        let output = read_whole(&text);
        prop_assert!(!output.text().contains("<|tool_call_begin|>"));
    }

    #[test]
    fn no_letter_of_the_answer_is_lost(text in "[a-z \n<>|_é🙂]{0,40}") {
        prop_assert_eq!(read_whole(&text).text(), text);
    }
}
