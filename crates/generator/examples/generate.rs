//! The generator alone: a model file, a prompt, and its text as it is drawn.
//!
//! No chat template, no provider: the model goes on from the text that it is given. Two requests share the model, and the
//! second finds what it has in common with the first in the cache.
//!
//! ```sh
//! cargo run -p generator --example generate                                     # the demo model of this repository
//! cargo run -p generator --example generate -- MODEL.gguf "Once upon a time"    # another
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use generator::{GenerateRequest, SamplingConfig, SpecialTokens, TextGenerator};
use models::{Device, GgufFile, ModelFactory, Tokenizer};

/// What is run where no file is named.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../providers/assets/demo-q8_0.gguf");

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .map_or_else(|| PathBuf::from(DEMO), PathBuf::from);
    let prompt = arguments
        .next()
        .unwrap_or_else(|| "Once upon a time there was a fox".to_owned());

    let file = GgufFile::open(&path)?;
    let tokenizer = Tokenizer::from_gguf(&file)?;
    let model = ModelFactory::from_gguf(&file, &Device::Cpu, &mut |_| ())?;
    let special = SpecialTokens::of(&tokenizer);
    let generator = TextGenerator::new(model, tokenizer, Device::Cpu, SamplingConfig::default())?;

    for seed in [1, 2] {
        let mut request = GenerateRequest {
            max_tokens: Some(24),
            special: special.clone(),
            ..GenerateRequest::new(prompt.as_str())
        };
        request.sampling.seed = Some(seed);
        request.sampling.params.temperature = 0.8;
        request.sampling.params.top_p = 0.95;

        print!("[seed {seed}] {prompt}");
        // Dropping the stream would cancel the request; an error is its last item.
        for chunk in generator.generate_with(request).blocking_iter() {
            let chunk = chunk?;
            print!("{}", chunk.text);
            std::io::stdout().flush()?;
            if let Some(end) = chunk.end {
                let usage = end.usage;
                println!(
                    "\n[{}: {} tokens of the prompt, {} of them from the cache, {} written]",
                    end.finish, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens
                );
            }
        }
    }
    Ok(())
}
