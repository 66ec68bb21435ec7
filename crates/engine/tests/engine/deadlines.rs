//! Deadlines: what is late ends with an error, is counted once, and is woken for it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use engine::{
    BreakerConfig, BreakerState, CandleCompletionParams, CandlePrompt, DeadlineKind, Deadlines, Engine,
    EngineConfig, EngineError, Request,
};
use futures::Stream;

use crate::scripted::*;

const LIMIT: Duration = Duration::from_secs(2);
const EARLIER: Duration = Duration::from_millis(1999);
const REST: Duration = Duration::from_millis(1);

/// An engine for one request at a time, whose breaker opens with the first failure.
fn engine_at(clock: &Arc<ManualClock>, deadlines: Deadlines) -> Engine {
    Engine::new(EngineConfig {
        max_running: 1,
        deadlines,
        breaker: BreakerConfig {
            failures: 1,
            ..BreakerConfig::default()
        },
        clock: Arc::clone(clock) as Arc<_>,
        ..EngineConfig::default()
    })
    .unwrap()
}

fn deadlines(queue: bool, first_token: bool, total: bool) -> Deadlines {
    Deadlines {
        queue: queue.then_some(LIMIT),
        first_token: first_token.then_some(LIMIT),
        total: total.then_some(LIMIT),
    }
}

#[track_caller]
fn assert_late(stream: &mut Completion, what: DeadlineKind) {
    match next(stream) {
        Err(EngineError::DeadlineExceeded { what: found, limit }) => {
            assert_eq!((found, limit), (what, LIMIT))
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(poll(stream), Poll::Ready(None)));
}

#[test]
fn one_that_waits_too_long_for_its_turn_is_rejected_and_leaves_the_queue() {
    let clock = ManualClock::new();
    let engine = engine_at(&clock, deadlines(true, false, false));
    let mut running = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    assert!(next(&mut running).is_ok());
    let mut waiting = engine.coordinate_generation(request(), || unreachable!("it never begins"));
    assert!(poll(&mut waiting).is_pending());
    clock.advance(EARLIER);
    assert!(poll(&mut waiting).is_pending());
    clock.advance(REST);
    assert_late(&mut waiting, DeadlineKind::Queue);
    // The one that runs has no such deadline any more.
    assert!(poll(&mut running).is_pending());
    let statistics = engine.statistics();
    assert_eq!(
        (statistics.rejected, statistics.waiting, statistics.in_flight),
        (1, 0, 1)
    );
    drop(running);
    succeed(&engine);
    assert_eq!(engine.statistics().breaker, BreakerState::Closed);
}

#[test]
fn a_backend_that_says_nothing_in_time_has_failed_and_is_dropped() {
    let clock = ManualClock::new();
    let engine = engine_at(&clock, deadlines(false, true, false));
    let alive = Alive::default();
    let held = alive.clone();
    let mut silent = engine.coordinate_generation(request(), move || {
        let _held = &held;
        stalled(vec![])
    });
    assert!(poll(&mut silent).is_pending());
    clock.advance(LIMIT);
    assert_late(&mut silent, DeadlineKind::FirstToken);
    assert_eq!(alive.others(), 0);
    assert_eq!(engine.statistics().failed, 1);
    assert_eq!(engine.statistics().breaker, BreakerState::Open);
}

#[test]
fn a_first_piece_that_lay_ready_in_time_is_the_readers_to_be_late_for() {
    let clock = ManualClock::new();
    let engine = engine_at(&clock, deadlines(false, true, false));
    let mut ready = false;
    let stream = futures::stream::poll_fn(move |_| {
        let first = !std::mem::replace(&mut ready, true);
        if first {
            Poll::Pending
        } else {
            Poll::Ready(Some(piece("a", 1)))
        }
    });
    let mut stream =
        engine.coordinate_generation(request(), move || engine::AsyncStream::from_stream(stream));
    assert!(poll(&mut stream).is_pending());
    clock.advance(10 * LIMIT);
    assert!(next(&mut stream).is_ok());
}

#[test]
fn a_backend_is_not_to_blame_for_the_time_in_the_queue() {
    let clock = ManualClock::new();
    let engine = engine_at(&clock, deadlines(false, true, false));
    let mut running = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    assert!(next(&mut running).is_ok());
    let mut waiting = engine.coordinate_generation(request(), || stalled(vec![]));
    assert!(poll(&mut waiting).is_pending());
    clock.advance(EARLIER);
    drop(running);
    assert!(poll(&mut waiting).is_pending());
    assert_eq!(engine.statistics().in_flight, 1);
    clock.advance(REST);
    assert_late(&mut waiting, DeadlineKind::FirstToken);
    assert_eq!(
        (engine.statistics().failed, engine.statistics().breaker),
        (1, BreakerState::Closed)
    );
}

#[test]
fn a_backend_that_is_given_up_is_gone_before_the_next_request_begins() {
    let clock = ManualClock::new();
    let engine = engine_at(&clock, deadlines(false, false, true));
    let alive = Alive::default();
    let held = alive.clone();
    let backend = futures::stream::poll_fn(move |_| {
        let _held = &held;
        Poll::Pending
    });
    let mut late = engine.coordinate_generation(request(), move || engine::AsyncStream::from_stream(backend));
    assert!(poll(&mut late).is_pending());
    clock.advance(LIMIT / 2);
    let mut next = engine.coordinate_generation(request(), {
        let alive = alive.clone();
        move || {
            // The test's handle and this one.
            assert_eq!(alive.others(), 1);
            stalled(vec![])
        }
    });
    assert!(poll(&mut next).is_pending());
    clock.advance(LIMIT / 2);
    assert_late(&mut late, DeadlineKind::Total);
    assert!(poll(&mut next).is_pending());
    assert_eq!(engine.statistics().in_flight, 1);
}

#[test]
fn the_first_piece_ends_the_wait_for_it_and_the_whole_has_a_deadline_of_its_own() {
    let clock = ManualClock::new();
    let engine = engine_at(&clock, deadlines(true, true, false));
    let mut stream = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    assert!(next(&mut stream).is_ok());
    clock.advance(10 * LIMIT);
    assert!(poll(&mut stream).is_pending());
    drop(stream);

    let engine = engine_at(&clock, deadlines(false, false, true));
    let mut stream = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1), piece("b", 2)]));
    assert!(next(&mut stream).is_ok());
    clock.advance(LIMIT);
    assert_late(&mut stream, DeadlineKind::Total);
    // How long an answer may be is the caller's business.
    assert_eq!(
        (engine.statistics().failed, engine.statistics().completion_tokens),
        (1, 1)
    );
    assert_eq!(engine.statistics().breaker, BreakerState::Closed);
}

