//! `/v1/completions`: text that the model continues, whole or as a stream.

mod request;
mod response;
mod several;
mod stream;

use crate::body::Body;
use crate::error::Failure;
use crate::model::begun;
use crate::routes::Refusals;
use crate::sse::{self, ServerSentEvent};
use crate::state::State;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};

use request::CompletionRequest;
use response::{CompletionAnswer, Head};
use several::Several;
use stream::Writer;

/// Continues texts
#[utoipa::path(
    post,
    path = "/v1/completions",
    tag = "openai",
    request_body = CompletionRequest,
    responses(
        (status = 200, description = "What follows; with `stream`, events whose data is a `CompletionAnswer` each, and at last `[DONE]`",
            content((CompletionAnswer = "application/json"), (ServerSentEvent = "text/event-stream"))),
        Refusals,
    )
)]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    Body(request): Body<CompletionRequest>,
) -> Result<Response, Failure> {
    let model = state.model_named(&request.model)?;
    let asked = request.asked(&model)?;
    let choices = asked.params.choices.unwrap_or(1);
    let head = Head::new(&state, &model);
    let several = Several::new(&model, &asked.prompts, asked.params, asked.constrained_by).await?;
    let response = if asked.stream {
        let chunks = begun(several.merged(choices), Some(state.settings().head_time)).await?;
        let echoed = if asked.echo { asked.prompts } else { Vec::new() };
        let writer = Writer::new(head, choices, echoed, asked.spelling, asked.include_usage);
        sse::response(&state, chunks, writer)
    } else {
        let answers = several.gathered(choices).await?;
        let echoed = asked.echo.then_some(asked.prompts);
        let answer = CompletionAnswer::new(head, answers, echoed, asked.spelling.as_ref(), &model)?;
        axum::Json(answer).into_response()
    };
    Ok(sse::with_unused(response, &asked.unused))
}
