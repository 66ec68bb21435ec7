//! The tasks of the demo model, which `cargo xtask` calls: train, export, examine.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: it reports on the terminal"
)]

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use demo::training::{self, Plan};

#[derive(Parser)]
#[command(name = "demo", about = "The demo model: train, export, examine")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Trains the model
    Train {
        /// Folder of the run: tokenizer, checkpoints, curve
        #[arg(long, default_value = "target/demo")]
        out: PathBuf,
        /// Seed of weights and corpus
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Steps of about 2,000 tokens
        #[arg(long, default_value_t = 6000)]
        steps: u32,
        /// Highest learning rate
        #[arg(long, default_value_t = 3e-3)]
        peak: f64,
        /// Folder of a checkpoint to go on from, such as `target/demo/half`
        #[arg(long)]
        resume: Option<PathBuf>,
    },
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Train {
            out,
            seed,
            steps,
            peak,
            resume,
        } => {
            let plan = Plan {
                folder: out,
                seed,
                steps,
                peak,
                resume,
            };
            training::train(&plan, &mut |line| println!("{line}"))
        }
    }
}
