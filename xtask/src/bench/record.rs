//! What a run leaves behind: one file for programs and one for spreadsheets, named by day and revision.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use benches::Limits;
use serde::{Deserialize, Serialize};

use super::Sizes;
use super::figures::Spread;
use super::serve::Reached;
use super::table::Row;
use crate::ci::root;

/// A run on one machine.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) cpu: String,
    /// Day and time, as in `2026-01-31T12:00:00Z`.
    pub(super) date: String,
    /// The commit, with `-dirty` where the tree differs from it.
    pub(super) revision: String,
    /// What the run was about; empty where about all.
    pub(super) scope: String,
    /// The engine that the others are compared with.
    pub(super) ours: String,
    pub(super) workload: Workload,
    pub(super) limits: Limits,
    pub(super) rows: Vec<Row>,
    /// What criterion measured.
    pub(super) timings: Vec<Timing>,
    /// What serving reached.
    #[serde(default)]
    pub(super) served: Vec<Reached>,
    /// What forward passes reached of what they should.
    #[serde(default)]
    pub(super) reached: Vec<Reached>,
}

/// What every engine ran; figures of different workloads are not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Workload {
    pub(super) prompt: usize,
    pub(super) generate: usize,
    pub(super) threads: usize,
}

impl From<Sizes> for Workload {
    fn from(sizes: Sizes) -> Self {
        Self {
            prompt: sizes.prompt,
            generate: sizes.generate,
            threads: sizes.threads,
        }
    }
}

/// Time of one call, by criterion's name of the bench.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Timing {
    pub(super) name: String,
    pub(super) nanoseconds: Spread,
}

impl Timing {
    /// Whether it is code of ours, and not of a peer that was measured beside it.
    pub(super) fn ours(&self) -> bool {
        !self.name.split('/').any(|part| part == super::candle::NAME)
    }
}

/// Days of records, `YYYY-MM-DD`.
const DAY: usize = 10;

impl Record {
    pub(super) fn new(
        scope: String,
        sizes: Sizes,
        limits: Limits,
        rows: Vec<Row>,
        timings: Vec<Timing>,
        served: Vec<Reached>,
        reached: Vec<Reached>,
    ) -> Result<Self> {
        Ok(Self {
            scope,
            cpu: cpu(),
            date: said("date", &["-u", "+%FT%TZ"])?,
            revision: said("git", &["describe", "--always", "--dirty", "--exclude=*"])?,
            ours: super::OURS.to_owned(),
            workload: sizes.into(),
            limits,
            rows,
            timings,
            served,
            reached,
        })
    }

    /// The day of the run.
    pub(super) fn day(&self) -> &str {
        self.date.get(..DAY).unwrap_or(&self.date)
    }

    /// The machine and its limits in a line.
    pub(super) fn machine(&self) -> String {
        let limits = &self.limits;
        format!(
            "{}, {} threads, {}: reads {:.1} GB/s, f32 {:.0} GFLOPS, int8 {:.0} GOPS",
            self.cpu,
            limits.threads,
            limits.level,
            limits.read_gb_s.all,
            limits.f32_fma_gflops.all,
            limits.int8_dot_gops.all
        )
    }

    /// The folder of this machine's records, below that of all.
    pub(super) fn folder(&self, records: &Path) -> PathBuf {
        records.join(file_name(&self.cpu))
    }

    /// Writes both files below `records` and returns the path of the first.
    pub(super) fn keep(&self, records: &Path) -> Result<PathBuf> {
        let folder = self.folder(records);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let mut name = format!("{}-{}", self.day(), self.revision);
        if !self.scope.is_empty() {
            name = format!("{name}-{}", file_name(&self.scope));
        }
        let path = folder.join(format!("{name}.json"));
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(&path, json).with_context(|| path.display().to_string())?;
        let table = folder.join(format!("{name}.csv"));
        std::fs::write(&table, self.csv()).with_context(|| table.display().to_string())?;
        if !self.timings.is_empty() {
            let timings = folder.join(format!("{name}-timings.csv"));
            std::fs::write(&timings, self.timings_csv()).with_context(|| timings.display().to_string())?;
        }
        for (what, reached) in [("serve", &self.served), ("reach", &self.reached)] {
            if !reached.is_empty() {
                let path = folder.join(format!("{name}-{what}.csv"));
                std::fs::write(&path, reached_csv(reached)).with_context(|| path.display().to_string())?;
            }
        }
        Ok(path)
    }

