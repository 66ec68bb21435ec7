//! The handle to a model's worker thread: requests in, streams out.
//!
//! A request is checked whole in the caller's thread, before the worker hears of it; what is wrong with it
//! is the stream's only item. The handle is cheap to clone. When the last one is dropped, the requests
//! whose streams are still held are served to their end; then, or when the last stream is dropped, the
//! thread ends and the model with it. Nothing waits for that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::{BoxFuture, ready};
use models::{Capabilities, Device, KvCache, Model, Pooling, Tokenizer};
use simd_sampling::{Basis, Logprobs, SamplerChain, Stage};

use crate::admission::Admission;
use crate::budget::Budget;
use crate::channel::channel;
use crate::clock::Clock;
use crate::constraint::{ConstraintCompiler, ConstraintGuard};
use crate::embedding::{Embedding, TextEmbeddings};
use crate::lookup::Lookup;
use crate::reply::Reply;
use crate::sequence::{Opening, Sequence};
use crate::stop::StopMatcher;
use crate::worker::Worker;
use crate::{
    AsyncStream, CandleStringChunk, Constraint, GenerateError, GenerateRequest, Limits, LogprobsConfig,
    PromptInput, SamplingConfig, SpecialTokens, TokenPlace,
};

/// A handle to the thread that owns a model and generates text with it.
///
/// Several requests run at once, as many as the model can and the [`Limits`] say; further ones wait, up to a
/// limit. What a
/// request generates does not depend on the others.
#[derive(Clone)]
pub struct TextGenerator {
    shared: Arc<Shared>,
}

struct Shared {
    admission: Arc<Admission>,
    tokenizer: Tokenizer,
    capabilities: Capabilities,
    sampling: SamplingConfig,
    limits: Limits,
    /// Sequences that run at once.
    slots: usize,
    /// An empty cache, which knows how large one becomes.
    cache: KvCache,
    /// Bytes that the caches of running sequences may come to have.
    cache_bytes: usize,
    /// Made with the first constraint: it holds the vocabulary once more.
    compiler: OnceLock<Result<ConstraintCompiler, GenerateError>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.admission.handles_gone();
    }
}

impl TextGenerator {
    /// Starts the worker thread of `model`, with the default [`Limits`].
    ///
    /// * `sampling`: how [`TextGenerator::generate`] draws.
    ///
    /// # Errors
    ///
    /// * [`GenerateError::DeviceMismatch`] if the model does not compute on `device`.
    /// * [`GenerateError::Params`] if `sampling` cannot be followed.
    /// * [`GenerateError::Thread`] if the thread cannot be started.
    pub fn new(
        model: Box<dyn Model>,
        tokenizer: Tokenizer,
        device: Device,
        sampling: SamplingConfig,
    ) -> Result<Self, GenerateError> {
        Self::with_limits(model, tokenizer, device, sampling, Limits::default())
    }

    /// Like [`TextGenerator::new`], with chosen limits.
    ///
    /// # Errors
    ///
    /// Those of [`TextGenerator::new`].
    pub fn with_limits(
        model: Box<dyn Model>,
        tokenizer: Tokenizer,
        device: Device,
        sampling: SamplingConfig,
        limits: Limits,
    ) -> Result<Self, GenerateError> {
        let capabilities = model.capabilities().clone();
        if capabilities.device != device {
            return Err(GenerateError::DeviceMismatch {
                wanted: device,
                found: capabilities.device,
            });
        }
        chain(&sampling, &capabilities)?;
        let slots = capabilities.max_sequences.min(limits.running).max(1);
        let admission = Arc::new(Admission::new(slots.saturating_add(limits.waiting)));
        // A model that cannot make one will say so to every request.
        let cache = catch_unwind(AssertUnwindSafe(|| model.new_cache()));
        let cache = cache.unwrap_or_else(|_| KvCache::counting());
        let cache_bytes = limits.running_bytes();
        let worker = Worker::new(model, Arc::clone(&admission), slots, cache_bytes, limits);
        std::thread::Builder::new()
            .name("generator".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| GenerateError::Thread(Arc::new(error)))?;
        Ok(Self {
            shared: Arc::new(Shared {
                admission,
                tokenizer,
                capabilities,
                sampling,
                limits,
                slots,
                cache,
                cache_bytes,
                compiler: OnceLock::new(),
            }),
        })
    }

