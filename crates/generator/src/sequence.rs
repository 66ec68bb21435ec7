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
use crate::detokenizer::Detokenizer;
use crate::draft::Draft;
use crate::lookup::Lookup;
use crate::prefixes::Prefixes;
use crate::reply::Reply;
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
    /// Where tokens are to be guessed.
    pub(crate) lookup: Option<Lookup>,
    pub(crate) seed: u64,
    pub(crate) tokenizer: Tokenizer,
    /// At least 1.
    pub(crate) choices: u32,
    pub(crate) reply: Reply,
    pub(crate) place: Place,
    pub(crate) clock: Clock,
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
    stops: StopMatcher,
    fewest: usize,
    budget: Budget,
    cache_bytes: usize,
    chain: SamplerChain,
    guard: Option<ConstraintGuard>,
    logprobs: Option<Logprobs>,
    draft: Draft,
    seed: u64,
    tokenizer: Tokenizer,
    detokenizer: Detokenizer,
    /// Text of the token at hand, reused.
    text: String,
    reply: Reply,
    /// Shared by the choices: given back with the last of them.
    place: Option<Arc<Place>>,
    clock: Clock,
    deadline: Option<Instant>,
}

impl Sequence {
    pub(crate) fn new(opening: Opening) -> Self {
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
            lookup,
            seed,
            tokenizer,
            choices,
            reply,
            place,
            clock,
            deadline,
        } = opening;
        let prompt_tokens = history.len();
        let begins_the_text = history
            .iter()
            .all(|&token| tokenizer.token_bytes(token).is_none_or(<[u8]>::is_empty));
        let detokenizer = Detokenizer::new(begins_the_text && tokenizer.strips_first_space());
        Self {
            choice: 0,
            further: (1..choices).filter_map(|_| reply.another()).collect(),
            history,
            prompt_tokens,
            reused: None,
            cache: None,
            ends,
            stops,
            fewest,
            budget,
            cache_bytes,
            chain,
            guard,
            logprobs,
            draft: Draft::new(lookup),
            seed,
            tokenizer,
            detokenizer,
            text: String::with_capacity(32),
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
                stops: self.stops.clone(),
                fewest: self.fewest,
                budget: self.budget,
                cache_bytes: self.cache_bytes,
                chain: self.chain.clone(),
                guard: self.guard.clone(),
                logprobs: self.logprobs.clone(),
                draft: self.draft.clone(),
                seed: self.seed.wrapping_add(u64::from(choice)),
                tokenizer: self.tokenizer.clone(),
                detokenizer: self.detokenizer.clone(),
                text: String::with_capacity(32),
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
        let draws = self.history.len() > self.prompt_tokens;
        self.draft
            .guess(&self.history, if draws { most.min(left) } else { 0 })
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
        if self.is_over() {
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
        self.take(sampled.token)?;
        self.take_forced()
    }

    /// Takes the tokens that have to follow, without a draw; none of them has log-probabilities to report.
    fn take_forced(&mut self) -> Result<(), GenerateError> {
        if self.is_over() || self.logprobs.is_some() {
            return Ok(());
        }
        let Some(guard) = &mut self.guard else {
            return Ok(());
        };
        for token in guard.forced() {
            // What finds no room now has to follow the next draw.
            if self.is_over() || self.reply.room() == 0 {
                break;
            }
            self.take(token)?;
        }
        Ok(())
    }

    /// Goes on behind `token`, hands it to the reader and ends where it has to.
    fn take(&mut self, token: u32) -> Result<(), GenerateError> {
        let may_stop = self.history.len() - self.prompt_tokens >= self.fewest;
        self.history.push(token);
        self.clock.token();

        self.text.clear();
        let ended = self.ends.binary_search(&token).is_ok();
        let mut complete = false;
        if !ended {
            if let Some(guard) = &mut self.guard {
                guard.take(token)?;
                complete = guard.is_complete();
            }
            let bytes = self.tokenizer.token_bytes(token).unwrap_or_default();
            self.detokenizer.push(bytes, &mut self.text);
        }
        let spent = self.budget.spend();
        if ended || complete || spent {
            self.detokenizer.finish(&mut self.text);
        }
        let stop = if may_stop {
            self.stops.push(&mut self.text)
        } else {
            None
        };
        if let Some(stop) = stop {
            let cause = StopCause::Text(stop.to_owned());
            self.end(token, FinishReason::Stop, Some(cause));
        } else if ended || complete {
            self.stops.finish(&mut self.text);
            let cause = if ended {
                StopCause::Token(token)
            } else {
                StopCause::Constraint
            };
            self.end(token, FinishReason::Stop, Some(cause));
        } else if spent {
            self.stops.finish(&mut self.text);
            self.end(token, FinishReason::Length, None);
        } else {
            self.reply.send(self.chunk(token, None));
        }
        Ok(())
    }

    /// Ends the sequence with an error, as the last item of its stream.
    pub(crate) fn fail(&mut self, error: GenerateError) {
        self.cache = None;
        self.place = None;
        self.reply.finish(Err(error));
    }

    fn end(&mut self, token: u32, finish: FinishReason, stop: Option<StopCause>) {
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
        let chunk = self.chunk(token, Some(end));
        // Freed before the reader can know that this sequence is over; the cache is the worker's to keep.
        self.place = None;
        self.reply.finish(Ok(chunk));
    }

    fn chunk(&self, token: u32, end: Option<GenerationEnd>) -> CandleStringChunk {
        let logprobs = self.logprobs.iter().map(|logprobs| TokenLogprobs {
            chosen: logprobs.chosen(),
            best: logprobs.best().to_vec(),
        });
        CandleStringChunk {
            choice: self.choice,
            text: self.text.as_str().to_owned(),
            tokens: vec![token],
            logprobs: logprobs.collect(),
            end,
        }
    }
}