    /// All records of a folder, the oldest first; none where there is no folder.
    pub(super) fn all(folder: &Path) -> Result<Vec<Self>> {
        let mut records = Vec::new();
        if !folder.exists() {
            return Ok(records);
        }
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let record = serde_json::from_str(&text);
                records.push(record.with_context(|| format!("{} is no record", path.display()))?);
            }
        }
        records.sort_by(|a: &Self, b: &Self| a.date.cmp(&b.date));
        Ok(records)
    }

    fn timings_csv(&self) -> String {
        let mut text = "bench,nanoseconds,least,most\n".to_owned();
        for Timing { name, nanoseconds } in &self.timings {
            let Spread { median, least, most } = nanoseconds;
            text.push_str(&format!("{},{median:.1},{least:.1},{most:.1}\n", quoted(name)));
        }
        text
    }

    fn csv(&self) -> String {
        let mut text = "model,depth,engine,prefill_tok_s,prefill_least,prefill_most,prefill_share,\
                        decode_tok_s,decode_least,decode_most,decode_share,rss_bytes,fault\n"
            .to_owned();
        for row in &self.rows {
            let spread = |spread: Option<Spread>| {
                spread.map_or(",,".to_owned(), |Spread { median, least, most }| {
                    format!("{median:.3},{least:.3},{most:.3}")
                })
            };
            let share = |share: Option<f64>| share.map_or(String::new(), |share| format!("{share:.3}"));
            let cells = [
                quoted(&row.model),
                row.depth.to_string(),
                quoted(&row.engine),
                spread(row.prefill_tok_s),
                share(row.prefill_share),
                spread(row.decode_tok_s),
                share(row.decode_share),
                row.rss_bytes.map_or(String::new(), |bytes| bytes.to_string()),
                quoted(row.fault.as_deref().unwrap_or_default()),
            ];
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }
}

fn reached_csv(all: &[Reached]) -> String {
    let mut text = "figure,unit,median,least,most,at_least,at_most\n".to_owned();
    for reached in all {
        let Spread { median, least, most } = reached.value;
        let bar = |bar: Option<f64>| bar.map_or(String::new(), |bar| bar.to_string());
        text.push_str(&format!(
            "{},{},{median:.4},{least:.4},{most:.4},{},{}\n",
            quoted(&reached.name),
            reached.unit,
            bar(reached.at_least),
            bar(reached.at_most)
        ));
    }
    text
}

/// A cell of text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The processor's name, as the system says it, with the numbers that tell apart what a virtual machine calls the same.
fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(key, _)| key.trim() == name)?;
        Some(value.trim().to_owned())
    };
    let name = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) => format!("{name}, family {family}, model {model}"),
        _ => name,
    }
}

/// Lower-case letters and digits, joined by hyphens.
fn file_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// What a program prints.
fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.success(), "{program} ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use benches::limits::Rate;

    use super::*;

    /// A record of a machine that does not exist.
    pub(in crate::bench) fn made_up(date: &str, rows: Vec<Row>) -> Record {
        let rate = Rate { one: 1.0, all: 2.0 };
        Record {
            cpu: "Made Up 1".to_owned(),
            date: date.to_owned(),
            revision: "0000000".to_owned(),
            scope: String::new(),
            ours: super::super::OURS.to_owned(),
            workload: Workload {
                prompt: 1,
                generate: 1,
                threads: 2,
            },
            limits: Limits {
                level: "scalar".to_owned(),
                threads: 2,
                read_gb_s: rate,
                f32_fma_gflops: rate,
                int8_dot_gops: rate,
            },
            rows,
            timings: Vec::new(),
            served: Vec::new(),
            reached: Vec::new(),
        }
    }

    #[test]
    fn names_of_processors_become_names_of_folders() {
        assert_eq!(file_name("AMD EPYC (9654) @ 2.4GHz"), "amd-epyc-9654-2-4ghz");
    }

    #[test]
    fn quotes_in_a_cell_are_doubled() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }

    #[test]
    fn what_is_kept_reads_back_in_the_order_of_time() {
        let folder = std::env::temp_dir().join(format!("records-{}", std::process::id()));
        let row = Row {
            model: "m".to_owned(),
            decode_tok_s: Spread::of(vec![1.0, 2.0]),
            ..Row::default()
        };
        for date in ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"] {
            made_up(date, vec![row.clone()]).keep(&folder).unwrap();
        }
        let records = Record::all(&made_up("", Vec::new()).folder(&folder)).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let days: Vec<&str> = records.iter().map(Record::day).collect();
        assert_eq!(days, ["2026-01-01", "2026-01-02"]);
        assert_eq!(records[0].rows, [row]);
    }
}
