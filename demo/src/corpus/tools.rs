//! The tools: how they are declared, called, and what they give back.

use serde_json::{Map, Number, Value, json};

use super::draw::Draw;
use crate::dialogue::{Call, Parameter, Tool};

/// What a tool is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// `calculator(expression)`
    Calculator,
    /// `convert_units(value, from, to)`
    Converter,
    /// `get_time(city)`
    Clock,
    /// `get_weather(city)`
    Forecast,
}

impl Service {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Calculator, Self::Converter, Self::Clock, Self::Forecast];

    /// The name of its tool.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Calculator => "calculator",
            Self::Converter => "convert_units",
            Self::Clock => "get_time",
            Self::Forecast => "get_weather",
        }
    }

    /// What one can do with it, after `I can` or `I cannot`.
    pub(super) fn ability(self) -> &'static str {
        match self {
            Self::Calculator => "calculate",
            Self::Converter => "convert units",
            Self::Clock => "tell the time",
            Self::Forecast => "look up the weather",
        }
    }

    /// The tool with one of its descriptions.
    pub(super) fn declare(self, draw: &mut Draw) -> Tool {
        let (descriptions, parameters): ([&'static str; 3], &[(&'static str, &'static str)]) = match self {
            Self::Calculator => (
                [
                    "Works out an arithmetic expression.",
                    "Does arithmetic with two numbers.",
                    "Calculates a result.",
                ],
                &[("expression", "string")],
            ),
            Self::Converter => (
                [
                    "Converts a value from one unit to another.",
                    "Changes a value into another unit.",
                    "Unit conversion.",
                ],
                &[("value", "number"), ("from", "string"), ("to", "string")],
            ),
            Self::Clock => (
                [
                    "Tells the current time in a city.",
                    "The local time of a city.",
                    "Looks up what time it is.",
                ],
                &[("city", "string")],
            ),
            Self::Forecast => (
                [
                    "Tells the weather in a city.",
                    "The current weather of a city.",
                    "Looks up the weather.",
                ],
                &[("city", "string")],
            ),
        };
        let parameters = parameters
            .iter()
            .map(|&(name, kind)| Parameter { name, kind })
            .collect();
        Tool {
            name: self.name(),
            description: descriptions[draw.below(3)],
            parameters,
        }
    }
}

/// What a call asks for and what the tool answers: what a turn of the model is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Served {
    /// The call.
    pub(super) call: Call,
    /// The result, on one line.
    pub(super) result: String,
}

/// A calculation.
pub(super) fn calculate(expression: &str, result: i64) -> Served {
    let arguments = Map::from_iter([("expression".to_owned(), Value::from(expression))]);
    served(
        Service::Calculator,
        arguments,
        format!("{{\"result\": {result}}}"),
    )
}

/// A conversion; both figures in tenths.
pub(super) fn convert(value: i64, from: &str, to: &str, result: i64) -> Served {
    let arguments = Map::from_iter([
        ("value".to_owned(), number(value)),
        ("from".to_owned(), Value::from(from)),
        ("to".to_owned(), Value::from(to)),
    ]);
    served(
        Service::Converter,
        arguments,
        format!("{{\"value\": {}, \"unit\": \"{to}\"}}", tenths(result)),
    )
}

/// A look at the clock of a city.
pub(super) fn clock(city: &str, time: &str) -> Served {
    served(Service::Clock, in_city(city), format!("{{\"time\": \"{time}\"}}"))
}

/// A look at the weather of a city.
pub(super) fn forecast(city: &str, degrees: i64, condition: &str) -> Served {
    let result =
        format!("{{\"city\": \"{city}\", \"temperature\": {degrees}, \"condition\": \"{condition}\"}}");
    served(Service::Forecast, in_city(city), result)
}

/// Tenths, written with a decimal only where there is one.
pub(super) fn tenths(tenths: i64) -> String {
    if tenths % 10 == 0 {
        (tenths / 10).to_string()
    } else {
        number(tenths).to_string()
    }
}

fn number(tenths: i64) -> Value {
    if tenths % 10 == 0 {
        return json!(tenths / 10);
    }
    Number::from_f64(tenths as f64 / 10.0).map_or(Value::Null, Value::Number)
}

fn in_city(city: &str) -> Map<String, Value> {
    Map::from_iter([("city".to_owned(), Value::from(city))])
}

fn served(service: Service, arguments: Map<String, Value>, result: String) -> Served {
    Served {
        call: Call {
            tool: service.name(),
            arguments,
        },
        result,
    }
}
