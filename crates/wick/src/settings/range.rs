//! Numbers of settings that have a range: what is out of it is told with the place that says it.

use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::value::Setting;

/// A number that is finite and fulfils a condition.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) struct $name(f32);

        impl $name {
            pub(crate) fn get(self) -> f32 {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let fits: fn(f32) -> bool = $fits;
                match text.parse::<f32>() {
                    Ok(number) if number.is_finite() && fits(number) => Ok(Self(number)),
                    _ => Err(concat!("it is ", $expected)),
                }
            }
        }

        impl Setting for $name {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn of_value(value: &Value) -> Option<Self> {
                Self::of_text(&value.as_f64()?.to_string())
            }

            fn of_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn shown(&self) -> Value {
                shown(self.0)
            }
        }
    };
}

number!(
    /// A probability, or a share.
    Share, "a number from 0 to 1", |number| (0.0..=1.0).contains(&number)
);
number!(
    /// Any number but infinity.
    Finite, "a finite number", |_| true
);
number!(
    /// What logits are divided by.
    Factor, "a number from 0.01 to 100", |number| (0.01..=100.0).contains(&number)
);
number!(
    /// What is taken from logits.
    Penalty, "a number from -2 to 2", |number| (-2.0..=2.0).contains(&number)
);
number!(
    /// What grows with a power of it.
    Growth, "a finite number, 1 or more", |number| number >= 1.0
);

/// How many tokens are looked back on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window(i32);

impl Window {
    pub(crate) fn get(self) -> i32 {
        self.0
    }
}

impl FromStr for Window {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(tokens) if tokens >= -1 => Ok(Self(tokens)),
            _ => Err("it is a whole number, -1 or more"),
        }
    }
}

impl Setting for Window {
    fn expected() -> String {
        "a whole number, -1 or more".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        Self::of_text(&value.as_i64()?.to_string())
    }

    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Value {
        self.0.into()
    }
}

/// A token and what is added to its logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bias {
    token: u32,
    bias: f32,
}

impl Bias {
    pub(crate) fn get(self) -> (u32, f32) {
        (self.token, self.bias)
    }

    /// Reads `TOKEN=BIAS`.
    pub(crate) fn of_flag(text: &str) -> Result<Self, &'static str> {
        let parts = text.split_once('=');
        parts
            .and_then(|(token, bias)| Self::of(token, bias))
            .ok_or("it is TOKEN=BIAS, the number of a token and a number from -100 to 100")
    }

    fn of(token: &str, bias: &str) -> Option<Self> {
        let (token, bias) = (token.parse().ok()?, bias.parse().ok()?);
        (-100.0..=100.0).contains(&bias).then_some(Self { token, bias })
    }
}

impl Setting for Vec<Bias> {
    fn expected() -> String {
        "a table of numbers from -100 to 100, each under the number of its token".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        let entries = value.as_object()?.iter();
        entries
            .map(|(token, bias)| Bias::of(token, &bias.as_f64()?.to_string()))
            .collect()
    }

    fn of_text(text: &str) -> Option<Self> {
        Self::of_value(&serde_json::from_str(text).ok()?)
    }

    fn shown(&self) -> Value {
        let entries = self.iter().map(|bias| (bias.token.to_string(), shown(bias.bias)));
        json!(entries.collect::<Map<_, _>>())
    }
}

/// As it was written, not as its nearest f64 is.
pub(super) fn shown(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_range_belong_to_it_and_nothing_beyond() {
        let fits = |ends: [bool; 2], beyond: [bool; 2]| ends == [true; 2] && beyond == [false; 2];
        let share = |text| Share::of_text(text).is_some();
        assert!(fits(["0", "1"].map(share), ["-0.001", "1.001"].map(share)));
        let factor = |text| Factor::of_text(text).is_some();
        assert!(fits(["0.01", "100"].map(factor), ["0", "100.1"].map(factor)));
        let penalty = |text| Penalty::of_text(text).is_some();
        assert!(fits(["-2", "2"].map(penalty), ["-2.1", "NaN"].map(penalty)));
        let growth = |text| Growth::of_text(text).is_some();
        assert!(fits(["1", "1e9"].map(growth), ["0.9", "inf"].map(growth)));
        let window = |text| Window::of_text(text).is_some();
        assert!(fits(["-1", "64"].map(window), ["-2", "1.5"].map(window)));
        assert_eq!(Finite::of_value(&json!(-0.5)), Some(Finite(-0.5)));
    }

    #[test]
    fn a_bias_is_read_from_flag_and_table_alike() {
        let bias = Bias { token: 7, bias: -1.5 };
        assert_eq!(Bias::of_flag("7=-1.5"), Ok(bias));
        let listed = Vec::<Bias>::of_value(&json!({"7": -1.5}));
        assert_eq!(listed.as_ref().map(Setting::shown), Some(json!({"7": -1.5})));
        assert_eq!(listed, Some(vec![bias]));
        for wrong in ["7", "fox=1", "7=101", "7=NaN", "=1"] {
            assert!(Bias::of_flag(wrong).is_err(), "{wrong}");
        }
    }
}