    /// Generates at most `max_tokens` tokens after `prompt`, drawn as the generator's own sampling says.
    ///
    /// The stream and its errors are those of [`TextGenerator::generate_with`].
    pub fn generate(
        &self,
        prompt: impl Into<PromptInput>,
        max_tokens: u32,
        special: SpecialTokens,
    ) -> AsyncStream<Result<CandleStringChunk, GenerateError>> {
        self.generate_with(GenerateRequest {
            max_tokens: Some(max_tokens),
            special,
            sampling: self.shared.sampling.clone(),
            ..GenerateRequest::new(prompt)
        })
    }

    /// Generates what `request` asks for: one chunk for each token that is drawn, with those that a constraint forces
    /// behind it; the last of each choice with its end. Chunks of several choices stand in any order beside one another.
    ///
    /// The request is checked and its prompt encoded before this returns; it never waits for the worker.
    ///
    /// # Errors
    ///
    /// Errors come in the stream, as its only or last item.
    /// * [`GenerateError::InvalidMaxTokens`], [`GenerateError::InvalidMinTokens`], [`GenerateError::InvalidChoices`],
    ///   [`GenerateError::InvalidLogprobs`], [`GenerateError::InvalidConstraint`], [`GenerateError::EmptyStop`],
    ///   [`GenerateError::TokenOutOfVocabulary`], [`GenerateError::Params`], [`GenerateError::Encode`],
    ///   [`GenerateError::EmptyPrompt`], [`GenerateError::ContextOverflow`], [`GenerateError::CacheTooLarge`]: the
    ///   request cannot be served; nothing was done.
    /// * [`GenerateError::Overloaded`]: not now.
    /// * [`GenerateError::Model`], [`GenerateError::Logits`], [`GenerateError::BrokenModel`],
    ///   [`GenerateError::ConstraintFailed`], [`GenerateError::Panicked`], [`GenerateError::WorkerGone`],
    ///   [`GenerateError::DeadlineExceeded`]: it failed on the way, with all its choices.
    ///
    /// **Cancellation:** dropping the stream ends the request before the worker's next step and frees its place; what it
    /// has run is kept as that of others is.
    pub fn generate_with(
        &self,
        request: GenerateRequest,
    ) -> AsyncStream<Result<CandleStringChunk, GenerateError>> {
        let asked = Instant::now();
        let begun = self.check(request).and_then(|request| request.begin(asked));
        begun.unwrap_or_else(|error| AsyncStream::once(Err(error)))
    }

