//! What was run is kept: for second turns, for company, for a reader that comes back; and never after a failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use generator::{CacheMiss, GenerateError, Limits};
use models::ModelError;

use crate::reading::{greedy, read, take};
use crate::scripted::{Script, ScriptedModel, Watch, completion_of, follow, prompt_of};

/// A model whose caches can be shared.
fn sharing(script: Script) -> (ScriptedModel, Watch) {
    let (mut model, watch) = ScriptedModel::new(script);
    model.capabilities.fork = true;
    (model, watch)
}

#[test]
fn a_request_beside_a_running_one_finds_its_prompt() {
    let (model, _) = sharing(follow());
    let generator = model.generator(Limits::default());
    let (_, running) = take(generator.generate_with(greedy(prompt_of(1, 40), 1_000)), 1);
    let answer = read(generator.generate_with(greedy(prompt_of(1, 40), 3))).unwrap();
    assert_eq!(answer.tokens, completion_of(1, 40, 3));
    assert_eq!(
        (answer.end.usage.cached_tokens, answer.end.cache_miss),
        (39, None)
    );
    drop(running);
}

#[test]
fn what_a_cancelled_request_has_run_is_kept() {
    let (model, _) = sharing(follow());
    let generator = model.generator(Limits::default());
    let (_, cancelled) = take(generator.generate_with(greedy(prompt_of(1, 40), 1_000)), 3);
    drop(cancelled);
    let answer = read(generator.generate_with(greedy(prompt_of(1, 42), 5))).unwrap();
    assert_eq!(answer.tokens, completion_of(1, 42, 5));
    assert_eq!(
        (answer.end.usage.cached_tokens, answer.end.cache_miss),
        (41, None)
    );
}

#[test]
fn nothing_of_a_step_that_failed_is_kept() {
    let (mut model, _) = sharing(follow());
    model.before = Box::new(|runs| {
        if runs.iter().any(|run| run.position == 8) {
            return Err(ModelError::EmptyStep { sequence: 99 });
        }
        Ok(())
    });
    let generator = model.generator(Limits::default());
    let failed = read(generator.generate_with(greedy(prompt_of(3, 5), 12)));
    assert!(matches!(failed, Err(GenerateError::Model(_))), "{failed:?}");
    let answer = read(generator.generate_with(greedy(prompt_of(3, 9), 1))).unwrap();
    // The prompt had been run and told before.
    assert_eq!(answer.end.usage.cached_tokens, 5);
    assert_eq!(answer.end.cache_miss, Some(CacheMiss::Differs));
}

#[test]
fn a_prompt_whose_logits_allow_no_draw_is_not_kept() {
    let broken = Arc::new(AtomicBool::new(true));
    let (flag, mut right) = (Arc::clone(&broken), follow());
    let (model, _) = sharing(Box::new(move |token, position, row| {
        right(token, position, row);
        if flag.load(Ordering::Relaxed) {
            row.fill(f32::NAN);
        }
    }));
    let generator = model.generator(Limits::default());
    let failed = read(generator.generate_with(greedy(prompt_of(1, 9), 2)));
    assert!(matches!(failed, Err(GenerateError::Logits { .. })), "{failed:?}");
    broken.store(false, Ordering::Relaxed);
    let answer = read(generator.generate_with(greedy(prompt_of(1, 9), 2))).unwrap();
    assert_eq!(
        (answer.end.usage.cached_tokens, answer.end.cache_miss),
        (0, Some(CacheMiss::Empty))
    );
}

#[test]
fn a_sequence_that_was_set_aside_goes_on_where_it_was() {
    let (mut model, watch) = sharing(follow());
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits {
        unread: 2,
        ..Limits::default()
    });
    let slow = generator.generate_with(greedy(prompt_of(1, 20), 12));
    for owner in 2..5 {
        let answer = read(generator.generate_with(greedy(prompt_of(owner, 5), 4))).unwrap();
        assert_eq!(answer.tokens, completion_of(owner, 5, 4));
    }
    assert_eq!(read(slow).unwrap().tokens, completion_of(1, 20, 12));
    let steps = watch.log.steps();
    let own = steps.iter().flatten().filter(|run| run.owner() == 1);
    assert_eq!(
        own.map(|run| run.tokens.len()).sum::<usize>(),
        20 + 12 - 1,
        "no token is run twice"
    );
}
