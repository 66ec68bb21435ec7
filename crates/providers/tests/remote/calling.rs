//! Calls of tools in the forms in which servers send them.

use engine::{CandleCompletionChunk, CandleCompletionParams, FinishReason, ToolCall, ToolDefinition};
use serde_json::{Value, json};

use crate::server::{Server, Wire, chunk};
use crate::{Chunks, answered, ask_with, config, connect, failed};

/// What comes of these lists of pieces, and this end.
fn called(pieces: Vec<Value>, finish: &'static str) -> Chunks {
    let server = Server::start(move |_, _, wire: &mut Wire| {
        wire.begin();
        for calls in &pieces {
            wire.event(&chunk(&json!({"tool_calls": calls}), None));
        }
        wire.finish(finish);
    });
    let provider = connect(config(&[&server.address]));
    let params = CandleCompletionParams {
        tools: vec![ToolDefinition::new("find", json!({"type": "object"}))],
        ..Default::default()
    };
    ask_with(&provider, "Hi", &params)
}

/// The complete calls; their pieces joined are the same.
fn calls(chunks: &Chunks) -> Vec<ToolCall> {
    answered(chunks);
    let mut begun: Vec<ToolCall> = Vec::new();
    let mut complete = Vec::new();
    for chunk in chunks.iter().flatten() {
        match chunk {
            CandleCompletionChunk::ToolCallStart { id, name, .. } => begun.push(ToolCall::new(id, name, "")),
            CandleCompletionChunk::ToolCallDelta { index, arguments, .. } => {
                begun[usize::try_from(*index).expect("it is small")]
                    .arguments
                    .push_str(arguments);
            }
            CandleCompletionChunk::ToolCallComplete { call, .. } => complete.push(call.clone()),
            CandleCompletionChunk::Finish { finish, .. } => assert_eq!(*finish, FinishReason::ToolCalls),
            _ => {}
        }
    }
    assert_eq!(begun, complete);
    complete
}

fn two() -> [ToolCall; 2] {
    [
        ToolCall::new("functions.find:0", "find", r#"{"q":"é"}"#),
        ToolCall::new("functions.find:1", "find", "{}"),
    ]
}

#[test]
fn calls_in_pieces_are_put_together_by_their_numbers() {
    let pieces = vec![
        json!([{"index": 0, "id": "functions.find:0", "type": "function", "function": {"name": "find", "arguments": ""}}]),
        json!([{"index": 0, "function": {"arguments": "{\"q\":"}}]),
        json!([{"index": 1, "id": "functions.find:1", "function": {"name": "find"}}]),
        json!([{"index": 0, "function": {"arguments": "\"é\"}"}}, {"index": 1, "function": {"arguments": "{}"}}]),
    ];
    assert_eq!(calls(&called(pieces, "tool_calls")), two());
}

#[test]
fn whole_calls_at_once_are_read_also_without_numbers_and_under_another_end() {
    let whole =
        |id: &str, arguments: &str| json!({"id": id, "function": {"name": "find", "arguments": arguments}});
    let pieces = vec![json!([
        whole("functions.find:0", r#"{"q":"é"}"#),
        whole("functions.find:1", "{}")
    ])];
    assert_eq!(calls(&called(pieces, "stop")), two());
}

#[test]
fn id_and_name_may_be_repeated_and_numbers_begin_anywhere() {
    let piece = |index: u32, id: &str, arguments: &str| json!([{"index": index, "id": id, "function": {"name": "find", "arguments": arguments}}]);
    let pieces = vec![
        piece(3, "functions.find:0", "{\"q\":"),
        piece(3, "functions.find:0", "\"é\"}"),
        piece(5, "functions.find:1", "{}"),
    ];
    assert_eq!(calls(&called(pieces, "tool_calls")), two());
}

#[test]
fn arguments_that_are_no_text_are_written_and_a_missing_id_is_made_up() {
    let pieces = vec![json!([{"index": 0, "function": {"name": "find", "arguments": {"q": 1}}}])];
    let calls = calls(&called(pieces, "tool_calls"));
    assert_eq!(
        (calls[0].name.as_str(), calls[0].arguments.as_str()),
        ("find", r#"{"q":1}"#)
    );
    assert!(!calls[0].id.is_empty());
}

#[test]
fn a_call_that_is_cut_off_is_complete_and_no_json() {
    let pieces = vec![json!([{"index": 0, "id": "1", "function": {"name": "find", "arguments": "{\"q"}}])];
    let chunks = called(pieces, "length");
    answered(&chunks);
    let call = chunks
        .iter()
        .flatten()
        .find_map(CandleCompletionChunk::tool_call)
        .unwrap();
    assert!(call.parse_arguments().is_err());
}

#[test]
fn a_call_without_a_name_is_an_error() {
    let pieces = vec![json!([{"index": 0, "id": "1", "function": {"arguments": "{}"}}])];
    assert!(failed(&called(pieces, "tool_calls")).1.contains("without a name"));
}
