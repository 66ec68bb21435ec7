//! From dialogues to batches of token ids: sequences of like length together, padded on the right.
//!
//! The batches of a seed are one fixed sequence: windows of dialogues, each sorted by length, cut into batches and
//! shuffled. A [`Place`] in that sequence is all that a resumed run needs.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::corpus;
use crate::dialogue::{Dialogue, Skill, Turn};
use crate::rendering;
use crate::vocabulary::Vocabulary;

/// Padded tokens of a batch, at most, where a sequence is not longer alone.
pub const TOKENS: usize = 2048;
/// Dialogues that are sorted together.
pub(crate) const WINDOW: u64 = 1024;
/// Lengths are padded to a multiple of this.
const MULTIPLE: usize = 16;
/// Windows that are made ahead.
const AHEAD: usize = 2;

/// A dialogue as token ids.
#[derive(Clone, Debug)]
pub struct Example {
    /// What it teaches.
    pub skill: Skill,
    /// All ids.
    pub ids: Vec<u32>,
    /// Where the model's turns stand in `ids`, and whether each is a call.
    pub turns: Vec<(Range<usize>, bool)>,
}

impl Example {
    /// Encodes a dialogue.
    ///
    /// # Errors
    ///
    /// Those of the tokenizer.
    pub fn new(dialogue: &Dialogue, vocabulary: &Vocabulary) -> Result<Self> {
        let calls: Vec<bool> = (dialogue.turns.iter())
            .filter_map(|turn| match turn {
                Turn::Assistant(_) => Some(false),
                Turn::Call(_) => Some(true),
                Turn::User(_) | Turn::Result(_) => None,
            })
            .collect();
        let (mut ids, mut turns) = (Vec::new(), Vec::new());
        for segment in rendering::segments(dialogue) {
            let start = ids.len();
            ids.extend(vocabulary.encode(&segment.text)?);
            if segment.learnt {
                let call = calls.get(turns.len()).copied().unwrap_or(false);
                turns.push((start..ids.len(), call));
            }
        }
        let skill = dialogue.skill;
        Ok(Self { skill, ids, turns })
    }
}

/// Sequences of one padded length.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `(batch * length)` ids.
    pub ids: Vec<u32>,
    /// Padded length of each sequence.
    pub length: usize,
    /// Rows of `ids` whose next token is learnt, in order.
    pub at: Vec<u32>,
    /// Those next tokens.
    pub targets: Vec<u32>,
    /// Tokens without padding.
    pub tokens: usize,
}

impl Batch {
    /// Pads `examples` to their longest.
    pub fn new(examples: &[&Example], padding: u32) -> Self {
        let longest = examples
            .iter()
            .map(|example| example.ids.len())
            .max()
            .unwrap_or(1);
        let length = longest.next_multiple_of(MULTIPLE);
        let mut batch = Self {
            ids: Vec::with_capacity(examples.len() * length),
            length,
            at: Vec::new(),
            targets: Vec::new(),
            tokens: examples.iter().map(|example| example.ids.len()).sum(),
        };
        for example in examples {
            let first = batch.ids.len();
            batch.ids.extend_from_slice(&example.ids);
            batch.ids.resize(first + length, padding);
            for (turn, _) in &example.turns {
                for at in turn.clone() {
                    batch.at.push((first + at - 1) as u32);
                    batch.targets.push(example.ids[at]);
                }
            }
        }
        batch
    }
}

/// Cuts examples into batches of at most [`TOKENS`], like lengths together; the indices of each batch's examples.
pub fn grouped(examples: &[Example]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&at| (examples[at].ids.len(), at));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group: Vec<usize> = Vec::new();
    for at in order {
        let length = examples[at].ids.len().next_multiple_of(MULTIPLE);
        if !group.is_empty() && (group.len() + 1) * length > TOKENS {
            groups.push(std::mem::take(&mut group));
        }
        group.push(at);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// Where in the sequence of batches a run stands: the next batch to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Number of the window.
    pub window: u64,
    /// Number of the batch in it.
    pub batch: usize,
}

/// The batches of a seed from a place on, made ahead by a thread of its own.
#[derive(Debug)]
pub struct Batches {
    windows: Receiver<Result<Vec<Batch>>>,
    current: std::vec::IntoIter<Batch>,
    place: Place,
    skip: usize,
}

impl Batches {
    /// Starts making batches.
    pub fn new(seed: u64, vocabulary: Vocabulary, from: Place, padding: u32, context: usize) -> Self {
        let (send, windows) = sync_channel(AHEAD);
        std::thread::spawn(move || {
            for window in from.window.. {
                let made = made(seed, window, &vocabulary, padding, context);
                let failed = made.is_err();
                // The reader is gone, or has been told what went wrong.
                if send.send(made).is_err() || failed {
                    return;
                }
            }
        });
        Self {
            windows,
            current: Vec::new().into_iter(),
            place: from,
            skip: from.batch,
        }
    }

