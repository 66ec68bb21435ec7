//! The list of cases, as the fixtures folder states it.

use std::collections::HashMap;
use std::path::Path;

use super::Precision;
use anyhow::{Context, Result, bail};
use engine::Message;
use serde::Deserialize;

/// `manifest.json`.
#[derive(Deserialize)]
pub(crate) struct Manifest {
    tolerance_classes: HashMap<String, ToleranceClass>,
    pub(crate) cases: Vec<Case>,
}

/// How far an output may lie from its reference; a rule that a class does not state does not bind.
#[derive(Deserialize)]
pub(crate) struct ToleranceClass {
    /// Over all compared logits.
    pub(crate) max_abs: Option<f32>,
    /// Mean over positions of the divergence of the output's softmax from the reference's, in nats.
    pub(crate) mean_kl: Option<f64>,
    /// Share of positions with the same largest logit.
    pub(crate) top1: Option<f64>,
    pub(crate) frac_positions_within: Option<Within>,
}

/// A bound that a share of positions must keep.
#[derive(Deserialize)]
pub(crate) struct Within {
    /// Over the logits of one position.
    pub(crate) max_abs: f32,
    pub(crate) fraction: f64,
}

/// The class that holds below exact arithmetic: one for any kind of it, or one for each.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum LowPrecision {
    Any(String),
    Each { f16: String },
}

/// A message of a chat case.
#[derive(Deserialize)]
pub(crate) struct Said {
    role: String,
    content: String,
}

/// How much of what a model writes must be what the case expects.
#[derive(Clone, Copy)]
pub(crate) enum Required {
    /// Every id, the text and the reason for the end.
    Whole,
    /// This many ids.
    Prefix(usize),
}

/// What a case checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Kind {
    #[serde(rename = "logits")]
    Logits,
    #[serde(rename = "greedy")]
    Greedy,
    #[serde(rename = "completion")]
    Completion,
    #[serde(rename = "chat")]
    Chat,
    #[serde(rename = "tokenizer")]
    Tokenizer,
    #[serde(rename = "template-file")]
    Templates,
    #[serde(rename = "toolcall-file")]
    ToolCalls,
    #[serde(rename = "sampling-file")]
    Sampling,
    #[serde(rename = "quant-file")]
    Quant,
    #[serde(rename = "broken-file")]
    Broken,
}

/// One case; which fields it has depends on its kind.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) model: String,
    #[serde(default)]
    pub(crate) files: Vec<String>,
    #[serde(default)]
    pub(crate) tolerance: String,
    #[serde(default)]
    pub(crate) input_ids: Vec<u32>,
    #[serde(default)]
    pub(crate) max_new_tokens: u32,
    #[serde(default)]
    pub(crate) stop_token_ids: Vec<u32>,
    #[serde(default)]
    pub(crate) expect_ids: Vec<u32>,
    #[serde(default)]
    pub(crate) prompt: String,
    #[serde(default)]
    pub(crate) expect_text: String,
    #[serde(default)]
    pub(crate) expect_finish_reason: String,
    #[serde(default)]
    pub(crate) cases_file: String,
    #[serde(default)]
    pub(crate) data_file: String,
    #[serde(default)]
    pub(crate) tokenizer_file: String,
    pub(crate) reference: Option<Reference>,
    pub(crate) tolerance_if_low_precision: Option<LowPrecision>,
    #[serde(default)]
    required_prefix_by_class: HashMap<String, usize>,
    #[serde(default)]
    messages: Vec<Said>,
    #[serde(default)]
    pub(crate) rendered_prompt: String,
}

/// Where a case's reference logits stand.
#[derive(Deserialize)]
pub(crate) struct Reference {
    pub(crate) file: String,
    pub(crate) tensor: String,
    /// Row 0 of the tensor belongs to this position.
    pub(crate) first_position: usize,
}

impl Manifest {
    /// Reads `manifest.json` of the folder.
    pub(crate) fn read(fixtures: &Path) -> Result<Self> {
        let path = fixtures.join("manifest.json");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// The class that holds for this case's logits in such arithmetic.
    pub(crate) fn class(&self, case: &Case, precision: Precision) -> Result<&ToleranceClass> {
        let name = match (precision, &case.tolerance_if_low_precision) {
            (Precision::Exact, _) => &case.tolerance,
            (Precision::Low, Some(LowPrecision::Any(class) | LowPrecision::Each { f16: class })) => class,
            (Precision::Low, None) => bail!("no tolerance class for low precision"),
        };
        self.tolerance_classes
            .get(name)
            .with_context(|| format!("no tolerance class `{name}`"))
    }
}

impl Case {
    /// The same for all cases on the same files.
    pub(crate) fn files_key(&self) -> String {
        format!("{}/{}", self.model, self.files.join(","))
    }

