//! What a recorder of the `metrics` facade is told.

use std::collections::BTreeMap;

use engine::{Drafts, Engine, EngineConfig, EngineError, FinishReason};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::scripted::*;

/// Every meter by its name and the labels but the engine's; of histograms, how many values.
fn told(work: impl FnOnce(&Engine)) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || {
        let clock = ManualClock::new();
        let config = EngineConfig {
            clock,
            ..EngineConfig::named("tested")
        };
        work(&Engine::new(config).unwrap());
    });
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

#[test]
fn the_snapshot_has_the_ends_of_choices_and_guesses() {
    let engine = engine();
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
    drop(items(engine.coordinate_generation(request(), || {
        generation(vec![piece("a", 1), end])
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
