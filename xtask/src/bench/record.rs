//! What a run leaves behind: one file for programs and one for spreadsheets, named by day and revision.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use benches::Limits;
use serde::Serialize;

use super::table::Row;
use crate::ci::root;

/// A run on one machine.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    pub(super) cpu: String,
    /// The day, `YYYY-MM-DD` in UTC.
    date: String,
    /// The commit, with `-dirty` where the tree differs from it.
    revision: String,
    /// The engine that the others are compared with.
    pub(super) ours: &'static str,
    pub(super) limits: Limits,
    pub(super) rows: Vec<Row>,
}

impl Record {
    pub(super) fn new(limits: Limits, rows: Vec<Row>) -> Result<Self> {
        Ok(Self {
            cpu: cpu(),
            date: said("date", &["-u", "+%F"])?,
            revision: said("git", &["describe", "--always", "--dirty", "--exclude=*"])?,
            ours: super::OURS,
            limits,
            rows,
        })
    }

    /// Writes both files below `folder` and returns the path of the first.
    pub(super) fn keep(&self, folder: &Path) -> Result<PathBuf> {
        let folder = folder.join(file_name(&self.cpu));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let name = format!("{}-{}", self.date, self.revision);
        let path = folder.join(format!("{name}.json"));
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(&path, json).with_context(|| path.display().to_string())?;
        let table = folder.join(format!("{name}.csv"));
        std::fs::write(&table, self.csv()).with_context(|| table.display().to_string())?;
        Ok(path)
    }

    fn csv(&self) -> String {
        let mut text = "model,depth,engine,prefill_tok_s,decode_tok_s,rss_bytes,fault\n".to_owned();
        for row in &self.rows {
            let number = |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.3}"));
            let cells = [
                quoted(&row.model),
                row.depth.to_string(),
                quoted(&row.engine),
                number(row.prefill_tok_s),
                number(row.decode_tok_s),
                row.rss_bytes.map_or(String::new(), |bytes| bytes.to_string()),
                quoted(row.fault.as_deref().unwrap_or_default()),
            ];
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }
}

/// A cell of text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The processor's name, as the system says it.
fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = line.and_then(|line| line.split(':').nth(1)).map(str::trim);
    name.unwrap_or(std::env::consts::ARCH).to_owned()
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
mod tests {
    use super::*;

    #[test]
    fn names_of_processors_become_names_of_folders() {
        assert_eq!(file_name("AMD EPYC (9654) @ 2.4GHz"), "amd-epyc-9654-2-4ghz");
    }

    #[test]
    fn quotes_in_a_cell_are_doubled() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
