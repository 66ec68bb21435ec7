//! The request's parser sees the generation, and its events reach the caller in order.

use std::time::Duration;

use engine::{
    CacheMiss, CandleCompletionChunk, CandleCompletionParams, CandlePrompt, CandleStringChunk, Drafts,
    EngineError, Events, FinishReason, GenerateError, GenerationEnd, OutputParser, PlainText, Request,
    StopCause, Timings, TokenLogprob, TokenLogprobs,
};
use proptest::prelude::*;

use crate::scripted::*;

/// Holds one character back; upper case is reasoning.
#[derive(Default)]
struct HoldsOne(Option<char>);

impl HoldsOne {
    fn emit(&mut self, events: &mut Events) {
        match self.0.take() {
            Some(c) if c.is_uppercase() => events.reasoning(0, c.to_string(), vec![]),
            Some(c) => events.text(0, c.to_string(), vec![]),
            None => {}
        }
    }
}

impl OutputParser for HoldsOne {
    fn push(&mut self, chunk: &CandleStringChunk, events: &mut Events) {
        for c in chunk.text.chars() {
            self.emit(events);
            self.0 = Some(c);
        }
    }

    fn finish(&mut self, _: u32, events: &mut Events) {
        self.emit(events);
    }
}

fn parsed(script: Vec<Generated>) -> Vec<Completed> {
    let request = request().with_parser(HoldsOne::default());
    items(engine().coordinate_generation(request, || generation(script)))
}

#[test]
fn what_a_parser_held_back_comes_before_the_finish() {
    let kinds: Vec<String> = parsed(vec![piece("aB", 1), piece("c", 2), end()])
        .into_iter()
        .map(|item| match item.unwrap() {
            CandleCompletionChunk::Text { text, .. } => text,
            CandleCompletionChunk::Reasoning { text, .. } => format!("({text})"),
            CandleCompletionChunk::Finish { .. } => "finish".to_owned(),
            CandleCompletionChunk::Complete { .. } => "complete".to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["a", "(B)", "c", "finish", "complete"]);
}

#[test]
fn a_parser_is_not_finished_when_the_generation_fails() {
    let items = parsed(vec![piece("ab", 1), Err(GenerateError::WorkerGone)]);
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].as_ref().unwrap().text(), Some("a"));
    assert!(items[1].is_err());
}

#[test]
fn a_panic_in_a_parser_is_an_error() {
    struct Panics;
    impl OutputParser for Panics {
        fn push(&mut self, _: &CandleStringChunk, _: &mut Events) {
            panic!("no such marker");
        }
        fn finish(&mut self, _: u32, _: &mut Events) {}
    }
    let request = request().with_parser(Panics);
    let mut items = items(engine().coordinate_generation(request, || generation(story())));
    assert_eq!(items.len(), 1);
    assert_eq!(
        items.remove(0).unwrap_err().to_string(),
        "the backend panicked: no such marker"
    );
}

/// Text and tokens of all events, joined.
fn joined(parser: &mut dyn OutputParser, pieces: &[(String, Vec<u32>)]) -> (String, Vec<u32>) {
    let mut events = Events::new();
    for (text, tokens) in pieces {
        let chunk = CandleStringChunk {
            text: text.clone(),
            tokens: tokens.clone(),
            ..CandleStringChunk::default()
        };
        parser.push(&chunk, &mut events);
    }
    parser.finish(0, &mut events);
    let (mut text, mut tokens) = (String::new(), Vec::new());
    while let Some(event) = events.pop() {
        text.push_str(event.text().unwrap());
        tokens.extend_from_slice(event.tokens());
    }
    (text, tokens)
}

proptest! {
    #[test]
    fn plain_text_is_the_same_at_every_split(pieces in prop::collection::vec((".{0,6}", prop::collection::vec(any::<u32>(), 0..3)), 0..12)) {
        let whole: (String, Vec<u32>) = (
            pieces.iter().map(|(text, _)| text.as_str()).collect(),
            pieces.iter().flat_map(|(_, tokens)| tokens.clone()).collect(),
        );
        prop_assert_eq!(joined(&mut PlainText, &pieces), whole.clone());
        prop_assert_eq!(joined(&mut PlainText, std::slice::from_ref(&whole)), whole);
    }
}

