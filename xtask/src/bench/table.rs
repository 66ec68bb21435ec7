//! The rows of a run, and the table that is printed of them.
//!
//! Shares of the limit are known for models that use every weight for every token: of decoding, the bytes of the file
//! read once a token beside the read bandwidth; of prefill, a product and a sum for each weight beside the peak of
//! 8-bit integers. Both leave attention out.

use std::fmt::Write as _;

use benches::Limits;
use serde::Serialize;

use super::figures::Outcome;
use super::llama_cpp;
use super::record::Record;

/// One engine on one model at one depth.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Row {
    pub(super) model: String,
    pub(super) depth: usize,
    pub(super) engine: String,
    pub(super) prefill_tok_s: Option<f64>,
    pub(super) decode_tok_s: Option<f64>,
    /// Of the limit, 0 to 1.
    pub(super) prefill_share: Option<f64>,
    /// Of the limit, 0 to 1.
    pub(super) decode_share: Option<f64>,
    pub(super) rss_bytes: Option<u64>,
    /// Why figures are missing.
    pub(super) fault: Option<String>,
    #[serde(skip)]
    pub(super) file_bytes: u64,
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
        let bytes = row.decode_tok_s.map(|speed| speed * row.file_bytes as f64 / 1e9);
        row.decode_share = bytes.map(|bytes| bytes / limits.read_gb_s.all);
        let operations = row
            .prefill_tok_s
            .map(|speed| speed * 2.0 * row.parameters as f64 / 1e9);
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
    let most =
        |figure: fn(&Row) -> Option<f64>| settings.iter().filter_map(|row| figure(row)).reduce(f64::max);
    (!settings.is_empty()).then(|| Row {
        engine: format!("{}, best", llama_cpp::DEFAULT),
        prefill_tok_s: most(|row| row.prefill_tok_s),
        decode_tok_s: most(|row| row.decode_tok_s),
        rss_bytes: settings.iter().filter_map(|row| row.rss_bytes).min(),
        ..empty.clone()
    })
}

/// The table as text: in brackets, how much as fast as that we are.
pub(super) fn shown(record: &Record) -> String {
    let mut text = String::new();
    let limits = &record.limits;
    // Writing to a string does not fail.
    let mut line = |shown: String| {
        let _ = writeln!(text, "{shown}");
    };
    line(format!(
        "{}, {} threads, {}: reads {:.1} GB/s, f32 {:.0} GFLOPS, int8 {:.0} GOPS",
        record.cpu,
        limits.threads,
        limits.level,
        limits.read_gb_s.all,
        limits.f32_fma_gflops.all,
        limits.int8_dot_gops.all
    ));
    let mut ours = &Row::default();
    for row in &record.rows {
        if row.engine == record.ours {
            line(format!("\n{} at depth {}", row.model, row.depth));
            ours = row;
        }
        let speed = |speed: Option<f64>, ours: Option<f64>, share: Option<f64>| {
            let ratio = ours
                .zip(speed)
                .map(|(ours, speed)| format!("({:.2})", ours / speed));
            let share = share.map(|share| format!("{:.0} %", share * 100.0));
            let speed = speed.map_or("-".to_owned(), |speed| format!("{speed:.1}"));
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
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Figures;

    fn outcome(name: &'static str, prefill: f64, decode: f64, rss_bytes: u64) -> Outcome {
        let mut outcome = Outcome::new(name);
        outcome.add(Ok(Figures {
            prefill_tok_s: Some(prefill),
            decode_tok_s: Some(decode),
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
        assert_eq!(
            (best.prefill_tok_s, best.decode_tok_s, best.rss_bytes),
            (Some(20.0), Some(4.0), Some(5))
        );
        assert!(super::best(&Row::default(), &rows[..1]).is_none());
    }
}
