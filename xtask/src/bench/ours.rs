//! We: `wick bench` of an optimized build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
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

/// One turn.
pub(super) fn turn(program: &Path, file: &Path, depth: usize, sizes: Sizes) -> Result<Figures> {
    let mut command = Command::new(program);
    command.args(["bench", "--json", "--model"]).arg(file);
    // What llama.cpp does unasked: weights as they are stored, activations of 8 bits, caches of 16.
    command.args(["--compute", "fast", "--cache", "f16"]);
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
