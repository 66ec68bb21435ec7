//! The figures of an examination, and the bars that the shipped model has to clear.

use std::collections::BTreeMap;
use std::fmt;

use super::stories::Stories;
use super::{Count, Counts, Fault};

/// Least percentages: calls, reports, turns ended, follow-ups.
pub const BARS: [(&str, f64); 4] = [
    ("right tool and right arguments", 95.0),
    ("result reported rightly", 95.0),
    ("ends its turn by itself", 99.0),
    ("follow-ups right", 80.0),
];

/// Faults that are shown.
const SHOWN: usize = 20;

/// Everything that an examination found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// Counts by skill.
    pub skills: BTreeMap<String, Counts>,
    /// Turns that were wrong.
    pub faults: Vec<Fault>,
    /// Of the model's turns in unseen dialogues.
    pub perplexity: f64,
    /// Tokens of the longest dialogue with two rounds of tools.
    pub longest: usize,
    /// Sampled stories.
    pub stories: Stories,
}

impl Report {
    /// The counts that [`BARS`] are about, in their order.
    pub fn totals(&self) -> [Count; 4] {
        let mut all = Counts::default();
        for counts in self.skills.values() {
            all.merge(counts);
        }
        // A follow-up is the last question of its dialogue; a call that it needs and the report have to be right too.
        let follow_ups = self
            .skills
            .get("FollowUp")
            .map(|counts| counts.last)
            .unwrap_or_default();
        [all.calls, all.reports, all.ended, follow_ups]
    }

    /// The bars that are not cleared, each with its figure.
    pub fn missed(&self) -> Vec<String> {
        let figures = BARS.iter().zip(self.totals());
        figures
            .filter(|((_, bar), count)| count.turns > 0 && count.percent() < *bar)
            .map(|((name, bar), count)| format!("{name}: {:.1} %, the bar is {bar} %", count.percent()))
            .collect()
    }
}

/// The counts of a skill on one line.
pub(super) fn line(name: &str, counts: &Counts) -> String {
    let shown = |count: Count| match count.turns {
        0 => "-".to_owned(),
        turns => format!("{:.1} % of {turns}", count.percent()),
    };
    format!(
        "{name:<12} {:>16} {:>16} {:>16} {:>16} {:>16}",
        shown(counts.calls),
        shown(counts.reports),
        shown(counts.answers),
        shown(counts.ended),
        shown(counts.last)
    )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in self.faults.iter().take(SHOWN) {
            let one_line = |text: &str| text.replace('\n', " ");
            writeln!(
                f,
                "wrong, {}: {} -> {} (expected {})",
                fault.skill,
                one_line(&fault.asked),
                one_line(&fault.said),
                one_line(&fault.expected)
            )?;
        }
        for (at, (request, story)) in self.stories.shown.iter().enumerate() {
            writeln!(f, "story {}: {request}\n  {story}", at + 1)?;
        }
        let [one, two, three] = self.stories.distinct;
        writeln!(
            f,
            "stories: distinct-1 {one:.3}, distinct-2 {two:.3}, distinct-3 {three:.3}, {:.1} % of them different",
            100.0 * self.stories.different
        )?;
        writeln!(f, "longest two-round tool dialogue: {} tokens", self.longest)?;
        writeln!(f, "perplexity of unseen turns: {:.3}", self.perplexity)?;
        let mut all = Counts::default();
        for counts in self.skills.values() {
            all.merge(counts);
        }
        writeln!(
            f,
            "other answers right: {:.1} % of {}",
            all.answers.percent(),
            all.answers.turns
        )?;
        writeln!(f, "turns that were trained on and not judged: {}", all.known)?;
        for ((name, bar), count) in BARS.iter().zip(self.totals()) {
            writeln!(
                f,
                "{name}: {:.1} % of {} (bar {bar} %)",
                count.percent(),
                count.turns
            )?;
        }
        Ok(())
    }
}
