//! What is read from output as models write it, whole and in pieces.

use engine::ToolCall;
use proptest::prelude::*;

use super::*;
use crate::output::read::{Output, at_every_split};

#[track_caller]
fn read(text: &str) -> Output {
    at_every_split(text, Qwen3::new)
}

fn written(name: &str, arguments: &str) -> String {
    format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>")
}

#[test]
fn text_without_calls_is_kept_to_the_letter() {
    for text in [
        "Good day!\n\nHow are you?\n",
        "a < b <tool_call",
        "{\"name\": \"f\"}",
        "",
        "\n",
    ] {
        assert_eq!((read(text).text().as_str(), read(text).calls()), (text, vec![]));
    }
}

#[test]
fn calls_are_read_with_the_text_around_them() {
    let text = format!(
        "So.\n\n{}\n{}\n and {}\n",
        written("add", "{\"a\": \"</tool_call>\",\n \"b\": [1]}"),
        written("now", "{}"),
        written("add", "{\"a\": {}}"),
    );
    let output = read(&text);
    assert_eq!(output.text(), "So.and");
    let expected = [
        ToolCall::new("call_0", "add", "{\"a\": \"</tool_call>\",\n \"b\": [1]}"),
        ToolCall::new("call_1", "now", "{}"),
        ToolCall::new("call_2", "add", "{\"a\": {}}"),
    ];
    assert_eq!(output.calls(), expected.each_ref());
}

#[test]
fn an_object_may_be_sloppy() {
    for (object, arguments) in [
        ("{\"name\": \"f\"}", "{}"),
        ("{\"name\": \"f\", \"arguments\": null}", "{}"),
        ("{\"arguments\": {\"a\": 1}, \"name\": \"f\"}", "{\"a\": 1}"),
        ("{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "{\"a\": 1}"),
        (
            "{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}",
            "{\"a\": 1}",
        ),
        // Without its last brace, and with one more.
        ("{\"name\": \"f\", \"arguments\": {\"a\": 1}", "{\"a\": 1}"),
    ] {
        for (before, behind) in [("\n", "\n"), ("", ""), (" ", "\n\n")] {
            let text = format!("<tool_call>{before}{object}{behind}</tool_call>");
            let expected = ToolCall::new("call_0", "f", arguments);
            assert_eq!(read(&text).calls(), [&expected], "{text}");
            assert_eq!(read(&text).text(), "", "{text}");
        }
    }
}

#[test]
fn what_is_no_call_is_text() {
    for text in [
        "<tool_call>\nnone",
        "<tool_call>\n{\"name\": \"two words\"}",
        "<tool_call>\n{\"arguments\": {}}",
        "<tool_call> {name: 1}",
        "a <tool_call>\n{\"name\": \"f",
        "<tool_call>\n<tool_call>",
    ] {
        let output = read(text);
        assert_eq!((output.text().as_str(), output.calls()), (text, vec![]));
    }
    assert_eq!(read("a</tool_call>b").text(), "ab");
}

#[test]
fn a_call_that_is_cut_off_has_what_there_was() {
    for (rest, arguments) in [
        (", \"arg", ""),
        (", \"arguments\": ", ""),
        (", \"arguments\": {\"a\": \"rm", "{\"a\": \"rm"),
        (", \"arguments\": \"{}", ""),
        (", \"arguments\": {\"a\": 1}", "{\"a\": 1}"),
    ] {
        let output = read(&format!("<tool_call>\n{{\"name\": \"f\"{rest}"));
        assert_eq!(
            output.calls(),
            [&ToolCall::new("call_0", "f", arguments)],
            "{rest}"
        );
        assert_eq!(output.text(), "");
    }
}

#[test]
fn ids_begin_where_they_are_told() {
    let new = || Qwen3::new().with_first_call(4);
    let output = at_every_split(&written("f", "{}"), new);
    assert_eq!(output.calls(), [&ToolCall::new("call_4", "f", "{}")]);
}

proptest! {
    #[test]
    fn any_output_reads_the_same_at_every_split(
        fragments in prop::collection::vec(
            prop_oneof![
                6 => prop::sample::select(vec![
                    "<tool_call>",
                    "</tool_call>",
                    "<tool_call>\n{\"name\": \"f\", \"arguments\": ",
                    "{\"name\": \"f\"",
                    ", \"arguments\": ",
                    "{",
                    "}",
                    "[",
                    "]",
                    "\"",
                    "\\",
                    ":",
                    ",",
                    "1",
                    "null",
                    "\n",
                    " ",
                    "語",
                ]).prop_map(str::to_owned),
                1 => "[a-z<>{}\" é]{0,5}",
            ],
            0..16,
        ),
    ) {
        read(&fragments.concat());
    }

    #[test]
    fn no_letter_of_the_answer_is_lost(text in "[a-z \n<>=é🙂]{0,40}") {
        prop_assert_eq!(read(&text).text(), text);
    }
}
