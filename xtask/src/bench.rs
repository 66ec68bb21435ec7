//! `bench`: us beside our peers and beside the machine's limits, measured side by side in one run.
//!
//! The models are synthetic ones of true shape, made once below `target/bench-models`. On each file, at each depth, we
//! and every way to run a peer take turns; the figure of each is the median over the turns. What cannot run a file, or
//! takes longer than it may, is a row that says why.

mod candle;
mod compare;
mod criterion;
mod figures;
mod instructions;
mod llama_cpp;
mod mistral_rs;
mod ours;
mod plots;
mod reach;
mod record;
mod report;
mod samples;
mod serve;
mod subjects;
mod table;
mod timed;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::Limits;
use clap::{Args, ValueEnum};

use super::ci::root;
use figures::{Figures, Outcome};
use record::Record;

/// Our name in tables.
const OURS: &str = "wick";
/// Where records are kept.
const RECORDS: &str = "benches/record";

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(long, default_value = "all")]
    suite: Suite,
    /// Whom to measure beside us, separated by commas: without it, candle and those that `cargo xtask peers` has
    /// installed; in a quick run not mistral.rs.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Shorter prompts, one turn of one repetition each with less time, and fewer settings of llama.cpp.
    #[arg(long)]
    quick: bool,
    /// Only models whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Fail where we are slower than in the last record of the same machine.
    #[arg(long)]
    check: bool,
    /// With the suite `ci`: commit the counted instructions as they are.
    #[arg(long)]
    accept: bool,
    /// Only write docs/performance.md and its plots anew, from the records.
    #[arg(long)]
    report: bool,
}

/// A group of measurements.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// From logits to a token, beside candle's sampler.
    Sampling,
    /// Forward passes of whole models.
    Forward,
    /// Several requests at once, kept prefixes, guessed tokens, and what engine and stream cost.
    Serve,
    /// Every bench once without timing it, and the counted instructions of the hot path beside the committed ones.
    Ci,
    /// Sampling, forward and serve.
    All,
}

/// Another engine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// llama.cpp, by its own `llama-bench`: as it is, and the better of its settings for each figure.
    #[value(name = "llama.cpp")]
    LlamaCpp,
    /// Candle's own quantized models.
    Candle,
    /// mistral.rs, by its Python package.
    #[value(name = "mistral.rs")]
    MistralRs,
}

/// Sizes of every measurement of a run.
#[derive(Clone, Copy)]
struct Sizes {
    prompt: usize,
    generate: usize,
    /// Repetitions inside one turn.
    repeat: usize,
    /// Turns.
    turns: usize,
    threads: usize,
    /// Time of one program's turn.
    limit: Duration,
}

impl Sizes {
    fn of(options: &Options) -> Result<Self> {
        let threads = std::thread::available_parallelism().context("the number of cores is not known")?;
        let threads = threads.get();
        Ok(if options.quick {
            Self {
                prompt: 128,
                generate: 16,
                repeat: 1,
                turns: 1,
                threads,
                limit: Duration::from_secs(40),
            }
        } else {
            Self {
                prompt: 512,
                generate: 64,
                repeat: 3,
                turns: 3,
                threads,
                limit: Duration::from_secs(600),
            }
        })
    }
}

/// Measures and prints the table; the record is kept below `benches/record`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let records = root().join(RECORDS);
    if options.report {
        return report::write(&records, &root().join("docs"));
    }
    if options.suite == Suite::Ci {
        return instructions::check(options.accept);
    }
    let sizes = Sizes::of(options)?;
    let limits = limits(sizes.threads)?;
    let (mut rows, mut reached) = (Vec::new(), Vec::new());
    let has = |suite| options.suite == suite || options.suite == Suite::All;
    if has(Suite::Forward) {
        let (contestants, batched) = (contestants(options)?, batched(options)?);
        for subject in subjects::ALL
            .iter()
            .filter(|subject| subject.name().contains(&options.only))
        {
            let file = subject.file()?;
            let mut before: Vec<Option<Before>> = vec![None; contestants.len()];
            for depth in subjects::DEPTHS {
                eprintln!("{} at depth {depth}", subject.name());
                let outcomes = measure(&contestants, &mut before, &file, depth, sizes);
                rows.extend(table::rows(subject.row(&file, depth)?, &outcomes, &limits));
            }
        }
        reached = reach::of_rows(&rows, OURS);
        if subjects::SERVED.name().contains(&options.only) {
            eprintln!("several sequences, one thread, memory and start");
            let file = subjects::SERVED.file()?;
            reached.extend(reach::more(&contestants, batched.as_deref(), &file, sizes)?);
        }
    }
    let timings = if has(Suite::Sampling) {
        criterion::run("sampling", options.quick)?
    } else {
        Vec::new()
    };
    let served = if has(Suite::Serve) {
        serve::run(options.quick)?
    } else {
        Vec::new()
    };
    let record = Record::new(scope(options), sizes, limits, rows, timings, served, reached)?;
    print!("{}", table::shown(&record));
    finish(&record, &records, options.check)
}