#[test]
fn a_requests_own_deadline_stands_before_the_engines() {
    let clock = ManualClock::new();
    let engine = engine_at(
        &clock,
        Deadlines {
            total: Some(LIMIT),
            ..Deadlines::default()
        },
    );
    let params = CandleCompletionParams {
        deadlines: Deadlines {
            total: Some(10 * LIMIT),
            ..Deadlines::default()
        },
        ..CandleCompletionParams::default()
    };
    let patient = Request::new(&CandlePrompt::raw("once"), &params).unwrap();
    let mut stream = engine.coordinate_generation(patient, || stalled(vec![piece("a", 1)]));
    clock.advance(LIMIT);
    assert!(next(&mut stream).is_ok());
    clock.advance(9 * LIMIT);
    assert!(
        matches!(next(&mut stream), Err(EngineError::DeadlineExceeded { limit, .. }) if limit == 10 * LIMIT)
    );
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_stream_that_waits_is_woken_when_its_time_is_over_and_asks_for_it_once() {
    let clock = ManualClock::new();
    let engine = engine_at(&clock, deadlines(false, true, true));
    let mut stream = engine.coordinate_generation(request(), || stalled(vec![]));
    let wakes = Arc::<Wakes>::default();
    let waker = Waker::from(Arc::clone(&wakes));
    for _ in 0..5 {
        assert!(
            Pin::new(&mut stream)
                .poll_next(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    clock.advance(EARLIER);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    clock.advance(REST);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
}

#[test]
fn the_systems_clock_ends_what_nobody_else_would() {
    let engine = Engine::new(EngineConfig {
        deadlines: Deadlines {
            total: Some(Duration::from_millis(30)),
            ..Deadlines::default()
        },
        ..EngineConfig::default()
    })
    .unwrap();
    let stream = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    let items: Vec<_> = stream.blocking_iter().collect();
    assert_eq!(items.len(), 2);
    assert!(
        matches!(items[1], Err(EngineError::DeadlineExceeded { .. })),
        "{items:?}"
    );
}
