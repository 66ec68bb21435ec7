//! Programs that take `--model`, `--prompt`, `--generate`, `--depth` and `--repeat`, and print samples.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::figures::{Figures, Spread};
use super::{Sizes, timed};

/// One turn of such a program, of which `program` is the beginning.
pub(super) fn turn(mut program: Command, file: &Path, depth: usize, sizes: Sizes) -> Result<Figures> {
    program.arg("--model").arg(file);
    for (name, value) in [
        ("--prompt", sizes.prompt),
        ("--generate", sizes.generate),
        ("--depth", depth),
        ("--repeat", sizes.repeat),
    ] {
        program.args([name, &value.to_string()]);
    }
    // Candle has a pool of its own; mistral.rs has rayon's.
    for name in ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"] {
        program.env(name, sizes.threads.to_string());
    }
    let ended = timed::run(program, sizes.limit)?;
    let mut figures = read(&ended.stdout)?;
    figures.rss_bytes = ended.rss_bytes;
    Ok(figures)
}

/// The samples in the last line.
fn read(printed: &str) -> Result<Figures> {
    let last = printed.lines().last().unwrap_or_default();
    let samples: Value = serde_json::from_str(last).with_context(|| format!("not JSON: {last}"))?;
    let spread = |name: &str| {
        let samples = samples[name].as_array()?;
        Spread::of(samples.iter().filter_map(Value::as_f64).collect())
    };
    Ok(Figures {
        prefill_tok_s: spread("prefill_tok_s"),
        decode_tok_s: spread("decode_tok_s"),
        rss_bytes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_those_of_the_last_line() {
        let printed = "loading\n{\"prefill_tok_s\": [], \"decode_tok_s\": [3.0, 1.0]}\n";
        let expected = Figures {
            decode_tok_s: Spread::of(vec![1.0, 3.0]),
            ..Figures::default()
        };
        assert_eq!(read(printed).unwrap(), expected);
        assert!(read("error").unwrap_err().to_string().contains("error"));
    }
}