/// What a run was about, as a part of its record's name; empty for all of it.
fn scope(options: &Options) -> String {
    let mut parts = Vec::new();
    match options.suite {
        Suite::Sampling => parts.push("sampling"),
        Suite::Forward => parts.push("forward"),
        Suite::Serve => parts.push("serve"),
        Suite::Ci | Suite::All => {}
    }
    if !options.only.is_empty() {
        parts.push(&options.only);
    }
    if options.quick {
        parts.push("quick");
    }
    parts.join("-")
}

/// Says what became slower since earlier records, and keeps this one; with `check`, a loss is an error, and a record that
/// has one is not kept, so that it does not become what the next is compared with.
fn finish(record: &Record, records: &Path, check: bool) -> Result<()> {
    let losses = compare::losses(record, &Record::all(&record.folder(records))?);
    println!(
        "\nslower than in the last record of this machine and workload: {} figures",
        losses.len()
    );
    for loss in &losses {
        println!("  {loss}");
    }
    ensure!(
        !check || losses.is_empty(),
        "{} figures became worse",
        losses.len()
    );
    println!("{}", record.keep(records)?.display());
    Ok(())
}

fn limits(threads: usize) -> Result<Limits> {
    let threads = threads.try_into().context("there are no threads")?;
    Ok(Limits::measure(threads))
}

/// The target directory: that in which this program lies, in a folder.
fn target() -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program does not know where it lies")?;
    let target = own
        .ancestors()
        .nth(2)
        .context("this program lies in no target directory")?;
    Ok(target.to_owned())
}

/// One way to run one engine.
struct Contestant {
    name: &'static str,
    program: PathBuf,
    engine: Engine,
}

#[derive(Clone, Copy)]
enum Engine {
    Ours,
    /// With these arguments.
    LlamaCpp(&'static [&'static str]),
    Candle,
    /// A script of the interpreter.
    MistralRs,
}

impl Contestant {
    fn turn(&self, file: &Path, depth: usize, sizes: Sizes) -> Result<Figures> {
        match self.engine {
            Engine::Ours => ours::turn(&self.program, file, depth, sizes),
            Engine::LlamaCpp(settings) => llama_cpp::turn(&self.program, settings, file, depth, sizes),
            Engine::Candle => samples::turn(Command::new(&self.program), file, depth, sizes),
            Engine::MistralRs => {
                let mut program = Command::new(&self.program);
                program.arg(root().join(mistral_rs::SCRIPT));
                samples::turn(program, file, depth, sizes)
            }
        }
    }
}

