//! Log-probabilities that come with tokens.

use generator::{Basis, GenerateError, GenerateRequest, Limits, LogprobsConfig, TokenLogprobs};

use crate::reading::{Stream, drawn, greedy, read, within};
use crate::scripted::{ScriptedModel, completion_of, follow, noise, prompt_of};
use crate::vocabulary::VOCAB;

fn with_logprobs(top: usize, basis: Basis, request: GenerateRequest) -> GenerateRequest {
    GenerateRequest {
        logprobs: Some(LogprobsConfig { top, basis }),
        ..request
    }
}

fn logprobs(stream: Stream) -> Vec<(u32, TokenLogprobs)> {
    within(move || {
        let mut all = Vec::new();
        for chunk in stream.blocking_iter() {
            let chunk = chunk.unwrap();
            assert_eq!(chunk.tokens.len(), chunk.logprobs.len());
            all.extend(chunk.tokens.into_iter().zip(chunk.logprobs));
        }
        all
    })
}

#[test]
fn each_token_comes_with_its_own_and_those_of_the_best() {
    let (model, _) = ScriptedModel::new(follow());
    let generator = model.generator(Limits::default());
    let request = with_logprobs(3, Basis::Model, greedy(prompt_of(1, 4), 20));
    let found = logprobs(generator.generate_with(request));
    // One token at 10 nats, all others at 0.
    let total = (10f64.exp() + (VOCAB - 1) as f64).ln();
    for ((token, logprobs), expected) in found.iter().zip(completion_of(1, 4, 20)) {
        assert_eq!((*token, logprobs.chosen.token), (expected, expected));
        let best: Vec<u32> = logprobs.best.iter().map(|best| best.token).collect();
        let others: Vec<u32> = (0..3).filter(|other| *other != expected).take(2).collect();
        assert_eq!(best, [vec![expected], others].concat());
        assert_eq!(logprobs.best[0], logprobs.chosen);
        assert!((f64::from(logprobs.chosen.logprob) - (10.0 - total)).abs() < 1e-5);
        assert!((f64::from(logprobs.best[2].logprob) + total).abs() < 1e-5);
    }
    assert_eq!(found.len(), 20);
}

#[test]
fn they_change_no_token_and_are_the_models_or_those_drawn_from() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let mut request = drawn(vec![1, 2, 3], 50, Some(4));
    request.sampling.params.temperature = 0.3;
    request.sampling.params.top_k = 2;
    let plain = read(generator.generate_with(request.clone())).unwrap().tokens;
    for (basis, drawn_from) in [(Basis::Model, false), (Basis::PostSampling, true)] {
        let found = logprobs(generator.generate_with(with_logprobs(4, basis, request.clone())));
        let tokens: Vec<u32> = found.iter().map(|(token, _)| *token).collect();
        assert_eq!(tokens, plain);
        for (_, logprobs) in found {
            let sum: f64 = logprobs
                .best
                .iter()
                .map(|best| f64::from(best.logprob).exp())
                .sum();
            let all_but_two_are_cut = (sum - 1.0).abs() < 1e-5 && logprobs.best.len() == 2;
            assert_eq!(all_but_two_are_cut, drawn_from, "{logprobs:?}");
        }
    }
}

#[test]
fn none_but_the_chosen_one_where_none_are_asked_for_and_no_more_than_there_are() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let ask = |top| generator.generate_with(with_logprobs(top, Basis::Model, greedy(vec![1], 5)));
    assert!(
        logprobs(ask(0))
            .iter()
            .all(|(_, logprobs)| logprobs.best.is_empty())
    );
    // Two are masked.
    assert!(
        logprobs(ask(VOCAB))
            .iter()
            .all(|(_, logprobs)| logprobs.best.len() == VOCAB - 2)
    );
    match read(ask(VOCAB + 1)) {
        Err(GenerateError::InvalidLogprobs { top, vocab }) => assert_eq!((top, vocab), (VOCAB + 1, VOCAB)),
        other => panic!("{other:?}"),
    }
}
