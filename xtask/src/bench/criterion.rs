//! Criterion benches as a part of a run: they are started, and what they leave on disk is read.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::figures::Spread;
use super::record::Timing;
use crate::ci::cargo;

/// Runs one bench of the package `benches` and reads what it measured; `quick` stops at the first steady figure.
pub(super) fn run(bench: &str, quick: bool) -> Result<Vec<Timing>> {
    let folder = super::target()?.join("criterion");
    let begun = std::time::SystemTime::now();
    let mut arguments = vec![
        "bench",
        "--package",
        "benches",
        "--bench",
        bench,
        "--",
        "--noplot",
    ];
    if quick {
        arguments.push("--quick");
    }
    cargo(&arguments, &[])?;
    let mut timings = Vec::new();
    read(&folder, begun, &mut timings)?;
    timings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(timings)
}

/// Collects the measurements below `folder` that are not older than `begun`.
fn read(folder: &Path, begun: std::time::SystemTime, timings: &mut Vec<Timing>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("estimates.json");
        let is_new = path.ends_with("new") && estimates.exists();
        if is_new && estimates.metadata()?.modified()? >= begun {
            timings.push(timing(&path)?);
        } else if !is_new {
            read(&path, begun, timings)?;
        }
    }
    Ok(())
}

/// The measurement in a folder of criterion's.
fn timing(folder: &Path) -> Result<Timing> {
    let json = |name: &str| -> Result<Value> {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    };
    let (bench, estimates) = (json("benchmark.json")?, json("estimates.json")?);
    let name = bench["full_id"]
        .as_str()
        .context("a bench without a name")?
        .to_owned();
    let median = &estimates["median"];
    let interval = &median["confidence_interval"];
    let number = |value: &Value| value.as_f64().with_context(|| format!("{name} has no median"));
    let nanoseconds = Spread {
        median: number(&median["point_estimate"])?,
        least: number(&interval["lower_bound"])?,
        most: number(&interval["upper_bound"])?,
    };
    Ok(Timing { name, nanoseconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_measurements_are_found_and_old_ones_left() {
        let root = std::env::temp_dir().join(format!("criterion-{}", std::process::id()));
        let folder = root.join("group/name/new");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("benchmark.json"), r#"{"full_id": "group/name"}"#).unwrap();
        let estimates = r#"{"median": {"point_estimate": 2.0,
            "confidence_interval": {"lower_bound": 1.0, "upper_bound": 3.0}}}"#;
        std::fs::write(folder.join("estimates.json"), estimates).unwrap();
        let hour = std::time::Duration::from_secs(3600);
        let now = std::time::SystemTime::now();
        let found = |begun| {
            let mut timings = Vec::new();
            read(&root, begun, &mut timings).unwrap();
            timings
        };
        let (before, after) = (found(now - hour), found(now + hour));
        std::fs::remove_dir_all(&root).unwrap();
        let expected = Timing {
            name: "group/name".to_owned(),
            nanoseconds: Spread::of(vec![1.0, 2.0, 3.0]).unwrap(),
        };
        assert_eq!(before, [expected]);
        assert!(after.is_empty());
    }
}
