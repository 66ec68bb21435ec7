//! `/v1/messages`: chats in Anthropic's shape, whole or as a stream.
use axum::response::{IntoResponse, Response};

use crate::error::Failure;

/// Where the interface stands.
pub(crate) const PATH: &str = "/v1/messages";

/// A failure in Anthropic's shape.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Failure);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
