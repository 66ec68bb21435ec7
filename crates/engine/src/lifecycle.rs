//! The life of one request, counted: waiting, in flight, ended.
//!
//! A [`Lifecycle`] stands in the request's stream. However the stream goes (to its end, dropped, unwound),
//! exactly one outcome is counted, the breaker gets its ticket back and the permit is released.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::ready;
use generator::{Drafts, FinishReason, Timings, Usage};
use metrics::Histogram;

use crate::admission::{Admission, Entry, Permit, Place};
use crate::breaker::{Breaker, Ticket, Verdict};
use crate::clock::Alarm;
use crate::config::{Deadlines, EngineConfig};
use crate::error::{DeadlineKind, EngineError};
use crate::meters::Meters;
use crate::statistics::{EngineState, Statistics};

/// What all requests of one engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    config: EngineConfig,
    admission: Arc<Admission>,
    breaker: Mutex<Breaker>,
    statistics: Mutex<Statistics>,
    meters: Meters,
    /// Who waits for the engine to stop.
    mourners: Mutex<Mourners>,
}

#[derive(Debug, Default)]
struct Mourners {
    next: u64,
    wakers: HashMap<u64, Waker>,
}

impl Shared {
    pub(crate) fn new(config: EngineConfig, state: EngineState) -> Arc<Self> {
        Arc::new(Self {
            admission: Admission::new(config.max_running, config.max_waiting),
            breaker: Mutex::new(Breaker::new(config.breaker)),
            statistics: Mutex::new(Statistics {
                state,
                ..Statistics::default()
            }),
            meters: Meters::new(&config.name),
            mourners: Mutex::default(),
            config,
        })
    }

    /// Begins to take requests, if it was loading.
    pub(crate) fn make_ready(&self) {
        self.count(|statistics| {
            if statistics.state == EngineState::Loading {
                statistics.state = EngineState::Ready;
            }
        });
    }

    /// Takes no more requests.
    pub(crate) fn drain(&self) {
        self.count(|statistics| {
            if statistics.state != EngineState::Stopped {
                statistics.state = EngineState::Draining;
            }
        });
    }

    /// A future of the engine's stop.
    pub(crate) fn stopped(self: &Arc<Self>) -> Stopped {
        let mut mourners = lock(&self.mourners);
        let key = mourners.next;
        mourners.next += 1;
        drop(mourners);
        Stopped {
            shared: Arc::clone(self),
            key,
        }
    }

    pub(crate) fn snapshot(&self) -> Statistics {
        let breaker = lock(&self.breaker).state(self.now());
        Statistics {
            breaker,
            ..*lock(&self.statistics)
        }
    }

    /// Counts a request that is refused before it gets a stream.
    pub(crate) fn count_refusal(&self) {
        self.count(|statistics| {
            statistics.requests += 1;
            statistics.rejected += 1;
        });
        self.meters.ended(Outcome::Rejected.name(), 0);
    }

    fn count<T>(&self, change: impl FnOnce(&mut Statistics) -> T) -> T {
        let mut statistics = lock(&self.statistics);
        let result = change(&mut statistics);
        let (waiting, in_flight) = (statistics.waiting, statistics.in_flight);
        let stops = statistics.state == EngineState::Draining && waiting + in_flight == 0;
        if stops {
            statistics.state = EngineState::Stopped;
        }
        // Under the lock, so that what is told last is what was last.
        self.meters.load(waiting, in_flight);
        drop(statistics);
        if stops {
            let wakers = std::mem::take(&mut lock(&self.mourners).wakers);
            wakers.into_values().for_each(Waker::wake);
        }
        result
    }

    fn now(&self) -> Instant {
        self.config.clock.now()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ready once the engine has stopped.
pub(crate) struct Stopped {
    shared: Arc<Shared>,
    key: u64,
}

impl Future for Stopped {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // First the waker, so that a stop in between wakes it.
        lock(&self.shared.mourners)
            .wakers
            .insert(self.key, cx.waker().clone());
        match lock(&self.shared.statistics).state {
            EngineState::Stopped => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let waker = lock(&self.shared.mourners).wakers.remove(&self.key);
        drop(waker);
    }
}

/// One request from its making to its end.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    shared: Arc<Shared>,
    stage: Stage,
    made: Instant,
    deadlines: Deadlines,
    alarm: Alarm,
    /// When the alarm was set to ring last.
    rings: Option<Instant>,
    began: Option<Instant>,
    /// Spent in the queue.
    waited: Duration,
    /// Tokens received so far.
    tokens: u64,
    /// Something of the answer has come.
    came: bool,
    /// When the last chunk with tokens came.
    last: Option<Instant>,
    between: Option<Histogram>,
    /// Ends of choices: stopped, cut off, called tools.
    finished: [u64; 3],
    span: tracing::Span,
}

#[derive(Debug)]
enum Stage {
    Created,
    Waiting { place: Place, since: Instant },
    InFlight { permit: Permit, ticket: Ticket },
    Ended,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Completed,
    Failed,
    Cancelled,
    Rejected,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

impl Lifecycle {
    /// Counts a new request.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotReady`] if the engine takes none; nothing is counted.
    pub(crate) fn new(shared: Arc<Shared>, deadlines: Deadlines) -> Result<Self, EngineError> {
        let id = shared.count(|statistics| match statistics.state {
            EngineState::Ready => {
                statistics.requests += 1;
                statistics.waiting += 1;
                Ok(statistics.requests)
            }
            state => Err(EngineError::NotReady { state }),
        })?;
        let span = tracing::debug_span!("request", engine = shared.config.name, id);
        Ok(Self {
            stage: Stage::Created,
            made: shared.now(),
            deadlines: deadlines.or(shared.config.deadlines),
            alarm: Alarm::default(),
            rings: None,
            began: None,
            waited: Duration::ZERO,
            tokens: 0,
            came: false,
            last: None,
            between: None,
            finished: [0; 3],
            span,
            shared,
        })
    }

