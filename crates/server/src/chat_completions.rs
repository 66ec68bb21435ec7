//! `/v1/chat/completions`: chats in OpenAI's shape, whole or as a stream.
//!
//! Streamed pieces, joined, are the whole answer.

mod message;
mod request;
mod response;
mod stream;

use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};

use crate::answer::gather;
use crate::body::Body;
use crate::error::{CONSTRAINT, Failure};
use crate::routes::Refusals;
use crate::sse::{self, ServerSentEvent};
use crate::state::State;

pub(crate) use message::Message;
pub(crate) use request::{ChatRequest, chat, messages};
pub(crate) use response::StopReason;
use response::{ChatAnswer, Head};
pub(crate) use stream::ChatChunk;
use stream::Writer;

/// Answers a chat
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "openai",
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The answer; with `stream`, events whose data is a `ChatChunk` each, and at last `[DONE]`",
            content((ChatAnswer = "application/json"), (ServerSentEvent = "text/event-stream"))),
        Refusals,
    )
)]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    Body(request): Body<ChatRequest>,
) -> Result<Response, Failure> {
    let model = state.model_named(&request.model)?;
    let asked = request.asked(&model)?;
    let choices = asked.params.choices.unwrap_or(1);
    let head = Head::new(&state, &model);
    let named = |failure: Failure| failure.renamed(CONSTRAINT, asked.constrained_by);
    let response = if asked.stream {
        let patience = Some(state.settings().head_time);
        let chunks = model.complete(asked.prompt, asked.params, patience).await;
        let chunks = chunks.map_err(named)?;
        let writer = Writer::new(head, choices, asked.spelling, asked.include_usage);
        sse::response(&state, chunks, writer)
    } else {
        let chunks = model.complete(asked.prompt, asked.params, None).await;
        let answer = gather(chunks.map_err(named)?, choices).await.map_err(named)?;
        axum::Json(ChatAnswer::new(head, answer, asked.spelling.as_ref())).into_response()
    };
    Ok(sse::with_unused(response, &asked.unused))
}
