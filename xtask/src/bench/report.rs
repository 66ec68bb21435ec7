//! `docs/performance.md`: the last record of every machine as a page, with its plots.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::figures::Spread;
use super::plots;
use super::record::Record;
use super::serve::Reached;
use super::subjects;
use super::table::{Row, ratio};

/// Before the first machine.
const HEAD: &str = "\
# Performance

What we and others reach on the same files in one run, and what the machine would give. `cargo xtask bench --report`
writes this page from the records in `benches/record`; `cargo xtask bench` makes a record, and says what became slower
since the last one. All engines take turns; a figure is the median, and `x` is how many times as fast as that engine we
are: below 1 we are slower. The models have true shapes and random weights (`cargo xtask synth-model`).

We run with `--compute fast --cache f16`, which is what llama.cpp does unasked: weights as they are stored, activations of 8
bits, caches of 16. Records of revisions up to 482e9c2 were made in exact arithmetic instead, with weights decoded to f32.

The share of the limit compares decoding with reading the whole file, and the keys and values of what stands before, once a token, and prefill with one 8-bit product and
sum for each weight and token, embedding and output head included, both with all threads; it is left out for mixtures of
experts, which use a part of their weights. llama.cpp's best is the better, for each figure, of repacked weights on and off and flash attention on and off.
";

/// Writes the page and its plots into `docs`.
pub(super) fn write(records: &Path, docs: &Path) -> Result<()> {
    let mut page = HEAD.to_owned();
    let plots = docs.join("performance");
    std::fs::create_dir_all(&plots).with_context(|| plots.display().to_string())?;
    let mut machines = 0;
    for folder in folders(records)? {
        let all = Record::all(&folder)?;
        // One about everything, where there is one: not that of a single model, made later.
        let whole = |record: &&Record| matches!(record.scope.as_str(), "" | "quick");
        let Some(last) = all.iter().rfind(whole).or(all.last()) else {
            continue;
        };
        let history: Vec<&Record> = all
            .iter()
            .filter(|record| record.workload == last.workload)
            .collect();
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        page.push_str(&machine(last, &name));
        if let Some(forward) = all.iter().rfind(|record| !record.reached.is_empty()) {
            page.push_str(&table_of("forward", forward, &forward.reached));
        }
        if let Some(served) = all.iter().rfind(|record| !record.served.is_empty()) {
            page.push_str(&table_of(
                &format!("serving {}", subjects::SERVED.name()),
                served,
                &served.served,
            ));
        }
        plots::comparison(last, &plots.join(format!("{name}-comparison.svg")))?;
        plots::history(&history, &plots.join(format!("{name}-history.svg")))?;
        machines += 1;
    }
    ensure!(machines > 0, "there are no records in {}", records.display());
    let path = docs.join("performance.md");
    std::fs::write(&path, page).with_context(|| path.display().to_string())?;
    println!("{}", path.display());
    Ok(())
}

fn folders(records: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(records).with_context(|| records.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Everything about one machine.
fn machine(record: &Record, name: &str) -> String {
    let workload = record.workload;
    let mut page = format!(
        "\n## {}\n\n{}. Revision {} of {}: a prompt of {} tokens, {} decoded.\n",
        record.cpu,
        record.machine(),
        record.revision,
        record.day(),
        workload.prompt,
        workload.generate,
    );
    page.push_str(&losing(record));
    page.push_str(
        "\n| model, depth | engine | prefill tok/s | x | of limit | decode tok/s | x | of limit | memory |\n",
    );
    page.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for row in &record.rows {
        let ours = ours(record, row);
        let cells = |speed: Option<Spread>, ours: Option<Spread>, share: Option<f64>| {
            let speed_cell = speed.map_or(String::new(), |speed| format!("{:.1}", speed.median));
            let ratio = ratio(ours, speed).filter(|_| row.engine != record.ours);
            let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let share = share.map_or(String::new(), |share| format!("{:.0} %", share * 100.0));
            format!("{speed_cell} | {ratio} | {share}")
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| {} @{} | {} | {} | {} | {} |",
            row.model,
            row.depth,
            row.fault.as_ref().map_or(row.engine.clone(), |fault| {
                format!("{}: {}", row.engine, fault.replace('|', "\\|").replace('\n', " "))
            }),
            cells(
                row.prefill_tok_s,
                ours.and_then(|ours| ours.prefill_tok_s),
                row.prefill_share
            ),
            cells(
                row.decode_tok_s,
                ours.and_then(|ours| ours.decode_tok_s),
                row.decode_share
            ),
            row.rss_bytes
                .map_or(String::new(), |bytes| format!("{:.0} MB", bytes as f64 / 1e6)),
        );
    }
    if !record.timings.is_empty() {
        page.push_str("\n| choosing a token | median |\n|---|--:|\n");
    }
    for timing in &record.timings {
        let _ = writeln!(
            page,
            "| {} | {:.1} us |",
            timing.name,
            timing.nanoseconds.median / 1e3
        );
    }
    if !record.rows.is_empty() {
        let _ = write!(
            page,
            "\n![All engines beside one another](performance/{name}-comparison.svg)\n\n\
             ![Our speeds from record to record](performance/{name}-history.svg)\n"
        );
    }
    page
}

/// What was reached, beside what should be.
fn table_of(what: &str, record: &Record, all: &[Reached]) -> String {
    let mut page = format!(
        "\n| {what}, revision {} of {} | median | range | should be |\n|---|--:|--:|---|\n",
        record.revision,
        record.day()
    );
    for reached in all {
        let Spread { least, most, .. } = reached.value;
        let digits = if most.abs() < 1.0 { 3 } else { 1 };
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| {} | {} | {least:.digits$} to {most:.digits$} | {} |",
            reached.name,
            reached.shown(),
            reached.bar().unwrap_or_default()
        );
    }
    page
}

/// Our own row on the same model at the same depth.
fn ours<'a>(record: &'a Record, row: &Row) -> Option<&'a Row> {
    let same = |other: &&Row| other.model == row.model && other.depth == row.depth;
    record
        .rows
        .iter()
        .filter(same)
        .find(|other| other.engine == record.ours)
}

