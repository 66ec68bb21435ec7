//! The model alone: a file, a prompt's tokens, and what the model thinks of the next one.
//!
//! ```sh
//! cargo run -p models --example logits                                     # the demo model of this repository
//! cargo run -p models --example logits -- MODEL.gguf "The capital of"      # another
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::PathBuf;

use models::{Device, GgufFile, Logits, ModelFactory, Rows, SequenceStep, Tokenizer};

/// What is run where no file is named.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../providers/assets/demo-q8_0.gguf");

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .map_or_else(|| PathBuf::from(DEMO), PathBuf::from);
    let prompt = arguments.next().unwrap_or_else(|| "Pim was a little".to_owned());

    let file = GgufFile::open(&path)?;
    let tokenizer = Tokenizer::from_gguf(&file)?;
    let mut model = ModelFactory::from_gguf(&file, &Device::Cpu, &mut |_| ())?;

    // The sequence brings its cache; what runs later goes on behind it.
    let mut cache = model.new_cache();
    let mut logits = Logits::new();
    let tokens = tokenizer.encode_prompt(&prompt)?;
    let step = SequenceStep {
        tokens: &tokens,
        cache: &mut cache,
    };
    model.forward(&mut [step], Rows::Last, &mut logits)?;

    let mut ranked: Vec<(usize, f32)> = logits.row(0).iter().copied().enumerate().collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    println!(
        "{prompt:?} is {} tokens of {}",
        tokens.len(),
        tokenizer.vocab_size()
    );
    for (token, logit) in ranked.into_iter().take(5) {
        let token = u32::try_from(token)?;
        println!("next: {logit:7.3} {:?}", tokenizer.decode(&[token])?);
    }
    Ok(())
}
