//! The thread that owns the model: takes requests up, runs them step by step, sleeps when it cannot.
//!
//! Between two steps requests join and leave. One step is one forward pass over every sequence that can
//! go on: one token of each that decodes, and a bounded chunk of the prompts. The worker never waits for a
//! reader: a sequence whose channel is full rests, and gives up its place in the batch, and its cache,
//! as soon as another request could use it; when the reader has caught up, what is not kept of it any more is run again.
//!
//! What a sequence has run is kept when it ends, however it does but by a failure, and its prompt already when that has
//! been run: a request that begins alike forks those caches and runs only the rest.
//!
//! It sleeps on the doorbell only after it has looked at everything since the last ring, and everything
//! that could let a sequence go on rings: a request, a reader that makes room, a reader or handle that goes. It wakes by
//! itself for a deadline.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use models::{KvCache, Logits, Model};

use crate::admission::Admission;
use crate::embedding::{Advance, Embedding};
use crate::prefixes::Prefixes;
use crate::sequence::Sequence;
use crate::step::{Failure, Pick, Step};
use crate::{CacheMiss, GenerateError, Limits};

/// The model and the sequences that it serves.
pub(crate) struct Worker {
    model: Box<dyn Model>,
    admission: Arc<Admission>,
    /// Sequences of one forward pass, hence caches.
    slots: usize,
    /// Bytes that the caches of all running sequences may come to have.
    cache_bytes: usize,
    /// Prompt tokens of one step.
    prefill_chunk: usize,
    /// What has been run; `None` where it is not kept.
    prefixes: Option<Prefixes>,
    /// In the order in which they were taken up; each has a cache.
    running: Vec<Sequence>,
    /// Set aside for their readers to catch up; none has a cache.
    resting: VecDeque<Sequence>,
    /// Whose turn it is when one rested and one waits: taken in turns, so that neither starves.
    rested_next: bool,
    /// The request for vectors that is being run; it has a cache, and a place among those that run.
    embedding: Option<Embedding>,
    /// Whether the last one to begin was one: taken in turns with sequences, so that neither starves.
    embedded: bool,
    /// Reused from step to step.
    picks: Vec<Pick>,
    shares: Vec<usize>,
    step: Step,
    logits: Logits,
    /// A row that several choices draw from, reused.
    row: Vec<f32>,
}

/// Tokens guessed in one step, over all sequences together.
const GUESSED: usize = 32;

/// Forced tokens of one sequence that a step runs whole; what is longer is run as a prompt is.
const FORCED: usize = 32;

impl Worker {
    pub(crate) fn new(
        model: Box<dyn Model>,
        admission: Arc<Admission>,
        slots: usize,
        cache_bytes: usize,
        limits: Limits,
    ) -> Self {
        let keeps = model.capabilities().fork && limits.prefix_bytes > 0;
        Self {
            step: Step::new(model.capabilities().vocab),
            model,
            admission,
            slots: slots.max(1),
            cache_bytes,
            prefill_chunk: limits.prefill_chunk.max(1),
            prefixes: keeps.then(|| Prefixes::new(limits.prefix_bytes)),
            running: Vec::new(),
            resting: VecDeque::new(),
            rested_next: false,
            embedding: None,
            embedded: false,
            picks: Vec::new(),
            shares: Vec::new(),
            logits: Logits::new(),
            row: Vec::new(),
        }
    }

    /// Serves until every handle is gone and every request is over.
    pub(crate) fn run(mut self) {
        let _farewell = Farewell(Arc::clone(&self.admission));
        loop {
            self.sweep();
            if !self.take_up_embedding() {
                self.take_up();
            }
            let (stepped, embedded) = (self.run_step(), self.embed());
            if stepped || embedded {
                continue;
            }
            if self.running.is_empty() && self.resting.is_empty() && self.admission.is_finished() {
                return;
            }
            let running = self.running.iter().chain(&self.resting);
            let deadlines = running
                .filter_map(Sequence::deadline)
                .chain(self.admission.deadline());
            self.admission.bell().wait_until(deadlines.min());
        }
    }

    /// Frees what is over, what nobody reads any more and what is late; what has been run is kept for others.
    fn sweep(&mut self) {
        let now = Instant::now();
        let held = self.running.iter_mut().chain(&mut self.resting);
        for sequence in held.filter(|sequence| !sequence.is_over() && sequence.is_late(now)) {
            // Before its cache is lost with the failure: it is as good as any other.
            keep(&mut self.prefixes, sequence);
            sequence.expire(now);
        }
        self.clear();
        self.resting.retain(|sequence| !sequence.is_over());
        self.admission.sweep(now);
    }

