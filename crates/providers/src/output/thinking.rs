//! Reasoning between `<think>` and `</think>`, apart from the answer.
//!
//! * Reasoning stands at the beginning of an output, or nowhere: `<think>` behind other text is text. A template may have
//!   opened it already, at the end of the prompt; a model that opens it again opens it once.
//! * Whitespace next to the two tags is the format's.
//! * It ends with `</think>`, with a section of calls where those have tokens of their own, or with the output.
//!
//! What follows is read by another parser: text, or calls of tools.

use std::collections::BTreeMap;
use std::mem;

use engine::{CandleStringChunk, Events, OutputParser};

use super::marker::{Start, find, start};
use super::pending::{Pending, is_space};

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes reasoning out of an output, and leaves the rest to another parser.
pub struct Thinking {
    opened: bool,
    /// What ends reasoning: [`CLOSE`], and what stays in the output.
    ends: Vec<&'static str>,
    rest: Box<dyn OutputParser>,
    choices: BTreeMap<u32, Splitter>,
}

impl Thinking {
    /// Leaves what is no reasoning to `rest`.
    pub fn new(rest: Box<dyn OutputParser>) -> Self {
        Self {
            opened: false,
            ends: vec![CLOSE],
            rest,
            choices: BTreeMap::new(),
        }
    }

    /// Whether `prompt` ends with an open `<think>`, so that the output begins with reasoning.
    #[must_use]
    pub fn after_prompt(self, prompt: &str) -> Self {
        Self {
            opened: prompt.trim_end().ends_with(OPEN),
            ..self
        }
    }

    /// Reasoning ends before these too.
    pub(super) fn ended_by(mut self, markers: &[&'static str]) -> Self {
        self.ends.extend_from_slice(markers);
        self
    }
}

impl std::fmt::Debug for Thinking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Thinking")
            .field("opened", &self.opened)
            .finish_non_exhaustive()
    }
}

impl OutputParser for Thinking {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        let choice = chunk.choice;
        let splitter = self.choices.entry(choice);
        let splitter = splitter.or_insert_with(|| Splitter::new(choice, self.opened));
        splitter.tokens.extend_from_slice(&chunk.tokens);
        splitter.pending.push(&chunk.text);
        splitter.read(&self.ends, &mut *self.rest, events);
    }

    fn finish(&mut self, choice: u32, events: &mut Events) {
        if let Some(splitter) = self.choices.remove(&choice) {
            splitter.finish(&mut *self.rest, events);
        }
        self.rest.finish(choice, events);
    }
}

/// One choice as it is read.
struct Splitter {
    choice: u32,
    opened: bool,
    place: Place,
    pending: Pending,
    /// Whitespace that is reasoning if more follows.
    space: String,
    /// Ids of the tokens that nothing has carried yet.
    tokens: Vec<u32>,
}

/// Where a splitter is.
#[derive(Clone, Copy)]
enum Place {
    /// At the beginning.
    Start,
    /// Behind the opening tag; `begun` once there was something.
    Reasoning { begun: bool },
    /// Behind the closing tag, before the answer.
    Between,
    /// In what is left to the other parser.
    Rest,
}

impl Splitter {
    fn new(choice: u32, opened: bool) -> Self {
        Self {
            choice,
            opened,
            place: Place::Start,
            pending: Pending::default(),
            space: String::new(),
            tokens: Vec::new(),
        }
    }

