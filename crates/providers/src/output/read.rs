//! What tests read from a parser.

use engine::{CandleCompletionChunk, CandleStringChunk, Events, OutputParser, ToolCall};

/// An event with its neighbours of the same kind joined.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Read {
    Text(String),
    Reasoning(String),
    Start(u32, String, String),
    Arguments(u32, String),
    Complete(u32, ToolCall),
}

/// What was read, and the ids of the tokens that came with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Output {
    pub(super) events: Vec<Read>,
    tokens: Vec<u32>,
}

impl Output {
    fn add(&mut self, chunk: CandleCompletionChunk) {
        self.tokens.extend_from_slice(chunk.tokens());
        let (read, is_empty) = match chunk {
            CandleCompletionChunk::Text { text, .. } => (Read::Text(text.clone()), text.is_empty()),
            CandleCompletionChunk::Reasoning { text, .. } => (Read::Reasoning(text.clone()), text.is_empty()),
            CandleCompletionChunk::ToolCallDelta { index, arguments, .. } => {
                (Read::Arguments(index, arguments), false)
            }
            CandleCompletionChunk::ToolCallStart { index, id, name, .. } => {
                (Read::Start(index, id, name), false)
            }
            CandleCompletionChunk::ToolCallComplete { index, call, .. } => {
                (Read::Complete(index, call), false)
            }
            other => panic!("{other:?}"),
        };
        match (read, self.events.last_mut()) {
            (Read::Text(text), Some(Read::Text(before))) => before.push_str(&text),
            (Read::Reasoning(text), Some(Read::Reasoning(before))) => before.push_str(&text),
            (Read::Arguments(index, piece), Some(Read::Arguments(same, before))) if *same == index => {
                before.push_str(&piece);
            }
            (read, _) if !is_empty => self.events.push(read),
            _ => {}
        }
    }

    fn joined<'a>(&'a self, piece: impl FnMut(&'a Read) -> Option<&'a str>) -> String {
        self.events.iter().filter_map(piece).collect()
    }

    pub(super) fn text(&self) -> String {
        self.joined(|event| match event {
            Read::Text(text) => Some(text),
            _ => None,
        })
    }

    pub(super) fn reasoning(&self) -> String {
        self.joined(|event| match event {
            Read::Reasoning(text) => Some(text),
            _ => None,
        })
    }

    pub(super) fn calls(&self) -> Vec<&ToolCall> {
        let calls = self.events.iter().filter_map(|event| match event {
            Read::Complete(_, call) => Some(call),
            _ => None,
        });
        calls.collect()
    }

    /// The arguments that were streamed for call `index`.
    fn streamed(&self, index: u32) -> String {
        self.joined(|event| match event {
            Read::Arguments(of, piece) if *of == index => Some(piece),
            _ => None,
        })
    }
}

/// A piece of output with the ids of its tokens.
pub(super) fn chunk(choice: u32, text: &str, tokens: Vec<u32>) -> CandleStringChunk {
    CandleStringChunk {
        choice,
        text: text.to_owned(),
        tokens,
        ..CandleStringChunk::default()
    }
}

/// Reads `pieces` of a choice, each a token. No token may be lost, and a call has to be what was streamed of it.
#[track_caller]
pub(super) fn read<'a>(mut parser: impl OutputParser, pieces: impl IntoIterator<Item = &'a str>) -> Output {
    let (mut events, mut output) = (Events::new(), Output::default());
    let mut pushed = Vec::new();
    for (token, piece) in (0..).zip(pieces) {
        pushed.push(token);
        parser.push(&chunk(0, piece, vec![token]), &mut events);
    }
    parser.finish(0, &mut events);
    while let Some(event) = events.pop() {
        output.add(event);
    }
    assert_eq!(output.tokens, pushed, "each token is in one event");
    for (index, call) in (0..).zip(output.calls()) {
        let streamed = output.streamed(index);
        assert_eq!(streamed, call.arguments, "what is streamed is the whole");
    }
    output
}

/// Reads `text` whole, and asserts that every split in two, and every character alone, reads the same.
#[track_caller]
pub(super) fn at_every_split<P: OutputParser>(text: &str, new: impl Fn() -> P) -> Output {
    let whole = read(new(), [text]);
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    for at in ends {
        let (first, second) = text.split_at(at);
        assert_eq!(read(new(), [first, second]).events, whole.events, "split at {at}");
    }
    let letters: Vec<String> = text.chars().map(String::from).collect();
    let letters = read(new(), letters.iter().map(String::as_str));
    assert_eq!(letters.events, whole.events, "letter by letter");
    whole
}
