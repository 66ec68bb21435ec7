//! What a gateway asks a replica before it sends anything there.
//!
//! It tells no more than `/health` and `/v1/models` do, and like `/health` it is told without a key.
//!
//! Source: the worker discovery of SGLang's router, which reads `served_model_name`.

use axum::Json;
use axum::extract::State as Extract;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Failure;
use crate::routes::Refusals;
use crate::state::State;

/// What a replica serves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerInfo {
    /// The id of the model.
    served_model_name: String,
    /// Most tokens that prompt and answer may have together.
    max_model_len: usize,
}

/// What a gateway registers this server as
///
/// SGLang's router asks for it, and names the model by it.
#[utoipa::path(
    get,
    path = "/server_info",
    tag = "server",
    security(()),
    responses((status = 200, description = "The model that is served", body = ServerInfo), Refusals)
)]
pub(crate) async fn show(Extract(state): Extract<State>) -> Result<Json<ServerInfo>, Failure> {
    let model = state.model()?;
    Ok(Json(ServerInfo {
        served_model_name: model.id().to_owned(),
        max_model_len: model.provider().context_length(),
    }))
}
