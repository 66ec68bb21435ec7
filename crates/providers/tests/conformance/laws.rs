//! The laws, each a function that panics where a provider breaks it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine::{
    CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams, CandlePrompt, Constraint,
    EngineError, FinishReason, StopCause, TokenLogprobs, Usage,
};

use crate::Subject;

pub(crate) const ALL: [fn(&Subject<'_>); 11] = [
    a_stream_has_one_end_and_it_is_the_last,
    the_figures_add_up,
    the_most_tokens_are_exact,
    a_stop_string_ends_the_answer_and_is_no_part_of_it,
    a_seed_repeats_and_is_told,
    choices_each_end_and_the_first_is_that_of_one,
    log_probabilities_come_for_every_token,
    a_constraint_holds,
    a_dropped_stream_is_cancelled_at_the_model,
    what_is_out_of_range_is_refused_by_name,
    an_empty_prompt_is_refused,
];

/// An answer that ended as it should.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) texts: BTreeMap<u32, String>,
    pub(crate) tokens: BTreeMap<u32, Vec<u32>>,
    pub(crate) finishes: BTreeMap<u32, (FinishReason, Option<StopCause>)>,
    pub(crate) usage: Usage,
    seed: Option<u64>,
    logprobs: Vec<TokenLogprobs>,
}

pub(crate) fn greedy(max_tokens: u32) -> CandleCompletionParams {
    CandleCompletionParams {
        max_tokens: Some(max_tokens),
        temperature: Some(0.0),
        ignore_eos: true,
        ..Default::default()
    }
}

pub(crate) fn seeded(max_tokens: u32, seed: u64) -> CandleCompletionParams {
    CandleCompletionParams {
        temperature: Some(1.0),
        seed: Some(seed),
        ..greedy(max_tokens)
    }
}

