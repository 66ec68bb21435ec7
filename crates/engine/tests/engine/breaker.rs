//! The breaker judges how streams end.

use std::sync::Arc;
use std::time::Duration;

use engine::{
    BackendErrorKind, BreakerConfig, BreakerState, Engine, EngineConfig, EngineError, GenerateError,
};
use futures::stream;

use crate::scripted::*;

const PAUSE: Duration = Duration::from_secs(30);

fn guarded(failures: u32) -> (Engine, Arc<ManualClock>) {
    let clock = ManualClock::new();
    let config = EngineConfig {
        breaker: BreakerConfig {
            failures,
            pause: PAUSE,
            ..BreakerConfig::default()
        },
        clock: Arc::clone(&clock) as Arc<_>,
        ..Default::default()
    };
    (Engine::new(config).unwrap(), clock)
}

#[track_caller]
fn assert_refused(engine: &Engine, expected: Duration) {
    let refused = items(engine.coordinate_generation(request(), || unreachable!("the circuit is open")));
    match refused.as_slice() {
        [Err(EngineError::CircuitOpen { retry_after })] => assert_eq!(*retry_after, expected),
        other => panic!("{other:?}"),
    }
}

fn error_of(engine: &Engine, error: EngineError) {
    let seen = items(engine.coordinate(request(), || stream::iter([Err(error)])));
    assert_eq!(seen.len(), 1);
}

#[test]
fn repeated_failures_refuse_the_next_request_until_a_probe_succeeds() {
    let (engine, clock) = guarded(2);
    fail(&engine);
    assert_eq!(engine.statistics().breaker, BreakerState::Closed);
    fail(&engine);
    assert_eq!(engine.statistics().breaker, BreakerState::Open);
    assert_refused(&engine, PAUSE);
    assert_eq!(engine.statistics().rejected, 1);

    clock.advance(Duration::from_secs(10));
    assert_refused(&engine, Duration::from_secs(20));
    clock.advance(Duration::from_secs(20));
    assert_eq!(engine.statistics().breaker, BreakerState::HalfOpen);

    let mut probe = engine.coordinate_generation(request(), || generation(story()));
    next(&mut probe).unwrap();
    assert_refused(&engine, PAUSE);
    assert!(items(probe).iter().all(Result::is_ok));
    assert_eq!(engine.statistics().breaker, BreakerState::Closed);
    succeed(&engine);
}

#[test]
fn an_opened_stream_is_not_yet_a_success() {
    let (engine, clock) = guarded(1);
    fail(&engine);
    clock.advance(PAUSE);
    let mut probe = engine.coordinate_generation(request(), || generation(vec![piece("a", 1)]));
    next(&mut probe).unwrap();
    assert_eq!(engine.statistics().breaker, BreakerState::HalfOpen);
    assert!(next(&mut probe).is_err());
    assert_eq!(engine.statistics().breaker, BreakerState::Open);
    assert_refused(&engine, PAUSE);
}

#[test]
fn a_cancelled_probe_makes_way_for_the_next() {
    let (engine, clock) = guarded(1);
    fail(&engine);
    clock.advance(PAUSE);
    let mut probe = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    next(&mut probe).unwrap();
    drop(probe);
    succeed(&engine);
    assert_eq!(engine.statistics().breaker, BreakerState::Closed);
}

#[test]
fn callers_errors_overload_and_cancellations_do_not_count() {
    let (engine, _) = guarded(1);
    error_of(&engine, EngineError::EmptyPrompt);
    error_of(
        &engine,
        EngineError::ContextOverflow {
            prompt_tokens: 9,
            context: 8,
        },
    );
    error_of(
        &engine,
        EngineError::backend(BackendErrorKind::Request, "unknown template"),
    );
    error_of(
        &engine,
        EngineError::backend(BackendErrorKind::Overloaded, "too many"),
    );
    error_of(&engine, GenerateError::InvalidMaxTokens { max_tokens: 0 }.into());
    drop(engine.refuse(EngineError::EmptyPrompt));
    let mut cancelled = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    next(&mut cancelled).unwrap();
    drop(cancelled);
    assert_eq!(engine.statistics().breaker, BreakerState::Closed);
}

#[test]
fn every_fault_of_the_backend_counts() {
    for kind in [
        BackendErrorKind::Unavailable,
        BackendErrorKind::Timeout,
        BackendErrorKind::Malformed,
        BackendErrorKind::Internal,
    ] {
        let (engine, _) = guarded(1);
        error_of(&engine, EngineError::backend(kind, "fault"));
        assert_eq!(engine.statistics().breaker, BreakerState::Open, "{kind}");
    }
    let (engine, _) = guarded(1);
    items(engine.coordinate_generation(request(), || panic!("boom")));
    assert_eq!(engine.statistics().breaker, BreakerState::Open);
    let (engine, _) = guarded(1);
    items(engine.coordinate::<_, _, EngineError>(request(), || stream::iter([Ok(complete())])));
    assert_eq!(engine.statistics().breaker, BreakerState::Open);
}

#[test]
fn a_waiting_request_meets_the_breaker_when_its_turn_comes() {
    let clock = ManualClock::new();
    let engine = Engine::new(EngineConfig {
        max_running: 1,
        breaker: BreakerConfig {
            failures: 1,
            pause: PAUSE,
            ..BreakerConfig::default()
        },
        clock: Arc::clone(&clock) as Arc<_>,
        ..Default::default()
    })
    .unwrap();
    let mut failing = engine.coordinate_generation(request(), || generation(vec![piece("a", 1)]));
    next(&mut failing).unwrap();
    let mut waiting = [0; 2].map(|_| {
        let mut waiting = engine.coordinate_generation(request(), || unreachable!("the circuit is open"));
        assert!(poll(&mut waiting).is_pending());
        waiting
    });
    assert!(next(&mut failing).is_err());
    for stream in &mut waiting {
        let refused = next(stream).unwrap_err();
        assert!(matches!(refused, EngineError::CircuitOpen { .. }), "{refused}");
    }

    clock.advance(PAUSE);
    succeed(&engine);
    let statistics = engine.statistics();
    assert_eq!(
        (statistics.completed, statistics.failed, statistics.rejected),
        (1, 1, 2)
    );
}

#[test]
fn with_the_circuit_open_nobody_waits_for_a_turn() {
    let clock = ManualClock::new();
    let engine = Engine::new(EngineConfig {
        max_running: 2,
        breaker: BreakerConfig {
            failures: 1,
            pause: PAUSE,
            ..BreakerConfig::default()
        },
        clock: Arc::clone(&clock) as Arc<_>,
        ..Default::default()
    })
    .unwrap();
    let stall = || engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    let mut slow = stall();
    next(&mut slow).unwrap();
    fail(&engine);
    clock.advance(PAUSE);
    let mut probe = stall();
    next(&mut probe).unwrap();

    // Every permit is taken and a probe is under way.
    assert_refused(&engine, PAUSE);
}
