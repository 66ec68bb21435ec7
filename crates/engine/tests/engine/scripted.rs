//! Backends that follow a script, a clock that moves when told to, and polling by hand.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use engine::{
    Alarm, AsyncStream, CandleCompletionChunk, CandleCompletionParams, CandlePrompt, CandleStringChunk,
    Clock, Drafts, Engine, EngineConfig, EngineError, FinishReason, GenerateError, GenerationEnd, Request,
    StopCause, Timings, Usage,
};
use futures::task::noop_waker_ref;
use futures::{Stream, stream};

pub(crate) type Completion = AsyncStream<Result<CandleCompletionChunk, EngineError>>;
pub(crate) type Generated = Result<CandleStringChunk, GenerateError>;
pub(crate) type Completed = Result<CandleCompletionChunk, EngineError>;

pub(crate) fn engine() -> Engine {
    Engine::new(EngineConfig::default()).unwrap()
}

pub(crate) fn request() -> Request {
    Request::new(&CandlePrompt::raw("once"), &CandleCompletionParams::default()).unwrap()
}

pub(crate) const USAGE: Usage = Usage {
    prompt_tokens: 5,
    cached_tokens: 0,
    completion_tokens: 3,
};

pub(crate) fn timings() -> Timings {
    Timings {
        queued: Duration::from_millis(1),
        prefill: Duration::from_millis(2),
        time_to_first_token: Duration::from_millis(4),
        decode: Duration::from_millis(10),
    }
}

/// A token with its text.
pub(crate) fn piece(text: &str, token: u32) -> Generated {
    Ok(CandleStringChunk {
        text: text.to_owned(),
        tokens: vec![token],
        ..CandleStringChunk::default()
    })
}

/// The end token and what comes with it.
pub(crate) fn end() -> Generated {
    Ok(CandleStringChunk {
        tokens: vec![2],
        end: Some(GenerationEnd {
            finish: FinishReason::Stop,
            stop: Some(StopCause::Token(2)),
            usage: USAGE,
            cache_miss: None,
            drafts: Drafts::default(),
            timings: timings(),
            seed: 7,
        }),
        ..CandleStringChunk::default()
    })
}

/// Two pieces and an end.
pub(crate) fn story() -> Vec<Generated> {
    vec![piece("Once", 10), piece(" upon", 11), end()]
}

pub(crate) fn text(choice: u32, text: &str) -> CandleCompletionChunk {
    CandleCompletionChunk::Text {
        choice,
        text: text.to_owned(),
        tokens: vec![1],
    }
}

pub(crate) fn finish(choice: u32) -> CandleCompletionChunk {
    CandleCompletionChunk::Finish {
        choice,
        finish: FinishReason::Stop,
        stop: None,
    }
}

pub(crate) fn complete() -> CandleCompletionChunk {
    CandleCompletionChunk::Complete {
        usage: USAGE,
        timings: timings(),
        seed: None,
        cache_miss: None,
        drafts: Drafts::default(),
    }
}

/// A generation of these items, ready at once.
pub(crate) fn generation(items: Vec<Generated>) -> AsyncStream<Generated> {
    AsyncStream::from_stream(stream::iter(items))
}

/// A generation of these items that then never goes on.
pub(crate) fn stalled(items: Vec<Generated>) -> AsyncStream<Generated> {
    use futures::StreamExt;
    AsyncStream::from_stream(stream::iter(items).chain(stream::pending()))
}

/// Polls once, with nobody to wake.
pub(crate) fn poll(stream: &mut Completion) -> Poll<Option<Completed>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(noop_waker_ref()))
}

/// The item that is ready.
#[track_caller]
pub(crate) fn next(stream: &mut Completion) -> Completed {
    match poll(stream) {
        Poll::Ready(Some(item)) => item,
        other => panic!("no item: {other:?}"),
    }
}

/// All items of a stream, then once more past its end.
pub(crate) fn items(mut stream: Completion) -> Vec<Completed> {
    let mut items = Vec::new();
    loop {
        match poll(&mut stream) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => break,
            Poll::Pending => panic!("not ready after {items:?}"),
        }
    }
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
    items
}

/// Runs a request that fails through the backend's fault.
pub(crate) fn fail(engine: &Engine) {
    let error = items(engine.coordinate_generation(request(), || generation(vec![])))
        .pop()
        .unwrap();
    assert!(matches!(error, Err(EngineError::BrokenOff { .. })), "{error:?}");
}

/// Runs a request that completes.
pub(crate) fn succeed(engine: &Engine) {
    let last = items(engine.coordinate_generation(request(), || generation(story())))
        .pop()
        .unwrap();
    assert!(
        matches!(last, Ok(CandleCompletionChunk::Complete { .. })),
        "{last:?}"
    );
}

/// Counts what is alive: a value clones itself into whatever is watched.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<()>);

impl Alive {
    pub(crate) fn others(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Counts calls.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn call(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A clock that moves when it is told to.
#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<(Instant, Vec<(Instant, Alarm)>)>);

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((Instant::now(), Vec::new()))))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let due = {
            let (now, alarms) = &mut *self.0.lock().unwrap();
            *now += by;
            let (due, later): (Vec<_>, _) = std::mem::take(alarms).into_iter().partition(|(at, _)| at <= now);
            *alarms = later;
            due
        };
        due.into_iter().for_each(|(_, alarm)| alarm.ring());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().0
    }

    fn ring_at(&self, time: Instant, alarm: Alarm) {
        self.0.lock().unwrap().1.push((time, alarm));
        self.advance(Duration::ZERO);
    }
}
