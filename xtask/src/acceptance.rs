//! Runs the cases of a fixtures folder against the real pipeline: in exact arithmetic, or with caches of 16-bit
//! floats at the tolerance that a case states for them.
//!
//! Every case of `manifest.json` ends as passed, failed or skipped, and a skipped one says why. Nothing that
//! can run is skipped: a case is skipped only for a format, an architecture or a kind that has no code yet.

mod broken;
mod chat;
mod generation;
mod logits;
mod manifest;
mod quant;
mod sampling;
mod subject;
mod template;
mod tokenizer;
mod toolcall;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use models::{CacheType, Compute, LoadOptions};

use manifest::{Case, Kind, Manifest};
use subject::{Opened, Subject};

/// How one case ended.
pub(crate) enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold, and why.
    Failed(String),
    /// It needs what does not exist yet.
    Skipped(String),
}

/// Counts of one kind of case on one model file.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// The largest distance of a logit from the reference.
    distance: f32,
    /// The largest mean divergence from the reference, in nats.
    divergence: f64,
    /// Generated ids before the first that was not expected, and ids expected.
    ids_equal: usize,
    ids: usize,
    reason: String,
}

/// Arithmetic of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// All in single precision.
    Exact,
    /// Activations of 8 bits, or keys and values of 16.
    Low,
}

impl Precision {
    fn of(options: LoadOptions) -> Self {
        match (options.compute, options.cache) {
            (Compute::Exact, None | Some(CacheType::F32)) => Self::Exact,
            _ => Self::Low,
        }
    }
}

/// Runs all cases whose id contains `only`; the last line printed is `N passed, N failed, N skipped`.
///
/// * `options`: how models are loaded; a case that they cannot concern runs in exact arithmetic alone.
pub(crate) fn run(fixtures: &Path, only: &str, options: LoadOptions) -> Result<()> {
    let manifest = Manifest::read(fixtures)?;
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut opened: Option<(String, Opened)> = None;
    let precision = Precision::of(options);
    let concerned = |case: &&Case| precision == Precision::Exact || case.runs_a_model();
    let wanted = manifest.cases.iter().filter(|case| case.id.contains(only));
    for case in wanted.filter(concerned) {
        let subject = match &opened {
            Some((files, subject)) if *files == case.files_key() => subject,
            _ => {
                &opened
                    .insert((case.files_key(), Subject::open(fixtures, case, options)))
                    .1
            }
        };
        if case.kind == Kind::Sampling {
            sampling::run(fixtures, &case.cases_file, &mut |level, id, outcome| {
                let group = format!("{} at {level}", case.id);
                tallies.entry(group).or_default().count(id, outcome);
            })?;
            continue;
        }
        if case.kind == Kind::Broken {
            broken::run(fixtures, &case.cases_file, &mut |id, outcome| {
                tallies.entry(case.group()).or_default().count(id, outcome);
            })?;
            continue;
        }
        if case.kind == Kind::ToolCalls {
            toolcall::run(fixtures, &case.cases_file, &mut |id, outcome| {
                let format = id.split('/').next().unwrap_or_default();
                let group = format!("{} {format}", case.id);
                tallies.entry(group).or_default().count(id, outcome);
            })?;
            continue;
        }
        let mut tally = Tally::default();
        let outcome = run_case(fixtures, &manifest, case, precision, subject, &mut tally);
        tallies
            .entry(case.group())
            .or_default()
            .merge(&tally)
            .count(&case.id, outcome);
    }
    report(&tallies)
}

fn run_case(
    fixtures: &Path,
    manifest: &Manifest,
    case: &Case,
    precision: Precision,
    subject: &Opened,
    tally: &mut Tally,
) -> Outcome {
    let alone = match case.kind {
        Kind::Tokenizer => Some(tokenizer::run(fixtures, &case.tokenizer_file, &case.cases_file)),
        Kind::Quant => Some(quant::run(fixtures, &case.cases_file, &case.data_file)),
        Kind::Templates => Some(template::run(fixtures, case)),
        _ => None,
    };
    if let Some(outcome) = alone {
        return outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
    }
    let subject = match subject {
        Opened::Ready(subject) => subject,
        Opened::Unsupported(why) => return Outcome::Skipped(why.clone()),
        Opened::Failed(why) => return Outcome::Failed(why.clone()),
    };
    on_model(fixtures, manifest, case, precision, subject, tally)
        .unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")))
}

fn on_model(
    fixtures: &Path,
    manifest: &Manifest,
    case: &Case,
    precision: Precision,
    subject: &Subject,
    tally: &mut Tally,
) -> Result<Outcome> {
    match case.kind {
        Kind::Logits => logits::run(fixtures, manifest.class(case, precision)?, case, subject, tally),
        Kind::Greedy => generation::greedy(case, subject, case.required(precision)?, tally),
        Kind::Completion => generation::completion(case, subject, case.required(precision)?, tally),
        Kind::Chat => chat::run(case, subject, case.required(precision)?, tally),
        _ => Ok(Outcome::Skipped(format!(
            "no runner for kind `{}`",
            case.kind_name()
        ))),
    }
}

impl Tally {
    /// Counts how a case ended; a failure is printed at once.
    fn count(&mut self, id: &str, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(why) => {
                println!("FAILED {id}: {why}");
                self.failed += 1;
            }
            Outcome::Skipped(why) => {
                self.skipped += 1;
                self.reason = why;
            }
        }
    }

    fn merge(&mut self, other: &Tally) -> &mut Self {
        self.distance = self.distance.max(other.distance);
        self.divergence = self.divergence.max(other.divergence);
        self.ids_equal += other.ids_equal;
        self.ids += other.ids;
        self
    }
}

fn report(tallies: &BTreeMap<String, Tally>) -> Result<()> {
    let mut total = Tally::default();
    for (group, tally) in tallies {
        let mut line = format!("{group}: {} passed", tally.passed);
        if tally.failed > 0 {
            line += &format!(", {} FAILED", tally.failed);
        }
        if tally.skipped > 0 {
            line += &format!(", {} skipped ({})", tally.skipped, tally.reason);
        }
        if tally.distance > 0.0 {
            line += &format!(
                ", max_abs {:.1e}, mean KL {:.1e}",
                tally.distance, tally.divergence
            );
        }
        if tally.ids > 0 {
            line += &format!(", {} of {} ids", tally.ids_equal, tally.ids);
        }
        println!("{line}");
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.skipped += tally.skipped;
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    ensure!(total.failed == 0, "{} acceptance cases failed", total.failed);
    ensure!(total.passed > 0, "no acceptance case ran");
    Ok(())
}
