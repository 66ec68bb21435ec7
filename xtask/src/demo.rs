//! The demo model's tasks, which stand in a crate of their own: only they need a training framework, and only they
//! are worth an optimized build.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::ci::{cargo, root};
use super::peers;

/// Trains, then exports what was trained.
pub(crate) fn train(options: &[String]) -> Result<()> {
    demo("train", options)
}

/// Examines a model.
pub(crate) fn examine(options: &[String]) -> Result<()> {
    demo("examine", options)
}

fn demo(task: &str, options: &[String]) -> Result<()> {
    let mut arguments = vec!["run", "--release", "--quiet", "--package", "demo", "--", task];
    arguments.extend(options.iter().map(String::as_str));
    cargo(&arguments, &ENVIRONMENT)
}

/// What makes a step a third faster (0.24 to 0.18 s on two Zen 5 cores).
const ENVIRONMENT: [(&str, &str); 4] = [
    // Candle's idle threads spin by default and take a core from the products that run meanwhile.
    ("CANDLE_BARRIER_POOL_SPIN_LIMIT", "1"),
    // glibc gives large tensors back to the system at once, to fault 22,000 pages in again at every step.
    ("MALLOC_MMAP_THRESHOLD_", "1000000000"),
    ("MALLOC_TRIM_THRESHOLD_", "4000000000"),
    ("MALLOC_TOP_PAD_", "268435456"),
];

/// The model that is shipped, and a folder that `train-demo` leaves.
const SHIPPED: &str = "crates/providers/assets/demo-q8_0.gguf";
const RUN: &str = "target/demo";
/// What transformers needs.
const PEERS: [&str; 3] = ["torch==2.15.0", "transformers==5.24.0", "safetensors==0.8.0"];

/// Compares the model with transformers and llama.cpp, which are installed below the target directory.
///
/// The shipped file: its greedy texts with llama.cpp, and the logits of its weights, taken as f32, with transformers.
/// Where `train-demo` has left exports, also those: tokenizer and logits of the published folder, texts of the F32 file.
pub(crate) fn compare() -> Result<()> {
    let libraries = peers::make_llama_cpp()?;
    let python = interpreter()?;
    cargo(
        &["build", "--release", "--package", "wick", "--package", "demo"],
        &[],
    )?;
    let target = root().join("target/release");
    let folder = root().join("target/demo-peers");
    run(Command::new(target.join("demo")).arg("peers").arg(&folder))?;
    let mut compare = Command::new(python);
    compare
        .env("LLAMA_CPP_LIB_PATH", &libraries)
        .arg(root().join("demo/peers/compare.py"))
        .arg("--wick")
        .arg(target.join("wick"))
        .arg("--prompts")
        .arg(folder.join("prompts.json"))
        .arg("--gguf")
        .arg(root().join(SHIPPED))
        .arg("--weights")
        .arg(&folder);
    let trained = root().join(RUN);
    if trained.join("published").exists() {
        compare.arg("--gguf").arg(trained.join("demo-f32.gguf"));
        compare.arg("--published").arg(trained.join("published"));
    }
    run(&mut compare)
}

/// An interpreter with the peers; llama.cpp's bindings run on the libraries of
/// [`peers`], and build none of their own.
fn interpreter() -> Result<PathBuf> {
    let bindings = peers::bindings()?.display().to_string();
    let packages = [&PEERS[..], &[bindings.as_str()]].concat();
    let folder = root().join("target/peers/transformers");
    peers::environment(&folder, &packages, &[("CMAKE_ARGS", "-DLLAMA_BUILD=OFF")])
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}
