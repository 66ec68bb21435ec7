//! One choice of a request while it is served: its tokens, its cache and all that is drawn and shown from them.
//!
//! A sequence owns everything that its result depends on, so that the result does not depend on who else
//! is served. How far it has come is one comparison: tokens that its cache does not hold yet are run next,
//! whether they are a prompt, one new token, or what was not kept of them after the cache was given up.
//!
//! A request is one sequence until its prompt has been run; then its further choices branch off, each with a fork of
//! the cache and the same logits to draw its first token from.

use std::sync::Arc;
use std::time::Instant;

use models::{KvCache, SequenceStep, Tokenizer};
use simd_sampling::{Logprobs, Observe, SamplerChain, Step};

use crate::admission::Place;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::constraint::ConstraintGuard;
use crate::draft::Draft;
use crate::lookup::Lookup;
use crate::output::Output;
use crate::prefixes::Prefixes;
use crate::reply::Reply;
use crate::scoring::PromptScores;
use crate::stop::StopMatcher;
use crate::{
    CacheMiss, CandleStringChunk, FinishReason, GenerateError, GenerationEnd, StopCause, TokenLogprobs, Usage,
};

/// Tokens that a sequence makes room for at once, at the most: 4 MiB of them.
const RESERVED: usize = 1 << 20;

/// What a sequence is made of; checked by the caller.
pub(crate) struct Opening {
    /// At least one token, all in the vocabulary.
    pub(crate) prompt: Vec<u32>,
    /// Tokens that end the generation, in ascending order.
    pub(crate) ends: Vec<u32>,
    pub(crate) stops: StopMatcher,
    /// Tokens before which nothing but the budget ends the generation.
    pub(crate) fewest: usize,
    pub(crate) budget: Budget,
    /// Bytes that the cache of one choice may come to have.
    pub(crate) cache_bytes: usize,
    pub(crate) chain: SamplerChain,
    pub(crate) guard: Option<ConstraintGuard>,
    pub(crate) logprobs: Option<Logprobs>,
    /// Where the prompt is to be scored.
    pub(crate) scores: Option<Logprobs>,
    /// Where tokens are to be guessed.
    pub(crate) lookup: Option<Lookup>,
    pub(crate) seed: u64,
    pub(crate) tokenizer: Tokenizer,
    /// At least 1.
    pub(crate) choices: u32,
    pub(crate) deadline: Option<Instant>,
}

/// A request, or one choice of it, that runs or waits.
pub(crate) struct Sequence {
    choice: u32,
    /// Of the choices that have not branched off yet.
    further: Vec<Reply>,
    /// Prompt and generated tokens; at least one more than the cache holds.
    history: Vec<u32>,
    prompt_tokens: usize,
    /// Prompt tokens that the first cache held, and why not more.
    reused: Option<(usize, Option<CacheMiss>)>,
    cache: Option<KvCache>,
    ends: Vec<u32>,
    fewest: usize,
    budget: Budget,
    cache_bytes: usize,
    chain: SamplerChain,
    guard: Option<ConstraintGuard>,
    logprobs: Option<Logprobs>,
    scores: Option<PromptScores>,
    draft: Draft,
    seed: u64,
    output: Output,
    reply: Reply,
    /// Shared by the choices: given back with the last of them.
    place: Option<Arc<Place>>,
    clock: Clock,
    deadline: Option<Instant>,
}

impl Sequence {
    pub(crate) fn new(opening: Opening, reply: Reply, place: Place, clock: Clock) -> Self {
        let Opening {
            prompt: history,
            ends,
            stops,
            fewest,
            budget,
            cache_bytes,
            chain,
            guard,
            logprobs,
            scores,
            lookup,
            seed,
            tokenizer,
            choices,
            deadline,
        } = opening;
        let prompt_tokens = history.len();
        let output = Output::new(tokenizer, stops, &history);
        Self {
            choice: 0,
            further: (1..choices).filter_map(|_| reply.another()).collect(),
            history,
            prompt_tokens,
            reused: None,
            cache: None,
            ends,
            fewest,
            budget,
            cache_bytes,
            chain,
            guard,
            logprobs,
            scores: scores.map(PromptScores::new),
            draft: Draft::new(lookup),
            seed,
            output,
            reply,
            place: Some(Arc::new(place)),
            clock,
            deadline,
        }
    }

