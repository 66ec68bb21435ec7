//! How a model's maker wants its tokens drawn, where its GGUF file says so: temperature, top-k, top-p and min-p.
//!
//! Other keys of that kind, and what a published folder says, are not read yet.
//!
//! Source: the keys `general.sampling.*` of the GGUF specification as llama.cpp reads them.

use generator::SamplingConfig;
use models::gguf::Value;
use models::{Checkpoint, ModelError};

/// The general defaults, with what the model's file says in their place.
///
/// # Errors
///
/// [`ModelError`] where a key holds no number of its kind.
pub(crate) fn defaults(checkpoint: &Checkpoint) -> Result<SamplingConfig, ModelError> {
    let mut sampling = SamplingConfig::default();
    let Some(metadata) = checkpoint.gguf().map(models::GgufFile::metadata) else {
        return Ok(sampling);
    };
    let params = &mut sampling.params;
    for (key, to) in [
        ("general.sampling.temp", &mut params.temperature),
        ("general.sampling.top_p", &mut params.top_p),
        ("general.sampling.min_p", &mut params.min_p),
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

#[cfg(test)]
mod tests {
    use models::gguf::{GgufFile, GgufWriter};

    use super::*;

    fn with(write: impl FnOnce(&mut GgufWriter<'_>)) -> Result<SamplingConfig, ModelError> {
        let mut writer = GgufWriter::new();
        write(&mut writer);
        let mut bytes = Vec::new();
        writer.write_to(&mut bytes).unwrap();
        defaults(&GgufFile::from_bytes("model.gguf", bytes).unwrap().into())
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
}
