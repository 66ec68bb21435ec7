//! What is tried again, how often and when; the breaker of an endpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{BackendErrorKind, BreakerState, CandleCompletionParams, Deadlines, EngineError};
use serde_json::json;

use crate::server::Server;
use crate::{Held, answered, ask, ask_with, config, connect, eventually, failed, once, text};

#[test]
fn a_server_that_recovers_is_asked_again() {
    for status in [500, 502, 503, 429] {
        let server = Server::start(move |_, number, wire| match number {
            0 | 1 => wire.json(status, &json!({"error": {"message": "not now"}})),
            _ => wire.say("Hello"),
        });
        let provider = connect(config(&[&server.address]));
        assert_eq!(answered(&ask(&provider, "Hi")), "Hello");
        assert_eq!(server.asked().len(), 3);
        let statistics = provider.engine().statistics();
        assert_eq!((statistics.requests, statistics.completed), (1, 1));
    }
}

#[test]
fn a_stream_that_breaks_before_its_first_token_is_asked_for_again() {
    let server = Server::start(|_, number, wire| match number {
        0 => wire.begin(),
        1 => {
            wire.begin();
            wire.event(&json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}));
            wire.event(&json!({"error": {"message": "worker died", "code": 500}}));
        }
        _ => wire.say("Hello"),
    });
    let provider = connect(config(&[&server.address]));
    assert_eq!(answered(&ask(&provider, "Hi")), "Hello");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn after_the_first_token_nothing_is_asked_again() {
    let server = Server::start(|_, number, wire| match number {
        0 => {
            wire.begin();
            wire.text("Hel");
        }
        _ => wire.say("Hello"),
    });
    let provider = connect(config(&[&server.address]));
    let chunks = ask(&provider, "Hi");
    assert_eq!(
        (failed(&chunks).0, text(&chunks).as_str()),
        (BackendErrorKind::Unavailable, "Hel")
    );
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_refusal_is_not_asked_again() {
    for status in [400, 401, 404, 422] {
        let server = Server::start(move |_, _, wire| wire.json(status, &json!({"error": {"message": "no"}})));
        let provider = connect(config(&[&server.address]));
        assert_eq!(failed(&ask(&provider, "Hi")).0, BackendErrorKind::Request);
        assert_eq!(server.asked().len(), 1);
    }
}

#[test]
fn retry_after_is_waited_for_up_to_a_bound() {
    let server = Server::start(|_, number, wire| match number {
        0 => wire.answer(429, "Retry-After: 0.3\r\n", "busy"),
        1 => wire.say("Hello"),
        _ => wire.answer(429, "Retry-After: 3600\r\n", "busy"),
    });
    let provider = connect(config(&[&server.address]));
    let begin = Instant::now();
    assert_eq!(answered(&ask(&provider, "Hi")), "Hello");
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(failed(&ask(&provider, "Hi")).0, BackendErrorKind::Overloaded);
    // An hour is not waited for, nor is the server asked before.
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn failures_open_the_breaker_and_a_probe_closes_it() {
    let server = Server::start(|_, number, wire| match number {
        0..=3 => wire.json(500, &json!({"error": {"message": "broken"}})),
        _ => wire.say("Hello"),
    });
    let clock = Held::new();
    let mut settings = once(&server.address);
    settings.engine.clock = Arc::clone(&clock) as _;
    settings.engine.breaker.failures = 3;
    settings.engine.breaker.pause = Duration::from_secs(10);
    let provider = connect(settings);
    let state = || provider.endpoints()[0].breaker;
    for _ in 0..3 {
        assert_eq!(state(), BreakerState::Closed);
        assert_eq!(failed(&ask(&provider, "Hi")).0, BackendErrorKind::Internal);
    }
    assert_eq!(state(), BreakerState::Open);
    match ask(&provider, "Hi").pop() {
        Some(Err(EngineError::CircuitOpen { retry_after })) => {
            assert_eq!(retry_after, Duration::from_secs(10))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.asked().len(), 3);
    // The first probe fails, the second does not.
    clock.forward(Duration::from_secs(10));
    assert_eq!(state(), BreakerState::HalfOpen);
    assert_eq!(failed(&ask(&provider, "Hi")).0, BackendErrorKind::Internal);
    assert_eq!(state(), BreakerState::Open);
    clock.forward(Duration::from_secs(10));
    assert_eq!(answered(&ask(&provider, "Hi")), "Hello");
    assert_eq!(state(), BreakerState::Closed);
}

#[test]
fn a_server_that_says_nothing_until_the_deadline_has_failed() {
    let server = Server::start(|_, _, wire| {
        let _ = wire.is_closed_within(Duration::from_secs(20));
    });
    let mut settings = once(&server.address);
    settings.engine.breaker.failures = 1;
    let provider = connect(settings);
    let params = CandleCompletionParams {
        deadlines: Deadlines {
            first_token: Some(Duration::from_millis(400)),
            ..Deadlines::default()
        },
        ..Default::default()
    };
    let chunks = ask_with(&provider, "Hi", &params);
    assert!(matches!(
        chunks.last(),
        Some(Err(EngineError::DeadlineExceeded { .. }))
    ));
    eventually(|| provider.endpoints()[0].breaker == BreakerState::Open);
}
