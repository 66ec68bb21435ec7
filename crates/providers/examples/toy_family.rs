//! A model family in one file: what its maker says of it, and a provider made of that.
//!
//! ```sh
//! cargo run -p providers --example toy_family                  # with a tiny model of random weights
//! cargo run -p providers --example toy_family -- MODEL.gguf    # with one of yours, of the architecture qwen3
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::PathBuf;

use providers::{
    CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, Family, LoadOptions, ProgressHub,
};

/// What is known of the family beyond its files.
const PARROT: Family = Family {
    name: "parrot",
    architectures: &["qwen3"],
    // For files without a template; one that has its own keeps it.
    template: Some("{% for message in messages %}{{ message.content }}\n{% endfor %}"),
    sampling: |sampling| sampling.params.temperature = 0.5,
    ..providers::family::PLAIN
};

providers::local_family! {
    /// A model of the family Parrot.
    ParrotProvider, PARROT
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => {
            let path = folder.path().join("parrot.gguf");
            models::synth::write(models::synth::Shape::TinyQwen3, 1, &path)?;
            path
        }
    };
    let provider = ParrotProvider::load(path, LoadOptions::default(), &ProgressHub::new())?;
    let params = CandleCompletionParams {
        max_tokens: Some(16),
        seed: Some(1),
        ..Default::default()
    };
    for chunk in provider
        .prompt(CandlePrompt::from("Hello!"), &params)
        .blocking_iter()
    {
        if let Some(text) = chunk?.text() {
            print!("{text}");
        }
    }
    println!();
    Ok(())
}