/// Every figure in which another engine is faster, beside the fastest of them.
fn losing(record: &Record) -> String {
    let mut lines = Vec::new();
    let mut figures = 0;
    for own in record.rows.iter().filter(|row| row.engine == record.ours) {
        type Speed = fn(&Row) -> Option<Spread>;
        let speeds: [(&str, Speed); 2] = [
            ("prefill", |row| row.prefill_tok_s),
            ("decode", |row| row.decode_tok_s),
        ];
        for (name, speed) in speeds {
            let others = record
                .rows
                .iter()
                .filter(|row| row.model == own.model && row.depth == own.depth && row.engine != record.ours);
            let fastest = others
                .filter_map(|row| Some((row, speed(row)?.median)))
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((row, other)) = fastest else { continue };
            figures += 1;
            let mine = speed(own).map(|speed| speed.median);
            if mine.is_none_or(|mine| mine < other) {
                let mine = mine.map_or("no figure".to_owned(), |mine| format!("{mine:.1}"));
                lines.push(format!(
                    "- {} at depth {}, {name}: {mine} beside {other:.1} of {}",
                    own.model, own.depth, row.engine
                ));
            }
        }
    }
    if figures == 0 {
        return String::new();
    }
    let mut text = format!("\n**Where we lose:** {} of {figures} figures.\n\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::made_up;

    fn row(engine: &str, prefill: f64, decode: f64) -> Row {
        Row {
            model: "m".to_owned(),
            engine: engine.to_owned(),
            prefill_tok_s: Spread::of(vec![prefill]),
            decode_tok_s: Spread::of(vec![decode]),
            ..Row::default()
        }
    }

    #[test]
    fn a_page_says_where_we_lose_and_shows_its_plots() {
        let root = std::env::temp_dir().join(format!("report-{}", std::process::id()));
        let (records, docs) = (root.join("records"), root.join("docs"));
        let rows = vec![
            row("wick", 10.0, 9.0),
            row("candle", 5.0, 6.0),
            row("llama.cpp", 20.0, 8.0),
        ];
        for date in ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"] {
            made_up(date, rows.clone()).keep(&records).unwrap();
        }
        write(&records, &docs).unwrap();
        let page = std::fs::read_to_string(docs.join("performance.md")).unwrap();
        let drawn = ["comparison", "history"].map(|plot| {
            std::fs::read_to_string(docs.join(format!("performance/made-up-1-{plot}.svg"))).unwrap()
        });
        std::fs::remove_dir_all(&root).unwrap();
        assert!(page.contains("1 of 2 figures"), "{page}");
        assert!(page.contains("prefill: 10.0 beside 20.0 of llama.cpp"), "{page}");
        assert!(page.contains("| m @0 | candle | 5.0 | 2.00 |"), "{page}");
        assert!(page.contains("2026-01-02"), "{page}");
        for svg in drawn {
            assert!(svg.contains("decode") && svg.ends_with("</svg>\n"), "{svg}");
        }
    }

    #[test]
    fn no_records_are_an_error() {
        let root = std::env::temp_dir().join(format!("no-report-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let error = write(&root, &root.join("docs")).unwrap_err();
        std::fs::remove_dir_all(&root).unwrap();
        assert!(error.to_string().contains("no records"), "{error}");
    }
}
