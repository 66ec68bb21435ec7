//! What is read from output as models write it, whole and in pieces.

mod any_output;

use engine::{CandleCompletionChunk, ToolCall};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::output::read::{self, Output, Read, chunk};

fn tools() -> Vec<ToolDefinition> {
    let tool = |name: &str, properties: Value| {
        ToolDefinition::new(name, json!({"type": "object", "properties": properties}))
    };
    vec![
        tool("now", json!({})),
        tool("add", json!({"a": {"type": "integer"}, "b": {"type": "integer"}})),
        tool("run", json!({"code": {"type": "string"}})),
        tool("plan", json!({"steps": {"type": "array"}})),
        tool(
            "label",
            json!({"name": {"type": ["string", "null"]}, "rank": {"type": ["integer", "null"]}}),
        ),
    ]
}

/// Reads `pieces`, each a token.
fn read_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Output {
    read::read(Qwen3Coder::new(tools()), pieces)
}

/// Reads `text` whole and in pieces.
#[track_caller]
fn read(text: &str) -> Output {
    read::at_every_split(text, || Qwen3Coder::new(tools()))
}

/// The text, and name and arguments of each call; arguments that are not JSON as a string.
#[track_caller]
fn outcome(text: &str) -> (String, Vec<(String, Value)>) {
    let output = read(text);
    let call = |call: &ToolCall| {
        let arguments = call.parse_arguments().map(Value::Object);
        let arguments = arguments.unwrap_or_else(|_| call.arguments.clone().into());
        (call.name.clone(), arguments)
    };
    (output.text(), output.calls().into_iter().map(call).collect())
}

fn call(name: &str, arguments: Value) -> (String, Value) {
    (name.to_owned(), arguments)
}

/// `<tool_call>` with one function of these parameters, each value on lines of its own.
fn written(name: &str, parameters: &[(&str, &str)]) -> String {
    let parameters: String = parameters
        .iter()
        .map(|(key, value)| format!("<parameter={key}>\n{value}\n</parameter>\n"))
        .collect();
    format!("<tool_call>\n<function={name}>\n{parameters}</function>\n</tool_call>")
}

#[test]
fn text_without_calls_is_kept_to_the_letter() {
    for text in [
        "Good day!\nHow are you?",
        " \n two  lines \n\n",
        "a < b <tool <function <tool_call",
        "<function=",
        "<function=no",
        "",
        "\n",
        "é<語>🙂",
    ] {
        assert_eq!(outcome(text), (text.to_owned(), vec![]));
    }
}

#[test]
fn a_value_has_the_declared_type() {
    for (name, parameters, arguments) in [
        ("add", vec![("a", "7"), ("b", "-2")], json!({"a": 7, "b": -2})),
        (
            "add",
            vec![("b", "2"), ("a", "many")],
            json!({"b": 2, "a": "many"}),
        ),
        ("run", vec![("code", "7")], json!({"code": "7"})),
        (
            "plan",
            vec![("steps", "[{\"do\": \"look\", \"done\": false}, null]")],
            json!({"steps": [{"do": "look", "done": false}, null]}),
        ),
        (
            "label",
            vec![("name", "tall tree"), ("rank", "3")],
            json!({"name": "tall tree", "rank": 3}),
        ),
        (
            "label",
            vec![("name", "null"), ("rank", "null")],
            json!({"name": null, "rank": null}),
        ),
        (
            "now",
            vec![("zone", "CET"), ("at", "[1]")],
            json!({"zone": "CET", "at": [1]}),
        ),
        ("now", vec![], json!({})),
        (
            "unknown",
            vec![("x", "true"), ("y", "so")],
            json!({"x": true, "y": "so"}),
        ),
    ] {
        let text = written(name, &parameters);
        assert_eq!(
            outcome(&text),
            (String::new(), vec![call(name, arguments)]),
            "{text}"
        );
    }
}

#[test]
fn strings_keep_their_lines_and_their_markup() {
    for value in [
        "for i in range(3):\n    print(\"<i>\", i)\n\nprint('done')",
        "語と🙂",
        "",
        "\n",
        "\n\n  indented\n\n",
        "<ul>\n <li>one</li>\n</ul>",
        "</param",
        "a </parameter b",
        "<parameter=x>\n1",
        "<doc><parameter>x</parameter></doc>",
        "</parameter>",
        "</parameter>\n</parameter> and more",
        "</function>\n</tool_call>",
        "\\ \" \u{1} \u{7f}",
    ] {
        let text = written("run", &[("code", value)]);
        assert_eq!(
            outcome(&text),
            (String::new(), vec![call("run", json!({"code": value}))]),
            "{text}"
        );
    }
}

#[test]
fn tags_on_one_line_are_tags() {
    let text = "<tool_call><function=run><parameter=code>x = 1</parameter></function></tool_call>";
    assert_eq!(
        outcome(text),
        (String::new(), vec![call("run", json!({"code": "x = 1"}))])
    );
}

#[test]
fn calls_follow_each_other_and_number_themselves() {
    let text = written("add", &[("a", "1")]) + "\n" + &written("now", &[]) + &written("add", &[("a", "2")]);
    let output = read(&text);
    assert_eq!(output.text(), "");
    let ids: Vec<(&str, &str)> = output
        .calls()
        .iter()
        .map(|call| (call.id.as_str(), call.arguments.as_str()))
        .collect();
    assert_eq!(
        ids,
        [("call_0", "{\"a\":1}"), ("call_1", "{}"), ("call_2", "{\"a\":2}")]
    );
}

#[test]
fn text_around_calls_is_the_answer_without_the_space_between() {
    let text = format!(
        "Let me see.\n\n{}\n and \n{}\n\n",
        written("now", &[]),
        written("add", &[("a", "1")])
    );
    let output = read(&text);
    assert_eq!(output.text(), "Let me see.and");
    assert_eq!(output.events.first(), Some(&Read::Text("Let me see.".to_owned())));
    assert_eq!(output.calls().len(), 2);
}

