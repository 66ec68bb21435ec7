//! The remote provider in front of servers that answer well, badly and not at all.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod server;

mod answering;
mod calling;
mod failing;
mod asking;
mod retrying;
mod routing;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine::{
    Alarm, AsyncStream, BackendErrorKind, BreakerConfig, CandleCompletionChunk, CandleCompletionModel as _,
    CandleCompletionParams, CandlePrompt, Clock, EngineError,
};
use providers::RemoteProvider;
use providers::remote::{RemoteConfig, RemoteError, RetryPolicy, Secret, Timeouts};

type Chunks = Vec<Result<CandleCompletionChunk, EngineError>>;

/// A clock that stands until it is set forward.
#[derive(Debug)]
struct Held(Mutex<Instant>);

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now())))
    }

    fn forward(&self, time: Duration) {
        *self.0.lock().expect("nobody panics with the time in hand") += time;
    }
}

impl Clock for Held {
    fn now(&self) -> Instant {
        *self.0.lock().expect("nobody panics with the time in hand")
    }

    fn ring_at(&self, _: Instant, _: Alarm) {}
}

const KEY: &str = "sk-very-secret";

/// Impatient enough for tests.
fn config(addresses: &[&str]) -> RemoteConfig {
    RemoteConfig {
        endpoints: addresses.iter().map(|address| (*address).to_owned()).collect(),
        api_key: Some(Secret::new(KEY)),
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(20),
            between_events: Duration::from_secs(20),
        },
        retry: RetryPolicy {
            pause: Duration::from_millis(5),
            ..RetryPolicy::default()
        },
        ..RemoteConfig::default()
    }
}

/// No retries, and a breaker that opens late.
fn once(address: &str) -> RemoteConfig {
    let mut config = config(&[address]);
    config.retry.retries = 0;
    config.engine.breaker = BreakerConfig {
        failures: 1_000,
        rate: 1.0,
        window: 10_000,
        ..BreakerConfig::default()
    };
    config
}

fn connect(config: RemoteConfig) -> RemoteProvider {
    RemoteProvider::connect(config).expect("the server can be connected to")
}

fn ask(provider: &RemoteProvider, text: &str) -> Chunks {
    ask_with(provider, text, &CandleCompletionParams::default())
}

fn ask_with(provider: &RemoteProvider, text: &str, params: &CandleCompletionParams) -> Chunks {
    stream(provider, text, params).blocking_iter().collect()
}

fn stream(
    provider: &RemoteProvider,
    text: &str,
    params: &CandleCompletionParams,
) -> AsyncStream<Result<CandleCompletionChunk, EngineError>> {
    provider.prompt(CandlePrompt::from(text), params)
}

fn text(chunks: &Chunks) -> String {
    chunks
        .iter()
        .flatten()
        .filter_map(CandleCompletionChunk::text)
        .collect()
}

/// The answer's text, where it ends as it should.
fn answered(chunks: &Chunks) -> String {
    let last = chunks.last().expect("a stream has an end");
    assert!(
        matches!(last, Ok(CandleCompletionChunk::Complete { .. })),
        "{last:?}"
    );
    text(chunks)
}

/// The kind and the words of the error that a stream ends with.
fn failed(chunks: &Chunks) -> (BackendErrorKind, String) {
    match chunks.last() {
        Some(Err(EngineError::Backend { kind, source })) => {
            let error = source.downcast_ref::<RemoteError>().expect("the source is ours");
            let mut words = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                words.push_str(&format!(": {error}"));
                cause = error.source();
            }
            assert!(!words.contains(KEY), "{words}");
            assert!(!format!("{error:?}").contains(KEY));
            (*kind, words)
        }
        other => panic!("{other:?}"),
    }
}

/// Waits for something that another thread does, not as long as a server has for anything.
fn eventually(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < Duration::from_secs(10), "it did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}
