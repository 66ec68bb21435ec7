//! Several requests at once: each gets what it would get alone, and nobody holds up another.

use generator::{GenerateRequest, Limits};

use crate::reading::{Stream, drawn, greedy, read, take, within};
use crate::scripted::{Gate, Run, ScriptedModel, completion_of, follow, noise, prompt_of, wait_until};

fn requests() -> Vec<GenerateRequest> {
    (0..24u32)
        .map(|index| {
            let prompt = (0..1 + index * 13)
                .map(|position| (index * 31 + position * 7) % 500)
                .collect::<Vec<_>>();
            drawn(prompt, 1 + index * 5 % 90, Some(u64::from(index) << 33))
        })
        .collect()
}

#[test]
fn many_at_once_each_get_exactly_what_they_get_alone() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let alone: Vec<_> = requests()
        .into_iter()
        .map(|request| read(generator.generate_with(request)).unwrap())
        .collect();

    for (max_sequences, prefill_chunk, unread) in [(1, 7, 1), (4, 16, 2), (16, 64, 64), (64, 1, 5)] {
        let (mut model, _) = ScriptedModel::new(noise());
        model.capabilities.max_sequences = max_sequences;
        let generator = model.generator(Limits {
            running: 64,
            prefill_chunk,
            unread,
            ..Limits::default()
        });
        let streams: Vec<Stream> = requests()
            .into_iter()
            .map(|request| generator.generate_with(request))
            .collect();
        let readers: Vec<_> = streams
            .into_iter()
            .map(|stream| std::thread::spawn(|| read(stream).unwrap()))
            .collect();
        for (reader, alone) in readers.into_iter().zip(&alone) {
            let together = reader.join().unwrap();
            assert_eq!(together.tokens, alone.tokens);
            assert_eq!(together.text, alone.text);
            assert_eq!(together.end.usage, alone.end.usage);
        }
    }
}

#[test]
fn readers_that_never_read_hold_up_nobody() {
    for max_sequences in [1, 2, 4] {
        let (mut model, watch) = ScriptedModel::new(follow());
        model.capabilities.max_sequences = max_sequences;
        let generator = model.generator(Limits {
            unread: 4,
            ..Limits::default()
        });
        let silent: Vec<Stream> = (0..5)
            .map(|owner| generator.generate_with(greedy(prompt_of(owner, 6), 100)))
            .collect();
        for owner in 10..20 {
            let stream = generator.generate_with(greedy(prompt_of(owner, 6), 200));
            assert_eq!(read(stream).unwrap().tokens, completion_of(owner, 6, 200));
        }
        // They made what fits into their channels and no more.
        let of_silent = |owner| {
            let steps = watch.log.steps();
            steps.iter().flatten().filter(|run| run.owner() == owner).count()
        };
        assert!((0..5).all(|owner| of_silent(owner) <= 4));
        // And when they read after all, nothing is missing.
        for (owner, stream) in (0..).zip(silent) {
            assert_eq!(read(stream).unwrap().tokens, completion_of(owner, 6, 100));
        }
    }
}

#[test]
fn seven_beside_one_that_never_reads_take_the_steps_that_they_take_alone() {
    let tokens = 100;
    let steps = |silent: bool| {
        let (mut model, watch) = ScriptedModel::new(follow());
        model.capabilities.max_sequences = 8;
        let gate = Gate::default();
        model.before = Box::new(gate.before());
        let generator = model.generator(Limits {
            unread: tokens,
            ..Limits::default()
        });
        let silent = silent.then(|| generator.generate_with(greedy(prompt_of(9, 6), 10_000)));
        let seven: Vec<Stream> = (0..7)
            .map(|owner| generator.generate_with(greedy(prompt_of(owner, 6), tokens as u32)))
            .collect();
        // All eight are there before the second step; the channels hold whole answers, so that no reader is late.
        gate.open();
        for (owner, stream) in (0..).zip(seven) {
            assert_eq!(read(stream).unwrap().tokens, completion_of(owner, 6, tokens));
        }
        drop(silent);
        let of_seven = |step: &Vec<Run>| step.iter().any(|run| run.owner() < 7);
        watch.log.steps().iter().filter(|step| of_seven(step)).count()
    };
    let (alone, beside) = (steps(false), steps(true));
    // A step more where one of the seven came too late for the first.
    assert!(
        beside <= alone + 1,
        "{beside} steps beside a silent reader, {alone} without"
    );
}

#[test]
fn a_full_channel_stops_the_sequence_and_reading_starts_it_again() {
    let (model, watch) = ScriptedModel::new(follow());
    let generator = model.generator(Limits {
        unread: 3,
        ..Limits::default()
    });
    let stream = generator.generate_with(greedy(prompt_of(1, 2), 50));
    wait_until("the channel is full", || watch.log.steps().len() == 3);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(watch.log.steps().len(), 3);
    let (chunks, stream) = take(stream, 1);
    assert_eq!(chunks[0].tokens, completion_of(1, 2, 1));
    wait_until("one more token", || watch.log.steps().len() == 4);
    let rest = within(move || {
        stream
            .blocking_iter()
            .flat_map(|chunk| chunk.unwrap().tokens)
            .collect::<Vec<_>>()
    });
    assert_eq!(rest, completion_of(1, 3, 49));
    // Alone, it kept its cache all the while: the prompt was run once, then token by token.
    assert_eq!(
        watch
            .log
            .steps()
            .iter()
            .flatten()
            .map(|run| run.tokens.len())
            .sum::<usize>(),
        2 + 49
    );
}

