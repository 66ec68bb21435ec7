//! The circuit breaker: leaves a backend alone after it failed repeatedly, then tries it with one probe.
//!
//! It judges how requests *ended*, not how they began. While closed, it is opened by `failures` failures in a row, or by
//! a share of `rate` among the last `window` requests that told something; while open, nothing passes; after `pause` one
//! request passes as a probe, and its outcome closes the breaker or opens it again. An outcome that says nothing about
//! the backend (a cancellation, a caller's own error) neither counts nor resets the count, and lets the next request be
//! the probe. The outcome of a request that began before the breaker last opened is too old to count.
//!
//! Pure state: the time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When the breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerConfig {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// The share of failures among the last requests that opens it; above 0, and 1 at the most.
    pub rate: f64,
    /// How many of the last requests that share is taken of; 1 to 10,000. Before there were as many, it is not looked at.
    pub window: u32,
    /// How long the backend is left alone before it is tried again.
    pub pause: Duration,
}

/// Five failures in a row or half of twenty, ten seconds.
impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            rate: 0.5,
            window: 20,
            pause: Duration::from_secs(10),
        }
    }
}

/// Whether requests reach the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// They do.
    #[default]
    Closed,
    /// They are refused.
    Open,
    /// One is let through to try the backend; the others are refused until it has ended.
    HalfOpen,
}

/// What a request's end says about the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// Nothing: cancelled, or the caller's own error.
    Neutral,
}

/// Leave to pass, to be handed back with the verdict: a probe whose ticket is lost keeps all others out.
#[derive(Debug)]
#[must_use = "a ticket that is not handed back keeps the breaker half open"]
pub struct Ticket {
    epoch: u64,
}

/// The breaker of one backend. An [`Engine`](crate::Engine) has its own; one that stands before several backends gives
/// each of them another.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    phase: Phase,
    /// Counts the openings; tickets of an older epoch are stale.
    epoch: u64,
    /// Whether the last requests failed, the oldest first; of the time since it closed.
    window: VecDeque<bool>,
}

#[derive(Debug)]
enum Phase {
    Closed { failures: u32 },
    Open { since: Instant },
    HalfOpen { probing: bool },
}

