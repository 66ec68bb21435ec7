//! `/openapi.json`: the description of the interfaces, made of the types that requests are read into.

mod bounds;

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::chat_completions::ChatChunk;
use crate::error::{ErrorBody, ErrorDetail};
use crate::messages::{RefusalBody, RefusalDetail, StreamEvent};
use crate::responses::ResponseEvent;
use crate::routes;

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "wick",
        description = "Completions of one model in OpenAI's and Anthropic's shapes, its tokens, and kept conversations."
    ),
    security(("key" = [])),
    // What refusals are made of, which is named by every route and described by none, and the data of events.
    components(schemas(ErrorBody, ErrorDetail, RefusalBody, RefusalDetail, ChatChunk, ResponseEvent, StreamEvent)),
    modifiers(&Key),
    tags(
        (name = "openai", description = "OpenAI's interface"),
        (name = "anthropic", description = "Anthropic's interface"),
        (name = "models", description = "What is served"),
        (name = "tokens", description = "Tokens and templates of the model"),
        (name = "conversations", description = "Conversations that are kept, of each key its own"),
        (name = "server", description = "The server itself"),
    )
)]
pub(crate) struct Api;

/// The key that is asked for where the server has some.
struct Key;

impl Modify for Key {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let (guarded, open) = routes::described();
    let (_, api) = guarded.merge(open).split_for_parts();
    // A description of types has nothing that JSON lacks.
    let mut api = serde_json::to_value(&api).unwrap_or_default();
    bounds::write(&mut api);
    api.to_string()
});

/// The description of everything that a server answers, in OpenAPI's format, as JSON.
pub fn document() -> &'static str {
    &DOCUMENT
}

/// This description
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "server",
    security(()),
    responses((status = 200, description = "It", body = Object, content_type = "application/json"))
)]
pub(crate) async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], document()).into_response()
}
