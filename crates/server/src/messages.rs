//! `/v1/messages`: chats in Anthropic's shape, whole or as a stream, and how many tokens they have.

mod block;
mod request;
mod response;
mod stream;

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use engine::CandlePrompt;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::answer::gather;
use crate::body::Body;
use crate::error::Failure;
use crate::model::Model;
use crate::sse::{self, ServerSentEvent};
use crate::state::State;

use request::{CountRequest, MessagesRequest};
use response::MessageAnswer;
pub(crate) use stream::StreamEvent;
use stream::Writer;

/// Where the interface stands.
pub(crate) const PATH: &str = "/v1/messages";

/// A failed request in Anthropic's shape.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalBody {
    #[serde(rename = "type")]
    #[schema(example = "error")]
    kind: &'static str,
    error: RefusalDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalDetail {
    /// Whose fault it is, such as `invalid_request_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What went wrong, for people.
    message: String,
}

/// A failure in Anthropic's shape.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Failure);

impl Refusal {
    fn body(&self) -> RefusalBody {
        let kind = match self.0.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            504 => "timeout_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        RefusalBody {
            kind: "error",
            error: RefusalDetail {
                kind,
                message: self.0.message.clone(),
            },
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.head(Json(self.body()).into_response())
    }
}

/// How a request for messages may be refused.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it is only described")]
pub(crate) enum Refusals {
    /// The request cannot be followed
    #[response(status = 400)]
    Request(RefusalBody),
    /// There is no key, or another
    #[response(status = 401)]
    Key(RefusalBody),
    /// It was sent to a name that is none of this machine's
    #[response(status = 403)]
    Host(RefusalBody),
    /// There is no model of this name
    #[response(status = 404)]
    Absent(RefusalBody),
    /// The body took too long
    #[response(status = 408)]
    Slow(RefusalBody),
    /// The body is too long
    #[response(status = 413)]
    Long(RefusalBody),
    /// The body is no JSON
    #[response(status = 415)]
    Media(RefusalBody),
    /// As many requests wait as may
    #[response(status = 429)]
    Full(RefusalBody),
    /// The server failed
    #[response(status = 500)]
    Server(RefusalBody),
    /// The backend said something that makes no sense
    #[response(status = 502)]
    Backend(RefusalBody),
    /// Prompts are not answered, or not yet
    #[response(status = 503)]
    NotReady(RefusalBody),
    /// The answer took too long
    #[response(status = 504)]
    Late(RefusalBody),
}

/// Answers a chat
#[utoipa::path(
    post,
    path = "/v1/messages",
    tag = "anthropic",
    request_body = MessagesRequest,
    responses(
        (status = 200, description = "The answer; with `stream`, named events whose data is a `StreamEvent` each",
            content((MessageAnswer = "application/json"), (ServerSentEvent = "text/event-stream"))),
        Refusals,
    )
)]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    request: Result<Body<MessagesRequest>, Failure>,
) -> Result<Response, Refusal> {
    let Body(request) = request?;
    let model = state.model_named(&request.model)?;
    let asked = request.asked(&model)?;
    let id = state.id("msg_");
    let response = if asked.stream {
        let patience = Some(state.settings().head_time);
        // The first event tells how long the prompt is.
        let counted = count_tokens(&model, &asked.prompt, &asked.params)
            .await
            .unwrap_or_default();
        let chunks = model.complete(asked.prompt, asked.params, patience).await?;
        let writer = Writer::new(id, model.id().to_owned(), counted);
        sse::response(&state, chunks, writer)
    } else {
        let chunks = model.complete(asked.prompt, asked.params, None).await?;
        let answer = gather(chunks, 1).await?;
        Json(MessageAnswer::new(id, model.id().to_owned(), answer)).into_response()
    };
    Ok(sse::with_unused(response, &asked.unused))
}

/// How many tokens a chat has.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenCount {
    input_tokens: usize,
}

/// Counts the tokens of a chat
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    tag = "anthropic",
    request_body = CountRequest,
    responses((status = 200, description = "How many there are", body = TokenCount), Refusals)
)]
pub(crate) async fn count(
    Extract(state): Extract<State>,
    request: Result<Body<CountRequest>, Failure>,
) -> Result<Response, Refusal> {
    let Body(request) = request?;
    let model = state.model_named(&request.model)?;
    let asked = request.asked(&model)?;
    let input_tokens = count_tokens(&model, &asked.prompt, &asked.params).await?;
    let response = Json(TokenCount { input_tokens }).into_response();
    Ok(sse::with_unused(response, &asked.unused))
}

/// The tokens of a prompt as the model is given it, declarations of tools included where its template is known.
async fn count_tokens(
    model: &std::sync::Arc<Model>,
    prompt: &CandlePrompt,
    params: &engine::CandleCompletionParams,
) -> Result<usize, Failure> {
    let (model, prompt, params) = (std::sync::Arc::clone(model), prompt.clone(), params.clone());
    let counting = tokio::task::spawn_blocking(move || match (model.dialect(), prompt.messages()) {
        (Some(dialect), Some(messages)) => {
            engine::Request::for_capabilities(&prompt, &params, model.provider().capabilities())?;
            let text = dialect
                .render_for(messages, &params)
                .map_err(engine::EngineError::from)?;
            let tokens = dialect
                .encode_rendered(&text)
                .map_err(engine::EngineError::from)?;
            Ok(tokens.len())
        }
        _ if !params.tools.is_empty() => Err(Failure::unsupported(
            "tools",
            "the template of this model is not known to this server, so that tools cannot be counted",
        )),
        _ => Ok(model.provider().count_tokens(&prompt)?),
    });
    counting.await.map_err(|_| Failure::internal())?
}