impl Breaker {
    /// A closed breaker. A configuration that [`EngineConfig::validate`](crate::EngineConfig::validate) would refuse opens
    /// it sooner or later than it says.
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            phase: Phase::Closed { failures: 0 },
            epoch: 0,
            window: VecDeque::new(),
        }
    }

    /// Whether a request would pass now.
    ///
    /// # Errors
    ///
    /// If not, how long until the backend is tried again; the whole pause while a probe is under way.
    pub fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.phase {
            Phase::Closed { .. } => Ok(()),
            Phase::Open { since } => {
                let left = self
                    .config
                    .pause
                    .saturating_sub(now.saturating_duration_since(since));
                if left.is_zero() { Ok(()) } else { Err(left) }
            }
            Phase::HalfOpen { probing: false } => Ok(()),
            Phase::HalfOpen { probing: true } => Err(self.config.pause),
        }
    }

    /// Lets a request pass, as the probe if the pause is over.
    ///
    /// # Errors
    ///
    /// Those of [`Self::check`].
    pub fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        self.check(now)?;
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.phase = Phase::HalfOpen { probing: true };
        }
        Ok(Ticket { epoch: self.epoch })
    }

    /// Takes note of how a request ended.
    pub fn record(&mut self, ticket: Ticket, verdict: Verdict, now: Instant) {
        if ticket.epoch != self.epoch {
            return;
        }
        let too_many = verdict != Verdict::Neutral && self.is_too_often(verdict == Verdict::Failure);
        match (&mut self.phase, verdict) {
            (Phase::Closed { failures }, Verdict::Failure) => {
                *failures += 1;
                if *failures >= self.config.failures || too_many {
                    self.open(now);
                }
            }
            (Phase::Closed { failures }, Verdict::Success) => *failures = 0,
            (Phase::HalfOpen { .. }, Verdict::Failure) => self.open(now),
            (Phase::HalfOpen { .. }, Verdict::Success) => {
                self.window.clear();
                self.phase = Phase::Closed { failures: 0 };
            }
            (Phase::HalfOpen { probing }, Verdict::Neutral) => *probing = false,
            (Phase::Closed { .. }, Verdict::Neutral) | (Phase::Open { .. }, _) => {}
        }
    }

    /// Whether requests reach the backend.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } if self.check(now).is_err() => BreakerState::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Takes an outcome into the window; whether too many of those in it are failures.
    fn is_too_often(&mut self, failed: bool) -> bool {
        let length = usize::try_from(self.config.window).unwrap_or(usize::MAX);
        if self.window.len() >= length {
            self.window.pop_front();
        }
        self.window.push_back(failed);
        if self.window.len() < length {
            return false;
        }
        let failures = self.window.iter().filter(|failed| **failed).count();
        failures as f64 >= self.config.rate * length as f64
    }

    fn open(&mut self, now: Instant) {
        self.window.clear();
        self.phase = Phase::Open { since: now };
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn breaker(failures: u32) -> (Breaker, Instant) {
        (
            Breaker::new(BreakerConfig {
                failures,
                pause: PAUSE,
                ..BreakerConfig::default()
            }),
            Instant::now(),
        )
    }

    fn end(breaker: &mut Breaker, verdict: Verdict, now: Instant) {
        let ticket = breaker.admit(now).unwrap();
        breaker.record(ticket, verdict, now);
    }

    #[test]
    fn failures_in_a_row_open_it_and_not_one_fewer() {
        let (mut breaker, now) = breaker(3);
        end(&mut breaker, Verdict::Failure, now);
        end(&mut breaker, Verdict::Failure, now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
        end(&mut breaker, Verdict::Failure, now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.check(now), Err(PAUSE));
    }

    #[test]
    fn a_success_between_failures_starts_the_count_afresh() {
        let (mut breaker, now) = breaker(2);
        for verdict in [Verdict::Failure, Verdict::Success, Verdict::Failure] {
            end(&mut breaker, verdict, now);
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }

    #[test]
    fn a_share_of_failures_opens_it_once_the_window_is_full() {
        let mut breaker = Breaker::new(BreakerConfig {
            failures: 100,
            rate: 0.5,
            window: 6,
            pause: PAUSE,
        });
        let now = Instant::now();
        let (good, bad) = (Verdict::Success, Verdict::Failure);
        // Three of five, and of the last six never more than two, with what says nothing between.
        for verdict in [bad, bad, good, good, good] {
            end(&mut breaker, verdict, now);
            end(&mut breaker, Verdict::Neutral, now);
        }
        for verdict in [good, bad, good, bad, good, good] {
            end(&mut breaker, verdict, now);
            assert_eq!(breaker.state(now), BreakerState::Closed);
        }
        end(&mut breaker, bad, now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        // What was before the opening is forgotten.
        let over = now + PAUSE;
        for verdict in [good, bad, bad, bad, good, good, good] {
            end(&mut breaker, verdict, over);
        }
        assert_eq!(breaker.state(over), BreakerState::Closed);
    }

    #[test]
    fn neutral_ends_neither_count_nor_reset() {
        let (mut breaker, now) = breaker(2);
        for _ in 0..10 {
            end(&mut breaker, Verdict::Neutral, now);
        }
        end(&mut breaker, Verdict::Failure, now);
        end(&mut breaker, Verdict::Neutral, now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
        end(&mut breaker, Verdict::Failure, now);
        assert_eq!(breaker.state(now), BreakerState::Open);
    }

    #[test]
    fn the_pause_counts_down_and_then_one_probe_passes() {
        let (mut breaker, now) = breaker(1);
        end(&mut breaker, Verdict::Failure, now);
        let almost = now + PAUSE - Duration::from_nanos(1);
        assert_eq!(breaker.admit(almost).unwrap_err(), Duration::from_nanos(1));
        assert_eq!(breaker.state(almost), BreakerState::Open);

        let over = now + PAUSE;
        assert_eq!(breaker.state(over), BreakerState::HalfOpen);
        let probe = breaker.admit(over).unwrap();
        assert_eq!(breaker.state(over), BreakerState::HalfOpen);
        assert_eq!(breaker.admit(over).unwrap_err(), PAUSE);
        assert_eq!(breaker.admit(over + 5 * PAUSE).unwrap_err(), PAUSE);

        breaker.record(probe, Verdict::Success, over);
        assert_eq!(breaker.state(over), BreakerState::Closed);
        assert!(breaker.admit(over).is_ok() && breaker.admit(over).is_ok());
    }

    #[test]
    fn a_failed_probe_starts_the_pause_again() {
        let (mut breaker, now) = breaker(3);
        for _ in 0..3 {
            end(&mut breaker, Verdict::Failure, now);
        }
        let over = now + PAUSE;
        end(&mut breaker, Verdict::Failure, over);
        assert_eq!(breaker.check(over), Err(PAUSE));
        assert_eq!(breaker.check(over + PAUSE), Ok(()));
    }

    #[test]
    fn a_cancelled_probe_leaves_the_probe_to_the_next_request() {
        let (mut breaker, now) = breaker(1);
        end(&mut breaker, Verdict::Failure, now);
        let over = now + PAUSE;
        end(&mut breaker, Verdict::Neutral, over);
        assert_eq!(breaker.state(over), BreakerState::HalfOpen);
        end(&mut breaker, Verdict::Success, over);
        assert_eq!(breaker.state(over), BreakerState::Closed);
    }

    #[test]
    fn after_a_probe_succeeded_the_count_starts_at_nought() {
        let (mut breaker, now) = breaker(2);
        end(&mut breaker, Verdict::Failure, now);
        end(&mut breaker, Verdict::Failure, now);
        let over = now + PAUSE;
        end(&mut breaker, Verdict::Success, over);
        end(&mut breaker, Verdict::Failure, over);
        assert_eq!(breaker.state(over), BreakerState::Closed);
    }

    #[test]
    fn ends_from_before_the_opening_do_not_count() {
        let (mut breaker, now) = breaker(1);
        let (slow_success, slow_failure) = (breaker.admit(now).unwrap(), breaker.admit(now).unwrap());
        end(&mut breaker, Verdict::Failure, now);
        breaker.record(slow_success, Verdict::Success, now);
        assert_eq!(breaker.state(now), BreakerState::Open);

        let over = now + PAUSE;
        let probe = breaker.admit(over).unwrap();
        breaker.record(slow_failure, Verdict::Failure, over);
        assert_eq!(breaker.state(over), BreakerState::HalfOpen);
        breaker.record(probe, Verdict::Success, over);
        assert_eq!(breaker.state(over), BreakerState::Closed);
    }

    #[test]
    fn an_endless_pause_is_no_overflow() {
        let mut breaker = Breaker::new(BreakerConfig {
            failures: 1,
            pause: Duration::MAX,
            ..BreakerConfig::default()
        });
        let now = Instant::now();
        end(&mut breaker, Verdict::Failure, now);
        assert_eq!(
            breaker.state(now + Duration::from_secs(1 << 30)),
            BreakerState::Open
        );
    }
}
