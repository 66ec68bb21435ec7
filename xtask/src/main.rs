//! The project's own tasks, run as `cargo xtask TASK`.
//!
//! Every gate of the project is a task here, so that a developer and a build machine run the same code.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: it reports on the terminal"
)]

mod acceptance;
mod bench;
mod ci;
mod clients;
mod demo;
mod demo_server;
mod examples;
mod full;
mod gateway;
mod neon;
mod packages;
mod page;
mod peers;
mod remote;
mod synth_model;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use models::{CacheType, Compute, LoadOptions};

#[derive(Parser)]
#[command(name = "xtask", about = "The project's own tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, lints, tests, documentation and the house rules: all that a change must pass.
    Ci {
        /// Also what takes longer: many random cases, fuzzing, valgrind, the demo model's examination and its
        /// comparison with other implementations.
        #[arg(long)]
        full: bool,
    },
    /// The house rules that no compiler checks.
    Tidy,
    /// Runs every example of the crates.
    Examples,
    /// The tests of the SIMD crates for aarch64, under emulation.
    Neon {
        /// Where a tool is missing and cannot be installed, say so and succeed.
        #[arg(long)]
        if_available: bool,
    },
    /// Runs the cases of a folder of fixtures against the real pipeline.
    Acceptance {
        /// The folder that holds `manifest.json`.
        #[arg(long)]
        fixtures: PathBuf,
        /// Only cases whose id contains this.
        #[arg(long, default_value = "")]
        only: String,
        /// Numbers that keys and values are kept in; with f16, only the cases that run a model.
        #[arg(long, default_value = "f32")]
        cache: Cache,
        /// How models compute; fast, with activations of 8 bits, runs only the cases that run a model.
        #[arg(long, default_value = "exact")]
        compute: Computing,
    },
    /// Measures us beside our peers and the machine's limits.
    Bench(bench::Options),
    /// Builds the engines that we are measured beside, below `target/peers`.
    Peers,
    /// Writes a model file of real or tiny shape with seeded random weights.
    SynthModel(synth_model::Options),
    /// Trains the demo model and exports it; `train-demo --help` lists the options.
    #[command(disable_help_flag = true)]
    TrainDemo {
        /// Options of the training, such as `--seed 2` or `--resume target/demo/half`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Examines the demo model with prompts that it was not trained on; `eval-demo --help` lists the options.
    #[command(disable_help_flag = true)]
    EvalDemo {
        /// Options of the examination, such as `--model target/demo/demo-q8_0.gguf`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Compares the demo model with transformers and llama.cpp, which are installed from their registry.
    DemoPeers,
    /// Runs OpenAI's and Anthropic's clients and schemathesis, which are installed from their registries, against
    /// `wick serve`.
    Clients,
    /// Kills one of two replicas of `wick serve` under load, behind SGLang's router, which is installed from its registry.
    Gateway,
    /// Drives the page of `wick serve` with Chromium, which has to be installed.
    Page {
        /// Writes the pictures of `docs` in the place of running the tests.
        #[arg(long)]
        pictures: bool,
    },
    /// Compare the demo model with itself behind llama.cpp's Python server
    RemotePeers,
}

/// A type of numbers in a cache.
#[derive(Clone, Copy, ValueEnum)]
enum Cache {
    F32,
    F16,
}

impl From<Cache> for CacheType {
    fn from(cache: Cache) -> Self {
        match cache {
            Cache::F32 => Self::F32,
            Cache::F16 => Self::F16,
        }
    }
}

/// A way to compute.
#[derive(Clone, Copy, ValueEnum)]
enum Computing {
    Exact,
    Fast,
}

impl From<Computing> for Compute {
    fn from(computing: Computing) -> Self {
        match computing {
            Computing::Exact => Self::Exact,
            Computing::Fast => Self::Fast,
        }
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Ci { full } => ci::run(full),
        Task::Tidy => tidy::run(),
        Task::Examples => examples::run(),
        Task::Neon { if_available } => neon::run(if_available),
        Task::Acceptance {
            fixtures,
            only,
            cache,
            compute,
        } => {
            let options = LoadOptions {
                cache: Some(cache.into()),
                compute: compute.into(),
                ..LoadOptions::default()
            };
            acceptance::run(&fixtures, &only, options)
        }
        Task::Bench(options) => bench::run(&options),
        Task::Peers => peers::run(),
        Task::SynthModel(options) => synth_model::run(&options),
        Task::TrainDemo { options } => demo::train(&options),
        Task::EvalDemo { options } => demo::examine(&options),
        Task::DemoPeers => demo::compare(),
        Task::Clients => clients::run(),
        Task::Gateway => gateway::run(),
        Task::Page { pictures } => page::run(pictures),
        Task::RemotePeers => remote::compare(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
