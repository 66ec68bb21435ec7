//! Whether the server answers prompts, and how far it is with the model.

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use providers::ProgressEvent;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::{Phase, State};

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` where prompts are answered.
    status: HealthStatus,
    /// The id of the model, where it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// What the loader does.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<LoadProgress>,
    /// Requests that are being answered, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<u64>,
    /// Requests that wait for their turn, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum HealthStatus {
    Ok,
    Loading,
    Failed,
    Draining,
}

/// A step of the loading.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoadProgress {
    stage: Stage,
    /// Bytes that are done, where the step counts some.
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<u64>,
    /// Bytes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Starting,
    Resolving,
    Downloading,
    Verifying,
    Mapping,
    Loading,
    Finishing,
}

impl LoadProgress {
    fn of(event: Option<ProgressEvent>) -> Self {
        let counted = |stage, done, total| Self {
            stage,
            done: Some(done),
            total: Some(total),
        };
        let bare = |stage| Self {
            stage,
            done: None,
            total: None,
        };
        match event {
            None => bare(Stage::Starting),
            Some(ProgressEvent::Download { done, total, .. }) => counted(Stage::Downloading, done, total),
            Some(ProgressEvent::Verify { done, total, .. }) => counted(Stage::Verifying, done, total),
            Some(ProgressEvent::Map { .. }) => bare(Stage::Mapping),
            Some(ProgressEvent::Load { done, total }) => counted(Stage::Loading, done, total),
            Some(ProgressEvent::Look { .. } | ProgressEvent::Resolve { .. }) => bare(Stage::Resolving),
            Some(_) => bare(Stage::Finishing),
        }
    }
}

/// Whether prompts are answered
///
/// Status 503 while the model is being loaded, with how far that is; also where loading has failed and while the server goes
/// down.
#[utoipa::path(
    get,
    path = "/health",
    tag = "server",
    security(()),
    responses(
        (status = 200, description = "Prompts are answered", body = Health),
        (status = 503, description = "They are not, or not yet", body = Health),
    )
)]
pub(crate) async fn show(Extract(state): Extract<State>) -> Response {
    let mut health = Health {
        status: HealthStatus::Ok,
        model: None,
        progress: None,
        running: None,
        waiting: None,
    };
    let mut status = StatusCode::SERVICE_UNAVAILABLE;
    match state.phase() {
        Phase::Ready(model) => {
            status = StatusCode::OK;
            health.model = Some(model.id().to_owned());
            if let Some(statistics) = model.engine().map(engine::Engine::statistics) {
                (health.running, health.waiting) = (Some(statistics.in_flight), Some(statistics.waiting));
            }
        }
        Phase::Loading => {
            health.status = HealthStatus::Loading;
            health.progress = Some(LoadProgress::of(state.progress()));
        }
        Phase::Failed => health.status = HealthStatus::Failed,
        Phase::Draining => health.status = HealthStatus::Draining,
    }
    (status, axum::Json(health)).into_response()
}
