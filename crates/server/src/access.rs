//! Who may ask, from where, and what is told of it afterwards.
//!
//! **Without keys, an address of this machine alone answers to its own names alone**: a page whose name was made to point
//! here is no page of this server.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State as Extract};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Frame, SizeHint};
use metrics::{counter, gauge, histogram};

use crate::error::Failure;
use crate::keys::Owner;
use crate::messages;
use crate::settings::{Log, Served};
use crate::state::State;

/// The status that is counted for requests whose client has gone before the head of the answer.
const GONE: u16 = 499;

/// Lets in who has a key, where keys are asked for.
pub(crate) async fn authorize(Extract(state): Extract<State>, mut request: Request, next: Next) -> Response {
    let owner = match &state.settings().keys {
        None => Some(Owner::everybody()),
        Some(keys) => given_key(request.headers()).and_then(|key| keys.owner(key)),
    };
    match owner {
        Some(owner) => {
            request.extensions_mut().insert(owner);
            next.run(request).await
        }
        None => {
            let failure = Failure::new(
                StatusCode::UNAUTHORIZED,
                "an API key is needed, and there is none or another",
            )
            .coded("invalid_api_key");
            let mut response = shaped(failure, request.uri().path());
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            response
        }
    }
}

/// The key of a request, as OpenAI's and as Anthropic's clients send it.
fn given_key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())
}

/// A failure in the shape of the interface that `path` belongs to.
pub(crate) fn shaped(failure: Failure, path: &str) -> Response {
    let within = path.strip_prefix(messages::PATH);
    if within.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        messages::Refusal(failure).into_response()
    } else {
        failure.into_response()
    }
}

/// Refuses what was sent to another name than this machine's own, where that is all that protects it.
pub(crate) async fn check_host(
    Extract((state, address)): Extract<(State, SocketAddr)>,
    request: Request,
    next: Next,
) -> Response {
    let guarded = address.ip().is_loopback() && state.settings().keys.is_none();
    // Whichever of them a proxy would go by.
    let named = request.headers().get_all(HOST).iter();
    let own = named
        .map(|host| host.to_str().ok())
        .all(|host| host.is_some_and(is_own_name))
        && request.uri().host().is_none_or(is_own_name);
    if guarded && !own {
        let message = "this server answers to localhost alone, unless it asks for keys";
        let failure = Failure::new(StatusCode::FORBIDDEN, message).coded("foreign_host");
        return shaped(failure, request.uri().path());
    }
    next.run(request).await
}

/// Whether a `Host` names this machine, whatever its port.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => {
            let name = name.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// Counts and times each request until the end of its answer.
pub(crate) async fn observe(Extract(state): Extract<State>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("-", MatchedPath::as_str).to_owned();
    let method = request.method().as_str();
    // A method is the client's word, and a label is kept for ever.
    let method = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("OTHER");
    gauge!("http_requests_in_flight").increment(1.0);
    let mut record = Record {
        served: Served {
            method: method.to_owned(),
            route,
            status: GONE,
            elapsed: Default::default(),
            whole: false,
        },
        began: Instant::now(),
        log: state.settings().log.clone(),
    };
    let response = next.run(request).await;
    let status = response.status();
    record.served.status = status.as_u16();
    // Of an answer without a body nothing is asked for that would end it.
    record.served.whole = record.served.method == "HEAD"
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || response.body().is_end_stream();
    response.map(|inner| Body::new(Observed { inner, record }))
}

/// What is told of a request when it is over.
struct Record {
    served: Served,
    began: Instant,
    log: Option<Log>,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.served.elapsed = self.began.elapsed();
        let Served {
            method,
            route,
            status,
            elapsed,
            ..
        } = &self.served;
        gauge!("http_requests_in_flight").decrement(1.0);
        let status = status.to_string();
        counter!("http_requests_total", "method" => method.clone(), "route" => route.clone(), "status" => status)
            .increment(1);
        histogram!("http_request_duration_seconds", "route" => route.clone()).record(*elapsed);
        if let Some(log) = self.log.as_ref().map(Arc::clone) {
            log(&self.served);
        }
    }
}

/// The body of an answer, with the record that ends with it.
struct Observed {
    inner: Body,
    record: Record,
}

impl HttpBody for Observed {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.inner.is_end_stream() {
            self.record.served.whole = true;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "[::1]:8080",
            "wick.localhost",
        ] {
            assert!(is_own_name(host), "{host}");
        }
        for host in [
            "example.org",
            "localhost.example.org:80",
            "10.0.0.1",
            "",
            "[::2]:80",
        ] {
            assert!(!is_own_name(host), "{host}");
        }
    }
}