    /// Frees the places of what is over, and keeps what it has run.
    fn clear(&mut self) {
        for sequence in self.running.iter_mut().filter(|sequence| sequence.is_over()) {
            keep(&mut self.prefixes, sequence);
        }
        self.running.retain(|sequence| !sequence.is_over());
    }

    /// Begins the next request for vectors where none is being run and there is room beside what runs, or can be made as
    /// it is for sequences. Says whether one waits whose turn it is: until it has begun, no sequence is taken up.
    fn take_up_embedding(&mut self) -> bool {
        let turn = std::mem::take(&mut self.embedded) && self.has_candidate();
        if turn || self.embedding.is_some() {
            return false;
        }
        while self.admission.has_embedding() {
            let slots: usize = self.running.iter().map(Sequence::width).sum();
            let bytes = self
                .running
                .iter()
                .map(Sequence::cache_bytes)
                .fold(0, usize::saturating_add);
            let (alone, room, most) = (self.running.is_empty(), slots < self.slots, self.cache_bytes);
            self.embedding = self.admission.next_embedding(|embedding| {
                alone || (room && bytes.saturating_add(embedding.cache_bytes()) <= most)
            });
            if self.embedding.is_some() {
                return false;
            }
            if !self.set_one_aside() {
                return self.admission.has_embedding();
            }
        }
        false
    }

    /// Runs a chunk of the request for vectors; `false` if there is none.
    fn embed(&mut self) -> bool {
        let Some(embedding) = self.embedding.take() else {
            return false;
        };
        let (rest, advance) = embedding.advance(self.model.as_mut(), self.prefill_chunk, &mut self.logits);
        self.embedded = rest.is_none();
        self.embedding = rest;
        if let Advance::Panicked(panic) = advance {
            self.logits = Logits::new();
            let _ = panicked(panic);
        }
        true
    }

    /// Fills the batch with sequences that can go on, in the place of those that cannot.
    fn take_up(&mut self) {
        while self.has_candidate() {
            let Some((mut sequence, rested)) = self.candidate() else {
                return;
            };
            // A request finds what ended before it was made, though that was after the sweep.
            self.clear();
            while !self.fits(&sequence) {
                if !self.set_one_aside() {
                    self.put_back(sequence, rested);
                    return;
                }
            }
            match catch_unwind(AssertUnwindSafe(|| self.opening(&sequence))) {
                Ok((cache, miss)) => {
                    sequence.start(cache, miss);
                    self.running.push(sequence);
                }
                Err(panic) => sequence.fail(panicked(panic)),
            }
        }
    }

