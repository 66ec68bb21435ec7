//! What `/set` changes: how answers are drawn and how they are shown.
//!
//! A value is checked before it is taken; what is refused changes nothing. `default` gives back what the chat began with.

mod draw;

use chat::{AgentRole, ContextBudget, Overflow};
use engine::CandleCompletionParams;

use crate::arguments::checked;

/// What is shown of a model's reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reasoning {
    /// All of it, as it comes.
    #[default]
    Show,
    /// One line that tells how long it took.
    Fold,
    Hide,
}

/// How answers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Display {
    pub(super) reasoning: Reasoning,
    /// Whether Markdown is shown as what it means.
    pub(super) markdown: bool,
    /// Whether figures follow each answer.
    pub(super) status: bool,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            reasoning: Reasoning::default(),
            markdown: true,
            status: true,
        }
    }
}

/// What the chat began with.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    params: CandleCompletionParams,
    budget: ContextBudget,
}

/// One setting.
struct Setting {
    name: &'static str,
    /// What it may be, as a person reads it.
    range: &'static str,
    /// Words that it may be.
    words: &'static [&'static str],
}

#[rustfmt::skip]
const SETTINGS: [Setting; 28] = [
    Setting { name: "reasoning", range: "show, fold or hide", words: &["show", "fold", "hide"] },
    Setting { name: "markdown", range: "on or off", words: &["on", "off"] },
    Setting { name: "status", range: "on or off", words: &["on", "off"] },
    Setting { name: "temperature", range: "a number, 0 or more", words: &[] },
    Setting { name: "top_k", range: "a whole number, 0 for all", words: &[] },
    Setting { name: "top_p", range: "0 to 1, 1 for all", words: &[] },
    Setting { name: "min_p", range: "0 to 1, 0 for all", words: &[] },
    Setting { name: "typical_p", range: "0 to 1, 1 for all", words: &[] },
    Setting { name: "top_n_sigma", range: "a number, 0 for all", words: &[] },
    Setting { name: "repetition_penalty", range: "0.01 to 100, 1 for none", words: &[] },
    Setting { name: "frequency_penalty", range: "-2 to 2, 0 for none", words: &[] },
    Setting { name: "presence_penalty", range: "-2 to 2, 0 for none", words: &[] },
    Setting { name: "penalty_window", range: "tokens, -1 for all", words: &[] },
    Setting { name: "dry_multiplier", range: "a number, 0 for none", words: &[] },
    Setting { name: "dry_base", range: "a number, 1 or more", words: &[] },
    Setting { name: "dry_allowed_length", range: "tokens", words: &[] },
    Setting { name: "dry_window", range: "tokens, -1 for all", words: &[] },
    Setting { name: "xtc_probability", range: "0 to 1, 0 for never", words: &[] },
    Setting { name: "xtc_threshold", range: "0 to 1", words: &[] },
    Setting { name: "seed", range: "a whole number", words: &[] },
    Setting { name: "max_tokens", range: "a whole number, at least 1", words: &[] },
    Setting { name: "min_tokens", range: "a whole number, at most max_tokens", words: &[] },
    Setting { name: "draft", range: "a whole number", words: &[] },
    Setting { name: "stop", range: "a text that ends an answer, or none", words: &["none"] },
    Setting { name: "reasoning_effort", range: "a word of the chat template", words: &["low", "medium", "high"] },
    Setting { name: "thinking", range: "on or off, for the chat template", words: &["on", "off"] },
    Setting { name: "context", range: "tokens of prompt and answer, at least 16", words: &[] },
    Setting { name: "overflow", range: "error, drop or summarise", words: &["error", "drop", "summarise"] },
];

/// The variable of chat templates that says whether the model thinks.
const THINKING: &str = "enable_thinking";

/// Columns of a list.
const WIDTH: usize = 78;

/// Fewest tokens that a context can be bounded to.
const LEAST_CONTEXT: usize = 16;

/// The names of all settings.
pub(super) fn names() -> Vec<String> {
    SETTINGS.iter().map(|setting| setting.name.to_owned()).collect()
}

/// The words that a setting may be.
pub(super) fn values(name: &str) -> Vec<String> {
    let found = SETTINGS.iter().find(|setting| setting.name == name);
    let words = found.map_or(&[][..], |setting| setting.words);
    words
        .iter()
        .chain(&["default"])
        .map(|word| (*word).to_owned())
        .collect()
}

impl Defaults {
    /// What a chat begins with.
    pub(super) fn of(role: &AgentRole) -> Self {
        Self {
            params: role.params.clone(),
            budget: role.budget,
        }
    }

