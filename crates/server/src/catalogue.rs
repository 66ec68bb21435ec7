//! What is served: one model, in the shape of OpenAI's list.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Failure;
use crate::model::Model;
use crate::routes::Refusals;
use crate::state::State;

/// The models that can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<ModelCard>,
}

/// A model that can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelCard {
    /// What requests name it by.
    id: String,
    #[schema(example = "model")]
    object: &'static str,
    /// When it became ready, in seconds since 1970.
    created: u64,
    #[schema(example = "wick")]
    owned_by: &'static str,
    /// Most tokens that prompt and answer may have together.
    max_model_len: usize,
    /// What it can be asked for.
    capabilities: ModelCapabilities,
}

/// What a model can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelCapabilities {
    /// Chats: it has a chat template.
    chat: bool,
    /// Text that it continues.
    completion: bool,
    /// Calls of tools.
    tools: bool,
    /// Vectors of texts.
    embeddings: bool,
    /// Whether its tokens are known: for log-probabilities, `/tokenize`, `/detokenize` and `/apply-template`.
    tokens: bool,
}

impl ModelCard {
    fn of(model: &Model) -> Self {
        let capabilities = model.provider().capabilities();
        Self {
            id: model.id().to_owned(),
            object: "model",
            created: model.created(),
            owned_by: "wick",
            max_model_len: model.provider().context_length(),
            capabilities: ModelCapabilities {
                chat: capabilities.chat,
                completion: capabilities.raw,
                tools: capabilities.tools,
                embeddings: capabilities.embeddings,
                tokens: model.tokenizer().is_some(),
            },
        }
    }
}

/// The models that are served
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "models",
    responses((status = 200, description = "The one model that is served", body = ModelList), Refusals)
)]
pub(crate) async fn list(Extract(state): Extract<State>) -> Result<Json<ModelList>, Failure> {
    let model = state.model()?;
    Ok(Json(ModelList {
        object: "list",
        data: vec![ModelCard::of(&model)],
    }))
}

/// One model
#[utoipa::path(
    get,
    path = "/v1/models/{model}",
    tag = "models",
    params(("model" = String, Path, description = "Its id")),
    responses((status = 200, description = "The model", body = ModelCard), Refusals)
)]
pub(crate) async fn one(
    Extract(state): Extract<State>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<ModelCard>, Failure> {
    let Path(name) = name.map_err(|_| Failure::field("model", "the id of the model is no text"))?;
    let model = state.model_named(&name)?;
    Ok(Json(ModelCard::of(&model)))
}