#[test]
fn a_slow_reader_shares_a_single_slot_with_those_who_come_later() {
    let (mut model, _) = ScriptedModel::new(follow());
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits {
        unread: 2,
        ..Limits::default()
    });
    let slow: Vec<Stream> = (0..3)
        .map(|owner| generator.generate_with(greedy(prompt_of(owner, 40), 60)))
        .collect();
    let readers: Vec<_> = (0..)
        .zip(slow)
        .map(|(owner, stream)| {
            std::thread::spawn(move || {
                let mut tokens = Vec::new();
                for chunk in stream.blocking_iter() {
                    tokens.extend(chunk.unwrap().tokens);
                    std::thread::sleep(std::time::Duration::from_micros(200 * u64::from(owner)));
                }
                assert_eq!(tokens, completion_of(owner, 40, 60));
            })
        })
        .collect();
    for owner in 10..30 {
        let stream = generator.generate_with(greedy(prompt_of(owner, 6), 20));
        assert_eq!(read(stream).unwrap().tokens, completion_of(owner, 6, 20));
    }
    within(move || readers.into_iter().for_each(|reader| reader.join().unwrap()));
}

#[test]
fn a_long_prompt_runs_in_chunks_and_others_decode_in_between() {
    let (mut model, watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    let generator = model.generator(Limits {
        prefill_chunk: 10,
        ..Limits::default()
    });
    let short = generator.generate_with(greedy(prompt_of(1, 3), 30));
    gate.wait_for_arrivals(1);
    let long = generator.generate_with(greedy(prompt_of(2, 95), 2));
    let other = generator.generate_with(greedy(prompt_of(3, 5), 2));
    gate.open();
    assert_eq!(read(long).unwrap().tokens, completion_of(2, 95, 2));
    assert_eq!(read(other).unwrap().tokens, completion_of(3, 5, 2));
    assert_eq!(read(short).unwrap().tokens, completion_of(1, 3, 30));

    let steps = watch.log.steps();
    let prefill: Vec<_> = steps
        .iter()
        .filter(|step| step.iter().any(|run| run.owner() == 2))
        .collect();
    let chunks: Vec<usize> = prefill
        .iter()
        .flat_map(|step| step.iter())
        .filter(|run| run.owner() == 2)
        .map(|run| run.tokens.len())
        .collect();
    // The five tokens of the other go beside the first five of the long one, not behind all of them.
    assert_eq!(chunks, [5, 10, 10, 10, 10, 10, 10, 10, 10, 10, 1]);
    let beside = prefill
        .first()
        .map(|step| step.iter().filter(|run| run.owner() == 3).count());
    assert_eq!(beside, Some(1));
    assert!(
        prefill.iter().all(|step| step.iter().any(|run| run.owner() == 1)),
        "the short one was stalled"
    );
    let widest = steps.iter().map(|step| {
        step.iter()
            .map(|run| run.tokens.len())
            .filter(|&tokens| tokens > 1)
            .sum::<usize>()
    });
    assert!(widest.max() <= Some(10));
}

#[test]
fn what_can_run_together_does() {
    let (mut model, watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    model.capabilities.max_sequences = 3;
    let generator = model.generator(Limits::default());
    let streams: Vec<Stream> = (0..7)
        .map(|owner| generator.generate_with(greedy(prompt_of(owner, 4), 40)))
        .collect();
    gate.open();
    for (owner, stream) in (0..).zip(streams) {
        assert_eq!(read(stream).unwrap().tokens, completion_of(owner, 4, 40));
    }
    let steps = watch.log.steps();
    // 7 sequences of 40 tokens, 3 at a time: 3 rounds, and a step or two where they overlap.
    assert!(steps.len() <= 3 * 40 + 5, "{} steps", steps.len());
}

#[test]
fn a_rested_sequence_gets_its_turn_however_many_wait() {
    let (mut model, watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    let generator = model.generator(Limits {
        running: 1,
        unread: 8,
        ..Limits::default()
    });
    let rested = generator.generate_with(greedy(prompt_of(0, 4), 30));
    gate.allow(8);
    wait_until("its channel is full", || watch.log.steps().len() == 8);
    let mut waiting = vec![generator.generate_with(greedy(prompt_of(1, 4), 8))];
    gate.wait_for_arrivals(9);
    waiting.extend((0..100).map(|index| generator.generate_with(greedy(prompt_of(2 + index % 25, 4), 8))));
    let (_, rested) = take(rested, 8);
    gate.open();
    for stream in waiting {
        read(stream).unwrap();
    }
    let rest = within(move || {
        rested
            .blocking_iter()
            .flat_map(|chunk| chunk.unwrap().tokens)
            .collect::<Vec<_>>()
    });
    assert_eq!(rest, completion_of(0, 12, 22));
    let owners: Vec<u32> = watch.log.steps().iter().map(|step| step[0].owner()).collect();
    let resumed = owners.iter().skip(8).position(|&owner| owner == 0).unwrap();
    assert!(
        resumed <= 3 * 8,
        "it came back only after {resumed} steps of others"
    );
}
