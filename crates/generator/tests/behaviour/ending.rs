//! How generations end: exact budgets, the context, end tokens, seeds and times.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use generator::{FinishReason, GenerateRequest, Limits, SpecialTokens, StopCause};
use simd_sampling::SamplerChain;

use crate::reading::{drawn, greedy, read};
use crate::scripted::{Gate, ScriptedModel, completion_of, follow, noise, prompt_of, recite};
use crate::vocabulary::{END, VOCAB};

#[test]
fn max_tokens_is_exact_at_every_small_number() {
    let (model, _) = ScriptedModel::new(follow());
    let generator = model.generator(Limits {
        prefill_chunk: 4,
        ..Limits::default()
    });
    for max_tokens in (1..20).chain([63, 64, 65, 66, 129]) {
        let answer = read(generator.generate_with(greedy(prompt_of(2, 5), max_tokens))).unwrap();
        assert_eq!(answer.tokens, completion_of(2, 5, max_tokens as usize));
        assert_eq!(answer.end.finish, FinishReason::Length);
        assert_eq!(answer.end.stop, None);
        assert_eq!(answer.end.usage.prompt_tokens, 5);
    }
}

#[test]
fn an_absent_maximum_is_a_thousand_or_what_the_context_leaves() {
    for (context, expected) in [(4096, 1_000), (1_010, 1_000), (1_009, 999), (64, 54)] {
        let (mut model, _) = ScriptedModel::new(follow());
        model.capabilities.context = context;
        let generator = model.generator(Limits::default());
        let request = GenerateRequest {
            max_tokens: None,
            ..greedy(prompt_of(1, 10), 1)
        };
        let answer = read(generator.generate_with(request)).unwrap();
        assert_eq!(answer.tokens, completion_of(1, 10, expected));
        assert_eq!(answer.end.finish, FinishReason::Length);
    }
}

#[test]
fn the_context_ends_a_generation_that_asked_for_more() {
    for prompt in [1, 30, 31] {
        let (mut model, _) = ScriptedModel::new(follow());
        model.capabilities.context = 32;
        let generator = model.generator(Limits::default());
        let answer = read(generator.generate(prompt_of(3, prompt), 1_000, SpecialTokens::default())).unwrap();
        assert_eq!(answer.tokens, completion_of(3, prompt, 32 - prompt));
        assert_eq!(answer.end.finish, FinishReason::Length);
    }
}

#[test]
fn an_end_token_stops_and_is_counted_but_not_shown() {
    let tokens = Arc::new(Mutex::new(vec![
        u32::from(b'H'),
        u32::from(b'i'),
        END,
        u32::from(b'!'),
    ]));
    let (model, _) = ScriptedModel::new(recite(3, tokens));
    let generator = model.generator(Limits::default());
    let special = SpecialTokens::of(generator.tokenizer());
    assert!(special.eos.contains(&END));
    let answer = read(generator.generate(vec![1, 2, 3], 4, special)).unwrap();
    assert_eq!(answer.text, "Hi");
    assert_eq!(answer.tokens, [u32::from(b'H'), u32::from(b'i'), END]);
    assert_eq!(answer.end.finish, FinishReason::Stop);
    assert_eq!(answer.end.stop, Some(StopCause::Token(END)));
    assert_eq!(answer.end.usage.completion_tokens, 3);
}

#[test]
fn an_end_token_of_any_kind_is_not_shown_and_an_absent_one_is_text() {
    let tokens = Arc::new(Mutex::new(vec![
        u32::from(b'a'),
        u32::from(b'b'),
        u32::from(b'c'),
    ]));
    let (model, _) = ScriptedModel::new(recite(1, tokens));
    let generator = model.generator(Limits::default());
    let special = SpecialTokens {
        eos: vec![500, u32::from(b'c'), u32::from(b'b')],
    };
    let answer = read(generator.generate(vec![1], 3, special)).unwrap();
    assert_eq!(answer.text, "a");
    assert_eq!(answer.end.stop, Some(StopCause::Token(u32::from(b'b'))));

    let answer = read(generator.generate(vec![1], 3, SpecialTokens::default())).unwrap();
    assert_eq!(answer.text, "abc");
    assert_eq!(answer.end.finish, FinishReason::Length);
}

#[test]
fn an_end_token_as_the_last_of_the_budget_is_a_stop() {
    let tokens = Arc::new(Mutex::new(vec![7, END]));
    let (model, _) = ScriptedModel::new(recite(1, tokens));
    let generator = model.generator(Limits::default());
    let answer = read(generator.generate(vec![1], 2, SpecialTokens { eos: vec![END] })).unwrap();
    assert_eq!(answer.end.finish, FinishReason::Stop);
}

/// A model that writes `text` byte by byte, then `END` for ever.
fn writing(text: &str) -> (ScriptedModel, usize) {
    let mut tokens: Vec<u32> = text.bytes().map(u32::from).collect();
    let bytes = tokens.len();
    tokens.extend([END; 32]);
    let (model, _) = ScriptedModel::new(recite(1, Arc::new(Mutex::new(tokens))));
    (model, bytes)
}

