//! The sampler alone: logits in, a token out, with no model and no tensor.
//!
//! It shows what a chain of temperature, top-p and min-p leaves of a row, draws from it, and draws the same again from the
//! same seed.
//!
//! ```sh
//! cargo run -p simd-sampling --example sampler          # seed 42
//! cargo run -p simd-sampling --example sampler -- 7     # another
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use simd_sampling::{Basis, Logprobs, Observe, Penalties, SamplerChain, SamplingParams, Step, Trace, argmax};

/// A vocabulary: one text for each token id.
const WORDS: [&str; 8] = ["the", "fox", "owl", "ran", "slept", "and", "quietly", "."];

/// What a model would say of the next token after `history`: here, each word likes the one behind it.
fn logits(history: &[u32]) -> [f32; WORDS.len()] {
    let next = history
        .last()
        .map_or(0, |&token| (token as usize + 1) % WORDS.len());
    let mut row = [0.4, 1.1, 1.0, 0.8, 0.7, 0.2, -0.5, 0.0];
    row[next] += 2.0;
    row
}

fn main() -> Result<(), Box<dyn Error>> {
    let seed: u64 = match std::env::args().nth(1) {
        Some(argument) => argument
            .parse()
            .map_err(|error| format!("the seed {argument:?}: {error}"))?,
        None => 42,
    };
    println!("greedy: {}", WORDS[argmax(&logits(&[]))? as usize]);

    // What is not named is neutral: its stage does not run.
    let params = SamplingParams {
        temperature: 0.8,
        top_p: 0.9,
        min_p: 0.05,
        penalties: Penalties {
            repeat: 1.3,
            ..Penalties::default()
        },
        ..SamplingParams::neutral()
    };
    let mut chain = SamplerChain::new(&params, WORDS.len())?;

    // One step, watched: how many tokens each stage leaves, and how probable the best are before any of them.
    let mut trace = Trace::new();
    let mut logprobs = Logprobs::new(Basis::Model, WORDS.len(), 3);
    let step = Step {
        history: &[],
        mask: None,
        seed,
        step: 0,
    };
    let observe = Observe {
        trace: Some(&mut trace),
        logprobs: Some(&mut logprobs),
    };
    chain.sample_with(&mut logits(&[]), step, observe)?;
    for record in &trace.stages {
        if let Some(stage) = record.stage {
            println!("{stage:?} leaves {} of {}", record.survivors, WORDS.len());
        }
    }
    for best in logprobs.best() {
        println!(
            "{:5.1} % {}",
            best.logprob.exp() * 100.0,
            WORDS[best.token as usize]
        );
    }

    // A sequence: `history` is what penalties look at, and (seed, step) names the random numbers.
    let first = write(&mut chain, seed, 12)?;
    println!("seed {seed}: {first}");
    let again = write(&mut chain, seed, 12)?;
    println!("the same again: {}", first == again);
    Ok(())
}

/// Draws `tokens` tokens, each behind those before it.
fn write(chain: &mut SamplerChain, seed: u64, tokens: u64) -> Result<String, Box<dyn Error>> {
    let mut history = Vec::new();
    let mut text = Vec::new();
    for step in 0..tokens {
        let sampled = chain.sample(&mut logits(&history), &history, seed, step)?;
        history.push(sampled.token);
        text.push(WORDS[sampled.token as usize]);
    }
    Ok(text.join(" "))
}
