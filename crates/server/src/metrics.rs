//! The figures of `/metrics`: what the engine and this server tell the `metrics` facade, in Prometheus' text format.

mod recorder;

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::error::Failure;
use crate::routes::Refusals;
use crate::server::ServerError;
use crate::state::State;
use recorder::Registry;

/// Content type of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What all engines and servers of the program have told; clones show the same figures.
#[derive(Clone, Debug)]
pub struct Meters {
    registry: Arc<Registry>,
}

impl Meters {
    /// Makes this what the program's metrics go to, once.
    ///
    /// # Errors
    ///
    /// [`ServerError::Recorder`] if they go elsewhere already.
    pub fn install() -> Result<Self, ServerError> {
        let registry = Arc::new(Registry::default());
        metrics::set_global_recorder(Arc::clone(&registry)).map_err(|_| ServerError::Recorder)?;
        Ok(Self { registry })
    }

    /// The figures in Prometheus' text format.
    pub fn render(&self) -> String {
        self.registry.render()
    }
}

/// Figures for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    responses((status = 200, description = "Figures in the text format of Prometheus", body = String), Refusals)
)]
pub(crate) async fn show(Extract(state): Extract<State>) -> Result<Response, Failure> {
    match &state.settings().meters {
        Some(meters) => Ok(([(CONTENT_TYPE, TEXT)], meters.render()).into_response()),
        None => Err(Failure::new(
            axum::http::StatusCode::NOT_FOUND,
            "this server shows no figures",
        )),
    }
}