    /// A cache to begin with: what an earlier sequence has run of the same tokens, and why not all of them.
    fn opening(&mut self, sequence: &Sequence) -> (KvCache, Option<CacheMiss>) {
        if sequence.scores() {
            return (self.model.new_cache(), Some(CacheMiss::Scored));
        }
        let tokens = sequence.reusable();
        let miss = match &mut self.prefixes {
            None if !self.model.capabilities().fork => CacheMiss::Unsupported,
            None => CacheMiss::Off,
            Some(prefixes) if prefixes.is_empty() => CacheMiss::Empty,
            Some(prefixes) => match prefixes.longest(tokens).map(|(cache, common)| cache.fork(common)) {
                Some(Ok(cache)) => {
                    let miss = (cache.len() < tokens.len()).then_some(CacheMiss::Differs);
                    return (cache, miss);
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "a kept cache cannot be shared");
                    CacheMiss::Failed
                }
                None => CacheMiss::Differs,
            },
        };
        let whole = tokens.is_empty();
        (self.model.new_cache(), (!whole).then_some(miss))
    }

    fn has_candidate(&self) -> bool {
        self.admission.has_waiting() || self.resting.iter().any(Sequence::has_caught_up)
    }

    /// The next sequence to take up: rested and waiting ones in turns, each in their order; and whether it had rested.
    fn candidate(&mut self) -> Option<(Sequence, bool)> {
        let rested = self.resting.iter().position(Sequence::has_caught_up);
        let sequence = match rested {
            Some(index) if self.rested_next => self.resting.remove(index).map(|sequence| (sequence, true)),
            rested => {
                let waiting = self.admission.next().map(|sequence| (sequence, false));
                waiting.or_else(|| Some((self.resting.remove(rested?)?, true)))
            }
        };
        self.rested_next = !self.rested_next;
        sequence
    }

    /// Leaves a candidate where it was: it is the next one again, so that smaller ones do not pass it for ever.
    fn put_back(&mut self, sequence: Sequence, rested: bool) {
        if rested {
            self.resting.push_front(sequence);
        } else {
            self.admission.put_back(sequence);
        }
        self.rested_next = rested;
    }

    /// Whether all choices of one more sequence find slots and room for their caches beside those that run, however long
    /// all of them become.
    fn fits(&self, sequence: &Sequence) -> bool {
        let together = || self.running.iter().chain([sequence]);
        let embeds = usize::from(self.embedding.is_some());
        let slots: usize = together().map(Sequence::width).sum::<usize>() + embeds;
        let bytes = together()
            .map(Sequence::cache_bytes)
            .chain(self.embedding.iter().map(Embedding::cache_bytes))
            .fold(0, usize::saturating_add);
        (self.running.is_empty() && embeds == 0) || (slots <= self.slots && bytes <= self.cache_bytes)
    }

    /// Sets the first running sequence aside whose reader holds it up; says whether there was one.
    fn set_one_aside(&mut self) -> bool {
        let Some(index) = self.running.iter().position(|sequence| !sequence.has_room()) else {
            return false;
        };
        let mut sequence = self.running.remove(index);
        keep(&mut self.prefixes, &mut sequence);
        self.resting.push_back(sequence);
        true
    }

    /// Runs one step over every sequence that can go on; `false` if there is none.
    fn run_step(&mut self) -> bool {
        self.pick();
        if self.picks.is_empty() {
            return false;
        }
        let picks = std::mem::take(&mut self.picks);
        match self.forward(&picks) {
            Ok(()) => {}
            // Every cache is as it was: whoever was not the cause can go on alone.
            Err(Failure::Model(_)) if picks.len() > 1 => {
                for pick in picks.chunks(1) {
                    if let Err(failure) = self.forward(pick) {
                        self.fail(pick, failure);
                    }
                }
            }
            Err(failure) => self.fail(&picks, failure),
        }
        self.picks = picks;
        true
    }

    /// Chooses what the next step runs: whole what decodes, with the tokens that a constraint forced or with what is
    /// guessed of its next ones; in order and bounded what prefills.
    fn pick(&mut self) {
        self.picks.clear();
        share(&self.running, self.prefill_chunk, &mut self.shares);
        // Guesses are cheap while the weights are what a step waits for, and compete with others beyond.
        let guessed = GUESSED / self.running.len().max(1);
        for (slot, (sequence, &shared)) in self.running.iter_mut().zip(&self.shares).enumerate() {
            let pending = sequence.pending();
            if pending == 0 || !sequence.has_room() {
                continue;
            }
            let (tokens, rows, draws) = if sequence.scores() {
                (
                    shared,
                    shared,
                    (shared == pending).then(|| shared.saturating_sub(1)),
                )
            } else if prefills(sequence) {
                let draws = shared == pending;
                (shared, usize::from(draws), draws.then_some(0))
            } else if pending > 1 {
                (pending, 1, Some(0))
            } else {
                let tokens = pending + sequence.guess(guessed);
                (tokens, tokens, Some(0))
            };
            if tokens > 0 {
                let cached = sequence.cached();
                self.picks.push(Pick {
                    slot,
                    tokens,
                    cached,
                    rows,
                    draws,
                });
            }
        }
    }

    /// One forward pass; the sequences whose tokens are all run then draw their next one, and one more for each guess that
    /// this makes true. Those whose prompt has been run branch into all their choices first.
    fn forward(&mut self, picks: &[Pick]) -> Result<(), Failure> {
        self.step
            .forward(self.model.as_mut(), &mut self.running, picks, &mut self.logits)?;
        let ready = Instant::now();
        let (mut first, mut branches) = (0, Vec::new());
        for pick in picks.iter().filter(|pick| pick.rows > 0) {
            let Some(sequence) = self.running.get_mut(pick.slot) else {
                continue;
            };
            let rows = first..first + pick.rows;
            first = rows.end;
            if sequence.scores() {
                let (logits, from) = (&self.logits, pick.cached);
                try_on(sequence, |sequence| {
                    sequence.score(from, rows.clone().map(|row| logits.row(row)))
                });
            }
            let Some(draws) = pick.draws.map(|row| rows.start + row) else {
                continue;
            };
            let prompt = self
                .prefixes
                .as_mut()
                .and_then(|prefixes| sequence.prompt_to_keep(prefixes));
            for mut branch in sequence.branch() {
                // A draw leaves the row as scratch.
                self.row.clear();
                self.row.extend_from_slice(self.logits.row(draws));
                draw(&mut branch, &mut self.row, ready);
                branches.push(branch);
            }
            if draw(sequence, self.logits.row_mut(draws), ready)
                && let (Some(prefixes), Some(cache)) = (&mut self.prefixes, prompt)
            {
                prefixes.insert(sequence.prompt(), cache);
            }
            while let Some(row) = sequence
                .next_row()
                .map(|row| draws + row)
                .filter(|row| *row < rows.end)
            {
                draw(sequence, self.logits.row_mut(row), ready);
            }
            sequence.settle();
        }
        self.running.extend(branches);
        Ok(())
    }

    fn fail(&mut self, picks: &[Pick], failure: Failure) {
        let error = match failure {
            Failure::Model(error) => GenerateError::Model(error),
            Failure::Broken {
                what,
                expected,
                found,
            } => GenerateError::BrokenModel {
                what,
                expected,
                found,
            },
            Failure::Panicked(panic) => {
                // The panic may have left the buffer half written.
                self.logits = Logits::new();
                panicked(panic)
            }
        };
        for pick in picks {
            if let Some(sequence) = self.running.get_mut(pick.slot) {
                sequence.fail(error.clone());
            }
        }
    }
}

