//! The suite `serve`: what serving saves and costs, measured by a bench of its own on one of the models, beside what it
//! should reach.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::figures::Spread;
use super::subjects;
use crate::ci::cargo;

/// A figure, and what it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reached {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) value: Spread,
    pub(super) at_least: Option<f64>,
    pub(super) at_most: Option<f64>,
}

/// As the bench writes it.
#[derive(Deserialize)]
struct Sampled {
    name: String,
    unit: String,
    samples: Vec<f64>,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

/// Runs the bench; `quick` measures once, and shorter texts.
pub(super) fn run(quick: bool) -> Result<Vec<Reached>> {
    let model = subjects::SERVED.file()?.display().to_string();
    let out = super::target()?.join("serve.json");
    let written = out.display().to_string();
    let mut arguments = vec![
        "bench",
        "--quiet",
        "--package",
        "benches",
        "--bench",
        "serve",
        "--",
    ];
    arguments.extend(["--model", &model, "--out", &written]);
    if quick {
        arguments.push("--quick");
    }
    cargo(&arguments, &[])?;
    let text = std::fs::read_to_string(&out).with_context(|| written.clone())?;
    read(&text).with_context(|| written.clone())
}

fn read(text: &str) -> Result<Vec<Reached>> {
    let sampled: Vec<Sampled> = serde_json::from_str(text)?;
    let reached = |sampled: Sampled| {
        let value = Spread::of(sampled.samples);
        Ok(Reached {
            value: value.with_context(|| format!("{} has no samples", sampled.name))?,
            name: sampled.name,
            unit: sampled.unit,
            at_least: sampled.at_least,
            at_most: sampled.at_most,
        })
    };
    sampled.into_iter().map(reached).collect()
}

impl Reached {
    /// The value with its unit.
    pub(super) fn shown(&self) -> String {
        let median = self.value.median;
        let digits = if median.abs() < 1.0 { 3 } else { 1 };
        format!("{median:.digits$} {}", self.unit).trim_end().to_owned()
    }

    /// What it should be, and whether it is; nothing where it is just shown.
    pub(super) fn bar(&self) -> Option<String> {
        let told = |met| if met { "met" } else { "missed" };
        let (least, most) = (self.at_least, self.at_most);
        let least = least.map(|bar| format!("at least {bar}: {}", told(self.value.median >= bar)));
        least.or_else(|| most.map(|bar| format!("at most {bar}: {}", told(self.value.median <= bar))))
    }

    /// As something of which more is better.
    pub(super) fn speed(&self) -> Spread {
        let Spread { median, least, most } = self.value;
        if self.at_most.is_some() || matches!(self.unit.as_str(), "ms" | "us") {
            let [median, least, most] = [median, most, least].map(|value| 1.0 / value);
            return Spread { median, least, most };
        }
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_bench_writes_is_read_and_judged() {
        let text = r#"[
            {"name": "a", "unit": "x", "samples": [2.5, 1.5, 1.9], "at_least": 2.0, "at_most": null},
            {"name": "b", "unit": "us", "samples": [4.0, 5.0], "at_least": null, "at_most": 20.0},
            {"name": "c", "unit": "", "samples": [0.25], "at_least": null, "at_most": null}
        ]"#;
        let reached = read(text).unwrap();
        let shown: Vec<_> = reached
            .iter()
            .map(|reached| (reached.shown(), reached.bar()))
            .collect();
        let bar = |text: &str| Some(text.to_owned());
        assert_eq!(
            shown,
            [
                ("1.9 x".to_owned(), bar("at least 2: missed")),
                ("4.5 us".to_owned(), bar("at most 20: met")),
                ("0.250".to_owned(), None),
            ]
        );
        let speed = reached[1].speed();
        assert_eq!((speed.least, speed.most), (0.2, 0.25));
        assert_eq!(reached[0].speed(), reached[0].value);
        assert!(read(r#"[{"name": "a", "unit": "", "samples": []}]"#).is_err());
    }
}
