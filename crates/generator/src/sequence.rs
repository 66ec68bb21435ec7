//! One request while it is served: its tokens, its cache and all that is drawn and shown from them.
//!
//! A sequence owns everything that its result depends on, so that the result does not depend on who else
//! is served. How far it has come is one comparison: tokens that its cache does not hold yet are run next,
//! whether they are a prompt, one new token, or what was not kept of them after the cache was given up.

use std::time::Instant;

use models::{KvCache, SequenceStep, Tokenizer};
use simd_sampling::SamplerChain;

use crate::admission::Place;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::detokenizer::Detokenizer;
use crate::prefixes::Prefixes;
use crate::reply::Reply;
use crate::stop::StopMatcher;
use crate::{CacheMiss, CandleStringChunk, FinishReason, GenerateError, GenerationEnd, StopCause, Usage};

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
    /// Bytes that the cache may come to have.
    pub(crate) cache_bytes: usize,
    pub(crate) chain: SamplerChain,
    pub(crate) seed: u64,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) reply: Reply,
    pub(crate) place: Place,
    pub(crate) clock: Clock,
}

/// A request that runs or waits.
pub(crate) struct Sequence {
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
    seed: u64,
    tokenizer: Tokenizer,
    detokenizer: Detokenizer,
    /// Text of the token at hand, reused.
    text: String,
    reply: Reply,
    place: Option<Place>,
    clock: Clock,
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
            seed,
            tokenizer,
            reply,
            place,
            clock,
        } = opening;
        let prompt_tokens = history.len();
        let begins_the_text = history
            .iter()
            .all(|&token| tokenizer.token_bytes(token).is_none_or(<[u8]>::is_empty));
        let detokenizer = Detokenizer::new(begins_the_text && tokenizer.strips_first_space());
        Self {
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
            seed,
            tokenizer,
            detokenizer,
            text: String::with_capacity(32),
            reply,
            place: Some(place),
            clock,
        }
    }

    /// Whether the sequence has sent its last item or its reader is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.reply.is_over()
    }

    /// Whether the reader lets it make another token.
    pub(crate) fn has_room(&self) -> bool {
        self.reply.has_room()
    }

    /// Whether the reader has caught up with a sequence that was set aside.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.reply.has_caught_up()
    }

    /// Bytes that the cache may come to have.
    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_bytes
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

    /// The next `tokens` pending ones, for a batch; `None` if there are not as many or no cache.
    pub(crate) fn step(&mut self, tokens: usize) -> Option<SequenceStep<'_>> {
        let cache = self.cache.as_mut()?;
        let from = cache.len();
        let tokens = self.history.get(from..from.checked_add(tokens)?)?;
        Some(SequenceStep { tokens, cache })
    }

    /// Draws the next token from the logits after the last one and hands it to the reader.
    ///
    /// * `row`: shape `(vocab,)`, nats; scratch afterwards.
    /// * `ready`: when the logits were.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Logits`] if the row allows no draw; the sequence is to be failed with it.
    pub(crate) fn accept(&mut self, row: &mut [f32], ready: Instant) -> Result<(), GenerateError> {
        self.clock.prefilled(ready);
        let index = self.history.len() - self.prompt_tokens;
        let may_stop = index >= self.fewest;
        if !may_stop {
            for &end in &self.ends {
                // A NaN stays one: it is an error of the model, whichever token it stands at.
                if let Some(logit) = row.get_mut(end as usize).filter(|logit| !logit.is_nan()) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        let sampled = self
            .chain
            .sample(row, &self.history, self.seed, index as u64)
            .map_err(|source| GenerateError::Logits {
                index,
                source: source.into(),
            })?;
        let token = sampled.token;
        self.history.push(token);
        self.clock.token();

        self.text.clear();
        let ended = self.ends.binary_search(&token).is_ok();
        if !ended {
            let bytes = self.tokenizer.token_bytes(token).unwrap_or_default();
            self.detokenizer.push(bytes, &mut self.text);
        }
        let spent = self.budget.spend();
        if ended || spent {
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
        } else if ended {
            self.stops.finish(&mut self.text);
            self.end(token, FinishReason::Stop, Some(StopCause::Token(token)));
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
            timings: self.clock.timings(),
            seed: self.seed,
        };
        let chunk = self.chunk(token, Some(end));
        // Freed before the reader can know that this sequence is over; the cache is the worker's to keep.
        self.place = None;
        self.reply.finish(Ok(chunk));
    }

    fn chunk(&self, token: u32, end: Option<GenerationEnd>) -> CandleStringChunk {
        CandleStringChunk {
            choice: 0,
            text: self.text.as_str().to_owned(),
            tokens: vec![token],
            end,
        }
    }
}
