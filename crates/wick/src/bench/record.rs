//! The figures of a bench, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use super::memory;
use super::rounds::Round;
use super::spread::Spread;
use super::workload::Workload;

/// What was measured on.
pub(super) struct Loaded {
    pub(super) model: String,
    pub(super) architecture: String,
    /// `decoded`, `mapped` or `copied`.
    pub(super) weights: &'static str,
    pub(super) threads: usize,
    /// From opening the file until model and tokenizer were ready.
    pub(super) elapsed: Duration,
}

/// What `wick bench --json` prints: medians, and under `range` the least and the most of each.
#[derive(Serialize)]
pub(super) struct Record {
    model: String,
    architecture: String,
    weights: &'static str,
    threads: usize,
    #[serde(flatten)]
    workload: Workload,
    /// Of one prompt.
    prefill_tok_s: f64,
    /// Of all sequences together.
    decode_tok_s: f64,
    ttft_ms: f64,
    load_ms: f64,
    /// At the peak; null where the system does not say.
    rss_bytes: Option<u64>,
    range: Range,
}

#[derive(Serialize)]
struct Range {
    prefill_tok_s: [f64; 2],
    decode_tok_s: [f64; 2],
    ttft_ms: [f64; 2],
}

impl Record {
    /// Sums up the rounds, and reads how much memory the process has taken.
    pub(super) fn of(loaded: Loaded, workload: Workload, rounds: &[Round]) -> Self {
        let decoded = workload.generate * workload.batch;
        let prefill = Spread::of(rounds.iter().map(|round| rate(workload.prompt, round.prefill)));
        let decode = Spread::of(rounds.iter().map(|round| rate(decoded, round.decode)));
        let first = Spread::of(rounds.iter().map(|round| milliseconds(round.first_token)));
        let range = |figure: Spread| [figure.least, figure.most];
        Self {
            model: loaded.model,
            architecture: loaded.architecture,
            weights: loaded.weights,
            threads: loaded.threads,
            workload,
            prefill_tok_s: prefill.median,
            decode_tok_s: decode.median,
            ttft_ms: first.median,
            load_ms: milliseconds(loaded.elapsed),
            rss_bytes: memory::peak_resident(),
            range: Range {
                prefill_tok_s: range(prefill),
                decode_tok_s: range(decode),
                ttft_ms: range(first),
            },
        }
    }

    /// One line of JSON, or a page for a person.
    pub(super) fn shown(&self, json: bool) -> anyhow::Result<String> {
        if !json {
            return Ok(self.page());
        }
        let mut line = serde_json::to_string(self).context("the figures cannot be written as JSON")?;
        line.push('\n');
        Ok(line)
    }

    fn page(&self) -> String {
        let Workload {
            prompt,
            generate,
            depth,
            batch,
            repeat,
        } = self.workload;
        let mut page = String::new();
        // Writing to a string does not fail.
        let mut line = |name: &str, value: String| {
            let _ = writeln!(page, "{name:12} {value}");
        };
        let (threads, weights) = (self.threads, self.weights);
        line(
            "model",
            format!(
                "{} ({}), weights {weights}, threads {threads}",
                self.model, self.architecture
            ),
        );
        line(
            "workload",
            format!("depth {depth}, median (least to most) of {repeat}"),
        );
        let figure = |value: f64, [least, most]: [f64; 2], unit: &str| {
            format!("{value:.2} {unit} ({least:.2} to {most:.2})")
        };
        let prefill = figure(self.prefill_tok_s, self.range.prefill_tok_s, "tok/s");
        line("prefill", format!("{prefill}, prompt of {prompt}"));
        let decode = figure(self.decode_tok_s, self.range.decode_tok_s, "tok/s");
        line(
            "decode",
            format!("{decode}, {generate} tokens of {batch} at once"),
        );
        line("first token", figure(self.ttft_ms, self.range.ttft_ms, "ms"));
        line("load", format!("{:.2} ms", self.load_ms));
        let peak = self
            .rss_bytes
            .map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6));
        line("peak memory", peak.unwrap_or_else(|| "not known".to_owned()));
        page
    }
}

/// Tokens per second; a clock that did not move counts as a nanosecond.
fn rate(tokens: usize, elapsed: Duration) -> f64 {
    tokens as f64 / elapsed.max(Duration::from_nanos(1)).as_secs_f64()
}

fn milliseconds(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}
