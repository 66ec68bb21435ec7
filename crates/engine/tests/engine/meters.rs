//! What a recorder of the `metrics` facade is told.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{BreakerConfig, CandleCompletionChunk, Drafts, Engine, EngineConfig, EngineError, FinishReason};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::scripted::*;

/// Every meter by its name and the labels but the engine's; of histograms, how many values.
fn told(work: impl FnOnce(&Engine)) -> BTreeMap<String, f64> {
    let config = EngineConfig {
        clock: ManualClock::new(),
        ..EngineConfig::named("tested")
    };
    told_of(config, work)
}

fn told_of(config: EngineConfig, work: impl FnOnce(&Engine)) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || work(&Engine::new(config).unwrap()));
    let told = recorder.snapshotter().snapshot().into_vec().into_iter();
    told.map(|(key, _, _, value)| {
        let key = key.key();
        let mut name = key.name().to_owned();
        for label in key.labels() {
            match label.key() {
                "engine" => assert_eq!(label.value(), "tested"),
                other => name.push_str(&format!(" {other}={}", label.value())),
            }
        }
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(values) => values.len() as f64,
        };
        (name, value)
    })
    .collect()
}

#[test]
fn outcomes_tokens_and_times_are_told_once() {
    let told = told(|engine| {
        succeed(engine);
        succeed(engine);
        fail(engine);
        drop(engine.coordinate_generation(request(), || generation(story())));
        drop(items(engine.refuse(EngineError::EmptyPrompt)));
    });
    let usage = USAGE;
    for (name, expected) in [
        ("engine_requests_total outcome=completed", 2.0),
        ("engine_requests_total outcome=failed", 1.0),
        ("engine_requests_total outcome=cancelled", 1.0),
        ("engine_requests_total outcome=rejected", 1.0),
        ("engine_choices_total finish=stop", 2.0),
        ("engine_prompt_tokens_total", 2.0 * usage.prompt_tokens as f64),
        (
            "engine_completion_tokens_total",
            2.0 * usage.completion_tokens as f64,
        ),
        ("engine_time_to_first_token_seconds", 2.0),
        ("engine_tokens_per_second", 2.0),
        ("engine_queue_seconds", 3.0),
        // A story has three tokens.
        ("engine_inter_token_seconds", 4.0),
        ("engine_waiting", 0.0),
        ("engine_running", 0.0),
        ("engine_breaker_state", 0.0),
    ] {
        assert_eq!(told.get(name), Some(&expected), "{name} in {told:?}");
    }
}

/// The ends of requests as their backends report them: a choice that was cut off after guesses and with a cached prompt.
fn cut_off() -> Generated {
    let mut end = end();
    if let Some(end) = end.as_mut().unwrap().end.as_mut() {
        end.finish = FinishReason::Length;
        end.stop = None;
        end.usage.cached_tokens = 4;
        end.drafts = Drafts {
            guessed: 9,
            accepted: 7,
        };
    }
    end
}

#[test]
fn the_values_told_are_those_that_were_reported() {
    let clock = ManualClock::new();
    let recorder = DebuggingRecorder::new();
    let read = || {
        let told = recorder.snapshotter().snapshot().into_vec().into_iter();
        told.map(|(key, _, _, value)| (key.key().name().to_owned(), value))
            .collect::<Vec<_>>()
    };
    let values = metrics::with_local_recorder(&recorder, || {
        let engine = Engine::new(EngineConfig {
            clock: clock.clone(),
            max_running: 1,
            ..EngineConfig::named("tested")
        })
        .unwrap();
        let mut first = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
        assert!(next(&mut first).is_ok());
        let mut second = engine.coordinate_generation(request(), || {
            generation(vec![piece("b", 1), piece("c", 2), cut_off()])
        });
        assert!(poll(&mut second).is_pending());
        clock.advance(Duration::from_secs(3));
        drop(first);
        assert!(next(&mut second).is_ok());
        clock.advance(Duration::from_millis(250));
        drop(items(second));
        read()
    });
    let histogram = |name: &str| {
        let values = values.iter().find(|(told, _)| told == name);
        match values {
            Some((_, DebugValue::Histogram(values))) => {
                let mut values: Vec<f64> = values.iter().map(|value| value.into_inner()).collect();
                values.sort_by(f64::total_cmp);
                values
            }
            other => panic!("{name}: {other:?}"),
        }
    };
    let counter = |name: &str| match values.iter().find(|(told, _)| told == name) {
        Some((_, DebugValue::Counter(count))) => *count,
        other => panic!("{name}: {other:?}"),
    };
    // The first did not wait; what its queue took is part of the second's time to its first token.
    assert_eq!(histogram("engine_queue_seconds"), [0.0, 3.0]);
    let expected = timings().time_to_first_token.as_secs_f64() + 3.0;
    assert_eq!(histogram("engine_time_to_first_token_seconds"), [expected]);
    // The last token came with the one before it.
    assert_eq!(histogram("engine_inter_token_seconds"), [0.0, 0.25]);
    // Three tokens, two of them after the first, in ten milliseconds.
    assert_eq!(histogram("engine_tokens_per_second"), [200.0]);
    assert_eq!(
        [
            counter("engine_cached_tokens_total"),
            counter("engine_guessed_tokens_total"),
            counter("engine_accepted_tokens_total"),
        ],
        [4, 9, 7]
    );
}

#[test]
fn the_breakers_states_and_other_ends_are_told() {
    let clock = ManualClock::new();
    let config = || EngineConfig {
        clock: clock.clone(),
        breaker: BreakerConfig {
            failures: 1,
            pause: Duration::from_secs(10),
            ..BreakerConfig::default()
        },
        ..EngineConfig::named("tested")
    };
    let state = |told: &BTreeMap<String, f64>| told["engine_breaker_state"];
    assert_eq!(state(&told_of(config(), fail)), 2.0);
    let told = told_of(config(), |engine| {
        fail(engine);
        clock.advance(Duration::from_secs(10));
        let mut probe = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
        assert!(next(&mut probe).is_ok());
        std::mem::forget(probe);
    });
    assert_eq!(state(&told), 1.0);
    let told = told_of(config(), |engine| {
        fail(engine);
        clock.advance(Duration::from_secs(10));
        succeed(engine);
        drop(items(
            engine.coordinate_generation(request(), || generation(vec![cut_off()])),
        ));
        drop(items(engine.coordinate(request(), || {
            let mut called = finish(0);
            if let CandleCompletionChunk::Finish { finish, .. } = &mut called {
                *finish = FinishReason::ToolCalls;
            }
            futures::stream::iter([Ok::<_, EngineError>(called), Ok(complete())])
        })));
    });
    assert_eq!(state(&told), 0.0);
    for finish in ["stop", "length", "tool_calls"] {
        assert_eq!(
            told[&format!("engine_choices_total finish={finish}")],
            1.0,
            "{told:?}"
        );
    }
}

#[test]
fn the_snapshot_has_the_ends_of_choices_and_guesses() {
    let engine = engine();
    drop(items(engine.coordinate_generation(request(), || {
        generation(vec![piece("a", 1), cut_off()])
    })));
    succeed(&engine);
    let statistics = engine.statistics();
    assert_eq!(
        (statistics.stopped, statistics.cut_off, statistics.called_tools),
        (1, 1, 0)
    );
    assert_eq!((statistics.guessed_tokens, statistics.accepted_tokens), (9, 7));
    assert_eq!((statistics.prompt_tokens, statistics.cached_tokens), (10, 4));
}
