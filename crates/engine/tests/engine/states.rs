//! Loading, ready, draining, stopped.

use std::future::Future;
use std::task::Context;

use engine::{CandleCompletionChunk, Engine, EngineConfig, EngineError, EngineState};
use futures::task::noop_waker_ref;

use crate::scripted::*;

#[track_caller]
fn assert_refused(engine: &Engine, expected: EngineState) {
    let mut refused = items(engine.coordinate_generation(request(), || unreachable!("it is not ready")));
    match refused.pop() {
        Some(Err(EngineError::NotReady { state })) => assert_eq!(state, expected),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.statistics().state, expected);
}

/// Whether the engine has stopped.
fn has_stopped(engine: &Engine) -> bool {
    let mut stopped = std::pin::pin!(engine.stopped());
    stopped
        .as_mut()
        .poll(&mut Context::from_waker(noop_waker_ref()))
        .is_ready()
}

/// Waits for a future as a thread does.
fn wait(future: impl Future<Output = ()> + Send + 'static) {
    use futures::StreamExt;
    let stream = engine::AsyncStream::from_stream(futures::stream::once(future).boxed());
    assert_eq!(stream.blocking_iter().count(), 1);
}

#[test]
fn an_engine_takes_requests_once_it_is_ready() {
    let engine = Engine::loading(EngineConfig::default()).unwrap();
    assert_refused(&engine, EngineState::Loading);
    engine.make_ready();
    succeed(&engine);
    let statistics = engine.statistics();
    assert_eq!(
        (statistics.state, statistics.rejected, statistics.completed),
        (EngineState::Ready, 1, 1)
    );
}

#[test]
fn what_was_asked_before_a_drain_is_served_and_the_engine_stops_with_the_last_of_it() {
    let engine = engine();
    let mut running = engine.coordinate_generation(request(), || generation(story()));
    assert!(next(&mut running).is_ok());
    let asked = engine.coordinate_generation(request(), || generation(story()));
    assert!(!has_stopped(&engine));

    engine.drain();
    assert_refused(&engine, EngineState::Draining);
    engine.make_ready();
    assert_refused(&engine, EngineState::Draining);
    assert!(matches!(
        items(asked).last(),
        Some(Ok(CandleCompletionChunk::Complete { .. }))
    ));
    assert!(!has_stopped(&engine));
    assert!(matches!(
        items(running).last(),
        Some(Ok(CandleCompletionChunk::Complete { .. }))
    ));
    assert!(has_stopped(&engine));
    assert_refused(&engine, EngineState::Stopped);
    engine.drain();
    assert_refused(&engine, EngineState::Stopped);
}

#[test]
fn an_engine_without_requests_stops_at_once_and_whoever_waits_is_woken() {
    let engine = engine();
    let stopped = engine.stopped();
    let waiter = std::thread::spawn(|| wait(stopped));
    engine.drain();
    waiter.join().unwrap();
    assert!(has_stopped(&engine));
}

#[test]
fn a_dropped_stream_lets_an_engine_stop() {
    let engine = engine();
    let mut stream = engine.coordinate_generation(request(), || stalled(vec![piece("a", 1)]));
    assert!(next(&mut stream).is_ok());
    engine.drain();
    assert!(!has_stopped(&engine));
    drop(stream);
    assert!(has_stopped(&engine));
}
