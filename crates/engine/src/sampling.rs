//! How tokens are drawn, as far as one request says: cuts, penalties and biases.
//!
//! What is absent is the provider's default. Every field is in its range when a request is made, or refused by name.

use generator::SamplingConfig;

use crate::error::EngineError;

/// Cuts, penalties and biases of one request; temperature and seed stand beside it.
///
/// `None` everywhere, as [`Default`] gives it, means the provider's own defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Keeps this many of the largest logits; 0 keeps all.
    pub top_k: Option<u32>,
    /// Keeps the most probable tokens up to this probability, 0 to 1; 1 keeps all.
    pub top_p: Option<f32>,
    /// Keeps tokens of at least this share of the largest probability, 0 to 1; 0 keeps all.
    pub min_p: Option<f32>,
    /// Keeps the most typical tokens up to this probability, 0 to 1; 1 keeps all.
    pub typical_p: Option<f32>,
    /// Keeps logits of at least the largest minus so many standard deviations; 0 or less keeps all.
    pub top_n_sigma: Option<f32>,
    /// Divides positive logits of what was said already and multiplies others; 0.01 to 100, 1 changes nothing.
    pub repetition_penalty: Option<f32>,
    /// Subtracted from the logit of what was said already, once for each time; -2 to 2.
    pub frequency_penalty: Option<f32>,
    /// Subtracted from the logit of what was said already at all; -2 to 2.
    pub presence_penalty: Option<f32>,
    /// Tokens of the history that the three penalties look at; -1 is all, 0 is none.
    pub penalty_window: Option<i32>,
    /// What extends a sequence that was said already becomes less probable.
    pub dry: Dry,
    /// The most probable tokens are left out at times.
    pub xtc: Xtc,
    /// Added to the logits of these tokens: -100 to 100, where -100 bans one. Several entries of one token add up.
    pub logit_bias: Vec<(u32, f32)>,
}

/// "Don't repeat yourself": subtracts `multiplier * base^(length - allowed_length)` from a token that would extend a
/// repeated sequence of `length` tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dry {
    /// Scales the penalty, 0 or more; 0 changes nothing.
    pub multiplier: Option<f32>,
    /// Growth with each token of the repeated sequence, at least 1.
    pub base: Option<f32>,
    /// Repeated sequences that are shorter cost nothing.
    pub allowed_length: Option<u32>,
    /// Tokens of the history that count; -1 is all, 0 is none.
    pub window: Option<i32>,
    /// Texts that no repeated sequence reaches across, none of them empty. Absent: a line's end, `:`, `"` and `*`.
    pub breakers: Option<Vec<String>>,
}

impl Dry {
    /// The breakers of a request that names none.
    pub const BREAKERS: [&'static str; 4] = ["\n", ":", "\"", "*"];
}

/// "Exclude top choices": with this probability, every token of at least `threshold` is left out but the least likely.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Xtc {
    /// How often, 0 to 1; 0 is never.
    pub probability: Option<f32>,
    /// From which probability on a token counts as a top choice, 0 to 1.
    pub threshold: Option<f32>,
}

/// Bias at which a token is banned.
const BAN: f32 = -100.0;

impl Sampling {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`EngineError::InvalidParameter`] for the first field that is out of its range.
    pub fn validate(&self) -> Result<(), EngineError> {
        let (dry, xtc) = (&self.dry, &self.xtc);
        for (field, value) in [
            ("top_p", self.top_p),
            ("min_p", self.min_p),
            ("typical_p", self.typical_p),
            ("xtc_probability", xtc.probability),
            ("xtc_threshold", xtc.threshold),
        ] {
            range(field, value, "0 to 1", |value| (0.0..=1.0).contains(&value))?;
        }
        for (field, value) in [
            ("frequency_penalty", self.frequency_penalty),
            ("presence_penalty", self.presence_penalty),
        ] {
            range(field, value, "-2 to 2", |value| (-2.0..=2.0).contains(&value))?;
        }
        range("top_n_sigma", self.top_n_sigma, "a finite number", f32::is_finite)?;
        // A divisor near 0 would make logits infinite.
        range(
            "repetition_penalty",
            self.repetition_penalty,
            "0.01 to 100",
            |value| (0.01..=100.0).contains(&value),
        )?;
        range(
            "dry_multiplier",
            dry.multiplier,
            "a finite number, 0 or more",
            |value| value >= 0.0 && value.is_finite(),
        )?;
        range("dry_base", dry.base, "a finite number, 1 or more", |value| {
            value >= 1.0 && value.is_finite()
        })?;
        range("penalty_window", self.penalty_window, "-1 or more", |value| {
            value >= -1
        })?;
        range("dry_window", dry.window, "-1 or more", |value| value >= -1)?;
        if let Some(index) = dry.breakers.iter().flatten().position(String::is_empty) {
            return Err(invalid(
                "dry_breakers",
                format!("\"\" at index {index}"),
                "strings that are not empty",
            ));
        }
        let biased = self
            .logit_bias
            .iter()
            .find(|(_, bias)| !(-100.0..=100.0).contains(bias));
        match biased {
            Some((token, bias)) => Err(invalid(
                "logit_bias",
                format!("{bias} for token {token}"),
                "-100 to 100",
            )),
            None => Ok(()),
        }
    }

    /// Whether nothing is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }

    /// Puts what is set in the place of the defaults. The texts of `dry.breakers` are not among it: they are tokens there,
    /// which takes a tokenizer.
    pub(crate) fn apply(&self, to: &mut SamplingConfig) {
        fn set<T: Copy>(value: Option<T>, place: &mut T) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let params = &mut to.params;
        let top_k = self.top_k.map(|k| i32::try_from(k).unwrap_or(i32::MAX));
        set(top_k, &mut params.top_k);
        set(self.top_p, &mut params.top_p);
        set(self.min_p, &mut params.min_p);
        set(self.typical_p, &mut params.typical_p);
        set(self.top_n_sigma, &mut params.top_n_sigma);
        set(self.repetition_penalty, &mut params.penalties.repeat);
        set(self.frequency_penalty, &mut params.penalties.frequency);
        set(self.presence_penalty, &mut params.penalties.presence);
        set(self.penalty_window, &mut params.penalties.last_n);
        set(self.dry.multiplier, &mut params.dry.multiplier);
        set(self.dry.base, &mut params.dry.base);
        set(self.dry.allowed_length, &mut params.dry.allowed_length);
        set(self.dry.window, &mut params.dry.last_n);
        set(self.xtc.probability, &mut params.xtc.probability);
        set(self.xtc.threshold, &mut params.xtc.threshold);
        let biases = self.logit_bias.iter().map(|&(token, bias)| {
            let bias = if bias <= BAN { f32::NEG_INFINITY } else { bias };
            (token, bias)
        });
        params.bias.extend(biases);
    }
}

