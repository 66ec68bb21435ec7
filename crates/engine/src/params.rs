//! How a completion is generated: what a caller may set for one request.
//!
//! Every field is honoured or rejected with an error that names it; an absent one leaves the choice to
//! the provider.

use generator::{Constraint, SamplingConfig};
use serde_json::{Map, Value};

use crate::config::Deadlines;
use crate::error::EngineError;
use crate::sampling::Sampling;
use crate::tool::{ToolChoice, ToolDefinition};

/// Variables of a template that a request has fields for.
const TAKEN: [&str; 3] = ["messages", "tools", "reasoning_effort"];

/// Parameters of one completion.
///
/// `None` everywhere, as [`Default`] gives it, means the provider's own defaults, and no tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CandleCompletionParams {
    /// Most tokens to generate, at least 1 unless the prompt is scored. Absent: 1,000, capped by the context.
    pub max_tokens: Option<u32>,
    /// Fewest tokens to generate, no more than `max_tokens`: the model does not end its answer before, and stop strings
    /// are not looked for. Absent: none.
    pub min_tokens: Option<u32>,
    /// Strings that end the answer where the model writes one of them, none of them empty. No part of the one that did
    /// is shown; [`CandleCompletionChunk::Finish`](crate::CandleCompletionChunk::Finish) names it. They are looked for in
    /// what the model writes, tags of calls included.
    pub stop: Vec<String>,
    /// Whether the model's own end of its answer is ignored: only the other limits end it. What it writes then is
    /// seldom of use, but it is as long as a measurement wants it.
    pub ignore_eos: bool,
    /// Divisor of the logits; finite and not negative. 0 always takes the most probable token.
    pub temperature: Option<f32>,
    /// Cuts, penalties and biases of the draws.
    pub sampling: Sampling,
    /// Seed of the draws; the same seed and prompt give the same answer. Absent: drawn afresh for each
    /// request and reported with [`CandleCompletionChunk::Complete`](crate::CandleCompletionChunk::Complete).
    pub seed: Option<u64>,
    /// Answers to the same prompt, at least 1; the prompt is run once for all. Choice `n` draws with the seed plus `n`.
    /// Absent: 1.
    pub choices: Option<u32>,
    /// Log-probabilities to report with each token: its own, and those of this many most probable tokens. They are what
    /// the model says, before temperature and every other setting of the sampling. Absent: none.
    pub logprobs: Option<u32>,
    /// Log-probabilities of the prompt's own tokens, and of this many most probable ones in the place of each. With it,
    /// `max_tokens` may be 0. Absent: none.
    pub score_prompt: Option<u32>,
    /// The most tokens that are guessed from the context at once and verified together; it changes how long the answer
    /// takes, not what it is. 0 guesses nothing. Absent: the provider's default.
    pub draft: Option<u32>,
    /// What the answer has to be: JSON of a schema, a choice, a grammar. Absent: anything.
    pub constraint: Option<Constraint>,
    /// How long the request may take. Absent ones: the provider's.
    pub deadlines: Deadlines,
    /// What the model may call; names are unique. Empty: it is told of no tools, and whatever it writes is text.
    pub tools: Vec<ToolDefinition>,
    /// Whether it calls them. A call that is forced is well-formed, with arguments of the types that
    /// its tool declares; one of a strict tool is valid under its schema.
    pub tool_choice: ToolChoice,
    /// Whether one answer may call several tools. Absent: as many as the model likes where it decides by itself, and one
    /// where a call is forced.
    pub parallel_tool_calls: Option<bool>,
    /// How much the model thinks before it answers, such as `low`, in the words of its chat template; for chats.
    pub reasoning_effort: Option<String>,
    /// Further variables of the chat template, such as `enable_thinking`; for chats. `messages` and `tools` are not
    /// among them: the request has its own.
    pub template_variables: Map<String, Value>,
}

