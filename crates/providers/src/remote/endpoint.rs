//! One server among several of the same model, and which of them a conversation goes to.
//!
//! Rendezvous hashing: each endpoint has a weight for each conversation, and the heaviest is asked first. So a
//! conversation stays where its prefix is cached, and when an endpoint comes or goes, only its own conversations move.
//! The weights depend on addresses and text alone: every process that knows the same addresses chooses alike.
//!
//! Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{Breaker, BreakerConfig, BreakerState, CandlePrompt, Clock, Role, Ticket, Verdict};

/// Bytes of a raw prompt that tell its conversation: later turns have the same beginning.
const BEGINNING: usize = 512;

/// A server.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Its address, without a slash at the end.
    pub(crate) base: String,
    breaker: Mutex<Breaker>,
    clock: Arc<dyn Clock>,
}

impl Endpoint {
    pub(crate) fn new(base: String, breaker: BreakerConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            base,
            breaker: Mutex::new(Breaker::new(breaker)),
            clock,
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.breaker().state(self.clock.now())
    }

    /// Its weight for a conversation.
    pub(crate) fn weight(&self, conversation: u64) -> u64 {
        mix(conversation ^ mix(fnv(self.base.as_bytes())))
    }

    /// Leave to ask it, or how long it is left alone. An attempt that nothing came of for about `patience` counts as
    /// failed even where it is given up from outside.
    pub(crate) fn enter(self: &Arc<Self>, patience: Option<Duration>) -> Result<Pass, Duration> {
        let now = self.clock.now();
        let ticket = self.breaker().admit(now)?;
        Ok(Pass {
            endpoint: Arc::clone(self),
            ticket: Some(ticket),
            began: now,
            patience,
        })
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to ask an endpoint, given back with the verdict; dropping it says nothing about the endpoint, unless its
/// patience is over.
#[derive(Debug)]
pub(crate) struct Pass {
    endpoint: Arc<Endpoint>,
    ticket: Option<Ticket>,
    began: Instant,
    patience: Option<Duration>,
}

impl Pass {
    /// The server has begun to answer: nothing can be late any more.
    pub(crate) fn came(&mut self) {
        self.patience = None;
    }

    pub(crate) fn end(mut self, verdict: Verdict) {
        self.record(verdict);
    }

    fn record(&mut self, verdict: Verdict) {
        if let Some(ticket) = self.ticket.take() {
            let now = self.endpoint.clock.now();
            self.endpoint.breaker().record(ticket, verdict, now);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let had = self.endpoint.clock.now().saturating_duration_since(self.began);
        // The patience is the request's, which is a little older than the attempt.
        let late = self.patience.is_some_and(|patience| had >= patience / 8 * 7);
        self.record(if late { Verdict::Failure } else { Verdict::Neutral });
    }
}

/// What tells a conversation from others and stays the same from turn to turn: its system prompt and the first that its
/// user says, or the beginning of a raw prompt.
pub(crate) fn conversation(prompt: &CandlePrompt) -> u64 {
    let Some(messages) = prompt.messages() else {
        let text = prompt.text();
        let bytes = text.as_bytes();
        return fnv(bytes.get(..BEGINNING).unwrap_or(bytes));
    };
    let first = |role| {
        let message = messages.iter().find(|message| message.role == role);
        message.map_or("", |message| message.content.as_str())
    };
    let (system, user) = (first(Role::System), first(Role::User));
    mix(fnv(system.as_bytes())) ^ fnv(user.as_bytes())
}

/// FNV-1a: the same in every build, which the standard library's hashes do not promise.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit of `bits`.
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{Message, SystemClock};

    fn endpoints(count: usize) -> Vec<Arc<Endpoint>> {
        let one = |index| {
            let base = format!("http://10.0.0.{index}:8000");
            Arc::new(Endpoint::new(
                base,
                BreakerConfig::default(),
                Arc::new(SystemClock),
            ))
        };
        (0..count).map(one).collect()
    }

    fn chosen(endpoints: &[Arc<Endpoint>], key: u64) -> usize {
        let weighted = endpoints.iter().enumerate();
        weighted
            .max_by_key(|(_, endpoint)| endpoint.weight(key))
            .unwrap()
            .0
    }

    #[test]
    fn a_conversation_keeps_its_key_from_turn_to_turn() {
        let mut messages = vec![Message::system("Be brief."), Message::user("Hello")];
        let key = conversation(&CandlePrompt::chat(messages.clone()));
        messages.extend([Message::assistant("Hi"), Message::user("?")]);
        assert_eq!(conversation(&CandlePrompt::chat(messages.clone())), key);
        messages[1] = Message::user("Hallo");
        assert_ne!(conversation(&CandlePrompt::chat(messages)), key);
        let text = "x".repeat(BEGINNING);
        let raw = |more: &str| conversation(&CandlePrompt::raw(format!("{text}{more}")));
        assert_eq!(raw("a"), raw("b"));
    }

    #[test]
    fn conversations_spread_evenly_and_few_move_when_an_endpoint_goes() {
        let all = endpoints(4);
        let key = |n: u32| conversation(&CandlePrompt::from(format!("conversation {n}")));
        let mut counts = [0; 4];
        for n in 0..4_000 {
            let place = chosen(&all, key(n));
            counts[place] += 1;
            if place < 3 {
                assert_eq!(chosen(&all[..3], key(n)), place);
            }
        }
        // Four standard deviations of a fair draw.
        assert!(
            counts.iter().all(|count| (890..=1_110).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_lost_pass_lets_the_next_probe_in() {
        let config = BreakerConfig {
            failures: 1,
            pause: Duration::ZERO,
            ..BreakerConfig::default()
        };
        let endpoint = Arc::new(Endpoint::new(
            "http://a".to_owned(),
            config,
            Arc::new(SystemClock),
        ));
        endpoint.enter(None).unwrap().end(Verdict::Failure);
        drop(endpoint.enter(None).unwrap());
        assert!(endpoint.enter(None).is_ok());
    }

    #[test]
    fn who_is_given_up_without_a_word_after_his_time_has_failed() {
        let config = BreakerConfig {
            failures: 1,
            ..BreakerConfig::default()
        };
        let endpoint = || {
            Arc::new(Endpoint::new(
                "http://a".to_owned(),
                config,
                Arc::new(SystemClock),
            ))
        };
        let late = endpoint();
        drop(late.enter(Some(Duration::ZERO)).unwrap());
        assert_eq!(late.state(), BreakerState::Open);
        let answering = endpoint();
        let mut pass = answering.enter(Some(Duration::ZERO)).unwrap();
        pass.came();
        drop(pass);
        assert_eq!(answering.state(), BreakerState::Closed);
    }
}
