//! What was measured of one contestant.

use anyhow::Result;

/// Figures of one turn, each the median of its repetitions; what was not measured is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) prefill_tok_s: Option<f64>,
    pub(super) decode_tok_s: Option<f64>,
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

    /// Medians over the turns; of memory, the most.
    pub(super) fn figures(&self) -> Figures {
        let over =
            |figure: fn(&Figures) -> Option<f64>| median(self.turns.iter().filter_map(figure).collect());
        Figures {
            prefill_tok_s: over(|turn| turn.prefill_tok_s),
            decode_tok_s: over(|turn| turn.decode_tok_s),
            rss_bytes: self.turns.iter().filter_map(|turn| turn.rss_bytes).max(),
        }
    }
}

/// Of an even number, the mean of the two in the middle; of none, nothing.
pub(super) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    Some(f64::midpoint(
        *figures.get(last / 2)?,
        *figures.get(last.div_ceil(2))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_the_turns_before_it() {
        let mut outcome = Outcome::new("ours");
        for speed in [3.0, 1.0] {
            outcome.add(Ok(Figures {
                decode_tok_s: Some(speed),
                rss_bytes: Some(speed as u64),
                ..Figures::default()
            }));
        }
        outcome.add(Err(anyhow::anyhow!("out of memory")));
        let expected = Figures {
            prefill_tok_s: None,
            decode_tok_s: Some(2.0),
            rss_bytes: Some(3),
        };
        assert_eq!(outcome.figures(), expected);
        assert_eq!(outcome.fault.as_deref(), Some("out of memory"));
    }
}
