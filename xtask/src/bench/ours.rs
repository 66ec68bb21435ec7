//! We: `wick bench` of an optimized build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::figures::Figures;
use super::{Sizes, timed};
use crate::ci::cargo;

/// Builds the program as it is given to users, without the demo model, and says where it lies.
pub(super) fn build() -> Result<PathBuf> {
    let build = ["build", "--quiet", "--release", "--package", "wick"];
    let features = ["--no-default-features", "--features", "borrowed"];
    cargo(&[&build[..], &features].concat(), &[])?;
    // This program lies in a folder of the same target directory.
    let own = std::env::current_exe().context("this program does not know where it lies")?;
    let target = own
        .ancestors()
        .nth(2)
        .context("this program lies in no target directory")?;
    Ok(target.join("release/wick"))
}

/// One turn.
pub(super) fn turn(program: &Path, file: &Path, depth: usize, sizes: Sizes) -> Result<Figures> {
    let mut command = Command::new(program);
    command.args(["bench", "--json", "--model"]).arg(file);
    for (name, value) in [
        ("--prompt", sizes.prompt),
        ("--generate", sizes.generate),
        ("--depth", depth),
        ("--repeat", sizes.repeat),
        ("--threads", sizes.threads),
    ] {
        command.args([name, &value.to_string()]);
    }
    let ended = timed::run(command, sizes.limit)?;
    let last = ended.stdout.lines().last().unwrap_or_default();
    let record: Value = serde_json::from_str(last).with_context(|| format!("not JSON: {last}"))?;
    Ok(Figures {
        prefill_tok_s: record["prefill_tok_s"].as_f64(),
        decode_tok_s: record["decode_tok_s"].as_f64(),
        rss_bytes: record["rss_bytes"].as_u64().or(ended.rss_bytes),
    })
}
