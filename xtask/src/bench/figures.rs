//! What was measured of one contestant.

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A figure that was measured several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of samples; of none, nothing. The median of an even number is the mean of the two in the middle.
    pub(super) fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let last = samples.len().checked_sub(1)?;
        Some(Self {
            median: f64::midpoint(*samples.get(last / 2)?, *samples.get(last.div_ceil(2))?),
            least: *samples.first()?,
            most: *samples.last()?,
        })
    }

    /// Of several turns: the median of their medians, the least and the most of all.
    fn over(turns: &[Self]) -> Option<Self> {
        let medians = Self::of(turns.iter().map(|turn| turn.median).collect())?;
        let least = turns.iter().map(|turn| turn.least).fold(f64::INFINITY, f64::min);
        let most = turns
            .iter()
            .map(|turn| turn.most)
            .fold(f64::NEG_INFINITY, f64::max);
        Some(Self {
            least,
            most,
            ..medians
        })
    }

    /// Half of the way from the least to the most, as a share of the median.
    pub(super) fn relative(&self) -> f64 {
        (self.most - self.least) / 2.0 / self.median
    }
}

/// Figures of one turn; what was not measured is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) prefill_tok_s: Option<Spread>,
    pub(super) decode_tok_s: Option<Spread>,
    /// At the peak.
    pub(super) rss_bytes: Option<u64>,
}

/// All turns of a contestant.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    pub(super) turns: Vec<Figures>,
    /// Why there are no more.
    pub(super) fault: Option<String>,
}

impl Outcome {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            turns: Vec::new(),
            fault: None,
        }
    }

    pub(super) fn add(&mut self, turn: Result<Figures>) {
        match turn {
            Ok(figures) => self.turns.push(figures),
            Err(error) => self.fault = Some(format!("{error:#}")),
        }
    }

    /// Over all turns; of memory, the most.
    pub(super) fn figures(&self) -> Figures {
        let over = |figure: fn(&Figures) -> Option<Spread>| {
            Spread::over(&self.turns.iter().filter_map(figure).collect::<Vec<_>>())
        };
        Figures {
            prefill_tok_s: over(|turn| turn.prefill_tok_s),
            decode_tok_s: over(|turn| turn.decode_tok_s),
            rss_bytes: self.turns.iter().filter_map(|turn| turn.rss_bytes).max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_the_turns_before_it() {
        let mut outcome = Outcome::new("ours");
        for samples in [[3.0, 4.0, 2.0], [1.0, 1.5, 0.5]] {
            outcome.add(Ok(Figures {
                rss_bytes: Some(samples[0] as u64),
                decode_tok_s: Spread::of(samples.to_vec()),
                ..Figures::default()
            }));
        }
        outcome.add(Err(anyhow::anyhow!("out of memory")));
        let decode_tok_s = Some(Spread {
            median: 2.0,
            least: 0.5,
            most: 4.0,
        });
        let expected = Figures {
            prefill_tok_s: None,
            decode_tok_s,
            rss_bytes: Some(3),
        };
        assert_eq!(outcome.figures(), expected);
        assert_eq!(outcome.fault.as_deref(), Some("out of memory"));
    }

    #[test]
    fn a_spread_is_half_the_range_beside_the_median() {
        let spread = Spread::of(vec![9.0, 11.0, 10.0]).unwrap();
        assert!((spread.relative() - 0.1).abs() < 1e-12);
        assert!(Spread::of(Vec::new()).is_none());
    }
}
