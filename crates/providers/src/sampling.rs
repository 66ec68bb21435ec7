//! How a model's maker wants its tokens drawn: temperature, top-k, top-p, min-p and the penalty of repetition.
//!
//! What the model's files say comes before what is known of its family, and that before the general defaults.
//!
//! Source: the keys `general.sampling.*` of the GGUF specification as llama.cpp reads them, and transformers'
//! `generation_config.json`.

use generator::SamplingConfig;
use models::gguf::Value;
use models::{Checkpoint, ModelError};
use serde_json::Value as Json;

use crate::family::Family;

/// The general defaults, with what the family and then the model's file says in their place.
///
/// # Errors
///
/// [`ModelError`] where a key holds no number of its kind.
pub(crate) fn defaults(checkpoint: &Checkpoint, family: &Family) -> Result<SamplingConfig, ModelError> {
    let mut sampling = SamplingConfig::default();
    (family.sampling)(&mut sampling);
    if let Some(config) = checkpoint.generation_config()? {
        published(&config, &mut sampling);
    }
    let Some(metadata) = checkpoint.gguf().map(models::GgufFile::metadata) else {
        return Ok(sampling);
    };
    let params = &mut sampling.params;
    for (key, to) in [
        ("general.sampling.temp", &mut params.temperature),
        ("general.sampling.top_p", &mut params.top_p),
        ("general.sampling.min_p", &mut params.min_p),
        ("general.sampling.penalty_repeat", &mut params.penalties.repeat),
    ] {
        if let Some(number) = metadata.f32_opt(key)? {
            *to = number;
        }
    }
    // Not positive means all tokens, and so does more than there are.
    match metadata.get("general.sampling.top_k") {
        Some(&Value::I32(k)) => params.top_k = k,
        _ => {
            if let Some(k) = metadata.u32_opt("general.sampling.top_k")? {
                params.top_k = i32::try_from(k).unwrap_or(i32::MAX);
            }
        }
    }
    Ok(sampling)
}

/// What a `generation_config.json` says; what it says in other words than numbers is not said.
fn published(config: &Json, sampling: &mut SamplingConfig) {
    let number = |key: &str| config[key].as_f64();
    let params = &mut sampling.params;
    for (key, to) in [
        ("temperature", &mut params.temperature),
        ("top_p", &mut params.top_p),
        ("min_p", &mut params.min_p),
        ("repetition_penalty", &mut params.penalties.repeat),
    ] {
        if let Some(number) = number(key) {
            *to = number as f32;
        }
    }
    if let Some(k) = config["top_k"].as_i64() {
        params.top_k = i32::try_from(k).unwrap_or(i32::MAX);
    }
    if config["do_sample"] == Json::Bool(false) {
        params.temperature = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use models::gguf::{GgufFile, GgufWriter};

    use super::*;
    use crate::family::PLAIN;
    use crate::qwen3_coder::QWEN3_CODER;

    fn with(write: impl FnOnce(&mut GgufWriter<'_>)) -> Result<SamplingConfig, ModelError> {
        let mut writer = GgufWriter::new();
        write(&mut writer);
        let mut bytes = Vec::new();
        writer.write_to(&mut bytes).unwrap();
        defaults(&GgufFile::from_bytes("model.gguf", bytes).unwrap().into(), &PLAIN)
    }

    #[test]
    fn a_file_that_says_nothing_leaves_the_defaults() {
        assert_eq!(with(|_| {}).unwrap(), SamplingConfig::default());
    }

    #[test]
    fn what_the_file_says_takes_the_place_of_the_default() {
        let sampling = with(|file| {
            file.metadata("general.sampling.temp", 0.25f32)
                .metadata("general.sampling.top_k", Value::I32(7));
        });
        let mut expected = SamplingConfig::default();
        expected.params.temperature = 0.25;
        expected.params.top_k = 7;
        assert_eq!(sampling.unwrap(), expected);
    }

    #[test]
    fn a_top_k_that_is_not_positive_keeps_all_tokens() {
        let sampling = with(|file| {
            file.metadata("general.sampling.top_k", Value::I32(-1));
        });
        assert_eq!(sampling.unwrap().params.top_k, -1);
    }

    #[test]
    fn a_text_in_the_place_of_a_number_is_refused_by_its_key() {
        let error = with(|file| {
            file.metadata("general.sampling.temp", "hot");
        });
        let message = error.unwrap_err().to_string();
        assert!(message.contains("general.sampling.temp"), "{message}");
    }

    #[test]
    fn a_family_speaks_where_the_file_does_not() {
        let mut writer = GgufWriter::new();
        writer.metadata("general.sampling.temp", 0.25f32);
        let mut bytes = Vec::new();
        writer.write_to(&mut bytes).unwrap();
        let checkpoint = GgufFile::from_bytes("model.gguf", bytes).unwrap().into();
        let params = defaults(&checkpoint, &QWEN3_CODER).unwrap().params;
        assert_eq!(
            (params.temperature, params.top_k, params.penalties.repeat),
            (0.25, 20, 1.05)
        );
    }

    #[test]
    fn a_published_folder_speaks_too() {
        let mut sampling = SamplingConfig::default();
        let said = serde_json::json!({
            "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05, "do_sample": true,
        });
        published(&said, &mut sampling);
        let params = &sampling.params;
        assert_eq!(
            (
                params.temperature,
                params.top_p,
                params.top_k,
                params.penalties.repeat
            ),
            (0.7, 0.8, 20, 1.05)
        );
        published(&serde_json::json!({"do_sample": false}), &mut sampling);
        assert_eq!(sampling.params.temperature, 0.0);
    }
}
