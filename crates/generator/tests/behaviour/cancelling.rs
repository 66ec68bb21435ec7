//! Streams and handles that are dropped: what stops, how soon, and what is left behind.

use std::time::{Duration, Instant};

use generator::Limits;

use crate::reading::{greedy, read, take, within};
use crate::scripted::{Gate, ScriptedModel, completion_of, follow, prompt_of, wait_until};

#[test]
fn dropping_the_stream_frees_the_worker_within_one_token_and_the_next_request_is_right() {
    let (mut model, watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits::default());
    let dropped = generator.generate_with(greedy(prompt_of(1, 4), 1_000));
    let next = generator.generate_with(greedy(prompt_of(2, 4), 9));
    gate.allow(5);
    let (chunks, dropped) = take(dropped, 5);
    assert_eq!(chunks.len(), 5);
    gate.wait_for_arrivals(6);
    drop(dropped);
    gate.open();
    assert_eq!(read(next).unwrap().tokens, completion_of(2, 4, 9));
    let steps = watch.log.steps();
    let of_dropped = steps
        .iter()
        .filter(|step| step.iter().any(|run| run.owner() == 1))
        .count();
    assert_eq!(
        of_dropped, 6,
        "only the step that ran when the stream was dropped came after five tokens"
    );
    assert_eq!(steps[6][0].owner(), 2);
}

#[test]
fn dropping_the_stream_stops_a_long_prefill_at_the_next_chunk() {
    let (mut model, watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    let generator = model.generator(Limits {
        prefill_chunk: 16,
        ..Limits::default()
    });
    let stream = generator.generate_with(greedy(prompt_of(1, 3_000), 1));
    gate.allow(2);
    gate.wait_for_arrivals(3);
    drop(stream);
    gate.open();
    assert_eq!(
        read(generator.generate_with(greedy(prompt_of(2, 4), 3)))
            .unwrap()
            .tokens,
        completion_of(2, 4, 3)
    );
    let of_dropped = watch
        .log
        .steps()
        .iter()
        .filter(|step| step[0].owner() == 1)
        .count();
    assert_eq!(of_dropped, 3);
}

#[test]
fn a_request_dropped_while_it_waits_is_never_run() {
    let (mut model, watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits::default());
    let first = generator.generate_with(greedy(prompt_of(1, 4), 5));
    gate.wait_for_arrivals(1);
    let dropped = generator.generate_with(greedy(prompt_of(2, 4), 5));
    let last = generator.generate_with(greedy(prompt_of(3, 4), 5));
    drop(dropped);
    gate.open();
    assert_eq!(read(first).unwrap().tokens, completion_of(1, 4, 5));
    assert_eq!(read(last).unwrap().tokens, completion_of(3, 4, 5));
    assert!(watch.log.steps().iter().flatten().all(|run| run.owner() != 2));
}

#[test]
fn dropping_every_handle_ends_the_thread_when_nothing_runs() {
    let (model, watch) = ScriptedModel::new(follow());
    let generator = model.generator(Limits::default());
    read(generator.generate_with(greedy(prompt_of(1, 4), 5))).unwrap();
    let other = generator.clone();
    drop(generator);
    read(other.generate_with(greedy(prompt_of(1, 4), 5))).unwrap();
    assert!(watch.is_alive());
    drop(other);
    watch.wait_for_the_end();
}

#[test]
fn streams_that_are_still_held_are_served_after_the_last_handle() {
    let (mut model, watch) = ScriptedModel::new(follow());
    model.capabilities.max_sequences = 2;
    let generator = model.generator(Limits::default());
    let streams: Vec<_> = (0..6)
        .map(|owner| generator.generate_with(greedy(prompt_of(owner, 4), 300)))
        .collect();
    drop(generator);
    for (owner, stream) in (0..).zip(streams) {
        assert_eq!(read(stream).unwrap().tokens, completion_of(owner, 4, 300));
    }
    watch.wait_for_the_end();
}

#[test]
fn unread_streams_keep_the_thread_only_until_they_are_dropped() {
    let (mut model, watch) = ScriptedModel::new(follow());
    model.capabilities.max_sequences = 2;
    let generator = model.generator(Limits {
        unread: 2,
        ..Limits::default()
    });
    let streams: Vec<_> = (0..5)
        .map(|owner| generator.generate_with(greedy(prompt_of(owner, 4), 300)))
        .collect();
    drop(generator);
    wait_until("all have begun", || {
        let steps = watch.log.steps();
        (0..5).all(|owner| steps.iter().flatten().any(|run| run.owner() == owner))
    });
    std::thread::sleep(Duration::from_millis(20));
    assert!(watch.is_alive());
    drop(streams);
    watch.wait_for_the_end();
}

#[test]
fn a_storm_of_dropped_streams_leaves_nothing_behind() {
    let (mut model, watch) = ScriptedModel::new(follow());
    model.capabilities.max_sequences = 3;
    let limits = Limits {
        running: 8,
        waiting: 40,
        unread: 3,
        prefill_chunk: 8,
        cache_bytes: None,
        prefix_bytes: 0,
    };
    let generator = model.generator(limits);
    let start = Instant::now();
    let storm = generator.clone();
    within(move || {
        std::thread::scope(|scope| {
            for thread in 0..8u32 {
                let generator = storm.clone();
                scope.spawn(move || {
                    for round in 0..60u32 {
                        let chance = thread * 7919 + round * 104_729;
                        let owner = chance % 31;
                        let prompt = 1 + (chance % 40) as usize;
                        let stream = generator.generate_with(greedy(prompt_of(owner, prompt), 50));
                        let reads = (chance % 9) as usize;
                        let tokens: Vec<u32> = stream
                            .blocking_iter()
                            .take(reads)
                            .flat_map(|chunk| chunk.unwrap().tokens)
                            .collect();
                        assert_eq!(tokens, completion_of(owner, prompt, reads));
                    }
                });
            }
        });
    });
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    // Every place is free again: as many as ever may be held are let in, and each is right.
    wait_until("the places of the last ones are free", || {
        let streams: Vec<_> = (0..43)
            .map(|owner| generator.generate_with(greedy(prompt_of(owner % 31, 5), 20)))
            .collect();
        let answers: Vec<_> = streams.into_iter().map(read).collect();
        (0..).zip(&answers).all(|(owner, answer)| {
            answer
                .as_ref()
                .is_ok_and(|answer| answer.tokens == completion_of(owner % 31, 5, 20))
        })
    });
    drop(generator);
    watch.wait_for_the_end();
}