#[test]
fn a_bare_function_is_a_call_where_it_is_declared() {
    let bare = "<function=add>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>";
    assert_eq!(outcome(bare), (String::new(), vec![call("add", json!({"a": 1}))]));
    let text = "Write <function=name> and\n</function>";
    assert_eq!(outcome(text), (text.to_owned(), vec![]));
}

#[test]
fn a_close_without_a_call_is_swallowed() {
    assert_eq!(
        outcome("one</tool_call> two</tool_call>"),
        ("one two".to_owned(), vec![])
    );
}

#[test]
fn what_only_looks_like_a_call_is_text() {
    for text in [
        "<tool_call>\n{\"name\": \"now\"}",
        "<tool_call> <function=no name>\n",
        "<tool_call>\n<function=>",
        "<tool_call>\n<tool_calls>",
        "<tool_call>\n<function=now\n>",
    ] {
        assert_eq!(outcome(text), (text.to_owned(), vec![]));
    }
    let long = format!("<tool_call>\n<function={}>", "x".repeat(65));
    assert_eq!(outcome(&long), (long.clone(), vec![]));
}

#[test]
fn a_call_may_lack_its_closing_tags() {
    let open = "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n";
    let one = || call("add", json!({"a": 1}));
    for (behind, calls) in [
        ("</tool_call>", vec![one()]),
        ("</function>", vec![one()]),
        (
            "<tool_call>\n<function=now>\n</function>",
            vec![one(), call("now", json!({}))],
        ),
        ("<function=now>", vec![one(), call("now", json!({}))]),
        ("", vec![one()]),
        ("</functi", vec![one()]),
        ("<", vec![one()]),
    ] {
        let text = format!("{open}{behind}");
        assert_eq!(outcome(&text), (String::new(), calls), "{text}");
    }
}

#[test]
fn text_inside_a_call_is_the_answers() {
    let text =
        "<tool_call>\n<function=add>\nfirst <b>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>";
    assert_eq!(
        outcome(text),
        ("first <b>".to_owned(), vec![call("add", json!({"a": 1}))])
    );
    let text = "<tool_call>\n<function=add>\n<parameter=a\nb>\n</function>";
    assert_eq!(
        outcome(text),
        ("<parameter=a\nb>".to_owned(), vec![call("add", json!({}))])
    );
}

#[test]
fn output_that_ends_before_a_name_is_text() {
    let text = "Wait.\n<tool_call>\n<function=ad";
    assert_eq!(outcome(text), (text.to_owned(), vec![]));
}

#[test]
fn output_that_ends_inside_a_parameter_leaves_arguments_that_cannot_be_run() {
    for (name, behind, arguments) in [
        (
            "run",
            "<parameter=code>\nrm -rf /tmp\n</par",
            "{\"code\":\"rm -rf /tmp\\n</par",
        ),
        ("run", "<parameter=code>", "{\"code\":\""),
        ("add", "<parameter=a>\n12", "{\"a\":\"12"),
        (
            "add",
            "<parameter=a>\n1\n</parameter>\n<parameter=b>\n2",
            "{\"a\":1,\"b\":\"2",
        ),
        (
            "add",
            "<parameter=a>\n1\n</parameter>\n<parameter=b",
            "{\"a\":1,\"b",
        ),
        ("add", "<parameter=a>\n1\n</parameter>\n<par", "{\"a\":1"),
    ] {
        let text = format!("<tool_call>\n<function={name}>\n{behind}");
        let output = read(&text);
        assert_eq!(output.text(), "");
        let calls = output.calls();
        assert_eq!(calls.len(), 1, "{text}");
        assert_eq!(calls[0].arguments, arguments);
        assert!(calls[0].parse_arguments().is_err());
    }
}

#[test]
fn a_string_streams_as_it_comes() {
    let mut parser = Qwen3Coder::new(tools());
    let mut events = Events::new();
    let mut deltas = |text: &str| {
        parser.push(&chunk(0, text, vec![]), &mut events);
        let mut deltas = String::new();
        while let Some(event) = events.pop() {
            if let CandleCompletionChunk::ToolCallDelta { arguments, .. } = event {
                deltas.push_str(&arguments);
            }
        }
        deltas
    };
    assert_eq!(deltas("<tool_call>\n<function=run>"), "{");
    assert_eq!(deltas("\n<parameter=code>"), "\"code\":\"");
    assert_eq!(deltas("\nprint(\"a\")\n"), "print(\\\"a\\\")");
    assert_eq!(deltas("</param"), "");
    assert_eq!(deltas("s"), "\\n</params");
    assert_eq!(deltas("\n</parameter>"), "");
    assert_eq!(deltas("\n</function>"), "\"}");
}

#[test]
fn choices_are_read_apart_and_ids_begin_where_they_are_told() {
    let mut parser = Qwen3Coder::new(tools()).with_first_call(4);
    let mut events = Events::new();
    let text = written("add", &[("a", "1")]);
    let (first, second) = text.split_at(30);
    for (choice, piece) in [(0, first), (1, first), (1, second), (0, second)] {
        parser.push(&chunk(choice, piece, vec![choice]), &mut events);
    }
    parser.finish(1, &mut events);
    parser.finish(0, &mut events);
    let mut ids = Vec::new();
    while let Some(event) = events.pop() {
        if let CandleCompletionChunk::ToolCallComplete { choice, index, call } = event {
            ids.push((choice, index, call.id));
        }
    }
    assert_eq!(ids, [(1, 0, "call_4".to_owned()), (0, 0, "call_4".to_owned())]);
}