    /// The span of what belongs to the request.
    pub(crate) fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// The deadline that comes first of those that matter still.
    fn deadline(&self) -> Option<(Instant, DeadlineKind, Duration)> {
        let Deadlines {
            queue,
            first_token,
            total,
        } = self.deadlines;
        let waits = matches!(self.stage, Stage::Created | Stage::Waiting { .. });
        [
            (queue.filter(|_| waits), DeadlineKind::Queue),
            (first_token.filter(|_| !self.came), DeadlineKind::FirstToken),
            (total, DeadlineKind::Total),
        ]
        .into_iter()
        // A limit too long for the clock is none.
        .filter_map(|(limit, what)| Some((self.made.checked_add(limit?)?, what, limit?)))
        .min_by_key(|(time, ..)| *time)
    }

    /// Whether the request's time is over: the error that it is to end with, which [`Self::expire`] counts.
    ///
    /// * `has_looked`: whether the backend has just said that nothing is there. Before, the first token may lie ready,
    ///   and it is only the reader who is late.
    pub(crate) fn is_late(&self, has_looked: bool) -> Option<EngineError> {
        let (time, what, limit) = self.deadline()?;
        let ready = what == DeadlineKind::FirstToken && !has_looked && self.began.is_some();
        (!ready && self.shared.now() >= time).then_some(EngineError::DeadlineExceeded { what, limit })
    }

    /// Ends a request whose time is over: as rejected where the work had not begun, and else as failed. The backend is to
    /// blame for a missing first token if it had the whole of that time.
    pub(crate) fn expire(&mut self, error: EngineError) -> EngineError {
        let (Some(began), EngineError::DeadlineExceeded { what, limit }) = (self.began, &error) else {
            return self.reject(error);
        };
        let had = self.shared.now().saturating_duration_since(began);
        let verdict = if *what == DeadlineKind::FirstToken && had >= *limit {
            Verdict::Failure
        } else {
            Verdict::Neutral
        };
        self.end(Outcome::Failed, verdict, |_| {});
        error
    }

    /// Has `cx` woken when the time is over, if it has one; for a stream that is about to wait.
    pub(crate) fn set_alarm(&mut self, cx: &Context<'_>) {
        let Some((time, ..)) = self.deadline() else {
            return;
        };
        // One that has rung is set anew, whatever it was set to.
        if self.alarm.set(cx.waker()) && self.rings == Some(time) {
            return;
        }
        self.rings = Some(time);
        self.shared.config.clock.ring_at(time, self.alarm.clone());
    }

    /// Waits for leave to begin the work.
    ///
    /// # Errors
    ///
    /// [`EngineError::CircuitOpen`] or [`EngineError::QueueFull`]; the request has then ended as rejected.
    pub(crate) fn poll_admission(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), EngineError>> {
        let (permit, waited) = match &mut self.stage {
            Stage::Created => {
                let now = self.shared.now();
                // With the circuit open there is nothing to wait for.
                let open = lock(&self.shared.breaker).check(now).err();
                if let Some(retry_after) = open {
                    return Poll::Ready(Err(self.reject(EngineError::CircuitOpen { retry_after })));
                }
                match self.shared.admission.enter(cx) {
                    Entry::Admitted(permit) => (permit, Duration::ZERO),
                    Entry::Waiting(place) => {
                        self.stage = Stage::Waiting { place, since: now };
                        return Poll::Pending;
                    }
                    Entry::Full => {
                        let waiting = self.shared.config.max_waiting;
                        return Poll::Ready(Err(self.reject(EngineError::QueueFull { waiting })));
                    }
                }
            }
            Stage::Waiting { place, since } => {
                let permit = ready!(place.poll(cx));
                (permit, self.shared.now().saturating_duration_since(*since))
            }
            Stage::InFlight { .. } | Stage::Ended => return Poll::Ready(Ok(())),
        };
        Poll::Ready(self.begin(permit, waited))
    }