    /// The choices of the request that have not branched off: once its prompt has been run, each is a sequence of its own,
    /// still to draw its first token. None where a draw has been made.
    ///
    /// A choice whose cache cannot be forked fails, and all others with it.
    pub(crate) fn branch(&mut self) -> Vec<Self> {
        let further = std::mem::take(&mut self.further);
        let branches = (1..).zip(further).map(|(choice, reply)| {
            let mut branch = Self {
                choice,
                further: Vec::new(),
                history: self.history.clone(),
                prompt_tokens: self.prompt_tokens,
                reused: self.reused,
                cache: None,
                ends: self.ends.clone(),
                fewest: self.fewest,
                budget: self.budget,
                cache_bytes: self.cache_bytes,
                chain: self.chain.clone(),
                guard: self.guard.clone(),
                logprobs: self.logprobs.clone(),
                scores: None,
                draft: self.draft.clone(),
                seed: self.seed.wrapping_add(u64::from(choice)),
                output: self.output.clone(),
                reply,
                place: self.place.clone(),
                clock: self.clock,
                deadline: self.deadline,
            };
            branch.history.reserve_exact(self.budget.left().min(RESERVED));
            let held = self.cache.as_ref().map(|cache| cache.fork(cache.len()));
            match held.transpose() {
                Ok(cache) => branch.cache = cache,
                Err(error) => branch.fail(GenerateError::Model(Arc::new(error))),
            }
            branch
        });
        branches.collect()
    }

    /// Sequences that this one is, or will become when its prompt has been run.
    pub(crate) fn width(&self) -> usize {
        1 + self.further.len()
    }