    /// Does all of [`TextGenerator::generate_with`] that can be done before there is a place for the request: for a caller
    /// that has a queue of its own, and refuses what is wrong before it queues.
    ///
    /// # Errors
    ///
    /// Those of [`TextGenerator::generate_with`] that say that the request cannot be served.
    pub fn check(&self, request: GenerateRequest) -> Result<CheckedRequest, GenerateError> {
        let Shared {
            tokenizer,
            capabilities,
            cache,
            cache_bytes: allowed,
            slots,
            ..
        } = &*self.shared;
        let GenerateRequest {
            prompt,
            max_tokens,
            min_tokens,
            special,
            stop,
            sampling,
            choices,
            logprobs,
            score_prompt,
            constraint,
            draft,
            deadline,
        } = request;
        let scores_only = max_tokens == Some(0) && score_prompt.is_some();
        if let Some(max_tokens @ 0) = max_tokens
            && !scores_only
        {
            return Err(GenerateError::InvalidMaxTokens { max_tokens });
        }
        if let Some(index) = stop.iter().position(String::is_empty) {
            return Err(GenerateError::EmptyStop { index });
        }
        let most = *slots;
        if !usize::try_from(choices).is_ok_and(|choices| (1..=most).contains(&choices)) {
            return Err(GenerateError::InvalidChoices { choices, most });
        }
        let vocab = capabilities.vocab;
        let tops = [logprobs.map(|LogprobsConfig { top, .. }| top), score_prompt];
        if let Some(top) = tops.into_iter().flatten().find(|top| *top > vocab) {
            return Err(GenerateError::InvalidLogprobs { top, vocab });
        }
        let mut ends = special.eos;
        check_tokens(&ends, capabilities.vocab, TokenPlace::EndTokens)?;
        ends.sort_unstable();
        let chain = chain(&sampling, capabilities)?;
        let guard = constraint
            .map(|constraint| self.guard(&constraint, &chain))
            .transpose()?;
        let prompt = self.tokens(prompt)?;
        check_tokens(&prompt, capabilities.vocab, TokenPlace::Prompt)?;
        let budget = if scores_only {
            Budget::none(prompt.len(), capabilities.context)?
        } else {
            Budget::new(max_tokens, prompt.len(), capabilities.context)?
        };
        let (fewest, most) = (usize::try_from(min_tokens).unwrap_or(usize::MAX), budget.left());
        if fewest > most {
            return Err(GenerateError::InvalidMinTokens { min_tokens, most });
        }
        // The last token is drawn and never run.
        let positions = prompt.len() + budget.left().saturating_sub(1);
        let (cache_bytes, copies) = (cache.bytes_for(positions), choices as usize);
        let needed = cache_bytes.saturating_mul(copies);
        if needed > *allowed {
            return Err(GenerateError::CacheTooLarge {
                positions,
                needed,
                most: *allowed,
            });
        }
        Ok(CheckedRequest {
            generator: self.clone(),
            opening: Opening {
                prompt,
                ends,
                stops: StopMatcher::new(stop),
                fewest,
                budget,
                cache_bytes,
                chain,
                guard,
                logprobs: logprobs.map(|LogprobsConfig { top, basis }| Logprobs::new(basis, vocab, top)),
                scores: score_prompt.map(|top| Logprobs::new(Basis::Model, vocab, top)),
                // A model whose caches cannot be cut back runs a sequence again after a wrong guess.
                lookup: (draft > 0 && capabilities.fork).then(|| Lookup::new(draft)),
                seed: sampling.seed_or_fresh(),
                tokenizer: tokenizer.clone(),
                choices,
                deadline,
            },
        })
    }

    /// Turns each text into one vector: its hidden states behind the last layer, pooled.
    ///
    /// The texts are checked and encoded before this returns; they are run between the steps of what is generated.
    ///
    /// # Errors
    ///
    /// * [`GenerateError::EmptyPrompt`], [`GenerateError::ContextOverflow`], [`GenerateError::Encode`],
    ///   [`GenerateError::TokenOutOfVocabulary`], [`GenerateError::CacheTooLarge`] for the first text that cannot be run.
    /// * [`GenerateError::Overloaded`]: not now.
    /// * [`GenerateError::Model`], among others where the model has no hidden states to show;
    ///   [`GenerateError::BrokenModel`], [`GenerateError::Panicked`], [`GenerateError::WorkerGone`].
    ///
    /// **Cancellation:** dropping the future ends the request before its next chunk.
    pub fn embed(
        &self,
        texts: Vec<PromptInput>,
        pooling: Pooling,
    ) -> BoxFuture<'static, Result<TextEmbeddings, GenerateError>> {
        match self.begin_embedding(texts, pooling) {
            Ok(reply) => reply
                .map(|told| told.unwrap_or(Err(GenerateError::WorkerGone)))
                .boxed(),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn begin_embedding(
        &self,
        texts: Vec<PromptInput>,
        pooling: Pooling,
    ) -> Result<oneshot::Receiver<Result<TextEmbeddings, GenerateError>>, GenerateError> {
        let Shared {
            admission,
            capabilities,
            cache,
            cache_bytes: allowed,
            ..
        } = &*self.shared;
        let (reply, told) = oneshot::channel();
        let texts: Vec<Vec<u32>> = texts
            .into_iter()
            .map(|text| self.tokens(text))
            .collect::<Result<_, _>>()?;
        for text in &texts {
            check_tokens(text, capabilities.vocab, TokenPlace::Prompt)?;
            // The last position needs no room behind it.
            if text.is_empty() {
                return Err(GenerateError::EmptyPrompt);
            }
            if text.len() > capabilities.context {
                return Err(GenerateError::ContextOverflow {
                    prompt_tokens: text.len(),
                    context: capabilities.context,
                });
            }
        }
        let positions = texts.iter().map(Vec::len).max().unwrap_or(0);
        let needed = cache.bytes_for(positions);
        if needed > *allowed {
            return Err(GenerateError::CacheTooLarge {
                positions,
                needed,
                most: *allowed,
            });
        }
        if texts.is_empty() {
            // Nobody hears that the receiver is gone.
            let _ = reply.send(Ok(TextEmbeddings::default()));
            return Ok(told);
        }
        let place = admission.place()?;
        admission.submit_embedding(Embedding::new(texts, pooling, needed, place, reply));
        Ok(told)
    }

    fn tokens(&self, prompt: PromptInput) -> Result<Vec<u32>, GenerateError> {
        match prompt {
            PromptInput::Tokens(tokens) => Ok(tokens),
            PromptInput::Text(text) => {
                let ids = self.shared.tokenizer.encode_prompt(&text);
                ids.map_err(|error| GenerateError::Encode(Arc::new(error)))
            }
        }
    }

    /// The tokenizer of the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.shared.tokenizer
    }

