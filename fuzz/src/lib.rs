//! What the targets of output parsers share.

use engine::{CandleCompletionChunk, CandleStringChunk, Events, OutputParser, ToolDefinition};
use providers::OutputFormat;

/// Any output in pieces: calls and reasoning read the same as whole, stream what they complete with, and lose no token.
///
/// * `letters`: the output, in letters that stand for one of `fragments` each, or else for themselves.
/// * `cuts`: where it is cut.
///
/// # Panics
///
/// If any of that does not hold.
pub fn reads_the_same_in_pieces(format: OutputFormat, fragments: &[&str], letters: &[u8], cuts: &[u16]) {
    let fragment = |letter: &u8| match fragments.get(usize::from(*letter)) {
        Some(fragment) => (*fragment).to_owned(),
        None => char::from(*letter).to_string(),
    };
    let text: String = letters.iter().map(fragment).collect();
    let mut cuts: Vec<usize> = cuts.iter().copied().map(usize::from).collect();
    cuts.retain(|cut| text.is_char_boundary(*cut));
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([text.len()]);
    let pieces = [0].into_iter().chain(cuts.iter().copied()).zip(ends);
    let pieces = pieces.map(|(from, to)| &text[from..to]);
    assert_eq!(read(format, pieces), read(format, [text.as_str()].into_iter()));
}

fn tools() -> Vec<ToolDefinition> {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {"code": {"type": "string"}, "count": {"type": ["integer", "null"]}},
    });
    vec![ToolDefinition::new("run", schema)]
}

/// Events with pieces of the same kind joined.
fn read<'a>(format: OutputFormat, pieces: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let mut parser = format.parser_with_reasoning(&tools(), &[], "");
    let mut events = Events::new();
    let mut pushed = Vec::new();
    for (token, piece) in (0..).zip(pieces) {
        pushed.push(token);
        let chunk = CandleStringChunk {
            text: piece.to_owned(),
            tokens: vec![token],
            ..CandleStringChunk::default()
        };
        parser.push(&chunk, &mut events);
    }
    parser.finish(0, &mut events);
    let (mut joined, mut tokens) = (Vec::<(String, String)>::new(), Vec::new());
    let (mut calls, mut streamed) = (0, String::new());
    while let Some(event) = events.pop() {
        tokens.extend_from_slice(event.tokens());
        let (kind, text) = match event {
            CandleCompletionChunk::Text { text, .. } => ("text".to_owned(), text),
            CandleCompletionChunk::Reasoning { text, .. } => ("reasoning".to_owned(), text),
            CandleCompletionChunk::ToolCallStart { index, name, .. } => {
                assert_eq!(index, calls);
                streamed.clear();
                (format!("start {index}"), name)
            }
            CandleCompletionChunk::ToolCallDelta { index, arguments, .. } => {
                streamed.push_str(&arguments);
                (format!("arguments {index}"), arguments)
            }
            CandleCompletionChunk::ToolCallComplete { call, .. } => {
                assert_eq!(call.arguments, streamed);
                calls += 1;
                (format!("complete {}", call.id), call.name)
            }
            other => panic!("{other:?}"),
        };
        match joined.last_mut() {
            Some((last, before)) if *last == kind => before.push_str(&text),
            _ if kind == "text" && text.is_empty() => {}
            _ => joined.push((kind, text)),
        }
    }
    assert_eq!(tokens, pushed);
    joined
}
