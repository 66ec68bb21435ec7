//! Requests that cannot be served: refused whole, before the model hears of them.

use std::error::Error;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use futures::StreamExt;
use generator::{
    GenerateError, GenerateRequest, Limits, SamplingConfig, SpecialTokens, TextGenerator, TokenPlace,
};
use models::Device;

use crate::reading::{Stream, at_temperature, greedy, read};
use crate::scripted::{Gate, LONG, ScriptedModel, completion_of, follow, prompt_of, wait_until};
use crate::vocabulary::{VOCAB, byte_level};

/// The error of a request, and that no step was run for it.
fn refused(request: GenerateRequest) -> GenerateError {
    let (mut model, watch) = ScriptedModel::new(follow());
    model.capabilities.context = 64;
    let generator = model.generator(Limits::default());
    let error = read(generator.generate_with(request)).unwrap_err();
    read(generator.generate_with(greedy(prompt_of(1, 1), 1))).unwrap();
    assert_eq!(watch.log.steps().len(), 1, "work was done for a refused request");
    error
}

#[test]
fn an_empty_prompt_is_refused() {
    assert!(matches!(
        refused(greedy(Vec::new(), 1)),
        GenerateError::EmptyPrompt
    ));
    // The vocabulary here adds no token in front.
    assert!(matches!(refused(greedy("", 1)), GenerateError::EmptyPrompt));
}

#[test]
fn zero_tokens_are_refused() {
    let error = refused(greedy(prompt_of(1, 4), 0));
    assert!(matches!(error, GenerateError::InvalidMaxTokens { max_tokens: 0 }));
}

#[test]
fn a_prompt_that_fills_the_context_is_refused_with_both_counts() {
    for len in [64, 65, 10_000] {
        let error = refused(greedy(prompt_of(1, len), 1));
        assert!(
            matches!(error, GenerateError::ContextOverflow { prompt_tokens, context: 64 } if prompt_tokens == len)
        );
        let message = error.to_string();
        assert!(
            message.contains(&len.to_string()) && message.contains("64"),
            "{message}"
        );
    }
}

#[test]
fn token_ids_outside_the_vocabulary_are_refused_with_their_place() {
    let outside = VOCAB as u32;
    let error = refused(greedy(vec![1, 2, outside, u32::MAX], 1));
    assert!(matches!(
        error,
        GenerateError::TokenOutOfVocabulary { place: TokenPlace::Prompt(2), token, vocab: VOCAB } if token == outside
    ));
    let request = GenerateRequest {
        special: SpecialTokens {
            eos: vec![3, u32::MAX],
        },
        ..greedy(prompt_of(1, 2), 1)
    };
    let error = refused(request);
    assert!(matches!(
        error,
        GenerateError::TokenOutOfVocabulary {
            place: TokenPlace::EndTokens(1),
            token: u32::MAX,
            vocab: VOCAB
        }
    ));
}

#[test]
fn stops_and_minima_that_cannot_be_met_are_refused_with_their_value() {
    let request = GenerateRequest {
        stop: vec!["a".to_owned(), String::new()],
        ..greedy(prompt_of(1, 2), 1)
    };
    assert!(matches!(refused(request), GenerateError::EmptyStop { index: 1 }));
    let request = GenerateRequest {
        min_tokens: 8,
        ..greedy(prompt_of(1, 2), 7)
    };
    let error = refused(request);
    assert!(
        matches!(
            error,
            GenerateError::InvalidMinTokens {
                min_tokens: 8,
                most: 7
            }
        ),
        "{error}"
    );
}

#[test]
fn sampling_parameters_that_cannot_be_followed_are_refused_with_the_value() {
    for temperature in [f32::NAN, -1.5, f32::INFINITY] {
        let params = at_temperature(temperature);
        let request = GenerateRequest {
            sampling: SamplingConfig { params, seed: None },
            ..greedy(prompt_of(1, 2), 1)
        };
        let error = refused(request);
        assert!(matches!(error, GenerateError::Params(_)));
        let source = error.source().unwrap().to_string();
        assert!(source.contains(&temperature.to_string()), "{source}");
    }
}