    /// The next batch, and the place behind it.
    ///
    /// # Errors
    ///
    /// A dialogue that does not fit the context, and those of the tokenizer.
    pub fn take(&mut self) -> Result<(Batch, Place)> {
        let batch = loop {
            if let Some(batch) = self.current.next() {
                break batch;
            }
            let mut window = self.windows.recv().context("the corpus has ended")??;
            window.drain(..self.skip.min(window.len()));
            self.skip = 0;
            self.current = window.into_iter();
        };
        self.place = if self.current.len() == 0 {
            Place {
                window: self.place.window + 1,
                batch: 0,
            }
        } else {
            Place {
                batch: self.place.batch + 1,
                ..self.place
            }
        };
        Ok((batch, self.place))
    }
}

fn made(seed: u64, window: u64, vocabulary: &Vocabulary, padding: u32, context: usize) -> Result<Vec<Batch>> {
    let examples: Vec<Example> = (window * WINDOW..(window + 1) * WINDOW)
        .into_par_iter()
        .map(|index| Example::new(&corpus::dialogue(seed, index), vocabulary))
        .collect::<Result<_>>()?;
    for example in &examples {
        ensure!(
            example.ids.len() <= context,
            "a dialogue of {:?} has {} tokens, the context {context}",
            example.skill,
            example.ids.len()
        );
    }
    let mut batches: Vec<Batch> = grouped(&examples)
        .into_iter()
        .map(|group| {
            let group: Vec<&Example> = group.into_iter().map(|at| &examples[at]).collect();
            Batch::new(&group, padding)
        })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Streams of dialogues are their numbers; these lie beyond.
    random.set_stream(u64::MAX - window);
    batches.shuffle(&mut random);
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(ids: &[u32], turns: &[Range<usize>]) -> Example {
        Example {
            skill: Skill::Story,
            ids: ids.to_vec(),
            turns: turns.iter().map(|turn| (turn.clone(), false)).collect(),
        }
    }

    #[test]
    fn the_tokens_of_the_models_turns_are_the_targets_and_no_others() {
        let first = example(&[10, 11, 12, 13, 14], &[2..3, 3..4]);
        let second = example(&[20, 21, 22], &[1..2, 2..3]);
        let batch = Batch::new(&[&first, &second], 7);
        assert_eq!((batch.length, batch.tokens), (MULTIPLE, 8));
        assert_eq!(batch.targets, [12, 13, 21, 22]);
        // Each target stands one place behind the row whose logits are to give it.
        let behind: Vec<u32> = batch.at.iter().map(|&at| batch.ids[at as usize + 1]).collect();
        assert_eq!(behind, batch.targets);
        assert_eq!(batch.ids[5..MULTIPLE], [7; MULTIPLE - 5]);
    }

    #[test]
    fn groups_hold_every_example_once_and_no_more_tokens_than_they_may() {
        let examples: Vec<Example> = (1..200)
            .map(|length| example(&vec![1; length * 7], &[]))
            .collect();
        let mut seen: Vec<usize> = Vec::new();
        for group in grouped(&examples) {
            let longest = group.iter().map(|&at| examples[at].ids.len()).max().unwrap();
            assert!(group.len() == 1 || group.len() * longest.next_multiple_of(MULTIPLE) <= TOKENS);
            seen.extend(group);
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..examples.len()));
    }

    #[test]
    fn batches_go_on_at_any_place_also_behind_the_border_of_a_window() {
        let texts = (0..6000).flat_map(|index| {
            let segments = rendering::segments(&corpus::dialogue(4, index));
            segments
                .into_iter()
                .flat_map(|segment| crate::vocabulary::between_added(&segment.text))
                .collect::<Vec<_>>()
        });
        let vocabulary = Vocabulary::train(texts).unwrap();
        let taken = |from: Place, count: usize| -> Vec<(Vec<u32>, Place)> {
            let mut batches = Batches::new(4, vocabulary.clone(), from, 0, 2048);
            let mut next = || batches.take().map(|(batch, place)| (batch.ids, place)).unwrap();
            (0..count).map(|_| next()).collect()
        };
        let all = taken(Place::default(), 180);
        let border = all.iter().position(|(_, place)| place.window == 1).unwrap();
        assert_eq!(all[border].1.batch, 0);
        for stop in [3, border - 1, border, border + 1] {
            let rest = &all[stop + 1..];
            assert!(
                taken(all[stop].1, rest.len()) == rest,
                "resumed behind batch {stop}"
            );
        }
    }
}
