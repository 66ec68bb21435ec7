//! What an engine tells the recorder of the [`metrics`] facade, where a program has installed one.
//!
//! Every meter has the label `engine`. Counted at the same places as [`Statistics`](crate::Statistics), by the same
//! guard.

use std::time::Duration;

use generator::{FinishReason, Timings, Usage};
use metrics::{Histogram, counter, gauge, histogram};

use crate::breaker::BreakerState;

/// The meters of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    engine: String,
}

impl Meters {
    pub(crate) fn new(engine: &str) -> Self {
        Self {
            engine: engine.to_owned(),
        }
    }

    /// A request has ended: `completed`, `failed`, `cancelled` or `rejected`.
    pub(crate) fn ended(&self, outcome: &'static str, completion_tokens: u64) {
        let engine = || self.engine.clone();
        counter!("engine_requests_total", "engine" => engine(), "outcome" => outcome).increment(1);
        counter!("engine_completion_tokens_total", "engine" => engine()).increment(completion_tokens);
    }

    /// A choice of a request that completes has finished.
    pub(crate) fn finished(&self, finish: FinishReason, choices: u64) {
        if choices > 0 {
            let (engine, finish) = (self.engine.clone(), finish.as_str());
            counter!("engine_choices_total", "engine" => engine, "finish" => finish).increment(choices);
        }
    }

    /// A request has completed.
    pub(crate) fn completed(&self, usage: &Usage, timings: &Timings, guessed: u64, accepted: u64) {
        let engine = || self.engine.clone();
        counter!("engine_prompt_tokens_total", "engine" => engine()).increment(usage.prompt_tokens as u64);
        counter!("engine_cached_tokens_total", "engine" => engine()).increment(usage.cached_tokens as u64);
        counter!("engine_guessed_tokens_total", "engine" => engine()).increment(guessed);
        counter!("engine_accepted_tokens_total", "engine" => engine()).increment(accepted);
        histogram!("engine_time_to_first_token_seconds", "engine" => engine())
            .record(timings.time_to_first_token);
        if let Some(rate) = timings.decode_tok_s(usage) {
            histogram!("engine_tokens_per_second", "engine" => engine()).record(rate);
        }
    }

    /// A request's work begins.
    pub(crate) fn began(&self, waited: Duration) {
        histogram!("engine_queue_seconds", "engine" => self.engine.clone()).record(waited);
    }

    /// Where the times between two chunks with tokens go.
    pub(crate) fn between_tokens(&self) -> Histogram {
        histogram!("engine_inter_token_seconds", "engine" => self.engine.clone())
    }

    /// How many requests wait and run.
    pub(crate) fn load(&self, waiting: u64, in_flight: u64) {
        gauge!("engine_waiting", "engine" => self.engine.clone()).set(waiting as f64);
        gauge!("engine_running", "engine" => self.engine.clone()).set(in_flight as f64);
    }

    /// Whether requests reach the backend: 0 where they do, 1 where one tries, 2 where none does.
    pub(crate) fn breaker(&self, state: BreakerState) {
        let value = match state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        };
        gauge!("engine_breaker_state", "engine" => self.engine.clone()).set(value);
    }
}
