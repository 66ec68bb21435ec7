//! Prompts that are scored: the log-probability of each of their tokens, whole or in chunks, told once.

use generator::{
    Basis, CacheMiss, FinishReason, GenerateError, GenerateRequest, Limits, LogprobsConfig, TokenLogprobs,
};

use crate::reading::{Stream, greedy, read, read_choices, within};
use crate::scripted::{ScriptedModel, noise};

fn scoring(prompt: &[u32], max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        score_prompt: Some(2),
        ..greedy(prompt, max_tokens)
    }
}

/// Scores of the prompt, and generated tokens.
fn scores(stream: Stream) -> (Vec<TokenLogprobs>, Vec<u32>) {
    within(move || {
        let (mut scores, mut tokens) = (Vec::new(), Vec::new());
        for chunk in stream.blocking_iter() {
            let chunk = chunk.unwrap();
            assert!(
                tokens.is_empty() || chunk.prompt_logprobs.is_empty(),
                "after the first token"
            );
            scores.extend(chunk.prompt_logprobs);
            tokens.extend(chunk.tokens);
        }
        (scores, tokens)
    })
}

#[test]
fn a_prompt_is_scored_as_its_tokens_would_be_if_they_were_generated() {
    let (mut model, _) = ScriptedModel::new(noise());
    model.capabilities.fork = true;
    let generator = model.generator(Limits::default());
    let generated = GenerateRequest {
        logprobs: Some(LogprobsConfig {
            top: 2,
            basis: Basis::Model,
        }),
        ..greedy(vec![7], 40)
    };
    let expected: Vec<(u32, TokenLogprobs)> = within({
        let stream = generator.generate_with(generated);
        move || {
            let chunks = stream.blocking_iter().map(Result::unwrap);
            chunks
                .flat_map(|chunk| chunk.tokens.into_iter().zip(chunk.logprobs))
                .collect()
        }
    });
    let prompt: Vec<u32> = std::iter::once(7)
        .chain(expected.iter().map(|(token, _)| *token))
        .collect();
    let expected: Vec<TokenLogprobs> = expected.into_iter().map(|(_, logprobs)| logprobs).collect();
    for prefill_chunk in [1, 7, 128] {
        let (mut model, watch) = ScriptedModel::new(noise());
        model.capabilities.fork = true;
        let generator = model.generator(Limits {
            prefill_chunk,
            unread: 2,
            ..Limits::default()
        });
        let plain = read(generator.generate_with(greedy(&prompt[..], 5))).unwrap();
        let before = watch.log.steps().len();
        let (found, tokens) = scores(generator.generate_with(scoring(&prompt, 5)));
        assert_eq!((&found, &tokens), (&expected, &plain.tokens), "{prefill_chunk}");
        assert_eq!(
            watch.log.steps()[before][0].position,
            0,
            "the prompt is run whole"
        );
        // And nothing but the prompt, where nothing is to be generated.
        let (found, tokens) = scores(generator.generate_with(scoring(&prompt, 0)));
        assert_eq!((found, tokens), (expected.clone(), vec![]));
    }
}

#[test]
fn a_prompt_that_is_only_scored_ends_without_a_token() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let answer = read(generator.generate_with(scoring(&[1, 2, 3], 0))).unwrap();
    assert_eq!((answer.tokens.len(), answer.text.as_str()), (0, ""));
    assert_eq!(answer.end.finish, FinishReason::Length);
    assert_eq!(
        (answer.end.usage.prompt_tokens, answer.end.usage.completion_tokens),
        (3, 0)
    );
    assert_eq!(answer.end.cache_miss, Some(CacheMiss::Scored));
    assert!(scores(generator.generate_with(scoring(&[1], 0))).0.is_empty());
    assert!(matches!(
        read(generator.generate_with(greedy(vec![1], 0))),
        Err(GenerateError::InvalidMaxTokens { max_tokens: 0 })
    ));
}

#[test]
fn a_reader_that_rests_gets_every_score_once() {
    let (mut model, _) = ScriptedModel::new(noise());
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits {
        prefill_chunk: 3,
        unread: 2,
        ..Limits::default()
    });
    let prompt: Vec<u32> = (0..40).map(|at| at * 11 % 500).collect();
    let (expected, _) = scores(generator.generate_with(scoring(&prompt, 0)));
    assert_eq!(expected.len(), 39);
    let resting = generator.generate_with(scoring(&prompt, 0));
    for seed in 0..5 {
        read(generator.generate_with(greedy(vec![seed; 4], 6))).unwrap();
    }
    assert_eq!(scores(resting).0, expected);
}

#[test]
fn choices_share_one_scoring() {
    let (model, _) = ScriptedModel::new(noise());
    let generator = model.generator(Limits::default());
    let request = |choices| GenerateRequest {
        choices,
        ..scoring(&[5, 6, 7, 8], 6)
    };
    let (found, _) = scores(generator.generate_with(request(1)));
    assert_eq!(found.len(), 3);
    let several = within({
        let stream = generator.generate_with(request(3));
        move || {
            stream
                .blocking_iter()
                .map(|chunk| chunk.unwrap().prompt_logprobs.len())
                .sum::<usize>()
        }
    });
    assert_eq!(several, 3);
    assert_eq!(
        read_choices(generator.generate_with(request(3)), 3)
            .unwrap()
            .len(),
        3
    );
}
