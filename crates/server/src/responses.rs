//! `/v1/responses`: OpenAI's later interface, whole or as a stream. Nothing is stored: each request brings all of its input.

mod item;
mod request;
mod response;
mod stream;

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};

use crate::answer::gather;
use crate::body::Body;
use crate::error::Failure;
use crate::routes::Refusals;
use crate::sse::{self, ServerSentEvent};
use crate::state::State;

use request::ResponseRequest;
use response::{Outline, ResponseBody};
pub(crate) use stream::ResponseEvent;
use stream::Writer;

/// Answers an input
#[utoipa::path(
    post,
    path = "/v1/responses",
    tag = "openai",
    request_body = ResponseRequest,
    responses(
        (status = 200, description = "The answer; with `stream`, named events whose data is a `ResponseEvent` each",
            content((ResponseBody = "application/json"), (ServerSentEvent = "text/event-stream"))),
        Refusals,
    )
)]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    Body(request): Body<ResponseRequest>,
) -> Result<Response, Failure> {
    let model = state.model_named(&request.model)?;
    let asked = request.asked(&model).map_err(of_input)?;
    let outline = Outline::new(&state, &model, &asked.params, asked.instructions);
    let patience = asked.stream.then(|| state.settings().head_time);
    let chunks = model
        .complete(asked.prompt, asked.params, patience)
        .await
        .map_err(of_input)?;
    let response = if asked.stream {
        sse::response(&state, chunks, Writer::new(outline, asked.spelling))
    } else {
        let answer = gather(chunks, 1).await.map_err(of_input)?;
        Json(ResponseBody::finished(&outline, answer, asked.spelling.as_ref())).into_response()
    };
    Ok(sse::with_unused(response, &asked.unused))
}

/// What a chat has messages for, this interface has its input for.
fn of_input(failure: Failure) -> Failure {
    let renamed = match failure.param.as_deref() {
        Some("messages") => "input",
        Some("max_tokens") => "max_output_tokens",
        Some("response_format") => "text.format",
        Some("reasoning_effort") => "reasoning.effort",
        _ => return failure,
    };
    Failure {
        param: Some(renamed.to_owned()),
        ..failure
    }
}