    fn read(&mut self, ends: &[&'static str], rest: &mut dyn OutputParser, events: &mut Events) {
        loop {
            match self.place {
                Place::Start => {
                    let solid = self.pending.rest().trim_start_matches(is_space);
                    let space = self.pending.rest().len() - solid.len();
                    self.place = match start(solid, &[OPEN]) {
                        Start::Open => return,
                        Start::Marker(tag) => {
                            self.pending.skip(space + tag.len());
                            Place::Reasoning { begun: false }
                        }
                        Start::Other if self.opened => Place::Reasoning { begun: false },
                        Start::Other => Place::Rest,
                    };
                }
                Place::Reasoning { begun } => {
                    let text = self.pending.rest();
                    let found = find(text, ends);
                    let certain = self.pending.take(found.map_or(text.len(), |(at, _)| at));
                    let begun = self.think(&certain, begun, events);
                    self.place = Place::Reasoning { begun };
                    let Some((_, Start::Marker(end))) = found else {
                        return;
                    };
                    self.space.clear();
                    self.place = Place::Rest;
                    if end == CLOSE {
                        self.pending.skip(end.len());
                        self.place = Place::Between;
                    }
                }
                Place::Between => {
                    self.pending.take_space();
                    if self.pending.rest().is_empty() {
                        return;
                    }
                    self.place = Place::Rest;
                }
                Place::Rest => {
                    self.pass(rest, events);
                    return;
                }
            }
        }
    }

    /// Streams reasoning, less the whitespace around it. Whether there was some by now.
    fn think(&mut self, text: &str, begun: bool, events: &mut Events) -> bool {
        let text = match begun {
            true => text,
            false => text.trim_start_matches(is_space),
        };
        let solid = text.trim_end_matches(is_space);
        if !solid.is_empty() {
            let said = mem::take(&mut self.space) + solid;
            events.reasoning(self.choice, said, mem::take(&mut self.tokens));
        }
        self.space.push_str(text.get(solid.len()..).unwrap_or_default());
        begun || !solid.is_empty()
    }

    /// Leaves all that is pending to the other parser.
    fn pass(&mut self, rest: &mut dyn OutputParser, events: &mut Events) {
        let text = self.pending.take(self.pending.rest().len());
        let tokens = mem::take(&mut self.tokens);
        if text.is_empty() && tokens.is_empty() {
            return;
        }
        let chunk = CandleStringChunk {
            choice: self.choice,
            text,
            tokens,
            ..CandleStringChunk::default()
        };
        rest.push(&chunk, events);
    }

    /// No text follows.
    fn finish(mut self, rest: &mut dyn OutputParser, events: &mut Events) {
        if let Place::Reasoning { begun } = self.place {
            let text = self.pending.take(self.pending.rest().len());
            self.think(&text, begun, events);
        } else if let (Place::Start, true) = (self.place, self.opened) {
            let text = self.pending.take(self.pending.rest().len());
            self.think(&text, false, events);
        }
        self.pass(rest, events);
    }
}

#[cfg(test)]
mod tests {
    use engine::PlainText;
    use proptest::prelude::*;

    use super::*;
    use crate::output::KimiK2;
    use crate::output::kimi_k2::SECTIONS;
    use crate::output::read::at_every_split;

    #[track_caller]
    fn split(prompt: &str, output: &str) -> (String, String) {
        let read = at_every_split(output, || Thinking::new(Box::new(PlainText)).after_prompt(prompt));
        (read.reasoning(), read.text())
    }

    fn pair(reasoning: &str, text: &str) -> (String, String) {
        (reasoning.to_owned(), text.to_owned())
    }

    #[test]
    fn reasoning_stands_at_the_beginning_between_its_tags() {
        for (output, reasoning, text) in [
            ("<think>\na\n\nb \n</think>\n\nc\n", "a\n\nb", "c\n"),
            (" \n<think>a</think>b", "a", "b"),
            ("<think></think>b", "", "b"),
            ("<think>\n\n</think>\n\nb", "", "b"),
            ("<think>a<b></thinks></think>", "a<b></thinks>", ""),
            ("<think>a <think> b</think>c</think>", "a <think> b", "c</think>"),
        ] {
            assert_eq!(split("", output), pair(reasoning, text), "{output}");
        }
    }

    #[test]
    fn tags_elsewhere_are_text() {
        for output in [
            "",
            "a",
            " \n a",
            "a <think>b</think>",
            "</think>a",
            "<thin",
            "<thinking>",
        ] {
            assert_eq!(split("", output), pair("", output));
        }
    }

    #[test]
    fn a_prompt_may_have_opened_it() {
        for prompt in ["<think>", "hi <think>\n"] {
            assert_eq!(split(prompt, "a\n</think>\n\nb"), pair("a", "b"));
            assert_eq!(split(prompt, "\n<think>\na</think>b"), pair("a", "b"));
            assert_eq!(split(prompt, " a "), pair("a", ""));
            assert_eq!(split(prompt, "<thi"), pair("<thi", ""));
        }
        assert_eq!(
            split("<think>\n\n</think>\n\n", "a</think>"),
            pair("", "a</think>")
        );
    }

    #[test]
    fn output_that_ends_in_reasoning_is_reasoning() {
        assert_eq!(split("", "<think>a\n</thi"), pair("a\n</thi", ""));
        assert_eq!(split("", "<think>"), pair("", ""));
    }

    #[test]
    fn calls_with_tokens_of_their_own_end_it() {
        let section = "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>";
        let output = format!("<think>a {}{section}", SECTIONS[0]);
        let new = || Thinking::new(Box::new(KimiK2::new())).ended_by(&SECTIONS);
        let read = at_every_split(&output, new);
        assert_eq!((read.reasoning().as_str(), read.text().as_str()), ("a", ""));
        assert_eq!(read.calls().len(), 1);
    }

    proptest! {
        #[test]
        fn any_output_reads_the_same_at_every_split(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["<think>", "</think>", "<think", "</", "\n", " ", "a", "é"]),
                0..12,
            ),
            opened: bool,
        ) {
            split(if opened { "<think>" } else { "" }, &pieces.concat());
        }
    }
}