impl CandleCompletionParams {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`EngineError::InvalidParameter`] for the first field that is out of its range, with its name,
    /// its value and the range.
    pub fn validate(&self) -> Result<(), EngineError> {
        if self.max_tokens == Some(0) && self.score_prompt.is_none() {
            return Err(EngineError::InvalidParameter {
                field: "max_tokens",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        if self.choices == Some(0) {
            return Err(EngineError::InvalidParameter {
                field: "choices",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        if let (Some(fewest), Some(most)) = (self.min_tokens, self.max_tokens)
            && fewest > most
        {
            return Err(EngineError::InvalidParameter {
                field: "min_tokens",
                value: format!("{fewest} with max_tokens of {most}"),
                expected: "at most max_tokens",
            });
        }
        if let Some(index) = self.stop.iter().position(String::is_empty) {
            return Err(EngineError::InvalidParameter {
                field: "stop",
                value: format!("\"\" at index {index}"),
                expected: "strings that are not empty",
            });
        }
        match self.temperature {
            Some(temperature) if !(temperature.is_finite() && temperature >= 0.0) => {
                Err(EngineError::InvalidParameter {
                    field: "temperature",
                    value: temperature.to_string(),
                    expected: "a finite number, 0 or more",
                })
            }
            _ => {
                self.sampling.validate()?;
                self.validate_tools()
            }
        }
    }

    fn validate_tools(&self) -> Result<(), EngineError> {
        for (index, tool) in self.tools.iter().enumerate() {
            let name = &tool.name;
            let invalid = |field, value, expected| EngineError::InvalidParameter {
                field,
                value,
                expected,
            };
            if !ToolDefinition::is_name(name) {
                let expected = "1 to 64 of A-Z, a-z, 0-9, _, . and -";
                return Err(invalid("the name of a tool", format!("{name:?}"), expected));
            }
            if self.tools.iter().take(index).any(|other| other.name == *name) {
                let value = format!("{name:?} twice");
                return Err(invalid("the name of a tool", value, "each name once"));
            }
            if !tool.parameters.is_object() {
                let value = format!("{} for {name:?}", tool.parameters);
                return Err(invalid("the schema of a tool's parameters", value, "an object"));
            }
        }
        self.validate_tool_choice()?;
        let taken = self
            .template_variables
            .keys()
            .find(|name| TAKEN.contains(&name.as_str()));
        match taken {
            Some(name) => Err(EngineError::InvalidParameter {
                field: "the name of a template variable",
                value: format!("{name:?}"),
                expected: "another than messages, tools and reasoning_effort",
            }),
            None => Ok(()),
        }
    }

    fn validate_tool_choice(&self) -> Result<(), EngineError> {
        let choice = &self.tool_choice;
        let invalid = |value: String, expected| {
            Err(EngineError::InvalidParameter {
                field: "tool_choice",
                value,
                expected,
            })
        };
        if let ToolChoice::Named(name) = choice
            && !self.tools.iter().any(|tool| tool.name == *name)
        {
            return invalid(format!("{name:?}"), "the name of a tool that is declared");
        }
        if *choice == ToolChoice::Required && self.tools.is_empty() {
            return invalid("\"required\"".to_owned(), "tools to choose from");
        }
        if let (Some(parallel), true) = (self.parallel_tool_calls, self.tools.is_empty()) {
            return Err(EngineError::InvalidParameter {
                field: "parallel_tool_calls",
                value: format!("{parallel} without tools"),
                expected: "tools to call",
            });
        }
        if self.constraint.is_some() && choice.is_forced() {
            return invalid("forced together with a constraint".to_owned(), "one of the two");
        }
        Ok(())
    }

    /// The tools that the model is told of.
    pub fn declared_tools(&self) -> &[ToolDefinition] {
        if self.tool_choice == ToolChoice::None {
            &[]
        } else {
            &self.tools
        }
    }

    /// The sampling of this request: `defaults`, with every field that is set here in its place.
    ///
    /// The seed is this request's own; the one in `defaults` serves where none is given.
    pub fn sampling(&self, defaults: &SamplingConfig) -> SamplingConfig {
        let mut sampling = defaults.clone();
        if let Some(temperature) = self.temperature {
            sampling.params.temperature = temperature;
        }
        self.sampling.apply(&mut sampling);
        if self.seed.is_some() {
            sampling.seed = self.seed;
        }
        sampling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(params: &CandleCompletionParams) -> String {
        params.validate().unwrap_err().to_string()
    }

    #[test]
    fn nothing_set_is_valid() {
        assert!(CandleCompletionParams::default().validate().is_ok());
    }

    #[test]
    fn no_tokens_at_all_is_rejected_by_name() {
        let params = CandleCompletionParams {
            max_tokens: Some(0),
            ..Default::default()
        };
        assert_eq!(message(&params), "max_tokens is 0, expected at least 1");
    }

    #[test]
    fn no_choices_are_rejected_by_name() {
        let params = CandleCompletionParams {
            choices: Some(0),
            ..Default::default()
        };
        assert_eq!(message(&params), "choices is 0, expected at least 1");
    }

    #[test]
    fn an_empty_stop_string_is_rejected_with_its_place() {
        let params = CandleCompletionParams {
            stop: vec!["END".to_owned(), String::new()],
            ..Default::default()
        };
        assert_eq!(
            message(&params),
            "stop is \"\" at index 1, expected strings that are not empty"
        );
    }

    #[test]
    fn more_tokens_at_least_than_at_most_are_rejected_with_both() {
        let params = |min_tokens, max_tokens| CandleCompletionParams {
            min_tokens: Some(min_tokens),
            max_tokens,
            ..Default::default()
        };
        assert_eq!(
            message(&params(3, Some(2))),
            "min_tokens is 3 with max_tokens of 2, expected at most max_tokens"
        );
        assert!(params(2, Some(2)).validate().is_ok());
        assert!(params(2, None).validate().is_ok());
    }

    #[test]
    fn a_temperature_out_of_range_is_rejected_with_its_value() {
        for (temperature, shown) in [
            (f32::NAN, "NaN"),
            (f32::INFINITY, "inf"),
            (f32::NEG_INFINITY, "-inf"),
            (-0.5, "-0.5"),
            (-f32::MIN_POSITIVE, &(-f32::MIN_POSITIVE).to_string()),
        ] {
            let params = CandleCompletionParams {
                temperature: Some(temperature),
                ..Default::default()
            };
            assert_eq!(
                message(&params),
                format!("temperature is {shown}, expected a finite number, 0 or more")
            );
        }
    }

    #[test]
    fn zero_and_negative_zero_are_greedy() {
        for temperature in [0.0, -0.0, 0.7, f32::MAX] {
            let params = CandleCompletionParams {
                temperature: Some(temperature),
                ..Default::default()
            };
            assert!(params.validate().is_ok(), "{temperature}");
        }
    }

    #[test]
    fn a_tool_that_cannot_be_declared_is_rejected_with_its_value() {
        let object = || serde_json::json!({"type": "object"});
        let tools = |tools: &[(&str, Value)]| CandleCompletionParams {
            tools: tools
                .iter()
                .map(|(name, schema)| ToolDefinition::new(*name, schema.clone()))
                .collect(),
            ..Default::default()
        };
        assert!(tools(&[("a", object()), ("b", object())]).validate().is_ok());
        assert_eq!(
            message(&tools(&[("a", object()), ("get weather", object())])),
            "the name of a tool is \"get weather\", expected 1 to 64 of A-Z, a-z, 0-9, _, . and -"
        );
        assert_eq!(
            message(&tools(&[("a", object()), ("a", object())])),
            "the name of a tool is \"a\" twice, expected each name once"
        );
        assert_eq!(
            message(&tools(&[("a", serde_json::json!([1]))])),
            "the schema of a tool's parameters is [1] for \"a\", expected an object"
        );
    }

    #[test]
    fn a_choice_of_tools_that_cannot_be_made_is_rejected() {
        let tool = || ToolDefinition::new("now", serde_json::json!({"type": "object"}));
        let params = |tools: Vec<ToolDefinition>, tool_choice| CandleCompletionParams {
            tools,
            tool_choice,
            ..Default::default()
        };
        let named = |name: &str| ToolChoice::Named(name.to_owned());
        for choice in [
            ToolChoice::Auto,
            ToolChoice::None,
            ToolChoice::Required,
            named("now"),
        ] {
            assert!(params(vec![tool()], choice).validate().is_ok());
        }
        assert_eq!(
            message(&params(vec![tool()], named("then"))),
            "tool_choice is \"then\", expected the name of a tool that is declared"
        );
        assert_eq!(
            message(&params(vec![], ToolChoice::Required)),
            "tool_choice is \"required\", expected tools to choose from"
        );
        let both = CandleCompletionParams {
            constraint: Some(Constraint::JsonObject),
            ..params(vec![tool()], ToolChoice::Required)
        };
        assert_eq!(
            message(&both),
            "tool_choice is forced together with a constraint, expected one of the two"
        );
        assert!(params(vec![tool()], ToolChoice::None).declared_tools().is_empty());
        let alone = CandleCompletionParams {
            parallel_tool_calls: Some(false),
            ..params(vec![], ToolChoice::Auto)
        };
        assert_eq!(
            message(&alone),
            "parallel_tool_calls is false without tools, expected tools to call"
        );
    }

    #[test]
    fn a_variable_that_the_request_has_a_field_for_is_rejected() {
        let mut params = CandleCompletionParams::default();
        params
            .template_variables
            .insert("enable_thinking".to_owned(), false.into());
        assert!(params.validate().is_ok());
        params
            .template_variables
            .insert("messages".to_owned(), serde_json::json!([]));
        assert_eq!(
            message(&params),
            "the name of a template variable is \"messages\", expected another than messages, tools and \
             reasoning_effort"
        );
    }

    #[test]
    fn what_is_set_replaces_the_default_and_nothing_else_does() {
        let mut defaults = SamplingConfig::default();
        defaults.params.temperature = 0.6;
        defaults.seed = Some(3);
        assert_eq!(CandleCompletionParams::default().sampling(&defaults), defaults);

        let params = CandleCompletionParams {
            temperature: Some(0.0),
            seed: Some(9),
            ..Default::default()
        };
        let sampling = params.sampling(&defaults);
        assert_eq!((sampling.params.temperature, sampling.seed), (0.0, Some(9)));
    }
}