/// Reads an answer to its end.
pub(crate) fn read(
    provider: &dyn CandleCompletionModel,
    prompt: CandlePrompt,
    params: &CandleCompletionParams,
) -> Read {
    let mut read = Read {
        texts: BTreeMap::new(),
        tokens: BTreeMap::new(),
        finishes: BTreeMap::new(),
        usage: Usage::default(),
        seed: None,
        logprobs: Vec::new(),
    };
    let mut ends = 0;
    for chunk in provider.prompt(prompt, params).blocking_iter() {
        assert_eq!(ends, 0, "something comes after the end");
        match chunk.expect("the answer does not fail") {
            CandleCompletionChunk::Text { choice, text, tokens } => {
                read.texts.entry(choice).or_default().push_str(&text);
                read.tokens.entry(choice).or_default().extend(tokens);
            }
            CandleCompletionChunk::Finish { choice, finish, stop } => {
                assert_eq!(read.finishes.insert(choice, (finish, stop)), None);
            }
            CandleCompletionChunk::Logprobs { logprobs, .. } => read.logprobs.extend(logprobs),
            CandleCompletionChunk::Complete { usage, seed, .. } => {
                ends += 1;
                (read.usage, read.seed) = (usage, seed);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ends, 1, "the answer has no end");
    read
}

fn hello() -> CandlePrompt {
    CandlePrompt::from("Hello")
}

fn a_stream_has_one_end_and_it_is_the_last(subject: &Subject<'_>) {
    for prompt in [hello(), CandlePrompt::raw("Once upon")] {
        let read = read(subject.provider, prompt, &greedy(5));
        assert_eq!(read.finishes.len(), 1);
    }
}

fn the_figures_add_up(subject: &Subject<'_>) {
    for prompt in [hello(), CandlePrompt::raw("Once upon")] {
        let counted = subject
            .provider
            .count_tokens(&prompt)
            .expect("the prompt can be counted");
        let read = read(subject.provider, prompt, &seeded(9, 2));
        assert_eq!(read.usage.prompt_tokens, counted);
        assert!(read.usage.cached_tokens <= counted);
        let tokens: usize = read.tokens.values().map(Vec::len).sum();
        assert_eq!(read.usage.completion_tokens, tokens);
    }
}

fn the_most_tokens_are_exact(subject: &Subject<'_>) {
    for max_tokens in [1, 2, 17] {
        let read = read(subject.provider, hello(), &greedy(max_tokens));
        let expected = usize::try_from(max_tokens).expect("it is small");
        assert_eq!(read.usage.completion_tokens, expected);
        assert_eq!(read.finishes[&0], (FinishReason::Length, None));
    }
}

fn a_stop_string_ends_the_answer_and_is_no_part_of_it(subject: &Subject<'_>) {
    let whole = read(subject.provider, hello(), &greedy(40))
        .texts
        .remove(&0)
        .expect("it says something");
    let middle: String = whole.chars().skip(whole.chars().count() / 2).take(2).collect();
    assert_eq!(middle.chars().count(), 2, "{whole:?}");
    let params = CandleCompletionParams {
        stop: vec![middle.clone()],
        ..greedy(40)
    };
    let stopped = read(subject.provider, hello(), &params);
    let before = whole.split(&*middle).next().expect("there is something before");
    assert_eq!(stopped.texts.get(&0).map_or("", |text| text.as_str()), before);
    assert_eq!(
        stopped.finishes[&0],
        (FinishReason::Stop, Some(StopCause::Text(middle)))
    );
}

fn a_seed_repeats_and_is_told(subject: &Subject<'_>) {
    let first = read(subject.provider, hello(), &seeded(16, 7));
    let second = read(subject.provider, hello(), &seeded(16, 7));
    let other = read(subject.provider, hello(), &seeded(16, 8));
    assert_eq!(first.texts, second.texts);
    assert_ne!(first.texts, other.texts);
    assert_eq!(first.seed, Some(7));
}

fn choices_each_end_and_the_first_is_that_of_one(subject: &Subject<'_>) {
    let params = CandleCompletionParams {
        choices: Some(3),
        ..seeded(12, 7)
    };
    let three = read(subject.provider, hello(), &params);
    assert_eq!(three.finishes.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(three.usage.completion_tokens, 36);
    for (choice, seed) in [(0, 7), (1, 8)] {
        let one = read(subject.provider, hello(), &seeded(12, seed));
        assert_eq!(three.tokens[&choice], one.tokens[&0]);
    }
}

fn log_probabilities_come_for_every_token(subject: &Subject<'_>) {
    let params = CandleCompletionParams {
        logprobs: Some(3),
        ..greedy(10)
    };
    for prompt in [hello(), CandlePrompt::raw("Once upon")] {
        let read = read(subject.provider, prompt, &params);
        let chosen: Vec<u32> = read.logprobs.iter().map(|of| of.chosen.token).collect();
        assert_eq!(chosen, read.tokens[&0]);
        for of in &read.logprobs {
            assert_eq!(of.best.len(), 3);
            // The most probable is what a greedy draw takes.
            assert_eq!(of.best[0], of.chosen);
        }
    }
}

fn a_constraint_holds(subject: &Subject<'_>) {
    let texts = ["yes".to_owned(), "no".to_owned()];
    let choice = Constraint::Choice(texts.to_vec());
    let regex = Constraint::Regex("(yes|no)".to_owned());
    for constraint in [choice, regex] {
        let params = CandleCompletionParams {
            constraint: Some(constraint),
            ignore_eos: false,
            ..seeded(20, 3)
        };
        let read = read(subject.provider, hello(), &params);
        assert!(texts.contains(&read.texts[&0]), "{:?}", read.texts);
        assert_eq!(read.finishes[&0].0, FinishReason::Stop);
    }
}

fn a_dropped_stream_is_cancelled_at_the_model(subject: &Subject<'_>) {
    let cancelled = || subject.model.statistics().cancelled;
    let before = cancelled();
    let params = CandleCompletionParams {
        choices: Some(4),
        ..seeded(
            u32::try_from(subject.provider.context_length() / 2).expect("it is small"),
            1,
        )
    };
    let mut chunks = subject.provider.prompt(hello(), &params).blocking_iter();
    assert!(matches!(chunks.next(), Some(Ok(_))));
    drop(chunks);
    let begin = Instant::now();
    while cancelled() == before {
        assert!(begin.elapsed() < Duration::from_secs(20), "the model still works");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(
        read(subject.provider, hello(), &greedy(3))
            .usage
            .completion_tokens,
        3
    );
}

fn what_is_out_of_range_is_refused_by_name(subject: &Subject<'_>) {
    let requests = subject.model.statistics().completed;
    let cases = [
        (
            "max_tokens",
            CandleCompletionParams {
                max_tokens: Some(0),
                ..Default::default()
            },
        ),
        (
            "choices",
            CandleCompletionParams {
                choices: Some(0),
                ..Default::default()
            },
        ),
        (
            "min_tokens",
            CandleCompletionParams {
                min_tokens: Some(9),
                ..greedy(8)
            },
        ),
        (
            "stop",
            CandleCompletionParams {
                stop: vec![String::new()],
                ..Default::default()
            },
        ),
        (
            "temperature",
            CandleCompletionParams {
                temperature: Some(f32::NAN),
                ..Default::default()
            },
        ),
    ];
    for (name, params) in cases {
        let mut chunks = subject.provider.prompt(hello(), &params).blocking_iter();
        match chunks.next() {
            Some(Err(EngineError::InvalidParameter { field, .. })) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
        assert!(chunks.next().is_none());
    }
    assert_eq!(subject.model.statistics().completed, requests);
}

fn an_empty_prompt_is_refused(subject: &Subject<'_>) {
    for prompt in [CandlePrompt::chat([]), CandlePrompt::from("")] {
        let error = subject
            .provider
            .count_tokens(&prompt)
            .expect_err("there is nothing to count");
        assert!(matches!(error, EngineError::EmptyPrompt));
        let chunks: Vec<_> = subject
            .provider
            .prompt(prompt, &greedy(3))
            .blocking_iter()
            .collect();
        assert!(
            matches!(chunks.as_slice(), [Err(EngineError::EmptyPrompt)]),
            "{chunks:?}"
        );
    }
    // This model has no start token to continue from.
    let chunks: Vec<_> = subject
        .provider
        .prompt(CandlePrompt::raw(""), &greedy(3))
        .blocking_iter()
        .collect();
    assert!(
        matches!(chunks.as_slice(), [Err(EngineError::Backend { .. })]),
        "{chunks:?}"
    );
}
