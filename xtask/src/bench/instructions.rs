//! The suite `ci`: every bench once without timing it, and the instructions of the hot path beside the committed counts.
//!
//! Times of a shared machine say little about a change of a few percent; instructions, counted by callgrind, are the same
//! at every run. A count that is off by more than 1 % is a failure in both directions: one that became smaller is
//! committed anew (`--accept`), so that the next loss is measured from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::ci::{cargo, root};

/// Version of gungraun-runner, which has to be that of the library.
const RUNNER: &str = "0.20.0";
/// The benches that criterion times; the other one counts, and needs its runner.
const TIMED: [&str; 6] = [
    "detokenizer",
    "engine",
    "forward",
    "sampling",
    "stop_matcher",
    "stream",
];
/// The committed counts.
const BASELINE: &str = "benches/instructions.csv";
const HEADER: &str = "name,instructions";
/// How far a count may be from its baseline.
const TOLERATED: f64 = 0.01;

type Counts = BTreeMap<String, u64>;

/// Runs the suite; with `accept`, the counts become the committed ones.
pub(super) fn check(accept: bool) -> Result<()> {
    let mut once = vec!["test", "--quiet", "--package", "benches", "--all-features"];
    once.extend(TIMED.iter().flat_map(|name| ["--bench", name]));
    cargo(&once, &[])?;
    let found = counts()?;
    let path = root().join(BASELINE);
    if accept {
        std::fs::write(&path, written(&found)).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let committed = read(&text)?;
    let apart = compare(&found, &committed);
    for line in &apart {
        println!("{line}");
    }
    ensure!(
        apart.is_empty(),
        "{} counts are off by more than {} %; `cargo xtask bench --suite ci --accept` commits them as they are",
        apart.len(),
        TOLERATED * 100.0
    );
    println!(
        "{} counts are within {} % of {BASELINE}",
        found.len(),
        TOLERATED * 100.0
    );
    Ok(())
}

/// Counts anew.
fn counts() -> Result<Counts> {
    ensure!(
        Command::new("valgrind").arg("--version").output().is_ok(),
        "valgrind is missing: it counts the instructions"
    );
    let results = super::target()?.join("gungraun");
    if results.exists() {
        // What is left of an earlier run would be read as a result of this one.
        std::fs::remove_dir_all(&results).with_context(|| results.display().to_string())?;
    }
    let runner = runner()?.display().to_string();
    let arguments = [
        "bench",
        "--quiet",
        "--profile",
        "counted",
        "--package",
        "benches",
        "--bench",
        "instructions",
    ];
    cargo(&arguments, &[("GUNGRAUN_RUNNER", &runner)])?;
    let mut found = Counts::new();
    collect(&results, &mut found)?;
    ensure!(!found.is_empty(), "nothing was counted in {}", results.display());
    Ok(found)
}

/// The program that runs callgrind, which is installed where it is missing.
fn runner() -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let program = tools.join("bin/gungraun-runner");
    if !program.exists() {
        let folder = tools.display().to_string();
        let install = [
            "install",
            "gungraun-runner",
            "--version",
            RUNNER,
            "--locked",
            "--root",
            &folder,
        ];
        cargo(&install, &[])?;
    }
    Ok(program)
}

/// Counts in the files that callgrind left below `folder`, by the name of the bench.
fn collect(folder: &Path, into: &mut Counts) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(name) = name
            .strip_prefix("callgrind.")
            .and_then(|name| name.strip_suffix(".out"))
        {
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let count = count(&text).with_context(|| format!("{} has no count", path.display()))?;
            into.insert(name.to_owned(), count);
        }
    }
    Ok(())
}

/// Instructions of a callgrind file: the first event of its totals.
fn count(text: &str) -> Option<u64> {
    let totals = text.lines().find_map(|line| line.strip_prefix("totals:"))?;
    totals.split_whitespace().next()?.parse().ok()
}

fn written(counts: &Counts) -> String {
    let lines = counts.iter().map(|(name, count)| format!("{name},{count}\n"));
    format!("{HEADER}\n{}", lines.collect::<String>())
}

fn read(text: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in text.lines().skip(1) {
        let Some((name, count)) = line.split_once(',') else {
            bail!("{BASELINE} holds `{line}`, expected {HEADER}");
        };
        let count = count
            .parse()
            .with_context(|| format!("{BASELINE} holds `{line}`"))?;
        counts.insert(name.to_owned(), count);
    }
    Ok(counts)
}

/// A line for each count that is off, missing or new.
fn compare(found: &Counts, committed: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, &before) in committed {
        match found.get(name) {
            Some(&now) => {
                let change = now as f64 / before as f64 - 1.0;
                if change.abs() > TOLERATED {
                    lines.push(format!("{name}: {now} after {before}, {:+.1} %", change * 100.0));
                }
            }
            None => lines.push(format!("{name}: was not counted, {before} before")),
        }
    }
    let new = found.iter().filter(|(name, _)| !committed.contains_key(*name));
    lines.extend(new.map(|(name, now)| format!("{name}: {now}, not committed yet")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(counts: &[(&str, u64)]) -> Counts {
        counts
            .iter()
            .map(|&(name, count)| (name.to_owned(), count))
            .collect()
    }

    #[test]
    fn counts_that_are_off_missing_or_new_are_named() {
        let committed = counted(&[("a", 1000), ("b", 1000), ("c", 1000), ("d", 1000)]);
        let found = counted(&[("a", 1009), ("b", 1011), ("c", 989), ("e", 1)]);
        let lines = compare(&found, &committed);
        let names: Vec<&str> = lines.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names, ["b", "c", "d", "e"], "{lines:?}");
    }

    #[test]
    fn what_is_written_reads_back_and_what_is_not_a_count_is_an_error() {
        let counts = counted(&[("sample.greedy", 40_000), ("decode", 7)]);
        assert_eq!(read(&written(&counts)).unwrap(), counts);
        assert!(read("name,instructions\na,b\n").is_err());
        assert!(read("name,instructions\na\n").is_err());
    }

    #[test]
    fn the_first_event_of_the_totals_is_the_count() {
        assert_eq!(count("events: Ir\nfn=(0)\n1 5\ntotals: 4711\n"), Some(4711));
        assert_eq!(count("events: Ir\n"), None);
    }
}
