//! `wick bench`: how fast a model runs on this machine.
//!
//! A repetition runs one prompt in the chunks that the generator runs prompts in and draws a token with the default
//! chain, then decodes for all sequences of the batch at once. Both start behind `depth` positions, which are filled
//! beforehand and not timed. All tokens are ordinary ones, drawn at random from a fixed seed. A prompt and one step of
//! decoding warm up and do not count.
//!
//! Everything that can be known to be wrong is found from the model's headers, before a weight is read.

mod workload;
mod tokens;
mod rounds;
mod spread;
mod record;
mod memory;

use std::process::ExitCode;
use std::time::Instant;

use models::{ModelFactory, Residence};

use crate::arguments::BenchArguments;
use crate::threads::{self, Bounded};
use crate::{loading, output};

use record::{Loaded, Record};
use rounds::Rounds;
use tokens::Tokens;
use workload::Workload;

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(
        "depth {depth}, a prompt of {prompt} and {generate} generated tokens are {positions} positions; \
         the model's context has {context}"
    )]
    Context {
        depth: usize,
        prompt: usize,
        generate: usize,
        positions: usize,
        context: usize,
    },
    #[error("a batch of {batch} sequences exceeds the {max} that this model runs at once")]
    Batch { batch: usize, max: usize },
    #[error("all {vocab} tokens of the vocabulary are special; none is left to make prompts of")]
    NoOrdinaryToken { vocab: usize },
}

/// Measures the model of `arguments` and prints the figures.
///
/// # Errors
///
/// Where the model cannot be loaded, its context or its batch is smaller than what is asked for, or a forward pass
/// fails.
pub(crate) fn bench(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    if let Some(threads) = arguments.threads
        && let Bounded::Elsewhere(code) = threads::bound(threads.get())?
    {
        return Ok(code);
    }
    let workload = Workload::of(arguments);
    let begun = Instant::now();
    let checkpoint = arguments.model.bare()?.open()?;
    let options = arguments.model.options();
    let plan = ModelFactory::plan(&checkpoint, options)?;
    workload.check(&plan.capabilities)?;
    let tokens = Tokens::of(&checkpoint.tokenizer()?, plan.capabilities.vocab)?;
    let model = loading::forward_pass(&checkpoint, options)?;
    let loaded = Loaded {
        model: checkpoint.path().display().to_string(),
        architecture: plan.capabilities.architecture,
        weights: match plan.residence {
            Residence::Decoded => "decoded",
            Residence::Mapped => "mapped",
            Residence::Copied => "copied",
            Residence::Packed => "packed",
        },
        threads: plan.capabilities.device.threads(),
        elapsed: begun.elapsed(),
    };
    let rounds = Rounds::new(model, tokens, workload)?.run()?;
    let record = Record::of(loaded, workload, &rounds);
    output::write(&record.shown(arguments.json)?)?;
    Ok(ExitCode::SUCCESS)
}
