//! `bench`: us beside our peers and beside the machine's limits, measured side by side in one run.
//!
//! The models are synthetic ones of true shape, made once below `target/bench-models`. On each file, at each depth, we
//! and every way to run a peer take turns; the figure of each is the median over the turns. What cannot run a file, or
//! takes longer than it may, is a row that says why.

mod figures;
mod llama_cpp;
mod ours;
mod record;
mod subjects;
mod table;
mod timed;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use benches::Limits;
use clap::{Args, ValueEnum};

use super::ci::root;
use figures::{Figures, Outcome};
use record::Record;

/// Our name in tables.
const OURS: &str = "wick";

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(long, default_value = "all")]
    suite: Suite,
    /// Whom to measure beside us, separated by commas; `cargo xtask peers` builds them.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Shorter prompts and one turn each, with a minute of time.
    #[arg(long)]
    quick: bool,
    /// Only models whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

/// A group of measurements.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Forward passes of whole models.
    Forward,
    /// All that there are.
    All,
}

/// Another engine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// llama.cpp, by its own `llama-bench`: as it is, and the better of its settings for each figure.
    #[value(name = "llama.cpp")]
    LlamaCpp,
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
                repeat: 2,
                turns: 1,
                threads,
                limit: Duration::from_secs(60),
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
    let (Suite::Forward | Suite::All) = options.suite;
    let sizes = Sizes::of(options)?;
    let contestants = contestants(&options.peers)?;
    let limits = limits(sizes.threads)?;
    let mut rows = Vec::new();
    for subject in subjects::ALL
        .iter()
        .filter(|subject| subject.name().contains(&options.only))
    {
        let file = subject.file()?;
        for depth in subjects::DEPTHS {
            eprintln!("{} at depth {depth}", subject.name());
            let outcomes = measure(&contestants, &file, depth, sizes);
            rows.extend(table::rows(subject.row(&file, depth)?, &outcomes, &limits));
        }
    }
    let record = Record::new(limits, rows)?;
    print!("{}", table::shown(&record));
    let kept = record.keep(&root().join("benches/record"))?;
    println!("{}", kept.display());
    Ok(())
}

fn limits(threads: usize) -> Result<Limits> {
    let threads = threads.try_into().context("there are no threads")?;
    Ok(Limits::measure(threads))
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
}

impl Contestant {
    fn turn(&self, file: &Path, depth: usize, sizes: Sizes) -> Result<Figures> {
        match self.engine {
            Engine::Ours => ours::turn(&self.program, file, depth, sizes),
            Engine::LlamaCpp(settings) => llama_cpp::turn(&self.program, settings, file, depth, sizes),
        }
    }
}

/// Us, and every way to run each peer.
fn contestants(peers: &[Peer]) -> Result<Vec<Contestant>> {
    let mut contestants = vec![Contestant {
        name: OURS,
        program: ours::build()?,
        engine: Engine::Ours,
    }];
    if peers.contains(&Peer::LlamaCpp) {
        let program = super::peers::llama_bench();
        ensure!(
            program.exists(),
            "llama-bench is missing; `cargo xtask peers` builds it"
        );
        contestants.extend(llama_cpp::SETTINGS.map(|(name, settings)| Contestant {
            name,
            program: program.clone(),
            engine: Engine::LlamaCpp(settings),
        }));
    }
    Ok(contestants)
}

/// Lets the contestants take turns; one that failed takes no further turn.
fn measure(contestants: &[Contestant], file: &Path, depth: usize, sizes: Sizes) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = contestants.iter().map(|who| Outcome::new(who.name)).collect();
    for _ in 0..sizes.turns {
        for (who, outcome) in contestants.iter().zip(&mut outcomes) {
            if outcome.fault.is_none() {
                outcome.add(who.turn(file, depth, sizes));
            }
        }
    }
    outcomes
}
