//! The engine alone: a backend that fails, the circuit breaker that leaves it alone, and a stream once it works again.
//!
//! The backend is any stream of chunks; what the engine adds is that every request ends with exactly one `Complete` or
//! error, and that a backend which failed repeatedly is not asked for a while.
//!
//! ```sh
//! cargo run -p engine --example breaker
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use engine::{
    BackendErrorKind, BreakerConfig, CandleCompletionChunk, CandleCompletionParams, CandlePrompt, Drafts,
    Engine, EngineConfig, EngineError, FinishReason, Request, Timings, Usage,
};
use futures::stream;

/// A backend that answers, or says that it cannot.
fn backend(broken: bool) -> Vec<Result<CandleCompletionChunk, EngineError>> {
    if broken {
        return vec![Err(EngineError::backend(
            BackendErrorKind::Unavailable,
            "the backend is down",
        ))];
    }
    let text = |text: &str| {
        Ok(CandleCompletionChunk::Text {
            choice: 0,
            text: text.to_owned(),
            tokens: vec![],
        })
    };
    let finish = CandleCompletionChunk::Finish {
        choice: 0,
        finish: FinishReason::Stop,
        stop: None,
    };
    let complete = CandleCompletionChunk::Complete {
        usage: Usage {
            prompt_tokens: 1,
            cached_tokens: 0,
            completion_tokens: 2,
        },
        timings: Timings::default(),
        seed: None,
        cache_miss: None,
        drafts: Drafts::default(),
    };
    vec![text("Good "), text("morning."), Ok(finish), Ok(complete)]
}

/// One request, shown as it goes.
fn ask(engine: &Engine, broken: bool) -> Result<(), EngineError> {
    let prompt = CandlePrompt::from("Good morning!");
    // What is wrong with a request is an error here, before any work.
    let request = Request::new(&prompt, &CandleCompletionParams::default())?;
    // The closure runs once the request is admitted; an open breaker never calls it.
    let stream = engine.coordinate(request, move || stream::iter(backend(broken)));
    for chunk in stream.blocking_iter() {
        match chunk? {
            CandleCompletionChunk::Text { text, .. } => println!("  text: {text:?}"),
            CandleCompletionChunk::Complete { usage, .. } => {
                println!("  complete: {} tokens", usage.completion_tokens);
            }
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(EngineConfig {
        breaker: BreakerConfig {
            failures: 2,
            pause: Duration::from_millis(200),
            ..BreakerConfig::default()
        },
        ..EngineConfig::named("example")
    })?;

    let mut wait = Duration::ZERO;
    for (what, broken) in [
        ("a first failure", true),
        ("a second one, which opens the breaker", true),
        ("refused: the backend is not asked", true),
    ] {
        println!("{what}");
        match ask(&engine, broken) {
            Ok(()) => return Err("a failure looks like a finish".into()),
            Err(error) => {
                println!("  error: {error}");
                if let EngineError::CircuitOpen { retry_after } = error {
                    wait = retry_after;
                }
            }
        }
        println!("  breaker: {:?}", engine.statistics().breaker);
    }

    std::thread::sleep(wait);
    println!("after the pause, one request is the probe");
    println!("  breaker: {:?}", engine.statistics().breaker);
    ask(&engine, false)?;
    let statistics = engine.statistics();
    println!("  breaker: {:?}", statistics.breaker);
    println!(
        "{} completed, {} failed, {} refused",
        statistics.completed, statistics.failed, statistics.rejected
    );
    Ok(())
}
