//! The settings by name.
//!
//! A key of the file, the variable `WICK_` with the key in capitals, and the flag with dashes are one setting.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use engine::ToolChoice;
use providers::Family;
use serde_json::Value;

use super::range::{Bias, Factor, Finite, Growth, Penalty, Share, Window};
use super::value::{ModelName, Setting};
use crate::arguments::{Cache, Computing};

/// A setting.
pub(crate) struct Key {
    /// What it is called in the file.
    pub(crate) name: &'static str,
    /// What holds where nothing says it.
    pub(crate) default: &'static str,
    /// What is expected, where a value is something else.
    pub(super) check: fn(&Value) -> Result<(), String>,
}

impl Key {
    /// The flag that says the same.
    pub(crate) fn flag(&self) -> String {
        // A flag sets one of them at a time.
        let name = self.name.replace("variables", "variable");
        format!("--{}", name.replace('_', "-"))
    }

    const fn of<T: Setting>(name: &'static str, default: &'static str) -> Self {
        Self {
            name,
            default,
            check: |value| T::of_value(value).map(drop).ok_or_else(T::expected),
        }
    }
}

/// All of them, in the order in which they are shown.
pub(crate) const KEYS: [Key; 39] = [
    Key::of::<ModelName>("model", "the demo model"),
    Key::of::<Vec<String>>("remote", "none"),
    Key::of::<PathBuf>("remote_key_file", "none"),
    Key::of::<bool>("offline", "false"),
    Key::of::<&'static Family>("provider", "none"),
    Key::of::<Cache>("cache", "f16, or f32 where the forward pass is exact"),
    Key::of::<Computing>("compute", "fast where the architecture has kernels, else exact"),
    Key::of::<bool>("keep_packed", "false"),
    Key::of::<NonZeroUsize>("threads", "one for each core"),
    Key::of::<String>("system", "none"),
    Key::of::<PathBuf>("tools", "none"),
    Key::of::<ToolChoice>("tool_choice", "auto"),
    Key::of::<bool>("parallel_tool_calls", "true; false where a call is forced"),
    Key::of::<PathBuf>("memory", "memory.db in the folder of the program's data"),
    Key::of::<u32>("max_tokens", "1000, or what the context has room for"),
    Key::of::<u32>("min_tokens", "0"),
    Key::of::<Vec<String>>("stop", "none"),
    Key::of::<f32>("temperature", "the model's, or 0.8"),
    Key::of::<u32>("top_k", "the model's, or 40"),
    Key::of::<Share>("top_p", "the model's, or 0.95"),
    Key::of::<Share>("min_p", "the model's, or 0.05"),
    Key::of::<Share>("typical_p", "1"),
    Key::of::<Finite>("top_n_sigma", "0"),
    Key::of::<Factor>("repetition_penalty", "the model's, or 1"),
    Key::of::<Penalty>("frequency_penalty", "the model's, or 0"),
    Key::of::<Penalty>("presence_penalty", "the model's, or 0"),
    Key::of::<Window>("penalty_window", "64"),
    Key::of::<f32>("dry_multiplier", "0"),
    Key::of::<Growth>("dry_base", "1.75"),
    Key::of::<u32>("dry_allowed_length", "2"),
    Key::of::<Window>("dry_window", "-1"),
    Key::of::<Vec<String>>("dry_breakers", "line end, colon, quote and asterisk"),
    Key::of::<Share>("xtc_probability", "0"),
    Key::of::<Share>("xtc_threshold", "0.1"),
    Key::of::<Vec<Bias>>("logit_bias", "none"),
    Key::of::<u64>("seed", "a new one for each answer"),
    Key::of::<u32>("draft", "16"),
    Key::of::<String>("reasoning_effort", "the model's"),
    Key::of::<Vec<(String, Value)>>("template_variables", "none"),
];

/// The setting of this name.
pub(super) fn named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The setting that is spelled most like `name`, if one is nearly so.
pub(super) fn alike(name: &str) -> Option<&'static str> {
    let spelled = name.replace('-', "_").to_lowercase();
    let best = KEYS
        .iter()
        .map(|key| (distance(&spelled, key.name), key.name))
        .min()?;
    (best.0 <= 2).then_some(best.1)
}

/// Characters that have to be put in, taken out or changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, c) in one.chars().enumerate() {
        let mut next = vec![above + 1];
        let mut left = above + 1;
        for ((d, diagonal), up) in other.iter().zip(&row).zip(row.iter().skip(1)) {
            left = (left + 1).min(up + 1).min(diagonal + usize::from(*d != c));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_understood() {
        assert_eq!(alike("temprature"), Some("temperature"));
        assert_eq!(alike("max-tokens"), Some("max_tokens"));
        assert_eq!(alike("topp"), Some("top_p"));
        assert_eq!(alike("colour"), None);
    }

    #[test]
    fn names_are_unique() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS.iter().skip(index + 1).all(|other| other.name != key.name));
        }
    }
}