    /// Passes the breaker with a permit in hand.
    fn begin(&mut self, permit: Permit, waited: Duration) -> Result<(), EngineError> {
        let now = self.shared.now();
        let passed = {
            let mut breaker = lock(&self.shared.breaker);
            let passed = breaker.admit(now);
            self.shared.meters.breaker(breaker.state(now));
            passed
        };
        let ticket = passed.map_err(|retry_after| self.reject(EngineError::CircuitOpen { retry_after }))?;
        self.stage = Stage::InFlight { permit, ticket };
        self.began = Some(now);
        self.waited = waited;
        self.shared.count(|statistics| {
            statistics.waiting -= 1;
            statistics.in_flight += 1;
            statistics.queued += waited;
        });
        self.shared.meters.began(waited);
        self.between = Some(self.shared.meters.between_tokens());
        Ok(())
    }

    /// Counts the tokens of a chunk that is not the last.
    pub(crate) fn receive(&mut self, tokens: usize) {
        let now = self.shared.now();
        if let (Some(last), Some(between)) = (self.last, &self.between)
            && tokens > 0
        {
            between.record(now.saturating_duration_since(last));
        }
        if tokens > 0 {
            self.last = Some(now);
        }
        self.came = true;
        self.tokens += tokens as u64;
    }

    /// Takes note of how a choice ended.
    pub(crate) fn finish(&mut self, finish: FinishReason) {
        let [stopped, cut_off, called_tools] = &mut self.finished;
        *match finish {
            FinishReason::Length => cut_off,
            FinishReason::ToolCalls => called_tools,
            _ => stopped,
        } += 1;
    }

    /// Tokens received so far.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Ends the request as completed, with the time spent waiting added to the times reported.
    pub(crate) fn complete(&mut self, usage: &Usage, timings: &mut Timings, drafts: &Drafts) {
        timings.queued += self.waited;
        timings.time_to_first_token += self.waited;
        self.tokens = usage.completion_tokens as u64;
        let [stopped, cut_off, called_tools] = self.finished;
        let (guessed, accepted) = (drafts.guessed as u64, drafts.accepted as u64);
        let meters = &self.shared.meters;
        meters.completed(usage, timings, guessed, accepted);
        meters.finished(FinishReason::Stop, stopped);
        meters.finished(FinishReason::Length, cut_off);
        meters.finished(FinishReason::ToolCalls, called_tools);
        self.end(Outcome::Completed, Verdict::Success, |statistics| {
            statistics.stopped += stopped;
            statistics.cut_off += cut_off;
            statistics.called_tools += called_tools;
            statistics.prompt_tokens += usage.prompt_tokens as u64;
            statistics.cached_tokens += usage.cached_tokens as u64;
            statistics.guessed_tokens += guessed;
            statistics.accepted_tokens += accepted;
            statistics.time_to_first_token += timings.time_to_first_token;
            statistics.decode += timings.decode;
        });
    }

    /// Ends the request as failed; as rejected where the backend refuses what was asked before it says anything.
    pub(crate) fn fail(&mut self, error: EngineError) -> EngineError {
        if self.tokens == 0 && error.is_refusal() {
            return self.reject(error);
        }
        let verdict = if error.is_backend_failure() {
            Verdict::Failure
        } else {
            Verdict::Neutral
        };
        self.end(Outcome::Failed, verdict, |_| {});
        error
    }

    fn reject(&mut self, error: EngineError) -> EngineError {
        self.end(Outcome::Rejected, Verdict::Neutral, |_| {});
        error
    }

    /// Counts the outcome, once and together with `more`, and gives back all that the request held.
    fn end(&mut self, outcome: Outcome, verdict: Verdict, more: impl FnOnce(&mut Statistics)) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended);
        if matches!(stage, Stage::Ended) {
            return;
        }
        let began = matches!(stage, Stage::InFlight { .. });
        let tokens = self.tokens;
        self.shared.count(|statistics| {
            if began {
                statistics.in_flight -= 1;
            } else {
                statistics.waiting -= 1;
            }
            match outcome {
                Outcome::Completed => statistics.completed += 1,
                Outcome::Failed => statistics.failed += 1,
                Outcome::Cancelled => statistics.cancelled += 1,
                Outcome::Rejected => statistics.rejected += 1,
            }
            statistics.completion_tokens += tokens;
            more(statistics);
        });
        self.alarm.clear();
        self.shared.meters.ended(outcome.name(), tokens);
        if let Stage::InFlight { permit, ticket } = stage {
            // First the verdict, so that whoever gets the permit meets the breaker as it now is.
            let now = self.shared.now();
            let mut breaker = lock(&self.shared.breaker);
            breaker.record(ticket, verdict, now);
            // Under the lock, so that what is told last is what was last.
            self.shared.meters.breaker(breaker.state(now));
            drop(breaker);
            drop(permit);
        }
        tracing::debug!(parent: &self.span, ?outcome, tokens, "request ended");
    }
}

impl Drop for Lifecycle {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled, Verdict::Neutral, |_| {});
    }
}