/// Us, and every way to run each peer.
fn contestants(options: &Options) -> Result<Vec<Contestant>> {
    let (peers, quick) = (&options.peers, options.quick);
    let mut contestants = vec![Contestant {
        name: OURS,
        program: ours::build()?,
        engine: Engine::Ours,
    }];
    let asked = |peer| match peers.as_slice() {
        // With its turns a quick run would not end within a quarter of an hour.
        [] => !(quick && peer == Peer::MistralRs),
        named => named.contains(&peer),
    };
    if asked(Peer::Candle) {
        contestants.push(Contestant {
            name: candle::NAME,
            program: candle::build()?,
            engine: Engine::Candle,
        });
    }
    let installed = |peer: Peer, program: Option<PathBuf>| {
        ensure!(
            program.is_some() || !peers.contains(&peer),
            "{} is missing; `cargo xtask peers` makes it",
            peer.to_possible_value()
                .map_or_else(String::new, |value| value.get_name().to_owned())
        );
        Ok(program.filter(|_| asked(peer)))
    };
    if let Some(program) = installed(Peer::MistralRs, super::peers::mistral_rs())? {
        contestants.push(Contestant {
            name: mistral_rs::NAME,
            program,
            engine: Engine::MistralRs,
        });
    }
    if let Some(program) = installed(Peer::LlamaCpp, super::peers::llama_bench())? {
        let settings = llama_cpp::SETTINGS.into_iter();
        let settings = settings.take(if quick {
            llama_cpp::QUICK
        } else {
            llama_cpp::SETTINGS.len()
        });
        contestants.extend(settings.map(|(name, settings)| Contestant {
            name,
            program: program.clone(),
            engine: Engine::LlamaCpp(settings),
        }));
    }
    Ok(contestants)
}

/// llama.cpp's program for several sequences, if that peer is asked for and has been built.
fn batched(options: &Options) -> Result<Option<PathBuf>> {
    let asked = options.peers.is_empty() || options.peers.contains(&Peer::LlamaCpp);
    if !asked || super::peers::llama_bench().is_none() {
        return Ok(None);
    }
    let program = super::peers::llama_batched_bench();
    ensure!(
        program.is_some(),
        "llama.cpp's program for several sequences is missing; `cargo xtask peers` makes it"
    );
    Ok(program)
}

/// What a contestant did at a smaller depth.
#[derive(Clone, Copy, Debug)]
enum Before {
    Failed,
    /// At depth 0: how long its shortest turn took, and how many prompt tokens it ran in a second.
    Took(Duration, f64),
}

impl Before {
    /// Why a turn at `depth` need not be tried: what came before says that it fails, or takes longer than it may, since
    /// the tokens up to the depth come on top of a turn without them, and are run no faster.
    fn hopeless(self, depth: usize, limit: Duration) -> Option<String> {
        match self {
            Self::Failed => Some("failed at a smaller depth".to_owned()),
            Self::Took(turn, tok_s) => {
                let least = turn.as_secs_f64() + depth as f64 / tok_s;
                (least > limit.as_secs_f64())
                    .then(|| format!("needs at least {least:.0} s, and may take {} s", limit.as_secs()))
            }
        }
    }
}

/// Lets the contestants take turns; one that failed takes no further turn, also not at a greater depth.
fn measure(
    contestants: &[Contestant],
    before: &mut [Option<Before>],
    file: &Path,
    depth: usize,
    sizes: Sizes,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = contestants.iter().map(|who| Outcome::new(who.name)).collect();
    for (outcome, before) in outcomes.iter_mut().zip(before.iter()) {
        outcome.fault = before.and_then(|before| before.hopeless(depth, sizes.limit));
    }
    let mut shortest = vec![Duration::MAX; contestants.len()];
    for _ in 0..sizes.turns {
        for ((who, outcome), shortest) in contestants.iter().zip(&mut outcomes).zip(&mut shortest) {
            if outcome.fault.is_none() {
                let begun = Instant::now();
                outcome.add(who.turn(file, depth, sizes));
                *shortest = begun.elapsed().min(*shortest);
            }
        }
    }
    for ((outcome, before), shortest) in outcomes.iter().zip(before).zip(shortest) {
        let speed = outcome.figures().prefill_tok_s;
        *before = match (&outcome.fault, speed) {
            (Some(_), _) => Some(Before::Failed),
            (None, Some(speed)) if depth == 0 => Some(Before::Took(shortest, speed.median)),
            (None, _) => *before,
        };
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_cannot_end_in_time_is_not_begun() {
        let limit = Duration::from_secs(40);
        let took = |seconds, tok_s| Before::Took(Duration::from_secs(seconds), tok_s);
        assert_eq!(took(10, 100.0).hopeless(2048, limit), None);
        let fault = took(20, 100.0).hopeless(2048, limit).unwrap();
        assert_eq!(fault, "needs at least 40 s, and may take 40 s");
        assert!(Before::Failed.hopeless(0, limit).is_some());
    }
}
