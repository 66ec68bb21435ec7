//! Cuts, penalties and biases in the words of each kind of server.
//!
//! OpenAI knows the nucleus, two penalties and biases; the others know more, and not the same.

use engine::{EngineError, Sampling};
use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::request::written;

/// Puts `sampling` into a request's body.
///
/// # Errors
///
/// [`EngineError::InvalidParameter`] for a field that a server of this kind cannot be asked for.
pub(crate) fn put(
    sampling: &Sampling,
    dialect: Dialect,
    body: &mut Map<String, Value>,
) -> Result<(), EngineError> {
    let llama = dialect == Dialect::LlamaCpp;
    let more = dialect != Dialect::OpenAi;
    let number = |value: Option<f32>| value.map(written);
    let whole = |value: Option<i32>| value.map(Value::from);
    let count = |value: Option<u32>| value.map(Value::from);
    let repetition = if llama {
        "repeat_penalty"
    } else {
        "repetition_penalty"
    };
    let (dry, xtc) = (&sampling.dry, &sampling.xtc);
    let fields: [(&'static str, &'static str, Option<Value>, bool); 16] = [
        ("top_p", "top_p", number(sampling.top_p), true),
        (
            "frequency_penalty",
            "frequency_penalty",
            number(sampling.frequency_penalty),
            true,
        ),
        (
            "presence_penalty",
            "presence_penalty",
            number(sampling.presence_penalty),
            true,
        ),
        ("top_k", "top_k", count(sampling.top_k), more),
        ("min_p", "min_p", number(sampling.min_p), more),
        (
            "repetition_penalty",
            repetition,
            number(sampling.repetition_penalty),
            more,
        ),
        ("typical_p", "typical_p", number(sampling.typical_p), llama),
        ("top_n_sigma", "top_n_sigma", number(sampling.top_n_sigma), llama),
        (
            "penalty_window",
            "repeat_last_n",
            whole(sampling.penalty_window),
            llama,
        ),
        ("dry_multiplier", "dry_multiplier", number(dry.multiplier), llama),
        ("dry_base", "dry_base", number(dry.base), llama),
        (
            "dry_allowed_length",
            "dry_allowed_length",
            count(dry.allowed_length),
            llama,
        ),
        ("dry_window", "dry_penalty_last_n", whole(dry.window), llama),
        (
            "dry_breakers",
            "dry_sequence_breakers",
            dry.breakers.as_ref().map(|texts| json!(texts)),
            llama,
        ),
        (
            "xtc_probability",
            "xtc_probability",
            number(xtc.probability),
            llama,
        ),
        ("xtc_threshold", "xtc_threshold", number(xtc.threshold), llama),
    ];
    for (field, name, value, known) in fields {
        match value {
            Some(value) if known => {
                body.insert(name.to_owned(), value);
            }
            Some(value) => return Err(dialect.lacks(field, value)),
            None => {}
        }
    }
    if !sampling.logit_bias.is_empty() {
        let mut biases: Map<String, Value> = Map::new();
        for (token, bias) in &sampling.logit_bias {
            if biases.insert(token.to_string(), written(*bias)).is_some() {
                return Err(EngineError::InvalidParameter {
                    field: "logit_bias",
                    value: format!("token {token} twice"),
                    expected: "each token once",
                });
            }
        }
        body.insert("logit_bias".to_owned(), Value::Object(biases));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use engine::Dry;

    use super::*;

    fn sent(sampling: &Sampling, dialect: Dialect) -> Result<Value, String> {
        let mut body = Map::new();
        put(sampling, dialect, &mut body).map_err(|error| error.to_string())?;
        Ok(Value::Object(body))
    }

    #[test]
    fn every_server_is_asked_in_its_own_words_or_not_at_all() {
        let sampling = Sampling {
            top_p: Some(0.5),
            top_k: Some(7),
            repetition_penalty: Some(1.1),
            logit_bias: vec![(3, -100.0)],
            ..Sampling::default()
        };
        let vllm = json!({"top_p": 0.5, "top_k": 7, "repetition_penalty": 1.1, "logit_bias": {"3": -100.0}});
        assert_eq!(sent(&sampling, Dialect::Vllm).unwrap(), vllm);
        let llama = json!({"top_p": 0.5, "top_k": 7, "repeat_penalty": 1.1, "logit_bias": {"3": -100.0}});
        assert_eq!(sent(&sampling, Dialect::LlamaCpp).unwrap(), llama);
        let refused = sent(&sampling, Dialect::OpenAi).unwrap_err();
        assert!(refused.starts_with("top_k is 7, expected absent"), "{refused}");
        let dry = Sampling {
            dry: Dry {
                multiplier: Some(0.5),
                ..Dry::default()
            },
            ..Sampling::default()
        };
        assert_eq!(
            sent(&dry, Dialect::LlamaCpp).unwrap(),
            json!({"dry_multiplier": 0.5})
        );
        assert!(
            sent(&dry, Dialect::Vllm)
                .unwrap_err()
                .starts_with("dry_multiplier")
        );
        let twice = Sampling {
            logit_bias: vec![(3, 1.0), (3, 1.0)],
            ..Sampling::default()
        };
        assert!(sent(&twice, Dialect::Vllm).is_err());
    }
}