fn range<T: Copy + std::fmt::Display>(
    field: &'static str,
    value: Option<T>,
    expected: &'static str,
    allowed: impl Fn(T) -> bool,
) -> Result<(), EngineError> {
    match value {
        Some(value) if !allowed(value) => Err(invalid(field, value.to_string(), expected)),
        _ => Ok(()),
    }
}

fn invalid(field: &'static str, value: String, expected: &'static str) -> EngineError {
    EngineError::InvalidParameter {
        field,
        value,
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named_with_its_value() {
        let refused = |sampling: Sampling| sampling.validate().unwrap_err().to_string();
        let none = Sampling::default;
        assert_eq!(
            refused(Sampling {
                top_p: Some(1.5),
                ..none()
            }),
            "top_p is 1.5, expected 0 to 1"
        );
        assert_eq!(
            refused(Sampling {
                min_p: Some(f32::NAN),
                ..none()
            }),
            "min_p is NaN, expected 0 to 1"
        );
        assert_eq!(
            refused(Sampling {
                penalty_window: Some(-2),
                ..none()
            }),
            "penalty_window is -2, expected -1 or more"
        );
        assert_eq!(
            refused(Sampling {
                logit_bias: vec![(7, 101.0)],
                ..none()
            }),
            "logit_bias is 101 for token 7, expected -100 to 100"
        );
        let dry = Dry {
            breakers: Some(vec!["a".to_owned(), String::new()]),
            ..Dry::default()
        };
        assert_eq!(
            refused(Sampling { dry, ..none() }),
            "dry_breakers is \"\" at index 1, expected strings that are not empty"
        );
        assert!(none().validate().is_ok() && none().is_unset());
    }

    #[test]
    fn every_field_reaches_its_place() {
        let sampling = Sampling {
            top_k: Some(7),
            top_p: Some(0.5),
            min_p: Some(0.25),
            typical_p: Some(0.75),
            top_n_sigma: Some(1.0),
            repetition_penalty: Some(1.25),
            frequency_penalty: Some(0.5),
            presence_penalty: Some(-0.5),
            penalty_window: Some(-1),
            dry: Dry {
                multiplier: Some(0.8),
                base: Some(2.0),
                allowed_length: Some(3),
                window: Some(9),
                breakers: None,
            },
            xtc: Xtc {
                probability: Some(0.5),
                threshold: Some(0.2),
            },
            logit_bias: vec![(3, -100.0), (4, 2.0)],
        };
        let mut config = SamplingConfig::default();
        sampling.apply(&mut config);
        let params = &config.params;
        assert_eq!((params.top_k, params.top_p, params.min_p), (7, 0.5, 0.25));
        assert_eq!((params.typical_p, params.top_n_sigma), (0.75, 1.0));
        let penalties = params.penalties;
        assert_eq!((penalties.repeat, penalties.frequency), (1.25, 0.5));
        assert_eq!((penalties.presence, penalties.last_n), (-0.5, -1));
        assert_eq!((params.dry.multiplier, params.dry.base), (0.8, 2.0));
        assert_eq!((params.dry.allowed_length, params.dry.last_n), (3, 9));
        assert_eq!((params.xtc.probability, params.xtc.threshold), (0.5, 0.2));
        assert_eq!(params.bias, [(3, f32::NEG_INFINITY), (4, 2.0)]);
        let mut untouched = SamplingConfig::default();
        Sampling::default().apply(&mut untouched);
        assert_eq!(untouched, SamplingConfig::default());
    }
}