fn stopping(stop: &[&str], max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        stop: stop.iter().map(|&stop| stop.to_owned()).collect(),
        special: SpecialTokens { eos: vec![END] },
        ..greedy(vec![1], max_tokens)
    }
}

#[test]
fn a_stop_string_ends_the_text_before_it_and_is_named() {
    let (model, _) = writing("One, two, é three, four");
    let generator = model.generator(Limits::default());
    let answer = read(generator.generate_with(stopping(&["four", "é three"], 40))).unwrap();
    assert_eq!(answer.text, "One, two, ");
    assert_eq!(answer.end.finish, FinishReason::Stop);
    assert_eq!(answer.end.stop, Some(StopCause::Text("é three".to_owned())));
    assert_eq!(answer.tokens.len(), "One, two, é three".len());
}

#[test]
fn what_was_held_back_is_shown_where_the_string_stays_unfinished() {
    let (model, bytes) = writing("a STOPPI");
    let generator = model.generator(Limits::default());
    for (max_tokens, finish) in [(bytes + 1, FinishReason::Stop), (bytes, FinishReason::Length)] {
        let answer = read(generator.generate_with(stopping(&["STOPPING"], max_tokens as u32))).unwrap();
        assert_eq!(answer.text, "a STOPPI");
        assert_eq!(answer.end.finish, finish);
    }
}

#[test]
fn nothing_but_the_budget_ends_a_generation_before_its_fewest_tokens() {
    let (model, bytes) = writing("abcabc");
    let generator = model.generator(Limits::default());
    for (min_tokens, text) in [(0, ""), (1, "abc"), (2, "abc"), (4, "abcabc")] {
        let request = GenerateRequest {
            min_tokens,
            ..stopping(&["abc", "abc"], bytes as u32)
        };
        let answer = read(generator.generate_with(request)).unwrap();
        assert_eq!(answer.text, text, "at least {min_tokens}");
    }
    let request = |min_tokens| GenerateRequest {
        min_tokens,
        ..stopping(&[], 12)
    };
    for min_tokens in 0..=12 {
        let answer = read(generator.generate_with(request(min_tokens))).unwrap();
        let tokens = (min_tokens as usize + 1).clamp(bytes + 1, 12);
        assert_eq!(answer.tokens.len(), tokens, "at least {min_tokens}");
        let ended = if answer.tokens.ends_with(&[END]) {
            FinishReason::Stop
        } else {
            FinishReason::Length
        };
        assert_eq!(answer.end.finish, ended);
    }
}

#[test]
fn the_same_seed_draws_the_same_tokens_and_another_seed_others() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let ask = |seed| read(generator.generate_with(drawn(vec![1, 2, 3], 40, seed))).unwrap();
    let first = ask(Some(42));
    assert_eq!(first.end.seed, 42);
    assert_eq!(ask(Some(42)).tokens, first.tokens);
    assert_ne!(ask(Some(43)).tokens, first.tokens);
}

#[test]
fn without_a_seed_a_fresh_one_is_drawn_and_reported_that_repeats_the_answer() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let ask = |seed| read(generator.generate_with(drawn(vec![1, 2, 3], 40, seed))).unwrap();
    let (first, second) = (ask(None), ask(None));
    assert_ne!(first.end.seed, second.end.seed);
    assert_ne!(first.tokens, second.tokens);
    assert_eq!(ask(Some(first.end.seed)).tokens, first.tokens);
}

#[test]
fn times_are_those_that_passed() {
    let (mut model, _) = ScriptedModel::new(follow());
    let pause = Duration::from_millis(4);
    let gate = Gate::default();
    let held = gate.clone();
    model.before = Box::new(move |_| {
        held.pass();
        std::thread::sleep(pause);
        Ok(())
    });
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits {
        prefill_chunk: 4,
        ..Limits::default()
    });
    let first = generator.generate_with(greedy(prompt_of(1, 12), 6));
    let second = generator.generate_with(greedy(prompt_of(2, 12), 6));
    gate.open();
    let (first, second) = (read(first).unwrap().end, read(second).unwrap().end);
    for end in [&first, &second] {
        assert!(end.timings.prefill >= 3 * pause, "{end:?}");
        assert!(end.timings.decode >= 5 * pause, "{end:?}");
        assert!(
            end.timings.time_to_first_token >= end.timings.queued + end.timings.prefill,
            "{end:?}"
        );
        let rate = end.timings.decode_tok_s(&end.usage).unwrap();
        assert!(rate <= 1.0 / pause.as_secs_f64(), "{end:?}");
    }
    assert!(second.timings.queued >= 8 * pause, "{second:?}");
}

#[test]
fn the_draw_of_each_token_is_that_of_the_seed_and_its_index() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let request = drawn(vec![1, 2, 3], 40, Some(99));
    let mut chain = SamplerChain::new(&request.sampling.params, VOCAB).unwrap();
    let (mut history, mut script, mut row) = (vec![1, 2, 3], noise(), vec![0.0; VOCAB]);
    for step in 0..40 {
        script(history[history.len() - 1], history.len() - 1, &mut row);
        history.push(chain.sample(&mut row, &history, 99, step).unwrap().token);
    }
    assert_eq!(
        read(generator.generate_with(request)).unwrap().tokens,
        history[3..]
    );
}
