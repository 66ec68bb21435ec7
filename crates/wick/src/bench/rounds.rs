//! The measurement itself: the same workload, run and timed several times.
//!
//! Invariant: before every timed stretch each cache holds exactly `depth` positions, and nothing but the stretch's own
//! forward passes (and, for the first token, the draw) runs inside it.

use std::time::{Duration, Instant};

use generator::Limits;
use models::{KvCache, Logits, Model, ModelError, Rows, SequenceStep};
use simd_sampling::{SamplerChain, SamplingParams};

use super::tokens::{SEED, Tokens};
use super::workload::Workload;

/// What one repetition took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// From the prompt to the logits after it.
    pub(super) prefill: Duration,
    /// From the prompt to the token drawn from them.
    pub(super) first_token: Duration,
    /// All steps of decoding, for all sequences.
    pub(super) decode: Duration,
}

/// A model with a workload to repeat.
pub(super) struct Rounds {
    model: Box<dyn Model>,
    chain: SamplerChain,
    tokens: Tokens,
    workload: Workload,
    /// Prompt tokens of one forward pass: what the generator runs.
    chunk: usize,
    /// One for each sequence.
    lanes: Vec<Lane>,
    logits: Logits,
}

/// A sequence and what stands before the measurements.
struct Lane {
    cache: KvCache,
    before: Vec<u32>,
}

impl Rounds {
    pub(super) fn new(model: Box<dyn Model>, mut tokens: Tokens, workload: Workload) -> anyhow::Result<Self> {
        let vocab = model.capabilities().vocab;
        let lane = |_| Lane {
            cache: model.new_cache(),
            before: tokens.draw(workload.depth),
        };
        Ok(Self {
            lanes: (0..workload.batch).map(lane).collect(),
            chain: SamplerChain::new(&SamplingParams::default(), vocab)?,
            tokens,
            workload,
            chunk: Limits::default().prefill_chunk.max(1),
            logits: Logits::new(),
            model,
        })
    }

    /// Warms up, then measures every repetition.
    pub(super) fn run(mut self) -> anyhow::Result<Vec<Round>> {
        for lane in 0..self.lanes.len() {
            self.fill(lane)?;
        }
        self.round(1)?;
        (0..self.workload.repeat)
            .map(|_| self.round(self.workload.generate))
            .collect()
    }

    /// One repetition with this many steps of decoding.
    fn round(&mut self, steps: usize) -> anyhow::Result<Round> {
        self.rewind()?;
        let prompt = self.tokens.draw(self.workload.prompt);
        let begun = Instant::now();
        self.prefill(0, &prompt)?;
        let prefill = begun.elapsed();
        self.chain.sample(self.logits.row_mut(0), &prompt, SEED, 0)?;
        let first_token = begun.elapsed();
        self.rewind()?;
        Ok(Round {
            prefill,
            first_token,
            decode: self.decode(steps)?,
        })
    }

    /// Runs `tokens` behind what a lane holds; the logits are those after the last one.
    fn prefill(&mut self, lane: usize, tokens: &[u32]) -> Result<(), ModelError> {
        let mut chunks = tokens.chunks(self.chunk).peekable();
        while let Some(tokens) = chunks.next() {
            let cache = &mut self.lanes[lane].cache;
            let rows = if chunks.peek().is_some() {
                Rows::List(&[])
            } else {
                Rows::Last
            };
            let step = SequenceStep { tokens, cache };
            self.model.forward(&mut [step], rows, &mut self.logits)?;
        }
        Ok(())
    }

    /// Runs `steps` tokens of each lane, a token of all lanes at a time.
    fn decode(&mut self, steps: usize) -> Result<Duration, ModelError> {
        let tokens = self.tokens.draw(steps * self.lanes.len());
        let begun = Instant::now();
        for tokens in tokens.chunks_exact(self.lanes.len()) {
            let mut batch: Vec<SequenceStep<'_>> = self
                .lanes
                .iter_mut()
                .zip(tokens.chunks_exact(1))
                .map(|(lane, tokens)| SequenceStep {
                    tokens,
                    cache: &mut lane.cache,
                })
                .collect();
            self.model.forward(&mut batch, Rows::Last, &mut self.logits)?;
        }
        Ok(begun.elapsed())
    }

    /// Takes every lane back to the depth.
    ///
    /// A model without forks keeps its state inside and would run a truncated sequence again when it is next asked:
    /// that must not happen inside a measurement, so its lanes are filled anew here.
    fn rewind(&mut self) -> Result<(), ModelError> {
        let truncates = self.model.capabilities().fork;
        for lane in 0..self.lanes.len() {
            if truncates {
                self.lanes[lane].cache.truncate(self.workload.depth);
            } else {
                self.lanes[lane].cache = self.model.new_cache();
                self.fill(lane)?;
            }
        }
        Ok(())
    }

    /// Brings an empty lane to the depth.
    fn fill(&mut self, lane: usize) -> Result<(), ModelError> {
        let before = std::mem::take(&mut self.lanes[lane].before);
        let filled = self.prefill(lane, &before);
        self.lanes[lane].before = before;
        filled
    }
}