    /// Gives the setting `name` the value that `text` means.
    ///
    /// # Errors
    ///
    /// A name that there is not, or a value that it cannot have: what is wrong, for a person.
    pub(super) fn set(
        &self,
        name: &str,
        text: &str,
        role: &mut AgentRole,
        display: &mut Display,
    ) -> Result<(), String> {
        let setting = find(name)?;
        let value = (text != "default").then_some(text);
        let wrong = || format!("{name} is {text:?}, expected {} or default", setting.range);
        let mut params = role.params.clone();
        let mut budget = role.budget;
        let begun = &self.params;
        if draw::is_one(name) {
            draw::set(name, value, &begun.sampling, &mut params.sampling).ok_or_else(wrong)?;
            params.validate().map_err(|error| error.to_string())?;
            role.params = params;
            return Ok(());
        }
        match name {
            "reasoning" | "markdown" | "status" => show(name, value, display).ok_or_else(wrong)?,
            "temperature" => params.temperature = number(value, begun.temperature).ok_or_else(wrong)?,
            "seed" => params.seed = number(value, begun.seed).ok_or_else(wrong)?,
            "max_tokens" => params.max_tokens = number(value, begun.max_tokens).ok_or_else(wrong)?,
            "min_tokens" => params.min_tokens = number(value, begun.min_tokens).ok_or_else(wrong)?,
            "draft" => params.draft = number(value, begun.draft).ok_or_else(wrong)?,
            "stop" => {
                params.stop = match value {
                    None => begun.stop.clone(),
                    Some("none") => Vec::new(),
                    Some(text) => vec![text.to_owned()],
                }
            }
            "reasoning_effort" => {
                params.reasoning_effort =
                    value.map_or(begun.reasoning_effort.clone(), |text| Some(text.into()));
            }
            "thinking" => think(value, begun, &mut params).ok_or_else(wrong)?,
            "context" => {
                let tokens = number(value, self.budget.tokens).ok_or_else(wrong)?;
                budget.tokens = match tokens {
                    Some(tokens) if tokens < LEAST_CONTEXT => return Err(wrong()),
                    tokens => tokens,
                };
            }
            _ => {
                budget.overflow = match value {
                    None => self.budget.overflow,
                    Some("error") => Overflow::Error,
                    Some("drop") => Overflow::DropOldest,
                    Some("summarise") => Overflow::Summarise,
                    Some(_) => return Err(wrong()),
                }
            }
        }
        checked(&params).map_err(|error| error.to_string())?;
        role.params = params;
        role.budget = budget;
        Ok(())
    }
}

fn find(name: &str) -> Result<&'static Setting, String> {
    let found = SETTINGS.iter().find(|setting| setting.name == name);
    found.ok_or_else(|| format!("there is no setting {name:?}; there are {}", names().join(", ")))
}

/// Changes how answers are shown; `None` if the value is none.
fn show(name: &str, value: Option<&str>, display: &mut Display) -> Option<()> {
    match name {
        "markdown" => display.markdown = switch(value, true)?,
        "status" => display.status = switch(value, true)?,
        _ => {
            display.reasoning = match value {
                None | Some("show") => Reasoning::Show,
                Some("fold") => Reasoning::Fold,
                Some("hide") => Reasoning::Hide,
                Some(_) => return None,
            }
        }
    }
    Some(())
}

fn switch(value: Option<&str>, default: bool) -> Option<bool> {
    match value {
        None => Some(default),
        Some("on") => Some(true),
        Some("off") => Some(false),
        Some(_) => None,
    }
}

/// The number that `value` is, or else what the chat began with; `None` if it is none.
fn number<T: std::str::FromStr>(value: Option<&str>, begun: Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(begun),
        Some(text) => text.parse().ok().map(Some),
    }
}

fn think(
    value: Option<&str>,
    begun: &CandleCompletionParams,
    params: &mut CandleCompletionParams,
) -> Option<()> {
    let variables = &mut params.template_variables;
    match value {
        None => match begun.template_variables.get(THINKING) {
            Some(value) => drop(variables.insert(THINKING.to_owned(), value.clone())),
            None => drop(variables.remove(THINKING)),
        },
        Some(_) => {
            let on = switch(value, true)?;
            variables.insert(THINKING.to_owned(), on.into());
        }
    }
    Some(())
}

/// What the setting `name` is now, as `/set` would be given it.
///
/// # Errors
///
/// A name that there is not.
pub(super) fn shown(name: &str, role: &AgentRole, display: &Display) -> Result<String, String> {
    find(name)?;
    let params = &role.params;
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    fn or_default<T: ToString>(value: Option<T>) -> String {
        value.map_or("default".to_owned(), |value| value.to_string())
    }
    Ok(match name {
        "reasoning" => match display.reasoning {
            Reasoning::Show => "show",
            Reasoning::Fold => "fold",
            Reasoning::Hide => "hide",
        }
        .to_owned(),
        "markdown" => on(display.markdown),
        "status" => on(display.status),
        "temperature" => or_default(params.temperature),
        name if draw::is_one(name) => or_default(draw::shown(name, &params.sampling)),
        "seed" => or_default(params.seed),
        "max_tokens" => or_default(params.max_tokens),
        "min_tokens" => or_default(params.min_tokens),
        "draft" => or_default(params.draft),
        "stop" if params.stop.is_empty() => "none".to_owned(),
        "stop" => params.stop.join(", "),
        "reasoning_effort" => or_default(params.reasoning_effort.as_deref()),
        "thinking" => match params.template_variables.get(THINKING) {
            Some(value) => value.as_bool().map_or_else(|| value.to_string(), on),
            None => "default".to_owned(),
        },
        "context" => or_default(role.budget.tokens),
        _ => match role.budget.overflow {
            Overflow::Error => "error",
            Overflow::DropOldest => "drop",
            Overflow::Summarise => "summarise",
        }
        .to_owned(),
    })
}

/// All settings, a line each; those of the draws that nothing was said of stand together.
pub(super) fn list(role: &AgentRole, display: &Display) -> String {
    let unsaid = |name: &str| draw::is_one(name) && draw::shown(name, &role.params.sampling).is_none();
    let line = |setting: &Setting| {
        let value = shown(setting.name, role, display).unwrap_or_default();
        format!("{:<20}{value:<14}({})\n", setting.name, setting.range)
    };
    let said = SETTINGS.iter().filter(|setting| !unsaid(setting.name));
    let mut text: String = said.map(line).collect();
    let mut last = "default: ".to_owned();
    for setting in SETTINGS.iter().filter(|setting| unsaid(setting.name)) {
        if last.len() + setting.name.len() > WIDTH {
            text += &format!("{}\n", last.trim_end());
            last = " ".repeat("default: ".len());
        }
        last += &format!("{} ", setting.name);
    }
    if SETTINGS.iter().any(|setting| unsaid(setting.name)) {
        text += &format!("{}\n", last.trim_end());
    }
    text
}
