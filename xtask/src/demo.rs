//! The demo model's tasks, which stand in a crate of their own: only they need a training framework, and only they
//! are worth an optimized build.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::ci::{cargo, root};

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
    // Candle's idle threads spin by default and take a core from the products that run meanwhile.
    cargo(&arguments, &[("CANDLE_BARRIER_POOL_SPIN_LIMIT", "1")])
}

/// The model that is shipped, and a folder that `train-demo` leaves.
const SHIPPED: &str = "crates/providers/assets/demo-q8_0.gguf";
const RUN: &str = "target/demo";
/// What the other implementations are installed from.
const PEERS: [&str; 4] = [
    "torch==2.15.0",
    "transformers==5.24.0",
    "safetensors==0.8.0",
    "llama-cpp-python==0.3.36",
];

/// Compares the model with transformers and llama.cpp, which are installed below the target directory.
///
/// The shipped file: its greedy texts with llama.cpp, and the logits of its weights, taken as f32, with transformers.
/// Where `train-demo` has left exports, also those: tokenizer and logits of the published folder, texts of the F32 file.
pub(crate) fn peers() -> Result<()> {
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

/// An interpreter with the peers; building llama.cpp takes a quarter of an hour the first time.
fn interpreter() -> Result<PathBuf> {
    let folder = root().join("target/peers-python");
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    let wanted = PEERS.join("\n");
    if std::fs::read_to_string(&ready).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet"]).args(PEERS);
    install
        .env("CMAKE_ARGS", "-DGGML_NATIVE=ON")
        .env("CMAKE_GENERATOR", "Unix Makefiles");
    run(&mut install)?;
    std::fs::write(&ready, wanted).with_context(|| ready.display().to_string())?;
    Ok(python)
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
