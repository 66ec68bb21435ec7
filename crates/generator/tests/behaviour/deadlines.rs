//! Deadlines: whoever is late is given up, running, waiting or unread, and nobody else.

use std::time::{Duration, Instant};

use generator::{GenerateError, GenerateRequest, Limits};

use crate::reading::{greedy, read, take, within};
use crate::scripted::{Gate, ScriptedModel, completion_of, follow, prompt_of};

fn until(deadline: Instant, request: GenerateRequest) -> GenerateRequest {
    GenerateRequest {
        deadline: Some(deadline),
        ..request
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(30)
}

#[test]
fn a_request_that_is_late_from_the_start_is_not_begun() {
    let (model, watch) = ScriptedModel::new(follow());
    let generator = model.generator(Limits::default());
    let late = generator.generate_with(until(Instant::now(), greedy(prompt_of(1, 4), 9)));
    match read(late) {
        Err(GenerateError::DeadlineExceeded { tokens: 0, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(watch.log.steps().is_empty());
}

#[test]
fn one_that_runs_is_given_up_between_two_steps_and_the_others_go_on() {
    let (mut model, _) = ScriptedModel::new(follow());
    model.before = Box::new(|_| {
        std::thread::sleep(Duration::from_millis(1));
        Ok(())
    });
    let generator = model.generator(Limits::default());
    let other = generator.generate_with(greedy(prompt_of(2, 4), 60));
    let late = generator.generate_with(until(soon(), greedy(prompt_of(1, 4), 4_000)));
    let (text, error) = within(|| {
        let (mut tokens, mut last) = (Vec::new(), None);
        for item in late.blocking_iter() {
            match item {
                Ok(chunk) => tokens.extend(chunk.tokens),
                Err(error) => last = Some(error),
            }
        }
        (tokens, last)
    });
    match error {
        Some(error @ GenerateError::DeadlineExceeded { after, tokens }) => {
            assert_eq!(tokens, text.len());
            assert!(after >= Duration::from_millis(25), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(text, completion_of(1, 4, text.len()));
    assert_eq!(read(other).unwrap().tokens, completion_of(2, 4, 60));
}

#[test]
fn one_that_waits_is_given_up_as_soon_as_the_worker_looks() {
    let (mut model, watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    model.before = gate.before();
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits::default());
    let running = generator.generate_with(greedy(prompt_of(1, 4), 20));
    gate.wait_for_arrivals(1);
    let late = generator.generate_with(until(soon(), greedy(prompt_of(2, 4), 20)));
    std::thread::sleep(Duration::from_millis(40));
    gate.open();
    assert!(matches!(
        read(late),
        Err(GenerateError::DeadlineExceeded { tokens: 0, .. })
    ));
    assert_eq!(read(running).unwrap().tokens.len(), 20);
    assert!(watch.log.steps().iter().flatten().all(|run| run.owner() == 1));
}

#[test]
fn one_that_nobody_reads_is_given_up_while_the_worker_sleeps() {
    let (model, _) = ScriptedModel::new(follow());
    let generator = model.generator(Limits {
        unread: 4,
        running: 1,
        waiting: 0,
        ..Limits::default()
    });
    let unread = generator.generate_with(until(soon(), greedy(prompt_of(1, 4), 400)));
    // Its place is free again without anybody touching its stream.
    let begun = Instant::now();
    loop {
        let (request, timeout) = (greedy(prompt_of(2, 4), 3), Duration::from_secs(20));
        match read(generator.generate_with(request)) {
            Ok(answer) => break assert_eq!(answer.tokens, completion_of(2, 4, 3)),
            Err(GenerateError::Overloaded { .. }) if begun.elapsed() < timeout => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("{error}"),
        }
    }
    let (chunks, rest) = take(unread, 4);
    assert_eq!(chunks.len(), 4);
    let rest: Vec<_> = within(move || rest.blocking_iter().collect());
    assert!(
        matches!(
            rest.as_slice(),
            [Err(GenerateError::DeadlineExceeded { tokens: 4, .. })]
        ),
        "{rest:?}"
    );
}