    /// The line of the report that this case belongs to.
    pub(crate) fn group(&self) -> String {
        let file = self.id.split('/').nth(2).unwrap_or_default();
        match self.model.strip_prefix("models/") {
            Some(model) => format!("{model} {file} {}", self.kind_name()),
            None => self.id.clone(),
        }
    }

    /// What must agree in such arithmetic: below exact arithmetic the class that is named for 16-bit
    /// floats, or the only one.
    pub(crate) fn required(&self, precision: Precision) -> Result<Required> {
        if precision == Precision::Exact {
            return Ok(Required::Whole);
        }
        let classes = &self.required_prefix_by_class;
        let of_f16 = classes.iter().find(|(class, _)| class.starts_with("f16"));
        let only = classes.iter().next().filter(|_| classes.len() == 1);
        let (_, &ids) = of_f16.or(only).context("no required prefix for low precision")?;
        Ok(Required::Prefix(ids))
    }

    /// The messages of a chat.
    pub(crate) fn messages(&self) -> Result<Vec<Message>> {
        let message = |said: &Said| {
            let content = said.content.as_str();
            Ok(match said.role.as_str() {
                "system" => Message::system(content),
                "user" => Message::user(content),
                "assistant" => Message::assistant(content),
                role => bail!("no message has the role `{role}`"),
            })
        };
        self.messages.iter().map(message).collect()
    }

    /// Whether the precision of a forward pass can change the outcome.
    pub(crate) fn runs_a_model(&self) -> bool {
        matches!(
            self.kind,
            Kind::Logits | Kind::Greedy | Kind::Completion | Kind::Chat
        )
    }

    /// The kind's name in the report.
    pub(crate) fn kind_name(&self) -> String {
        format!("{:?}", self.kind).to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{
        "tolerance_classes": {"f32": {"max_abs": 0.001}, "half": {"max_abs": 0.25}, "rough": {"max_abs": 2}},
        "cases": [
            {"id": "a", "kind": "logits", "tolerance": "f32", "tolerance_if_low_precision": {"bf16": "rough", "f16": "half"}},
            {"id": "b", "kind": "logits", "tolerance": "f32", "tolerance_if_low_precision": "rough"},
            {"id": "c", "kind": "logits", "tolerance": "f32"},
            {"id": "d", "kind": "greedy", "required_prefix_by_class": {"bf16-dense": 3, "f16-dense": 7}},
            {"id": "e", "kind": "chat", "required_prefix_by_class": {"quant-trained-moe": 5}},
            {"id": "f", "kind": "chat", "required_prefix_by_class": {"quant-a": 5, "quant-b": 6}}
        ]
    }"#;

    #[test]
    fn low_precision_is_judged_at_the_class_named_for_it_or_the_only_one() {
        let manifest: Manifest = serde_json::from_str(LIST).expect("the list is one");
        let most = |at: usize, precision: Precision| {
            let class = manifest.class(&manifest.cases[at], precision);
            class.ok().and_then(|class| class.max_abs)
        };
        for at in 0..3 {
            assert_eq!(most(at, Precision::Exact), Some(0.001));
        }
        assert_eq!(
            [0, 1, 2].map(|at| most(at, Precision::Low)),
            [Some(0.25), Some(2.0), None]
        );
    }

    #[test]
    fn what_must_agree_is_all_in_exact_arithmetic_and_else_a_prefix() {
        let manifest: Manifest = serde_json::from_str(LIST).expect("the list is one");
        let required = |at: usize| match manifest.cases[at].required(Precision::Low) {
            Ok(Required::Prefix(ids)) => Some(ids),
            Ok(Required::Whole) | Err(_) => None,
        };
        assert_eq!([3, 4, 5].map(required), [Some(7), Some(5), None]);
        for at in 3..6 {
            let exact = manifest.cases[at].required(Precision::Exact);
            assert!(matches!(exact, Ok(Required::Whole)));
        }
    }
}
