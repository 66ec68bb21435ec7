//! Calls of tools pass through an engine: in order, with their finish, each token counted once.

use engine::{
    CandleCompletionChunk, CandleStringChunk, Drafts, EngineError, Events, FinishReason, GenerationEnd,
    OutputParser, ToolCall,
};
use futures::stream;

use crate::scripted::*;

/// Every piece that begins with `!` is a call of the tool that it names.
#[derive(Default)]
struct Shouts(u32);

impl OutputParser for Shouts {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        let (choice, tokens) = (chunk.choice, chunk.tokens.clone());
        let Some(name) = chunk.text.strip_prefix('!') else {
            return events.text(choice, chunk.text.clone(), tokens);
        };
        let call = ToolCall::new(format!("call_{}", self.0), name, "{}");
        events.tool_call_start(choice, self.0, call.id.clone(), call.name.clone());
        events.tool_call_delta(choice, self.0, "{}".to_owned(), tokens);
        events.tool_call_complete(choice, self.0, call);
        self.0 += 1;
    }

    fn finish(&mut self, _: u32, _: &mut Events) {}
}

fn called(script: Vec<Generated>) -> Vec<CandleCompletionChunk> {
    let parser: Box<dyn OutputParser> = Box::new(Shouts::default());
    let request = request().with_parser(parser);
    items(engine().coordinate_generation(request, || generation(script)))
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn finish_of(chunks: &[CandleCompletionChunk]) -> FinishReason {
    let mut finishes = chunks.iter().filter_map(|chunk| match chunk {
        CandleCompletionChunk::Finish { finish, .. } => Some(*finish),
        _ => None,
    });
    finishes.next().unwrap()
}

#[test]
fn a_choice_that_called_finishes_with_tool_calls_and_keeps_its_tokens() {
    let chunks = called(vec![piece("so", 10), piece("!now", 11), piece("!add", 12), end()]);
    let calls: Vec<(&str, &str)> = chunks
        .iter()
        .filter_map(CandleCompletionChunk::tool_call)
        .map(|call| (call.id.as_str(), call.name.as_str()))
        .collect();
    assert_eq!(calls, [("call_0", "now"), ("call_1", "add")]);
    let tokens: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.tokens().to_vec()).collect();
    assert_eq!(tokens, [10, 11, 12, 2]);
    assert_eq!(finish_of(&chunks), FinishReason::ToolCalls);
    assert_eq!(finish_of(&chunks).as_str(), "tool_calls");
}

#[test]
fn without_a_call_or_cut_off_the_finish_is_the_generators() {
    assert_eq!(finish_of(&called(story())), FinishReason::Stop);
    let mut cut = end();
    cut.as_mut().unwrap().end = Some(GenerationEnd {
        finish: FinishReason::Length,
        stop: None,
        usage: USAGE,
        cache_miss: None,
        drafts: Drafts::default(),
        timings: timings(),
        seed: 7,
    });
    assert_eq!(
        finish_of(&called(vec![piece("!now", 11), cut])),
        FinishReason::Length
    );
}

fn start(index: u32) -> CandleCompletionChunk {
    let (id, name) = (format!("call_{index}"), "now".to_owned());
    CandleCompletionChunk::ToolCallStart {
        choice: 0,
        index,
        id,
        name,
    }
}

fn delta(index: u32) -> CandleCompletionChunk {
    CandleCompletionChunk::ToolCallDelta {
        choice: 0,
        index,
        arguments: "{}".to_owned(),
        tokens: vec![1],
    }
}

fn whole(index: u32) -> CandleCompletionChunk {
    CandleCompletionChunk::ToolCallComplete {
        choice: 0,
        index,
        call: ToolCall::new(format!("call_{index}"), "now", "{}"),
    }
}

/// The last item of a backend that says this.
fn last(script: Vec<CandleCompletionChunk>) -> Result<CandleCompletionChunk, EngineError> {
    let script: Vec<Completed> = script.into_iter().map(Ok).collect();
    items(engine().coordinate(request(), || stream::iter(script)))
        .pop()
        .unwrap()
}

#[test]
fn calls_may_overlap() {
    let script = vec![
        start(0),
        start(1),
        delta(1),
        delta(0),
        whole(0),
        whole(1),
        finish(0),
        complete(),
    ];
    assert!(matches!(last(script), Ok(CandleCompletionChunk::Complete { .. })));
}

#[test]
fn calls_out_of_order_are_an_error() {
    for (script, fault) in [
        (vec![start(1)], "begins a call out of turn"),
        (vec![start(0), start(0)], "begins a call out of turn"),
        (vec![delta(0)], "goes on with a call that is not open"),
        (
            vec![start(0), whole(0), delta(0)],
            "goes on with a call that is not open",
        ),
        (
            vec![start(0), whole(0), whole(0)],
            "goes on with a call that is not open",
        ),
        (vec![start(0), finish(0)], "finishes inside a call"),
        (vec![finish(0), start(0)], "goes on after its finish"),
        (vec![start(0), complete()], "has no finish before the end"),
    ] {
        let error = last(script).unwrap_err();
        assert!(error.is_backend_failure());
        assert_eq!(
            error.to_string(),
            format!("the backend's chunks are out of order: choice 0 {fault}")
        );
    }
}