#[test]
fn a_generator_with_unusable_defaults_is_not_made() {
    let (model, watch) = ScriptedModel::new(follow());
    let params = at_temperature(-1.0);
    let sampling = SamplingConfig { params, seed: None };
    let error = TextGenerator::new(Box::new(model), byte_level(), Device::Cpu, sampling).unwrap_err();
    assert!(matches!(error, GenerateError::Params(_)));
    watch.wait_for_the_end();
}

#[test]
fn requests_beyond_the_limit_are_refused_until_a_place_is_free() {
    let (mut model, _) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    model.capabilities.max_sequences = 2;
    let generator = model.generator(Limits {
        waiting: 3,
        ..Limits::default()
    });
    let mut streams: Vec<_> = (0..5)
        .map(|owner| generator.generate_with(greedy(prompt_of(owner, 3), 2)))
        .collect();
    let error = read(generator.generate_with(greedy(prompt_of(9, 3), 2))).unwrap_err();
    assert!(
        matches!(error, GenerateError::Overloaded { held: 5, limit: 5 }),
        "{error:?}"
    );

    // A reader that leaves while it waits makes room at once, though the worker is held in a step.
    gate.wait_for_arrivals(1);
    streams.pop();
    streams.push(generator.generate_with(greedy(prompt_of(10, 3), 2)));
    gate.open();
    let owners = [0, 1, 2, 3, 10];
    for (stream, owner) in streams.into_iter().zip(owners) {
        assert_eq!(read(stream).unwrap().tokens, completion_of(owner, 3, 2));
    }
    // An end that a reader has seen has given its place back already.
    for _ in 0..20 {
        let streams: Vec<_> = (0..5)
            .map(|owner| generator.generate_with(greedy(prompt_of(owner, 3), 2)))
            .collect();
        for stream in streams {
            read(stream).unwrap();
        }
    }
}

#[test]
fn places_of_running_requests_come_back_when_their_readers_leave() {
    let (model, watch) = ScriptedModel::new(follow());
    let generator = model.generator(Limits {
        waiting: 0,
        ..Limits::default()
    });
    for _ in 0..10 {
        let seen = watch.log.steps().len();
        let streams: Vec<_> = (0..4)
            .map(|owner| generator.generate_with(greedy(prompt_of(owner, 3), 1_000)))
            .collect();
        wait_until("the worker has run", || watch.log.steps().len() > seen);
        drop(streams);
        wait_until("four places are free", || {
            let streams: Vec<_> = (0..4)
                .map(|owner| generator.generate_with(greedy(prompt_of(owner, 3), 1)))
                .collect();
            streams.into_iter().map(read).filter(Result::is_ok).count() == 4
        });
    }
}

/// Asks again the moment that it is woken, in the thread that wakes it.
struct AsksAgain {
    generator: TextGenerator,
    answers: Mutex<Sender<Stream>>,
}

impl Wake for AsksAgain {
    fn wake(self: Arc<Self>) {
        let again = self.generator.generate_with(greedy(prompt_of(2, 2), 1));
        self.answers.lock().unwrap().send(again).unwrap();
    }
}

#[test]
fn an_end_that_a_reader_has_seen_has_given_its_place_back_already() {
    let (mut model, _) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    let generator = model.generator(Limits {
        running: 1,
        waiting: 0,
        ..Limits::default()
    });
    let (answers, again) = channel();
    let waker = Waker::from(Arc::new(AsksAgain {
        generator: generator.clone(),
        answers: Mutex::new(answers),
    }));
    let mut stream = generator.generate_with(greedy(prompt_of(1, 2), 1));
    assert!(
        stream
            .poll_next_unpin(&mut Context::from_waker(&waker))
            .is_pending()
    );
    gate.open();
    let again = again.recv_timeout(LONG).unwrap();
    assert_eq!(read(again).unwrap().tokens, completion_of(2, 2, 1));
    assert_eq!(read(stream).unwrap().tokens, completion_of(1, 2, 1));
}