    /// Whether its time is over.
    pub(crate) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// When its time will be over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Gives up, since its time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        let error = GenerateError::DeadlineExceeded {
            after: self.clock.since_asked(now),
            tokens: self.history.len() - self.prompt_tokens,
        };
        self.fail(error);
    }

    /// Whether the sequence has sent its last item or its reader is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.reply.is_over()
    }

    /// Whether the reader lets it make another token.
    pub(crate) fn has_room(&self) -> bool {
        self.reply.room() > 0
    }

    /// Whether the reader has caught up with a sequence that was set aside.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.reply.has_caught_up()
    }

    /// Bytes that the caches of all its choices may come to have.
    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_bytes.saturating_mul(self.width())
    }

    /// Tokens that may be held already by the cache it is started with: all but the last, whose logits are wanted.
    pub(crate) fn reusable(&self) -> &[u32] {
        self.history.split_last().map_or(&[], |(_, rest)| rest)
    }

    /// Whether the tokens of the prompt are to be scored, which takes the logits after each of them.
    pub(crate) fn scores(&self) -> bool {
        self.scores.is_some()
    }

    /// Hands the reader what the model gives the tokens of the prompt behind position `from`.
    ///
    /// * `rows`: the logits after the tokens at `from` and the next positions.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Logits`] if a row says nothing; the sequence is to be failed with it.
    pub(crate) fn score<'r>(
        &mut self,
        from: usize,
        rows: impl Iterator<Item = &'r [f32]>,
    ) -> Result<(), GenerateError> {
        let Some(scores) = &mut self.scores else {
            return Ok(());
        };
        let prompt = self.history.get(..self.prompt_tokens).unwrap_or_default();
        let prompt_logprobs = scores.tell(prompt, from, rows)?;
        if self.cached() >= self.prompt_tokens {
            self.scores = None;
        }
        if !prompt_logprobs.is_empty() {
            self.reply.send(CandleStringChunk {
                choice: self.choice,
                prompt_logprobs,
                ..CandleStringChunk::default()
            });
        }
        Ok(())
    }

    /// Gives the sequence a cache to run with, which holds the first of its [`Self::reusable`] tokens.
    ///
    /// * `miss`: why it does not hold all of them.
    pub(crate) fn start(&mut self, cache: KvCache, miss: Option<CacheMiss>) {
        self.clock.start();
        // The tokens that may come, so that none of them makes the history move; a file may claim any context.
        self.history.reserve_exact(self.budget.left().min(RESERVED));
        self.reused.get_or_insert((cache.len(), miss));
        self.cache = Some(cache);
    }

    /// What has been run, with the cache of it, which is taken: the sequence is over without a failure, or is set aside.
    /// Started again, it goes on where it was.
    pub(crate) fn take_run(&mut self) -> Option<(&[u32], KvCache)> {
        let cache = self.cache.take()?;
        Some((self.history.get(..cache.len())?, cache))
    }

    /// The tokens of the prompt.
    pub(crate) fn prompt(&self) -> &[u32] {
        self.history.get(..self.prompt_tokens).unwrap_or_default()
    }

    /// A cache of the prompt for those that come while this sequence runs, when just the whole prompt has been run and
    /// is not kept yet.
    pub(crate) fn prompt_to_keep(&self, prefixes: &mut Prefixes) -> Option<KvCache> {
        let cache = self.cache.as_ref()?;
        let just_run = cache.len() == self.prompt_tokens && self.history.len() == self.prompt_tokens;
        if !just_run || prefixes.holds(&self.history) {
            return None;
        }
        cache.fork(self.prompt_tokens).ok()
    }

    /// Whether a token has been drawn.
    pub(crate) fn is_decoding(&self) -> bool {
        self.history.len() > self.prompt_tokens
    }

    /// Positions that the cache holds.
    pub(crate) fn cached(&self) -> usize {
        self.cache.as_ref().map_or(0, KvCache::len)
    }

    /// Tokens that are to be run before the next can be drawn.
    pub(crate) fn pending(&self) -> usize {
        self.history.len().saturating_sub(self.cached())
    }

    /// Guesses what follows the last token, to be run with it in the next step: at most `most` tokens, no more than may
    /// still be generated behind the one that is drawn next, or than the reader has room for. Says how many.
    pub(crate) fn guess(&mut self, most: usize) -> usize {
        let left = self.budget.left().min(self.reply.room()).saturating_sub(1);
        // The step that ends the prompt is to leave a cache of just the prompt.
        let most = if self.is_decoding() { most.min(left) } else { 0 };
        self.draft.guess(&self.history, most)
    }

    /// The next `tokens` pending ones, for a batch, the guessed ones behind them; `None` if there are not as many or no
    /// cache.
    pub(crate) fn step(&mut self, tokens: usize) -> Option<SequenceStep<'_>> {
        let cache = self.cache.as_mut()?;
        let pending = self.history.get(cache.len()..)?;
        let tokens = self.draft.run(pending, tokens)?;
        Some(SequenceStep { tokens, cache })
    }

    /// Which row of this step's logits is that after the last token, if the sequence goes on and there is one.
    pub(crate) fn next_row(&mut self) -> Option<usize> {
        // A token has to be left to run when the reader has caught up: nothing is judged right that is not drawn from.
        if self.is_over() || !self.has_room() {
            return None;
        }
        self.draft.next_row(&self.history)
    }

    /// Cuts the cache back to what has been drawn; after each step that draws.
    pub(crate) fn settle(&mut self) {
        self.draft.settle(self.cache.as_mut());
    }

    /// Draws the next token from the logits after the last one and hands it to the reader, with those that have to follow
    /// it.
    ///
    /// * `row`: shape `(vocab,)`, nats; scratch afterwards.
    /// * `ready`: when the logits were.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Logits`] if the row allows no draw, and [`GenerateError::ConstraintFailed`]; the sequence is to be
    /// failed with it.
    pub(crate) fn accept(&mut self, row: &mut [f32], ready: Instant) -> Result<(), GenerateError> {
        self.clock.prefilled(ready);
        self.output.clear();
        if self.budget.left() == 0 {
            self.end(FinishReason::Length, None);
            return Ok(());
        }
        let index = self.history.len() - self.prompt_tokens;
        let may_stop = index >= self.fewest;
        let mask = match &mut self.guard {
            Some(guard) => Some(guard.mask(&self.ends, may_stop)?),
            None if may_stop => None,
            None => {
                for &end in &self.ends {
                    // A NaN stays one: it is an error of the model, whichever token it stands at.
                    if let Some(logit) = row.get_mut(end as usize).filter(|logit| !logit.is_nan()) {
                        *logit = f32::NEG_INFINITY;
                    }
                }
                None
            }
        };
        let step = Step {
            history: &self.history,
            mask,
            seed: self.seed,
            step: index as u64,
        };
        let observe = Observe {
            logprobs: self.logprobs.as_mut(),
            trace: None,
        };
        let sampled = self.chain.sample_with(row, step, observe);
        let sampled = sampled.map_err(|source| GenerateError::Logits {
            index,
            source: source.into(),
        })?;
        let mut ending = self.take(sampled.token)?;
        if ending.is_none() {
            for token in self.forced() {
                ending = self.take(token)?;
                if ending.is_some() {
                    break;
                }
            }
        }
        match ending {
            Some((finish, stop)) => self.end(finish, stop),
            None => self.reply.send(self.chunk(None)),
        }
        Ok(())
    }

    /// Tokens that have to follow, without a draw: none where each draw is to leave something behind, be it
    /// log-probabilities or what Mirostat learns. They go to the reader with the token that was drawn, however many they
    /// are: how fast it reads must not change what it reads.
    fn forced(&mut self) -> Vec<u32> {
        match &mut self.guard {
            Some(guard) if self.logprobs.is_none() && self.chain.mu().is_none() => {
                let mut forced = guard.forced();
                // What would end the text where it must not is left to the mask, which forbids it.
                let ends = |token: &u32| self.ends.binary_search(token).is_ok();
                forced.truncate(forced.iter().position(ends).unwrap_or(forced.len()));
                forced
            }
            _ => Vec::new(),
        }
    }

    /// Goes on behind `token`, which is to be handed to the reader. Says whether that ends the generation, and how.
    fn take(&mut self, token: u32) -> Result<Option<(FinishReason, Option<StopCause>)>, GenerateError> {
        let may_stop = self.history.len() - self.prompt_tokens >= self.fewest;
        self.history.push(token);
        self.clock.token();

        let ended = self.ends.binary_search(&token).is_ok();
        let mut complete = false;
        if let Some(guard) = self.guard.as_mut().filter(|_| !ended) {
            guard.take(token)?;
            complete = guard.is_complete();
        }
        self.output.push(token, ended);
        let spent = self.budget.spend();
        let stop = self.output.release(ended || complete || spent, may_stop);
        let cause = if let Some(stop) = stop {
            Some(StopCause::Text(stop))
        } else if ended {
            Some(StopCause::Token(token))
        } else if complete {
            Some(StopCause::Constraint)
        } else {
            None
        };
        Ok(match cause {
            Some(cause) => Some((FinishReason::Stop, Some(cause))),
            None => spent.then_some((FinishReason::Length, None)),
        })
    }

    /// Ends the sequence with an error, as the last item of its stream.
    pub(crate) fn fail(&mut self, error: GenerateError) {
        self.cache = None;
        self.place = None;
        self.reply.finish(Err(error));
    }

    fn end(&mut self, finish: FinishReason, stop: Option<StopCause>) {
        let (cached_tokens, cache_miss) = self.reused.unwrap_or_default();
        let usage = Usage {
            prompt_tokens: self.prompt_tokens,
            cached_tokens,
            completion_tokens: self.history.len() - self.prompt_tokens,
        };
        let end = GenerationEnd {
            finish,
            stop,
            usage,
            cache_miss,
            drafts: self.draft.counts(),
            timings: self.clock.timings(),
            seed: self.seed,
        };
        let chunk = self.chunk(Some(end));
        // Freed before the reader can know that this sequence is over; the cache is the worker's to keep.
        self.place = None;
        self.reply.finish(Ok(chunk));
    }

    /// What the reader does not have yet.
    fn chunk(&self, end: Option<GenerationEnd>) -> CandleStringChunk {
        let logprobs = self
            .logprobs
            .iter()
            .filter(|_| !self.output.tokens().is_empty())
            .map(TokenLogprobs::of);
        CandleStringChunk {
            choice: self.choice,
            text: self.output.text().to_owned(),
            tokens: self.output.tokens().to_vec(),
            logprobs: logprobs.collect(),
            prompt_logprobs: Vec::new(),
            end,
        }
    }
}
