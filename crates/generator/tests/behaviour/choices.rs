//! Several choices of one request: one prefill, and each what a request of its own would get.

use generator::{GenerateError, GenerateRequest, Limits};

use crate::reading::{drawn, greedy, read, read_choices, take};
use crate::scripted::{ScriptedModel, completion_of, follow, noise, prompt_of, wait_until};

fn several(choices: u32, seed: u64) -> GenerateRequest {
    let prompt: Vec<u32> = (0..40).map(|at| at * 7 % 500).collect();
    GenerateRequest {
        choices,
        ..drawn(prompt, 25, Some(seed))
    }
}

#[test]
fn each_choice_has_the_tokens_of_a_request_with_its_seed() {
    for (max_sequences, prefill_chunk) in [(3, 7), (4, 128), (8, 16)] {
        let (mut model, watch) = ScriptedModel::new(noise());
        model.capabilities.max_sequences = max_sequences;
        let generator = model.generator(Limits {
            prefill_chunk,
            ..Limits::default()
        });
        let answers = read_choices(generator.generate_with(several(3, 5)), 3).unwrap();
        let run: usize = watch
            .log
            .steps()
            .iter()
            .flatten()
            .map(|run| run.tokens.len())
            .sum();
        assert_eq!(run, 40 + 3 * 24, "the prompt is run once");
        for (seed, answer) in (5..).zip(answers) {
            let alone = read(generator.generate_with(several(1, seed))).unwrap();
            assert_eq!((answer.tokens, answer.text), (alone.tokens, alone.text));
            assert_eq!(answer.end.seed, seed);
            assert_eq!(answer.end.usage, alone.end.usage);
        }
    }
}

#[test]
fn choices_take_slots_beside_others_and_nobody_waits_for_ever() {
    let (mut model, _) = ScriptedModel::new(noise());
    model.capabilities.max_sequences = 4;
    let generator = model.generator(Limits::default());
    let streams: Vec<_> = (0..12u32)
        .map(|index| {
            let choices = 1 + index % 4;
            let request = several(choices, u64::from(index) << 8);
            let stream = generator.generate_with(request.clone());
            std::thread::spawn(move || (request, read_choices(stream, choices as usize).unwrap()))
        })
        .collect();
    for stream in streams {
        let (request, answers) = stream.join().unwrap();
        for (number, answer) in (0..).zip(answers) {
            let seed = request.sampling.seed.unwrap() + number;
            let alone = read(generator.generate_with(several(1, seed))).unwrap();
            assert_eq!(answer.tokens, alone.tokens);
        }
    }
}

#[test]
fn no_choices_or_more_than_run_at_once_are_refused_with_both_counts() {
    let (model, watch) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    for choices in [0, 5, u32::MAX] {
        match read_choices(generator.generate_with(several(choices, 1)), 1) {
            Err(
                error @ GenerateError::InvalidChoices {
                    choices: found,
                    most: 4,
                },
            ) => {
                assert_eq!(found, choices);
                let message =
                    format!("{choices} choices are asked for, expected 1 to 4, as many as run at once");
                assert_eq!(error.to_string(), message);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(watch.log.steps().is_empty());
}

#[test]
fn a_choice_that_fails_ends_all_of_them_and_nothing_else() {
    let mut noise = noise();
    let (model, _) = ScriptedModel::new(Box::new(move |token, position, row| {
        noise(token, position, row);
        if position > 45 && token % 8 == 3 {
            row[0] = f32::NAN;
        }
    }));
    let generator = model.generator(Limits::default());
    let stream = generator.generate_with(several(4, 0));
    let other = generator.generate_with(greedy(vec![1, 2], 3));
    assert!(matches!(
        read_choices(stream, 4),
        Err(GenerateError::Logits { .. })
    ));
    assert_eq!(read(other).unwrap().tokens.len(), 3);
}

#[test]
fn dropping_the_stream_cancels_every_choice() {
    let (model, watch) = ScriptedModel::new(follow());
    let generator = model.generator(Limits {
        waiting: 0,
        running: 4,
        ..Limits::default()
    });
    let stream = generator.generate_with(GenerateRequest {
        choices: 4,
        ..greedy(prompt_of(1, 4), 4_000)
    });
    let (_, stream) = take(stream, 9);
    drop(stream);
    wait_until("the worker rests", || {
        let steps = watch.log.steps().len();
        std::thread::sleep(std::time::Duration::from_millis(5));
        steps == watch.log.steps().len()
    });
    let next = read(generator.generate_with(greedy(prompt_of(2, 4), 9))).unwrap();
    assert_eq!(next.tokens, completion_of(2, 4, 9));
}

#[test]
fn a_reader_of_choices_that_stops_reading_stops_them_all_and_misses_nothing() {
    let (model, _) = ScriptedModel::new(follow());
    let generator = model.generator(Limits {
        unread: 2,
        ..Limits::default()
    });
    let stream = generator.generate_with(GenerateRequest {
        choices: 3,
        ..greedy(prompt_of(1, 4), 60)
    });
    for owner in 5..12 {
        let other = generator.generate_with(greedy(prompt_of(owner, 6), 50));
        assert_eq!(read(other).unwrap().tokens, completion_of(owner, 6, 50));
    }
    for answer in read_choices(stream, 3).unwrap() {
        assert_eq!(answer.tokens, completion_of(1, 4, 60));
    }
}
