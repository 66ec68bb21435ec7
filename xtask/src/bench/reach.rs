//! What forward passes should reach, beside what they do: how many times as fast as llama.cpp's best we are and how near to
//! the machine's limit, figure by figure; several sequences at once, one thread, memory, and the start.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use models::HeldWeights;
use serde_json::Value;

use super::figures::{Figures, Spread};
use super::serve::Reached;
use super::table::Row;
use super::{Contestant, Engine, Sizes, llama_cpp, ours, timed};

/// What a figure of the table should be.
struct Bar {
    model: &'static str,
    depth: usize,
    figure: Figure,
    /// Times llama.cpp's best.
    ratio: f64,
    /// Of the machine's limit.
    share: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Prefill,
    Decode,
}
use Figure::{Decode, Prefill};

const QWEN: &str = "qwen3-0.6b-q4_k_m";
const LLAMA: &str = "llama-3.2-1b-q4_k_m";
const MIXTURE: &str = "qwen3-30b-a3b-8l-q4_k_m";
const KIMI: &str = "kimi-k2-3l-48e-q4_k_m";
const BYTES: &str = "qwen3-0.6b-q8_0";

const BARS: [Bar; 11] = [
    Bar::new(QWEN, 0, Prefill, 1.8, Some(0.6)),
    Bar::new(LLAMA, 0, Prefill, 1.25, Some(0.6)),
    Bar::new(MIXTURE, 0, Prefill, 2.0, None),
    Bar::new(QWEN, 0, Decode, 1.25, Some(0.85)),
    Bar::new(LLAMA, 0, Decode, 1.05, Some(0.85)),
    Bar::new(MIXTURE, 0, Decode, 1.2, None),
    Bar::new(QWEN, 2048, Decode, 1.6, Some(0.75)),
    Bar::new(KIMI, 0, Prefill, 1.5, None),
    Bar::new(KIMI, 0, Decode, 1.15, None),
    Bar::new(BYTES, 0, Prefill, 1.8, None),
    Bar::new(BYTES, 0, Decode, 1.15, None),
];

impl Bar {
    const fn new(model: &'static str, depth: usize, figure: Figure, ratio: f64, share: Option<f64>) -> Self {
        Self {
            model,
            depth,
            figure,
            ratio,
            share,
        }
    }

    fn name(&self) -> String {
        let figure = match self.figure {
            Prefill => "prefill",
            Decode => "decode",
        };
        format!("{} at depth {}, {figure}", self.model, self.depth)
    }
}

impl Figure {
    fn speed(self, row: &Row) -> Option<Spread> {
        match self {
            Prefill => row.prefill_tok_s,
            Decode => row.decode_tok_s,
        }
    }

    const fn share(self, row: &Row) -> Option<f64> {
        match self {
            Prefill => row.prefill_share,
            Decode => row.decode_share,
        }
    }
}

/// What of the table has something that it should be.
///
/// Of llama.cpp's settings the best is one for each figure; as a range, our least beside its most and our most beside its
/// least.
pub(super) fn of_rows(rows: &[Row], own: &str) -> Vec<Reached> {
    let mut reached = Vec::new();
    for bar in &BARS {
        let of = |engine: &str| {
            rows.iter()
                .find(|row| row.model == bar.model && row.depth == bar.depth && row.engine == engine)
        };
        let Some(ours) = of(own) else { continue };
        if let (Some(mine), Some(peer)) = (
            bar.figure.speed(ours),
            of(llama_cpp::BEST).and_then(|row| bar.figure.speed(row)),
        ) {
            let value = Spread {
                median: mine.median / peer.median,
                least: mine.least / peer.most,
                most: mine.most / peer.least,
            };
            reached.push(at_least(
                format!("{}, of llama.cpp's best", bar.name()),
                value,
                bar.ratio,
            ));
        }
        if let (Some(share), Some(least)) = (bar.figure.share(ours), bar.share) {
            reached.push(at_least(
                format!("{}, of the limit", bar.name()),
                alone(share),
                least,
            ));
        }
    }
    reached
}

fn at_least(name: String, value: Spread, bar: f64) -> Reached {
    Reached {
        name,
        unit: "x".to_owned(),
        value,
        at_least: Some(bar),
        at_most: None,
    }
}

fn alone(value: f64) -> Spread {
    Spread {
        median: value,
        least: value,
        most: value,
    }
}

