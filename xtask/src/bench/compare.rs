//! What became slower since an earlier record of the same machine.
//!
//! Only our own figures are compared: a peer that became slower is no fault of ours. A figure is compared with the last
//! record that has it for the same workload; a loss counts beyond 5 % and three times the spread of the noisier of the two.
//! What was measured once has no spread, and is taken to have one of 5 %.
//! Of criterion's benches the spread is half the confidence interval of the median, which is narrow: there the 5 % decide.
//! A figure that we had and have no more, since we failed, is lost whole.

use super::figures::Spread;
use super::record::Record;

/// A loss up to this share may be noise.
const TOLERATED: f64 = 0.05;
/// The spread that is taken for that of a figure measured once, which has none.
const SINGLE: f64 = 0.05;
/// And up to so many times the spread.
const SPREADS: f64 = 3.0;

/// A figure that became worse.
#[derive(Debug)]
pub(super) struct Loss {
    what: String,
    before: f64,
    now: f64,
    share: f64,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            what,
            before,
            now,
            share,
        } = self;
        write!(
            f,
            "{what}: {now:.2} after {before:.2}, {:.0} % slower",
            100.0 * share
        )
    }
}

/// All losses of `now` beside earlier records, the oldest first.
pub(super) fn losses(now: &Record, earlier: &[Record]) -> Vec<Loss> {
    let mut losses = Vec::new();
    for figure in figures(now) {
        let same = earlier
            .iter()
            .rev()
            .filter(|record| record.workload == now.workload);
        let before = same
            .flat_map(figures)
            .find(|before| before.what == figure.what && before.speed.is_some());
        losses.extend(before.and_then(|before| figure.lost(&before)));
    }
    losses
}

/// One of our figures, as a speed: more is better.
struct Figure {
    what: String,
    /// `None` where we failed.
    speed: Option<Spread>,
}

impl Figure {
    fn lost(self, before: &Self) -> Option<Loss> {
        let before = before.speed?;
        let (now, noise) = self.speed.map_or((0.0, 0.0), |now| (now.median, now.relative()));
        let share = 1.0 - now / before.median;
        let alone = |spread: &Spread| if spread.least < spread.most { 0.0 } else { SINGLE };
        let unknown = alone(&before).max(self.speed.as_ref().map_or(0.0, alone));
        let spread = noise.max(before.relative()).max(unknown);
        (share > TOLERATED && share > SPREADS * spread).then_some(Loss {
            what: self.what,
            before: before.median,
            now,
            share,
        })
    }
}

fn figures(record: &Record) -> Vec<Figure> {
    let mut figures = Vec::new();
    for row in record.rows.iter().filter(|row| row.engine == record.ours) {
        for (name, speed) in [("prefill", row.prefill_tok_s), ("decode", row.decode_tok_s)] {
            let what = format!("{} at depth {}, {name} tok/s", row.model, row.depth);
            figures.push(Figure { what, speed });
        }
    }
    for timing in record.timings.iter().filter(|timing| timing.ours()) {
        let Spread { median, least, most } = timing.nanoseconds;
        let [median, least, most] = [median, most, least].map(|nanoseconds| 1e9 / nanoseconds);
        figures.push(Figure {
            what: format!("{}, calls/s", timing.name),
            speed: Some(Spread { median, least, most }),
        });
    }
    figures.extend(record.served.iter().map(|reached| Figure {
        what: format!("serving, {}", reached.name),
        speed: Some(reached.speed()),
    }));
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::{Timing, tests::made_up};
    use crate::bench::table::Row;

    fn record(engine: &str, samples: [f64; 3]) -> Record {
        let row = Row {
            model: "m".to_owned(),
            engine: engine.to_owned(),
            decode_tok_s: Spread::of(samples.to_vec()),
            ..Row::default()
        };
        made_up("2026-01-01T00:00:00Z", vec![row])
    }

    fn count(now: [f64; 3], before: [f64; 3]) -> usize {
        losses(&record("wick", now), &[record("wick", before)]).len()
    }

    #[test]
    fn a_loss_beyond_five_percent_and_the_noise_is_found() {
        assert_eq!(count([90.0, 91.0, 89.0], [100.0, 101.0, 99.0]), 1);
        assert_eq!(count([96.0, 96.1, 95.9], [100.0, 100.1, 99.9]), 0, "within 5 %");
        assert_eq!(count([90.0; 3], [100.0; 3]), 0, "measured once");
        assert_eq!(count([80.0; 3], [100.0; 3]), 1, "and far apart");
        assert_eq!(count([90.0, 100.0, 80.0], [100.0; 3]), 0, "within the spread");
        assert_eq!(count([120.0; 3], [100.0; 3]), 0, "faster");
    }

    #[test]
    fn others_and_other_workloads_are_not_compared() {
        let (now, before) = (record("candle", [50.0; 3]), record("candle", [100.0; 3]));
        assert!(losses(&now, &[before]).is_empty());
        let (mut now, before) = (record("wick", [50.0; 3]), record("wick", [100.0; 3]));
        now.workload.prompt += 1;
        assert!(losses(&now, &[before]).is_empty());
    }

    #[test]
    fn a_record_without_the_figure_is_passed_over_and_a_failure_is_a_loss() {
        let earlier = [
            record("wick", [100.0; 3]),
            made_up("2026-01-02T00:00:00Z", Vec::new()),
        ];
        assert_eq!(losses(&record("wick", [50.0; 3]), &earlier).len(), 1);
        let mut failed = record("wick", [1.0; 3]);
        failed.rows[0].decode_tok_s = None;
        assert_eq!(losses(&failed, &earlier).len(), 1);
    }

    #[test]
    fn more_time_is_a_loss() {
        let (mut now, mut before) = (made_up("b", Vec::new()), made_up("a", Vec::new()));
        for (record, nanoseconds) in [(&mut now, 130.0), (&mut before, 100.0)] {
            record.timings = ["sampling/avx2/greedy", "sampling/candle/greedy"]
                .map(|name| Timing {
                    name: name.to_owned(),
                    nanoseconds: Spread::of(vec![nanoseconds]).unwrap(),
                })
                .to_vec();
        }
        let found = losses(&now, &[before]);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("avx2"), "{}", found[0]);
    }
}
