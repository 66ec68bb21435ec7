//! Where and how often a request is tried.
//!
//! The endpoints are asked in the order of their weights: one whose breaker is open is passed over, one that refuses for
//! the moment hands the request on to the next. When all have been asked, there is a pause and the next round. Once the
//! first token has come the request is bound to its endpoint, and whatever happens then is its end.
//!
//! The loop is our own because none that is to be had knows of other endpoints and of breakers.

use std::cmp::Reverse;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use engine::{EngineError, Verdict};

use super::config::RetryPolicy;
use super::endpoint::{Endpoint, Pass};
use super::error::RemoteError;

/// The endpoints of one model.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(crate) all: Vec<Arc<Endpoint>>,
    pub(crate) retry: RetryPolicy,
}

/// How an attempt failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: RemoteError,
    /// Whether something of the answer has been handed on, so that no other attempt may begin.
    pub(crate) begun: bool,
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self { error, begun: false }
    }
}

impl Endpoints {
    /// The heaviest for `conversation` first.
    fn in_order(&self, conversation: u64) -> Vec<Arc<Endpoint>> {
        let mut all = self.all.clone();
        all.sort_by_cached_key(|endpoint| Reverse(endpoint.weight(conversation)));
        all
    }

    /// Runs `attempt` until it succeeds or cannot. It gets its pass lent and hands it back.
    ///
    /// # Errors
    ///
    /// That of the last attempt; [`EngineError::CircuitOpen`] where no endpoint could be asked at all.
    pub(crate) async fn run<T, F>(
        &self,
        conversation: u64,
        patience: Option<Duration>,
        attempt: impl Fn(Arc<Endpoint>, Pass) -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = (Pass, Result<T, Failure>)>,
    {
        let order = self.in_order(conversation);
        let mut last: Option<RemoteError> = None;
        for round in 0..=self.retry.retries {
            let mut soonest_open: Option<Duration> = None;
            let mut soonest_asked: Option<Duration> = None;
            for endpoint in &order {
                let pass = match endpoint.enter(patience) {
                    Ok(pass) => pass,
                    Err(left) => {
                        soonest_open = Some(soonest_open.map_or(left, |least| least.min(left)));
                        continue;
                    }
                };
                let (pass, result) = attempt(Arc::clone(endpoint), pass).await;
                let Failure { error, begun } = match result {
                    Ok(value) => {
                        pass.end(Verdict::Success);
                        return Ok(value);
                    }
                    Err(failure) => failure,
                };
                pass.end(if error.kind().is_failure() {
                    Verdict::Failure
                } else {
                    Verdict::Neutral
                });
                if begun || !error.is_retryable() {
                    return Err(error.into());
                }
                let told = error.retry_after().unwrap_or_default();
                soonest_asked = Some(soonest_asked.map_or(told, |least| least.min(told)));
                last = Some(error);
            }
            let Some(told) = soonest_asked else {
                let retry_after = soonest_open.unwrap_or_default();
                return Err(last.map_or(EngineError::CircuitOpen { retry_after }, EngineError::from));
            };
            if round == self.retry.retries || told > self.retry.longest_retry_after {
                break;
            }
            tokio::time::sleep(self.retry.pause_before(round, chance()).max(told)).await;
        }
        Err(last.map_or(
            EngineError::CircuitOpen {
                retry_after: Duration::ZERO,
            },
            EngineError::from,
        ))
    }
}

/// A number of at least 0 and below 1. The keys of each `RandomState` differ, which is chance enough for a pause.
fn chance() -> f64 {
    f64::from((RandomState::new().hash_one(0_u8) >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
}
