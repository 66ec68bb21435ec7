//! A provider: a model with its chat template, asked once, its answer streamed.
//!
//! ```sh
//! cargo run -p providers --features demo --example provider                       # the demo model that is built in
//! cargo run -p providers --features demo --example provider -- MODEL.gguf "Hi!"   # a file: GGUF, or a folder of safetensors
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io::Write as _;

use providers::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, LocalProvider,
    ProgressEvent, ProgressHub, demo,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);

    // Any number of listeners hear of a load, on threads of their own if they like; none can hold it up.
    let progress = ProgressHub::new();
    let listener = progress.subscribe();
    let provider = match arguments.next() {
        Some(path) => LocalProvider::load(path, &progress)?,
        None => demo::load(Default::default(), &progress)?,
    };
    while let Some(event) = listener.try_recv() {
        if let ProgressEvent::Ready { elapsed } = event {
            println!("[loaded in {} ms]", elapsed.as_millis());
        }
    }
    println!(
        "[{}, a context of {} tokens]",
        provider.name(),
        provider.context_length()
    );

    let question = arguments
        .next()
        .unwrap_or_else(|| "Tell me a story about a fox named Pim.".to_owned());
    let prompt = CandlePrompt::from(question);
    let params = CandleCompletionParams {
        max_tokens: Some(60),
        temperature: Some(0.7),
        seed: Some(1),
        ..Default::default()
    };
    // An async caller polls the same stream; dropping it cancels.
    for chunk in provider.prompt(prompt, &params).blocking_iter() {
        match chunk? {
            CandleCompletionChunk::Text { text, .. } => {
                print!("{text}");
                std::io::stdout().flush()?;
            }
            CandleCompletionChunk::Finish { finish, .. } => println!("\n[{finish}]"),
            CandleCompletionChunk::Complete { usage, timings, .. } => println!(
                "[{} tokens, the first after {} ms]",
                usage.completion_tokens,
                timings.time_to_first_token.as_millis()
            ),
            _ => {}
        }
    }
    Ok(())
}
