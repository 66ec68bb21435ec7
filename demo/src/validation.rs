//! How well dialogues that were not trained on are predicted, while training goes on.
//!
//! A turn counts as exact where every token of it is the most probable one, given the true tokens before it: then
//! greedy decoding writes just that turn. Exact calls are logged for each tool skill apart, since copying is learnt
//! suddenly and a mean loss hides it.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::batches::{Batch, Example, grouped};
use crate::corpus;
use crate::dialogue::Skill;
use crate::network::Network;
use crate::ops;
use crate::vocabulary::Vocabulary;

/// Seed of the dialogues; no run trains on it.
pub const SEED: u64 = 0x7a11_da7e;

/// Turns that were judged, and those exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// Turns.
    pub turns: u32,
    /// Exact ones.
    pub exact: u32,
}

impl Count {
    /// Share of exact turns.
    pub fn share(&self) -> f64 {
        f64::from(self.exact) / f64::from(self.turns.max(1))
    }
}

/// Figures of one validation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Mean loss over learnt tokens, in nats.
    pub loss: f64,
    /// Calls by skill.
    pub calls: BTreeMap<Skill, Count>,
    /// Texts by skill.
    pub texts: BTreeMap<Skill, Count>,
}

impl Figures {
    /// Exact calls over all skills.
    pub fn all_calls(&self) -> Count {
        let mut all = Count::default();
        for count in self.calls.values() {
            all.turns += count.turns;
            all.exact += count.exact;
        }
        all
    }
}

/// The dialogues, encoded once.
#[derive(Debug)]
pub struct Validation {
    examples: Vec<Example>,
    padding: u32,
}

impl Validation {
    /// `count` dialogues.
    ///
    /// # Errors
    ///
    /// Those of the tokenizer.
    pub fn new(count: u64, vocabulary: &Vocabulary, padding: u32) -> Result<Self> {
        let examples = (0..count).map(|index| Example::new(&corpus::dialogue(SEED, index), vocabulary));
        Ok(Self {
            examples: examples.collect::<Result<_>>()?,
            padding,
        })
    }

    /// Runs the network over all of them.
    ///
    /// # Errors
    ///
    /// Those of candle.
    pub fn run(&self, network: &Network) -> Result<Figures> {
        let mut figures = Figures::default();
        let (mut loss, mut tokens) = (0.0, 0);
        for group in grouped(&self.examples) {
            let group: Vec<&Example> = group.into_iter().map(|at| &self.examples[at]).collect();
            let batch = Batch::new(&group, self.padding);
            let logits = network.logits(&batch.ids, batch.length, &batch.at)?.detach();
            let mean = ops::cross_entropy(&logits, &batch.targets)?.to_scalar::<f32>()?;
            loss += f64::from(mean) * batch.targets.len() as f64;
            tokens += batch.targets.len();
            let best = logits.argmax(candle_core::D::Minus1)?.to_vec1::<u32>()?;
            let mut right = best
                .iter()
                .zip(&batch.targets)
                .map(|(best, target)| best == target);
            for example in group {
                for (turn, call) in &example.turns {
                    // Every token is looked at, wrong ones before it or not: the iterator runs over all turns.
                    let exact = right.by_ref().take(turn.len()).filter(|right| *right).count() == turn.len();
                    let kind = if *call {
                        &mut figures.calls
                    } else {
                        &mut figures.texts
                    };
                    let count = kind.entry(example.skill).or_default();
                    count.turns += 1;
                    count.exact += u32::from(exact);
                }
            }
        }
        figures.loss = loss / tokens.max(1) as f64;
        Ok(figures)
    }
}
