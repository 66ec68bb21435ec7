//! The rows of a run, and the table that is printed of them.
//!
//! Shares of the limit are known for models that use every weight for every token: of decoding, the bytes of the file
//! read once a token beside the read bandwidth; of prefill, a product and a sum for each weight beside the peak of
//! 8-bit integers. Both leave attention out.

use std::fmt::Write as _;

use benches::Limits;
use serde::{Deserialize, Serialize};

use super::figures::{Outcome, Spread};
use super::llama_cpp;
use super::record::Record;

/// One engine on one model at one depth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) model: String,
    pub(super) depth: usize,
    pub(super) engine: String,
    pub(super) prefill_tok_s: Option<Spread>,
    pub(super) decode_tok_s: Option<Spread>,
    /// Of the limit, 0 to 1.
    pub(super) prefill_share: Option<f64>,
    /// Of the limit, 0 to 1.
    pub(super) decode_share: Option<f64>,
    pub(super) rss_bytes: Option<u64>,
    /// Why figures are missing.
    pub(super) fault: Option<String>,
    #[serde(skip)]
    pub(super) file_bytes: u64,
    /// Bytes of keys and values that a position takes in 16 bits.
    #[serde(skip)]
    pub(super) position_bytes: u64,
    #[serde(skip)]
    pub(super) parameters: u64,
    #[serde(skip)]
    pub(super) dense: bool,
}

/// A row for each outcome, and one of the best that llama.cpp reached, figure by figure.
pub(super) fn rows(empty: Row, outcomes: &[Outcome], limits: &Limits) -> Vec<Row> {
    let mut rows: Vec<Row> = outcomes.iter().map(|outcome| empty.filled(outcome)).collect();
    rows.extend(best(&empty, &rows));
    for row in rows.iter_mut().filter(|row| row.dense) {
        // Of what stands before, keys and values are read too, as we and llama.cpp keep them: in 16 bits.
        let read = row.file_bytes + row.depth as u64 * row.position_bytes;
        let bytes = row.decode_tok_s.map(|speed| speed.median * read as f64 / 1e9);
        row.decode_share = bytes.map(|bytes| bytes / limits.read_gb_s.all);
        let operations = row
            .prefill_tok_s
            .map(|speed| speed.median * 2.0 * row.parameters as f64 / 1e9);
        row.prefill_share = operations.map(|operations| operations / limits.int8_dot_gops.all);
    }
    rows
}

impl Row {
    fn filled(&self, outcome: &Outcome) -> Self {
        let figures = outcome.figures();
        Self {
            engine: outcome.name.to_owned(),
            prefill_tok_s: figures.prefill_tok_s,
            decode_tok_s: figures.decode_tok_s,
            rss_bytes: figures.rss_bytes,
            fault: outcome.fault.clone(),
            ..self.clone()
        }
    }
}

fn best(empty: &Row, rows: &[Row]) -> Option<Row> {
    let settings: Vec<&Row> = rows
        .iter()
        .filter(|row| row.engine.starts_with(llama_cpp::DEFAULT))
        .collect();
    let most = |figure: fn(&Row) -> Option<Spread>| {
        let faster = |a: Spread, b: Spread| if b.median > a.median { b } else { a };
        settings.iter().filter_map(|row| figure(row)).reduce(faster)
    };
    (!settings.is_empty()).then(|| Row {
        engine: llama_cpp::BEST.to_owned(),
        prefill_tok_s: most(|row| row.prefill_tok_s),
        decode_tok_s: most(|row| row.decode_tok_s),
        rss_bytes: settings.iter().filter_map(|row| row.rss_bytes).min(),
        fault: settings
            .iter()
            .map(|row| row.fault.clone())
            .reduce(|all, fault| all.and(fault))
            .flatten(),
        ..empty.clone()
    })
}

/// How many times as fast as `other` we are.
pub(super) fn ratio(ours: Option<Spread>, other: Option<Spread>) -> Option<f64> {
    Some(ours?.median / other?.median)
}

/// The table as text: in brackets, how many times as fast as that we are.
pub(super) fn shown(record: &Record) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let mut line = |shown: String| {
        let _ = writeln!(text, "{shown}");
    };
    line(record.machine());
    let mut ours = &Row::default();
    for row in &record.rows {
        if row.engine == record.ours {
            line(format!("\n{} at depth {}", row.model, row.depth));
            ours = row;
        }
        let speed = |speed: Option<Spread>, ours: Option<Spread>, share: Option<f64>| {
            let ratio = ratio(ours, speed).map(|ratio| format!("({ratio:.2})"));
            let share = share.map(|share| format!("{:.0} %", share * 100.0));
            let speed = speed.map_or("-".to_owned(), |speed| format!("{:.1}", speed.median));
            format!(
                "{speed:>8} {:>8} {:>5}",
                ratio.unwrap_or_default(),
                share.unwrap_or_default()
            )
        };
        let prefill = speed(row.prefill_tok_s, ours.prefill_tok_s, row.prefill_share);
        let decode = speed(row.decode_tok_s, ours.decode_tok_s, row.decode_share);
        let memory = row
            .rss_bytes
            .map_or("-".to_owned(), |bytes| format!("{:.0} MB", bytes as f64 / 1e6));
        let fault = row.fault.as_deref().unwrap_or_default();
        line(format!(
            "  {:30} prefill {prefill}  decode {decode}  {memory:>8}  {fault}",
            row.engine
        ));
    }
    if !record.timings.is_empty() {
        line("\ncriterion, median".to_owned());
    }
    for timing in &record.timings {
        line(format!(
            "  {:80} {:>10.2} us",
            timing.name,
            timing.nanoseconds.median / 1e3
        ));
    }
    for (what, all) in [("forward", &record.reached), ("serving", &record.served)] {
        if !all.is_empty() {
            line(format!("\n{what}, median"));
        }
        for reached in all {
            let bar = reached.bar().unwrap_or_default();
            line(format!("  {:66} {:>14}  {bar}", reached.name, reached.shown()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Figures;

    fn outcome(name: &'static str, prefill: f64, decode: f64, rss_bytes: u64) -> Outcome {
        let mut outcome = Outcome::new(name);
        outcome.add(Ok(Figures {
            prefill_tok_s: Spread::of(vec![prefill]),
            decode_tok_s: Spread::of(vec![decode]),
            rss_bytes: Some(rss_bytes),
        }));
        outcome
    }

    #[test]
    fn the_best_is_taken_figure_by_figure() {
        let rows = [
            outcome("wick", 900.0, 900.0, 1),
            outcome("llama.cpp", 10.0, 4.0, 8),
            outcome("llama.cpp, no repack", 20.0, 3.0, 5),
        ]
        .map(|outcome| Row::default().filled(&outcome));
        let best = best(&Row::default(), &rows).unwrap();
        assert_eq!(best.prefill_tok_s, Spread::of(vec![20.0]));
        assert_eq!(best.decode_tok_s, Spread::of(vec![4.0]));
        assert_eq!(best.rss_bytes, Some(5));
        assert!(super::best(&Row::default(), &rows[..1]).is_none());
    }
}