/// A chunk of a choice, with log-probabilities of its token.
fn of_choice(choice: u32, text: &str, token: u32) -> CandleStringChunk {
    let chosen = TokenLogprob { token, logprob: -0.5 };
    CandleStringChunk {
        choice,
        text: text.to_owned(),
        tokens: vec![token],
        logprobs: vec![TokenLogprobs {
            chosen,
            best: vec![chosen],
        }],
        prompt_logprobs: Vec::new(),
        end: None,
    }
}

/// The last chunk of a choice.
fn last_of_choice(choice: u32, millis: u64) -> CandleStringChunk {
    let timings = Timings {
        time_to_first_token: Duration::from_millis(millis),
        decode: Duration::from_millis(10 * millis),
        ..timings()
    };
    CandleStringChunk {
        end: Some(GenerationEnd {
            finish: FinishReason::Stop,
            stop: Some(StopCause::Token(2)),
            usage: USAGE,
            cache_miss: Some(CacheMiss::Differs),
            drafts: Drafts {
                guessed: 4,
                accepted: 3,
            },
            timings,
            seed: 7 + u64::from(choice),
        }),
        ..of_choice(choice, "", 2)
    }
}

#[test]
fn choices_end_one_by_one_and_the_completion_with_the_last() {
    let params = CandleCompletionParams {
        choices: Some(2),
        ..Default::default()
    };
    let request = Request::new(&CandlePrompt::raw("once"), &params).unwrap();
    let script = [
        of_choice(1, "b", 11),
        of_choice(0, "a", 10),
        last_of_choice(1, 5),
        of_choice(0, "c", 12),
        last_of_choice(0, 4),
    ];
    let engine = engine();
    let stream = engine.coordinate_generation(request, || generation(script.map(Ok).into()));
    let chunks: Vec<_> = items(stream).into_iter().map(Result::unwrap).collect();

    let mut log = [Vec::new(), Vec::new()];
    let mut tokens = [Vec::new(), Vec::new()];
    let mut finished = Vec::new();
    for chunk in &chunks {
        match chunk {
            CandleCompletionChunk::Logprobs { choice, logprobs } => {
                log[*choice as usize].extend(logprobs.iter().map(|logprobs| logprobs.chosen.token));
            }
            CandleCompletionChunk::Text {
                choice, tokens: ids, ..
            } => {
                let choice = *choice as usize;
                tokens[choice].extend_from_slice(ids);
                assert!(log[choice].starts_with(&tokens[choice]), "known before its text");
            }
            CandleCompletionChunk::Finish { choice, .. } => finished.push(*choice),
            _ => {}
        }
    }
    assert_eq!((&log, finished), (&tokens, vec![1, 0]));
    assert_eq!(tokens, [vec![10, 12, 2], vec![11, 2]]);
    let Some(CandleCompletionChunk::Complete {
        usage,
        timings,
        seed,
        cache_miss,
        drafts,
    }) = chunks.last()
    else {
        panic!("{chunks:?}")
    };
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (5, 6));
    // From the first token, of choice 0, to the last, of choice 1.
    assert_eq!(timings.time_to_first_token, Duration::from_millis(4));
    assert_eq!(timings.decode, Duration::from_millis(51));
    assert_eq!((*seed, *cache_miss), (Some(7), Some(CacheMiss::Differs)));
    assert_eq!((drafts.guessed, drafts.accepted), (8, 6));
    assert_eq!(engine.statistics().completion_tokens, 6);
}

#[test]
fn a_generation_that_ends_before_all_choices_breaks_off() {
    let params = CandleCompletionParams {
        choices: Some(2),
        ..Default::default()
    };
    let request = Request::new(&CandlePrompt::raw("once"), &params).unwrap();
    let script = vec![Ok(of_choice(0, "a", 10)), Ok(last_of_choice(0, 4))];
    let last = items(engine().coordinate_generation(request, || generation(script))).pop();
    assert!(
        matches!(last, Some(Err(EngineError::BrokenOff { tokens: 2 }))),
        "{last:?}"
    );
}