/// Whether a sequence has tokens to run that are run as a prompt is, in chunks.
fn prefills(sequence: &Sequence) -> bool {
    let pending = sequence.pending();
    let whole = sequence.is_decoding() && pending <= FORCED;
    sequence.has_room() && (sequence.scores() && pending > 0 || pending > 1 && !whole)
}

/// Shares the `chunk` prompt tokens of a step: as many to each sequence that has some to run, and what one does not need to
/// the others in their order. So a short prompt does not wait until a long one has been run.
///
/// * `shares`: becomes one for each of `running`, 0 where none is wanted.
fn share(running: &[Sequence], chunk: usize, shares: &mut Vec<usize>) {
    let wanting = running.iter().filter(|sequence| prefills(sequence)).count();
    let fair = (chunk / wanting.max(1)).max(1);
    let mut left = chunk;
    shares.clear();
    shares.extend(running.iter().map(|sequence| {
        let wanted = if prefills(sequence) { sequence.pending() } else { 0 };
        let share = wanted.min(fair).min(left);
        left -= share;
        share
    }));
    for (sequence, share) in running.iter().zip(shares) {
        if prefills(sequence) {
            let more = (sequence.pending() - *share).min(left);
            *share += more;
            left -= more;
        }
    }
}

/// Draws the next token of a sequence. Says whether it could.
fn draw(sequence: &mut Sequence, row: &mut [f32], ready: Instant) -> bool {
    try_on(sequence, |sequence| sequence.accept(row, ready))
}

/// Works on a sequence that goes on; where that fails, the sequence does. Says whether it worked.
fn try_on(sequence: &mut Sequence, work: impl FnOnce(&mut Sequence) -> Result<(), GenerateError>) -> bool {
    if sequence.is_over() {
        return false;
    }
    let done = catch_unwind(AssertUnwindSafe(|| work(sequence)));
    let done = done.unwrap_or_else(|panic| Err(panicked(panic)));
    done.map_err(|error| sequence.fail(error)).is_ok()
}

/// Keeps what a sequence has run, whose cache is taken.
fn keep(prefixes: &mut Option<Prefixes>, sequence: &mut Sequence) {
    if let Some((tokens, cache)) = sequence.take_run()
        && let Some(prefixes) = prefixes
    {
        prefixes.insert(tokens, cache);
    }
}

/// Closes the door behind the worker, whichever way it goes.
struct Farewell(Arc<Admission>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.worker_gone();
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> GenerateError {
    let message = match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(message) => (*message).to_owned(),
            Err(_) => "no message".to_owned(),
        },
    };
    tracing::error!(%message, "a step panicked");
    GenerateError::Panicked { message }
}
