//! `/v1/completions`: text that the model continues, whole or as a stream.

mod merged;
mod request;
mod response;
mod stream;

use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use futures::future::try_join_all;

use crate::answer::gather;
use crate::body::Body;
use crate::error::{CONSTRAINT, Failure};
use crate::routes::Refusals;
use crate::sse;
use crate::state::State;

use request::CompletionRequest;
use response::{CompletionAnswer, Head};
use stream::Writer;

/// Continues texts
#[utoipa::path(
    post,
    path = "/v1/completions",
    tag = "openai",
    request_body = CompletionRequest,
    responses(
        (status = 200, description = "What follows; with `stream`, events that hold its pieces and at last `[DONE]`",
            content((CompletionAnswer = "application/json"), (CompletionAnswer = "text/event-stream"))),
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
    let patience = asked.stream.then(|| state.settings().head_time);
    let begun = asked.prompts.iter().map(|prompt| {
        let prompt = engine::CandlePrompt::raw(prompt.clone());
        model.complete(prompt, asked.params.clone(), patience)
    });
    let named = |failure| of_prompt(failure, asked.constrained_by);
    let begun = try_join_all(begun).await.map_err(named)?;
    let response = if asked.stream {
        let echoed = if asked.echo { asked.prompts } else { Vec::new() };
        let writer = Writer::new(head, choices, echoed, asked.spelling, asked.include_usage);
        sse::response(&state, merged::merge(begun, choices), writer)
    } else {
        let answers = begun.into_iter().map(|chunks| gather(chunks, choices));
        let answers = try_join_all(answers).await.map_err(named)?;
        let echoed = asked.echo.then_some(asked.prompts);
        let answer = CompletionAnswer::new(head, answers, echoed, asked.spelling.as_ref(), &model)?;
        axum::Json(answer).into_response()
    };
    Ok(sse::with_unused(response, &asked.unused))
}

/// What a chat has messages for, a completion has its prompt for.
fn of_prompt(failure: Failure, constrained_by: &str) -> Failure {
    failure
        .renamed("messages", "prompt")
        .renamed(CONSTRAINT, constrained_by)
}
