//! Perplexity of the model's own turns in dialogues that were not trained on.

use std::collections::HashSet;

use anyhow::{Context, Result};
use models::{
    Checkpoint, Compute, LoadOptions, ModelFactory, OutputRows, RowAt, Rows, SequenceStep, Tokenizer,
};

use super::prompts;
use crate::corpus;
use crate::dialogue::Dialogue;
use crate::rendering;

/// Dialogues that are measured.
const DIALOGUES: u64 = 300;

/// `e` to the mean of what each learnt token costs, in nats.
///
/// # Errors
///
/// A model that cannot be loaded or fails.
pub(super) fn of(checkpoint: &Checkpoint, seed: u64, seen: &HashSet<u64>) -> Result<f64> {
    let tokenizer = checkpoint.tokenizer()?;
    let options = LoadOptions {
        compute: Compute::Exact,
        ..LoadOptions::default()
    };
    let mut model = ModelFactory::load(checkpoint, options, &mut |_| {})?;
    let mut rows = OutputRows::new();
    let (mut cost, mut count) = (0.0, 0u32);
    for index in 0..DIALOGUES {
        let (ids, learnt) = encoded(&tokenizer, &corpus::dialogue(seed, index), seen)?;
        if learnt.is_empty() {
            continue;
        }
        let wanted: Vec<RowAt> = learnt
            .iter()
            .map(|&at| RowAt {
                sequence: 0,
                row: at - 1,
            })
            .collect();
        let mut cache = model.new_cache();
        let step = SequenceStep {
            tokens: &ids,
            cache: &mut cache,
        };
        model.forward(&mut [step], Rows::List(&wanted), &mut rows)?;
        for (row, at) in learnt.into_iter().enumerate() {
            cost += surprise(rows.row(row), ids[at])?;
            count += 1;
        }
    }
    Ok((cost / f64::from(count.max(1))).exp())
}

/// The ids of a dialogue, and which of them the model writes in turns that were not trained on.
fn encoded(
    tokenizer: &Tokenizer,
    dialogue: &Dialogue,
    seen: &HashSet<u64>,
) -> Result<(Vec<u32>, Vec<usize>)> {
    let (mut ids, mut learnt) = (Vec::new(), Vec::new());
    let mut prompts = prompts(dialogue).into_iter();
    for segment in rendering::segments(dialogue) {
        let start = ids.len();
        ids.extend(tokenizer.encode_prompt(&segment.text)?);
        if segment.learnt && prompts.next().is_some_and(|prompt| !seen.contains(&prompt)) {
            learnt.extend(start..ids.len());
        }
    }
    Ok((ids, learnt))
}

/// `ln(sum(e^logits)) - logits[token]`.
fn surprise(logits: &[f32], token: u32) -> Result<f64> {
    let logit = logits.get(token as usize).context("a token without a logit")?;
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
    Ok(f64::from(max) + sum.ln() - f64::from(*logit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_costs_what_its_probability_says() {
        let logits = [0.0, 3.0_f32.ln(), -1e9];
        assert!((surprise(&logits, 1).unwrap() - (4.0_f64 / 3.0).ln()).abs() < 1e-6);
        assert!((surprise(&logits, 0).unwrap() - 4.0_f64.ln()).abs() < 1e-6);
        assert!(surprise(&logits, 3).is_err());
    }

    #[test]
    fn only_turns_of_the_model_that_were_not_trained_on_count() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/providers/assets/demo-q8_0.gguf"
        );
        let tokenizer = Checkpoint::open(path).unwrap().tokenizer().unwrap();
        let dialogue = corpus::dialogue(11, 5);
        let before = prompts(&dialogue);
        let (ids, learnt) = encoded(&tokenizer, &dialogue, &HashSet::new()).unwrap();
        let text = |at: &[usize]| {
            let bytes = at
                .iter()
                .flat_map(|&at| tokenizer.token_bytes(ids[at]).unwrap().to_vec());
            String::from_utf8(bytes.collect()).unwrap()
        };
        let written = rendering::segments(&dialogue)
            .into_iter()
            .filter(|segment| segment.learnt);
        // The mark of a turn's end is no text.
        let written: String = written
            .map(|segment| segment.text.replace("<|im_end|>", ""))
            .collect();
        assert_eq!(text(&learnt), written);
        let (_, rest) = encoded(&tokenizer, &dialogue, &HashSet::from([before[0]])).unwrap();
        assert!(rest.len() < learnt.len() && learnt.ends_with(&rest));
        let (_, none) = encoded(&tokenizer, &dialogue, &before.into_iter().collect()).unwrap();
        assert!(none.is_empty());
    }
}