    /// What the model can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    /// How [`TextGenerator::generate`] draws.
    pub fn sampling(&self) -> &SamplingConfig {
        &self.shared.sampling
    }

    /// Compiles a constraint, whose masks `chain` is to follow.
    fn guard(&self, constraint: &Constraint, chain: &SamplerChain) -> Result<ConstraintGuard, GenerateError> {
        if !chain.stages().contains(&Stage::Mask) {
            let fault = "the order of the sampling leaves masks out".to_owned();
            return Err(GenerateError::InvalidConstraint { fault });
        }
        let Shared {
            tokenizer,
            capabilities,
            compiler,
            ..
        } = &*self.shared;
        let compiler = compiler.get_or_init(|| ConstraintCompiler::new(tokenizer, capabilities.vocab));
        compiler.as_ref().map_err(Clone::clone)?.compile(constraint)
    }
}

/// A request that can be served, with the generator that has checked it.
pub struct CheckedRequest {
    generator: TextGenerator,
    opening: Opening,
}

impl CheckedRequest {
    /// Generates, as [`TextGenerator::generate_with`] does; times are counted from now.
    pub fn generate(self) -> AsyncStream<Result<CandleStringChunk, GenerateError>> {
        let begun = self.begin(Instant::now());
        begun.unwrap_or_else(|error| AsyncStream::once(Err(error)))
    }

    fn begin(
        self,
        asked: Instant,
    ) -> Result<AsyncStream<Result<CandleStringChunk, GenerateError>>, GenerateError> {
        let Self { generator, opening } = self;
        let Shared {
            admission, limits, ..
        } = &*generator.shared;
        let place = admission.place()?;
        let unread = limits.unread.max(1).saturating_mul(opening.choices as usize);
        let (sender, receiver) = channel(unread, Arc::clone(admission.bell()));
        let reply = Reply::new(sender);
        admission.submit(Sequence::new(opening, reply, place, Clock::new(asked)));
        Ok(AsyncStream::from_channel(receiver))
    }
}

impl std::fmt::Debug for CheckedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckedRequest")
            .field("prompt_tokens", &self.opening.prompt.len())
            .field("choices", &self.opening.choices)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TextGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextGenerator")
            .field("capabilities", &self.shared.capabilities)
            .field("sampling", &self.shared.sampling)
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}

fn chain(sampling: &SamplingConfig, capabilities: &Capabilities) -> Result<SamplerChain, GenerateError> {
    SamplerChain::new(&sampling.params, capabilities.vocab)
        .map_err(|error| GenerateError::Params(Arc::new(error)))
}

fn check_tokens(
    tokens: &[u32],
    vocab: usize,
    place: impl Fn(usize) -> TokenPlace,
) -> Result<(), GenerateError> {
    let outside = |&token: &u32| usize::try_from(token).is_ok_and(|token| token >= vocab);
    match tokens.iter().position(outside) {
        Some(index) => Err(GenerateError::TokenOutOfVocabulary {
            place: place(index),
            token: tokens[index],
            vocab,
        }),
        None => Ok(()),
    }
}
