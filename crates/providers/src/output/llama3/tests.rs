//! What is read from output as models write it, whole and in pieces.

use engine::ToolCall;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::output::read::{Output, at_every_split};

fn parser() -> Llama3 {
    let tool = |name: &str| ToolDefinition::new(name, json!({"type": "object"}));
    Llama3::new(&[tool("add"), tool("now")])
}

#[track_caller]
fn read(text: &str) -> Output {
    at_every_split(text, parser)
}

#[test]
fn text_without_calls_is_kept_to_the_letter() {
    for text in [
        "Good day!\n\nHow are you?\n",
        "  {x",
        "{\"name\": \"Bob\", \"age\": 3}",
        "{\"a\": {\"name\": \"add\"}} and more",
        "So: {\"name\": \"add\", \"parameters\": {}}",
        "<|python",
        "; {",
        "{\"name\": 1}",
        "",
        "\n",
    ] {
        assert_eq!((read(text).text().as_str(), read(text).calls()), (text, vec![]));
    }
}

#[test]
fn a_call_is_the_whole_answer() {
    for (text, expected) in [
        (
            "{\"name\": \"add\", \"parameters\": {\"a\": \"}\", \"b\": [1]}}",
            "{\"a\": \"}\", \"b\": [1]}",
        ),
        ("\n {\"name\": \"add\", \"parameters\": {}}\n", "{}"),
        (
            "{\"type\": \"function\", \"name\": \"add\", \"arguments\": {\"a\": 1}}",
            "{\"a\": 1}",
        ),
        ("{\"name\": \"add\"}", "{}"),
    ] {
        let output = read(text);
        let call = ToolCall::new("call_0", "add", expected);
        assert_eq!(output.calls(), [&call], "{text}");
        assert_eq!(output.text().trim(), "", "{text}");
    }
}

#[test]
fn a_tag_makes_a_call_of_a_tool_that_is_not_declared() {
    let output = read("<|python_tag|>{\"name\": \"other\", \"parameters\": {}}");
    assert_eq!(output.calls(), [&ToolCall::new("call_0", "other", "{}")]);
}

#[test]
fn calls_may_follow_each_other() {
    for between in ["; ", "\n", ";\n\n", ""] {
        let text = format!(
            "{{\"name\": \"add\", \"parameters\": {{}}}}{between}{{\"name\": \"now\", \"parameters\": {{}}}}"
        );
        let output = at_every_split(&text, || parser().with_first_call(7));
        let expected = [
            ToolCall::new("call_7", "add", "{}"),
            ToolCall::new("call_8", "now", "{}"),
        ];
        assert_eq!(output.calls(), expected.each_ref(), "{text}");
        assert_eq!(output.text(), "");
    }
}

#[test]
fn text_after_a_call_is_text() {
    let output = read("{\"name\": \"now\", \"parameters\": {}} That is all.");
    assert_eq!(output.calls().len(), 1);
    assert_eq!(output.text(), "That is all.");
}

#[test]
fn arguments_that_are_cut_off_are_not_json() {
    let output = read("{\"name\": \"add\", \"parameters\": {\"a\": \"cut o");
    let calls = output.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].arguments, "{\"a\": \"cut o");
}

proptest! {
    #[test]
    fn any_text_is_read_the_same_at_every_split(
        text in "(<\\|python_tag\\|>|[{}\" :;a\n]|\"name\": \"(add|x)\"|\"parameters\": |\\{\\}){0,12}",
    ) {
        read(&text);
    }
}