/// Sequences that decode at once.
const SEQUENCES: usize = 8;
/// Tokens of the prompt behind which they decode, and of that which a start is timed with.
const PROMPT: usize = 16;
/// Starts that are timed.
const STARTS: usize = 5;

/// Measures what the table does not have.
///
/// * `batched`: llama.cpp's program for several sequences, where it has been built.
pub(super) fn more(
    contestants: &[Contestant],
    batched: Option<&Path>,
    file: &Path,
    sizes: Sizes,
) -> Result<Vec<Reached>> {
    let Some(own) = contestants.iter().find(|who| matches!(who.engine, Engine::Ours)) else {
        return Ok(Vec::new());
    };
    let mut reached = Vec::new();
    several(&own.program, batched, file, sizes, &mut reached)?;
    one_thread(contestants, file, sizes, &mut reached)?;
    memory(&own.program, file, sizes, &mut reached)?;
    start(&own.program, file, false, 500.0, sizes, &mut reached)?;
    start(&own.program, file, true, 200.0, sizes, &mut reached)?;
    Ok(reached)
}

fn several(
    program: &Path,
    batched: Option<&Path>,
    file: &Path,
    sizes: Sizes,
    reached: &mut Vec<Reached>,
) -> Result<()> {
    let (mut all, mut single, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..sizes.turns {
        let decode = |batch: usize| {
            let figures = ours::turn_of(
                program,
                file,
                Sizes {
                    prompt: PROMPT,
                    ..sizes
                },
                batch,
            )?;
            anyhow::Ok(figures.decode_tok_s.context("no decoding was measured")?.median)
        };
        all.push(decode(SEQUENCES)?);
        single.push(decode(1)?);
        if let Some(batched) = batched {
            peer.push(llama_cpp::batched(batched, file, PROMPT, SEQUENCES, sizes)?);
        }
    }
    let ratios =
        |others: &[f64]| Spread::of(all.iter().zip(others).map(|(all, other)| all / other).collect());
    if let Some(value) = ratios(&peer) {
        reached.push(at_least(
            format!("{SEQUENCES} sequences at once, decode, of llama.cpp's"),
            value,
            2.2,
        ));
    }
    if let Some(value) = ratios(&single) {
        reached.push(at_least(
            format!("{SEQUENCES} sequences at once, decode, of one alone"),
            value,
            2.5,
        ));
    }
    if let Some(value) = Spread::of(all) {
        reached.push(shown(
            format!("{SEQUENCES} sequences at once, decode"),
            "tok/s",
            value,
        ));
    }
    Ok(())
}

fn shown(name: String, unit: &str, value: Spread) -> Reached {
    Reached {
        name,
        unit: unit.to_owned(),
        value,
        at_least: None,
        at_most: None,
    }
}

/// All contestants on one thread, taking turns.
fn one_thread(
    contestants: &[Contestant],
    file: &Path,
    sizes: Sizes,
    reached: &mut Vec<Reached>,
) -> Result<()> {
    let sizes = Sizes { threads: 1, ..sizes };
    let asked: Vec<&Contestant> = contestants
        .iter()
        .filter(|who| matches!(who.engine, Engine::Ours | Engine::LlamaCpp(_)))
        .collect();
    let mut turns = vec![Vec::new(); asked.len()];
    for _ in 0..sizes.turns {
        for (who, turns) in asked.iter().zip(&mut turns) {
            turns.push(who.turn(file, 0, sizes)?);
        }
    }
    type Speed = fn(&Figures) -> Option<Spread>;
    let speeds: [(&str, Speed, f64); 2] = [
        ("prefill", |figures| figures.prefill_tok_s, 1.8),
        ("decode", |figures| figures.decode_tok_s, 1.25),
    ];
    for (name, speed, bar) in speeds {
        let of = |turns: &[Figures]| {
            let medians = turns.iter().filter_map(|turn| Some(speed(turn)?.median));
            Spread::of(medians.collect())
        };
        let (mut mine, mut best) = (None, None::<Spread>);
        for (who, turns) in asked.iter().zip(&turns) {
            match who.engine {
                Engine::Ours => mine = of(turns),
                _ => {
                    best = best
                        .into_iter()
                        .chain(of(turns))
                        .max_by(|a, b| a.median.total_cmp(&b.median))
                }
            }
        }
        let Some(mine) = mine else { continue };
        if let Some(best) = best {
            let value = Spread {
                median: mine.median / best.median,
                least: mine.least / best.most,
                most: mine.most / best.least,
            };
            reached.push(at_least(
                format!("one thread, {name}, of llama.cpp's best"),
                value,
                bar,
            ));
        }
        reached.push(shown(format!("one thread, {name}"), "tok/s", mine));
    }
    Ok(())
}

/// The most memory beside the file and the positions that were kept.
fn memory(program: &Path, file: &Path, sizes: Sizes, reached: &mut Vec<Reached>) -> Result<()> {
    let figures = ours::turn(program, file, 0, sizes)?;
    let size = std::fs::metadata(file)
        .with_context(|| file.display().to_string())?
        .len();
    let cache = ours::cache_bytes(file, sizes.prompt + sizes.generate)?;
    if let Some(peak) = figures.rss_bytes {
        let value = alone(peak as f64 / (size + cache) as f64);
        reached.push(Reached {
            name: "memory at its peak, of file and cache".to_owned(),
            unit: "x".to_owned(),
            value,
            at_least: None,
            at_most: Some(1.1),
        });
    }
    Ok(())
}

/// From the program's start to its first token's end; the file lies in the system's cache.
///
/// * `kept`: whether it finds weights that a start before it has packed.
/// * `most`: the bar, in milliseconds.
fn start(
    program: &Path,
    file: &Path,
    kept: bool,
    most: f64,
    sizes: Sizes,
    reached: &mut Vec<Reached>,
) -> Result<()> {
    let mut samples = Vec::new();
    // The first one warms up.
    for number in 0..=STARTS {
        let begun = Instant::now();
        let mut command = ours::first_token(program, file, PROMPT);
        command.args(kept.then_some("--keep-packed"));
        timed::run(command, sizes.limit)?;
        if number > 0 {
            samples.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    if kept {
        let mut path = file.as_os_str().to_owned();
        path.push(HeldWeights::KEPT_EXTENSION);
        std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
    }
    let value = Spread::of(samples).context("no start was timed")?;
    let packed = if kept { ", weights packed before" } else { "" };
    reached.push(Reached {
        name: format!("start to the first token, prompt of {PROMPT}{packed}"),
        unit: "ms".to_owned(),
        value,
        at_least: None,
        at_most: Some(most),
    });
    Ok(())
}

/// What `llama-batched-bench --output-format jsonl` prints: tokens per second of all sequences while they decode.
pub(super) fn decoded(stdout: &str) -> Result<f64> {
    let last = stdout
        .lines()
        .rfind(|line| line.starts_with('{'))
        .context("no figures were printed")?;
    let record: Value = serde_json::from_str(last).with_context(|| format!("not JSON: {last}"))?;
    record["speed_tg"].as_f64().context("speed_tg is missing")
}

/// The program that [`more`] wants, as a command with its arguments.
pub(super) fn batched(program: &Path, file: &Path, prompt: usize, sequences: usize, sizes: Sizes) -> Command {
    let mut command = Command::new(program);
    command.arg("-m").arg(file);
    let positions = sequences * (prompt + sizes.generate) + prompt;
    for (name, value) in [
        ("-c", positions.next_multiple_of(256)),
        ("-npp", prompt),
        ("-ntg", sizes.generate),
        ("-npl", sequences),
        ("-t", sizes.threads),
        ("-tb", sizes.threads),
    ] {
        command.args([name, &value.to_string()]);
    }
    command.args(["--output-format", "jsonl"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(engine: &str, prefill: f64, share: Option<f64>) -> Row {
        Row {
            model: QWEN.to_owned(),
            engine: engine.to_owned(),
            prefill_tok_s: Spread::of(vec![prefill]),
            prefill_share: share,
            ..Row::default()
        }
    }

    #[test]
    fn a_figure_is_beside_the_best_and_the_limit() {
        let rows = [
            row("wick", 900.0, Some(0.5)),
            row("llama.cpp", 400.0, None),
            row(llama_cpp::BEST, 450.0, None),
        ];
        let reached = of_rows(&rows, "wick");
        let told: Vec<_> = reached
            .iter()
            .map(|reached| (reached.value.median, reached.at_least))
            .collect();
        assert_eq!(told, [(2.0, Some(1.8)), (0.5, Some(0.6))]);
        assert!(of_rows(&rows[1..], "wick").is_empty());
    }

    #[test]
    fn the_speed_of_several_sequences_is_read() {
        let text = "some words\n{\"n_kv\": 1, \"speed_tg\": 82.5}\n";
        assert_eq!(decoded(text).unwrap(), 82.5);
        assert!(decoded("{}").is_err());
    }
}
