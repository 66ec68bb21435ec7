//! Speed of candle's own quantized models: `candle-peer --model FILE --prompt 512 --generate 128`.
//!
//! `depth` positions, at least one, are filled once and not timed. A repetition runs the prompt behind them in one forward
//! pass, as candle's examples do, and from the same positions decodes a token at a time; every pass counts until its
//! logits are there. The last line is one object with the samples of every repetition in tokens per second.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program: it prints what it measured")]

mod model;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};
use clap::Parser;
use model::Model;
use serde_json::json;

/// Positions of one pass while the depth is filled: attention over all at once would need too much memory.
const CHUNK: usize = 512;

#[derive(Parser)]
#[command(name = "candle-peer", about = "Measures candle's own quantized models")]
struct Arguments {
    /// GGUF file of a Llama, Qwen3 or Qwen3-MoE model
    #[arg(long)]
    model: PathBuf,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 512)]
    prompt: usize,
    /// Tokens that are decoded
    #[arg(long, default_value_t = 128)]
    generate: usize,
    /// Positions before the prompt
    #[arg(long, default_value_t = 0)]
    depth: usize,
    /// Measurements
    #[arg(long, default_value_t = 3)]
    repeat: usize,
}

fn main() -> Result<()> {
    let Arguments {
        model,
        prompt,
        generate,
        depth,
        repeat,
    } = Arguments::parse();
    ensure!(prompt > 0, "a prompt of 0 tokens, expected at least 1");
    ensure!(generate > 0, "0 tokens to decode, expected at least 1");
    let mut filled = Model::open(&model)?;
    // The first token finds cold pages; it does not count.
    pass(&mut filled, 0, 1)?;
    let mut at = 1;
    while at < depth {
        let next = depth.min(at + CHUNK);
        pass(&mut filled, at, next)?;
        at = next;
    }
    let depth = at;
    let (mut prefill, mut decode) = (Vec::new(), Vec::new());
    for _ in 0..repeat {
        let begun = Instant::now();
        pass(&mut filled.fork()?, depth, depth + prompt)?;
        prefill.push(prompt as f64 / begun.elapsed().as_secs_f64());
        let mut model = filled.fork()?;
        let begun = Instant::now();
        for at in (depth..).take(generate) {
            pass(&mut model, at, at + 1)?;
        }
        decode.push(generate as f64 / begun.elapsed().as_secs_f64());
    }
    println!("{}", json!({ "prefill_tok_s": prefill, "decode_tok_s": decode }));
    Ok(())
}

/// Runs the tokens of these positions.
fn pass(model: &mut Model, from: usize, to: usize) -> Result<()> {
    let ids: Vec<u32> = (from..to).map(|at| model.token(at)).collect();
    let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
    let logits = model.forward(&ids, from)?;
    // Reading one makes sure that all have been computed.
    logits.flatten_all()?.get(0)?.to_scalar::<f32>()?;
    Ok(())
}
