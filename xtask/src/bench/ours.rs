//! We: `wick bench` of an optimized build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use models::{CacheType, Checkpoint, LoadOptions, ModelFactory};
use serde_json::Value;

use super::figures::{Figures, Spread};
use super::{Sizes, timed};
use crate::ci::cargo;

/// Builds the program as it is given to users, without the demo model, and says where it lies.
pub(super) fn build() -> Result<PathBuf> {
    let build = ["build", "--quiet", "--release", "--package", "wick"];
    let features = ["--no-default-features", "--features", "borrowed"];
    cargo(&[&build[..], &features].concat(), &[])?;
    Ok(super::target()?.join("release/wick"))
}

/// What llama.cpp does unasked: weights as they are stored, activations of 8 bits, caches of 16.
const AS_LLAMA_CPP: [&str; 4] = ["--compute", "fast", "--cache", "f16"];

/// One turn.
pub(super) fn turn(program: &Path, file: &Path, depth: usize, sizes: Sizes) -> Result<Figures> {
    measured(program, file, depth, sizes, 1)
}

/// One turn of `batch` sequences at once.
pub(super) fn turn_of(program: &Path, file: &Path, sizes: Sizes, batch: usize) -> Result<Figures> {
    measured(program, file, 0, sizes, batch)
}

/// A run that ends with its first token, behind a prompt of about `prompt` tokens.
pub(super) fn first_token(program: &Path, file: &Path, prompt: usize) -> Command {
    let mut command = Command::new(program);
    command
        .args(["run", "--raw", "--ignore-eos", "--max-tokens", "1", "--model"])
        .arg(file);
    command.args(AS_LLAMA_CPP);
    // A word is a token or two.
    command.args(["--prompt", &vec!["word"; prompt].join(" ")]);
    command
}

/// Bytes that a sequence's positions take in 16 bits.
pub(super) fn cache_bytes(file: &Path, positions: usize) -> Result<u64> {
    let options = LoadOptions {
        cache: Some(CacheType::F16),
        ..LoadOptions::default()
    };
    let plan = ModelFactory::plan(&Checkpoint::open(file)?, options)?;
    Ok(plan.cache_bytes_per_position * positions as u64)
}

fn measured(program: &Path, file: &Path, depth: usize, sizes: Sizes, batch: usize) -> Result<Figures> {
    let mut command = Command::new(program);
    command.args(["bench", "--json", "--model"]).arg(file);
    command.args(AS_LLAMA_CPP);
    for (name, value) in [
        ("--prompt", sizes.prompt),
        ("--generate", sizes.generate),
        ("--depth", depth),
        ("--repeat", sizes.repeat),
        ("--threads", sizes.threads),
        ("--batch", batch),
    ] {
        command.args([name, &value.to_string()]);
    }
    let ended = timed::run(command, sizes.limit)?;
    let last = ended.stdout.lines().last().unwrap_or_default();
    let record: Value = serde_json::from_str(last).with_context(|| format!("not JSON: {last}"))?;
    Ok(Figures {
        prefill_tok_s: spread(&record, "prefill_tok_s"),
        decode_tok_s: spread(&record, "decode_tok_s"),
        rss_bytes: record["rss_bytes"].as_u64().or(ended.rss_bytes),
    })
}

/// A median with its range, as `wick bench --json` writes them.
fn spread(record: &Value, name: &str) -> Option<Spread> {
    let range = &record["range"][name];
    Some(Spread {
        median: record[name].as_f64()?,
        least: range[0].as_f64()?,
        most: range[1].as_f64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_without_its_range_is_no_figure() {
        let record = serde_json::json!({"a": 2.0, "b": 3.0, "range": {"a": [1.0, 4.0]}});
        let expected = Spread {
            median: 2.0,
            least: 1.0,
            most: 4.0,
        };
        assert_eq!(spread(&record, "a"), Some(expected));
        assert_eq!(spread(&record, "b"), None);
    }
}
