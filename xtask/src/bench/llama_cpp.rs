//! llama.cpp: its own `llama-bench`, as it is and with the settings that may be better.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::figures::{Figures, Spread};
use super::{Sizes, reach, timed};

/// Name of the settings that it has by itself.
pub(super) const DEFAULT: &str = "llama.cpp";

/// Name of the better of all settings, figure by figure.
pub(super) const BEST: &str = "llama.cpp, best";

/// Names of settings, and the arguments that make them; the default first.
pub(super) const SETTINGS: [(&str, &[&str]); 4] = [
    (DEFAULT, &[]),
    ("llama.cpp, no repack", &["--repack", "0"]),
    ("llama.cpp, no flash attention", &["--flash-attn", "off"]),
    ("llama.cpp, neither", &["--repack", "0", "--flash-attn", "off"]),
];

/// Settings of a quick run: the first so many, each with at most one thing turned off.
pub(super) const QUICK: usize = 3;

/// One turn.
pub(super) fn turn(
    program: &Path,
    settings: &[&str],
    file: &Path,
    depth: usize,
    sizes: Sizes,
) -> Result<Figures> {
    let mut command = Command::new(program);
    command.arg("-m").arg(file).args(settings).args(["-o", "json"]);
    for (name, value) in [
        ("-p", sizes.prompt),
        ("-n", sizes.generate),
        ("-d", depth),
        ("-r", sizes.repeat),
        ("-t", sizes.threads),
    ] {
        command.args([name, &value.to_string()]);
    }
    let ended = timed::run(command, sizes.limit)?;
    let mut figures = read(&ended.stdout)?;
    figures.rss_bytes = ended.rss_bytes;
    Ok(figures)
}

/// Tokens per second of `sequences` together, each behind a prompt of its own.
pub(super) fn batched(
    program: &Path,
    file: &Path,
    prompt: usize,
    sequences: usize,
    sizes: Sizes,
) -> Result<f64> {
    let ended = timed::run(
        reach::batched(program, file, prompt, sequences, sizes),
        sizes.limit,
    )?;
    reach::decoded(&ended.stdout)
}

/// The samples in what `llama-bench -o json` prints: one test with a prompt, one that generates.
fn read(json: &str) -> Result<Figures> {
    let tests: Vec<Value> = serde_json::from_str(json).context("llama-bench printed no list of tests")?;
    let speed = |count: &str| {
        let test = tests
            .iter()
            .find(|test| test[count].as_u64().is_some_and(|count| count > 0))?;
        let samples = test["samples_ts"].as_array()?;
        Spread::of(samples.iter().filter_map(Value::as_f64).collect())
    };
    Ok(Figures {
        prefill_tok_s: speed("n_prompt"),
        decode_tok_s: speed("n_gen"),
        rss_bytes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_both_tests_are_read() {
        let json = r#"[{"n_prompt": 512, "n_gen": 0, "samples_ts": [200.0, 210.0, 100.0]},
                       {"n_prompt": 0, "n_gen": 16, "samples_ts": [50.0, 60.0]}]"#;
        let expected = Figures {
            prefill_tok_s: Spread::of(vec![100.0, 200.0, 210.0]),
            decode_tok_s: Spread::of(vec![50.0, 60.0]),
            rss_bytes: None,
        };
        assert_eq!(read(json).unwrap(), expected);
        assert_eq!(read("[]").unwrap(), Figures::default());
        assert!(read("error").is_err());
    }
}
