//! Answers as server-sent events, with comments where nothing else comes.
//!
//! **A failure never looks like a finish**: it is an event of its own, and nothing that ends an answer follows it.

use std::convert::Infallible;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use engine::CandleCompletionChunk;
use futures::{StreamExt as _, stream};
use serde::Serialize;

use crate::error::Failure;
use crate::model::Chunks;
use crate::state::State;

/// The header that lists what was accepted and changes nothing.
const UNUSED: HeaderName = HeaderName::from_static("x-unused-fields");

/// An event of a stream.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "what an event is, for the description")]
pub(crate) struct ServerSentEvent {
    /// Its name, where the interface gives it one.
    event: Option<String>,
    /// JSON, or `[DONE]` at the end of a chat or a completion.
    data: String,
}

/// Turns the pieces of an answer into events.
pub(crate) trait Frames: Send + 'static {
    /// The events before the first piece.
    fn begin(&mut self) -> Vec<Event> {
        Vec::new()
    }

    /// The events of a piece; those of the last end the stream.
    fn chunk(&mut self, chunk: CandleCompletionChunk) -> Vec<Event>;

    /// The events of a failure, which end the stream.
    fn failure(&mut self, failure: &Failure) -> Vec<Event>;
}

/// An event without a name.
pub(crate) fn data(body: &impl Serialize) -> Event {
    // Ours have nothing that JSON lacks.
    Event::default().json_data(body).unwrap_or_default()
}

/// An event with a name.
pub(crate) fn named(name: &str, body: &impl Serialize) -> Event {
    data(body).event(name)
}

/// The answer as a stream. **Cancellation:** when the client goes, the stream and with it the request is dropped.
pub(crate) fn response(state: &State, chunks: Chunks, mut frames: impl Frames) -> Response {
    let begin = frames.begin();
    let pieces = chunks.map(move |item| match item {
        Ok(chunk) => frames.chunk(chunk),
        Err(failure) => frames.failure(&failure),
    });
    let events = stream::once(async { begin })
        .chain(pieces)
        .flat_map(|events| stream::iter(events.into_iter().map(Ok::<_, Infallible>)));
    let comments = KeepAlive::new().interval(state.settings().keep_alive);
    let mut response = Sse::new(events).keep_alive(comments).into_response();
    // Proxies that gather answers would make one piece of the stream.
    let name = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static("no"));
    response
}

/// The answer with the names of the fields that changed nothing.
pub(crate) fn with_unused(mut response: Response, unused: &[&'static str]) -> Response {
    if !unused.is_empty()
        && let Ok(value) = HeaderValue::from_str(&unused.join(", "))
    {
        response.headers_mut().insert(UNUSED, value);
    }
    response
}
