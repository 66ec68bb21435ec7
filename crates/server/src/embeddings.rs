//! `/v1/embeddings`: vectors of texts, where the model makes some.

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Body;
use crate::bounds::TEXTS;
use crate::error::Failure;
use crate::routes::Refusals;
use crate::shape::{OneOrMany, only_objects, only_words, unused};
use crate::sse;
use crate::state::State;

only_objects!(EmbeddingsRequest);
only_words!(Encoding);

/// Texts whose vectors are asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct EmbeddingsRequest {
    /// The id of the model.
    model: String,
    /// One text or several, none of them empty. Token ids are not supported.
    input: OneOrMany<String>,
    /// As numbers, or as little-endian 32-bit floats in base64.
    encoding_format: Option<Encoding>,
    /// Not used.
    user: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub(crate) enum Encoding {
    #[default]
    Float,
    Base64,
}

/// Vectors, in the order of the texts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingList {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<EmbeddingBody>,
    model: String,
    usage: EmbeddingUsage,
}

/// The vector of a text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingBody {
    #[schema(example = "embedding")]
    object: &'static str,
    index: usize,
    embedding: Vector,
}

/// A vector of length 1: numbers, or base64.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingUsage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// Vectors of texts
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "openai",
    request_body = EmbeddingsRequest,
    responses((status = 200, description = "A vector of each text", body = EmbeddingList), Refusals)
)]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    Body(request): Body<EmbeddingsRequest>,
) -> Result<Response, Failure> {
    let model = state.model_named(&request.model)?;
    let texts = request.input.into_vec();
    if texts.is_empty() || texts.len() > TEXTS {
        let message = format!("input has {} texts, expected 1 to {TEXTS}", texts.len());
        return Err(Failure::field("input", message));
    }
    if let Some(index) = texts.iter().position(String::is_empty) {
        let field = format!("input[{index}]");
        return Err(Failure::field(&field, format!("{field} is empty")));
    }
    let asked = std::sync::Arc::clone(&model);
    // The texts are encoded before the future is there.
    let begun = tokio::task::spawn_blocking(move || asked.provider().embed(texts));
    let embeddings = begun
        .await
        .map_err(|_| Failure::internal())?
        .await
        .map_err(|error| {
            let failure = Failure::from(error);
            match failure.param.as_deref() {
                Some("messages") => Failure {
                    param: Some("input".to_owned()),
                    ..failure
                },
                _ => failure,
            }
        })?;
    let encoding = request.encoding_format.unwrap_or_default();
    let data = embeddings.vectors.into_iter().enumerate();
    let list = EmbeddingList {
        object: "list",
        data: data
            .map(|(index, vector)| EmbeddingBody {
                object: "embedding",
                index,
                embedding: match encoding {
                    Encoding::Float => Vector::Numbers(vector),
                    Encoding::Base64 => Vector::Base64(base64(&vector)),
                },
            })
            .collect(),
        model: model.id().to_owned(),
        usage: EmbeddingUsage {
            prompt_tokens: embeddings.prompt_tokens,
            total_tokens: embeddings.prompt_tokens,
        },
    };
    let unused = unused([("user", request.user.is_some())]);
    Ok(sse::with_unused(Json(list).into_response(), &unused))
}

/// The numbers as little-endian 32-bit floats in base64, with padding (RFC 4648, section 4).
fn base64(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let of = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place)) as usize & 63);
            let is_there = place <= three.len();
            text.push(if is_there {
                digit.map_or('=', |digit| char::from(*digit))
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_base64_has_them() {
        assert_eq!(base64(&[]), "");
        assert_eq!(base64(&[1.0]), "AACAPw==");
        assert_eq!(base64(&[1.0, -2.5]), "AACAPwAAIMA=");
        assert_eq!(base64(&[1.0, -2.5, 0.1]), "AACAPwAAIMDNzMw9");
    }
}
