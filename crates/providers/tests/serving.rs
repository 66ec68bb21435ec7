//! A local model with limits of its own, and what a request says of the draws.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use engine::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, Dry, Sampling,
};
use models::LoadOptions;
use models::synth::{self, Shape};
use providers::family::PLAIN;
use providers::{LocalProvider, ProgressHub, ProviderError, Serving};

fn load(serving: Serving) -> Result<LocalProvider, ProviderError> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("model.gguf");
    synth::write(Shape::TinyQwen3, 11, &path).expect("the model can be written");
    let options = LoadOptions::default();
    LocalProvider::load_serving(path, &PLAIN, options, serving, &ProgressHub::new())
}

fn tokens(provider: &LocalProvider, params: &CandleCompletionParams) -> Vec<u32> {
    let stream = provider.prompt(CandlePrompt::raw("Once upon a time"), params);
    let chunks: Vec<CandleCompletionChunk> = stream
        .blocking_iter()
        .collect::<Result<_, _>>()
        .expect("the answer is whole");
    chunks.iter().flat_map(|chunk| chunk.tokens()).copied().collect()
}

#[test]
fn a_context_that_is_asked_for_bounds_prompt_and_answer() {
    let serving = Serving {
        context: Some(24),
        ..Serving::default()
    };
    let provider = load(serving).expect("the model loads");
    assert_eq!(provider.context_length(), 24);
    let prompt = CandlePrompt::raw("Once upon a time");
    let read = provider.count_tokens(&prompt).expect("the prompt has tokens");
    let params = CandleCompletionParams {
        ignore_eos: true,
        ..Default::default()
    };
    assert_eq!(tokens(&provider, &params).len(), 24 - read);
    let long = CandlePrompt::raw("Once upon a time ".repeat(20));
    let refused = provider.prompt(long, &params).blocking_iter().next();
    let refused = refused.expect("it ends").expect_err("it has no room").to_string();
    assert!(
        refused.ends_with("leaves no room in a context of 24"),
        "{refused}"
    );
}

#[test]
fn a_context_that_the_model_cannot_hold_is_refused() {
    for context in [0, 1, usize::MAX] {
        let serving = Serving {
            context: Some(context),
            ..Serving::default()
        };
        let error = load(serving).expect_err("the model has no such context").chain();
        assert!(error.contains(&format!("context is {context} where")), "{error}");
    }
}

#[test]
fn what_a_request_says_of_the_draws_is_what_they_are_made_with() {
    let provider = load(Serving::default()).expect("the model loads");
    let with = |sampling: Sampling, temperature| CandleCompletionParams {
        max_tokens: Some(24),
        ignore_eos: true,
        temperature: Some(temperature),
        seed: Some(3),
        sampling,
        ..Default::default()
    };
    let greedy = tokens(&provider, &with(Sampling::default(), 0.0));
    let best = Sampling {
        top_k: Some(1),
        ..Sampling::default()
    };
    assert_eq!(tokens(&provider, &with(best, 2.0)), greedy);
    let banned = Sampling {
        logit_bias: vec![(greedy[0], -100.0)],
        ..Sampling::default()
    };
    assert!(!tokens(&provider, &with(banned, 0.0)).contains(&greedy[0]));
    let dry = |breakers| Sampling {
        dry: Dry {
            multiplier: Some(20.0),
            allowed_length: Some(1),
            breakers,
            ..Dry::default()
        },
        ..Sampling::default()
    };
    let repeats = |tokens: &[u32]| {
        tokens
            .windows(3)
            .enumerate()
            .any(|(at, three)| tokens[at + 1..].windows(3).any(|later| later == three))
    };
    assert!(
        repeats(&greedy),
        "the greedy text of noise repeats itself: {greedy:?}"
    );
    let kept = tokens(&provider, &with(dry(Some(vec![])), 0.0));
    assert!(!repeats(&kept), "{kept:?}");
}

#[test]
fn no_setting_of_the_draws_makes_the_backend_fail() {
    let provider = load(Serving::default()).expect("the model loads");
    let all_of_it = (0..provider.dialect().tokenizer().vocab_size() as u32).map(|token| (token, -100.0));
    let (least, most) = (f32::from_bits(1), f32::MAX);
    let with = |edit: &dyn Fn(&mut CandleCompletionParams)| {
        let mut params = CandleCompletionParams {
            max_tokens: Some(12),
            ignore_eos: true,
            seed: Some(1),
            ..Default::default()
        };
        edit(&mut params);
        params
    };
    let everything: Vec<(u32, f32)> = all_of_it.collect();
    let extremes = [
        with(&|params| params.temperature = Some(least)),
        with(&|params| params.temperature = Some(most)),
        with(&|params| params.sampling.repetition_penalty = Some(0.01)),
        with(&|params| params.sampling.repetition_penalty = Some(100.0)),
        with(&|params| params.sampling.top_n_sigma = Some(least)),
        with(&|params| params.sampling.top_n_sigma = Some(most)),
        with(&|params| params.sampling.top_p = Some(0.0)),
        with(&|params| params.sampling.typical_p = Some(0.0)),
        with(&|params| params.sampling.min_p = Some(1.0)),
        with(&|params| params.sampling.logit_bias = vec![(5, 100.0); 1_000]),
        with(&|params| params.sampling.logit_bias = everything.clone()),
        with(&|params| {
            params.sampling.dry = Dry {
                multiplier: Some(most),
                base: Some(most),
                allowed_length: Some(0),
                ..Dry::default()
            };
        }),
        with(&|params| {
            params.sampling.xtc.probability = Some(1.0);
            params.sampling.xtc.threshold = Some(0.0);
        }),
    ];
    for params in &extremes {
        // An error is the caller's own, or there is none.
        for item in provider
            .prompt(CandlePrompt::raw("Once upon a time"), params)
            .blocking_iter()
        {
            if let Err(error) = item {
                assert!(!error.is_backend_failure(), "{:?}: {error:?}", params.sampling);
            }
        }
    }
    let refused = with(&|params| params.sampling.repetition_penalty = Some(least));
    let refused = provider
        .prompt(CandlePrompt::raw("Once"), &refused)
        .blocking_iter()
        .next();
    let refused = refused
        .expect("it ends")
        .expect_err("it is out of range")
        .to_string();
    assert!(refused.starts_with("repetition_penalty is "), "{refused}");
}
