//! Requests over HTTP, with every wait and every length bounded.
//!
//! The API key goes into one header and comes out nowhere: what a server says is cut and cleared of it.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::config::Timeouts;
use super::endpoint::Endpoint;
use super::error::{MAX_MESSAGE, RemoteError};
use super::secret::Secret;

/// Bytes that an answer which is not streamed may have.
const MAX_BODY: usize = 64 << 20;
/// Bytes of an error's body that are read.
const MAX_ERROR: usize = 64 << 10;

/// A client for all endpoints.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    key: Option<Secret>,
    authorization: Option<HeaderValue>,
    pub(crate) timeouts: Timeouts,
}

impl Http {
    /// A client that speaks TLS where `with_tls` says so; only then are the system's root certificates needed.
    pub(crate) fn new(key: Option<Secret>, timeouts: Timeouts, with_tls: bool) -> Result<Self, RemoteError> {
        let authorization = key.as_ref().map(authorization).transpose()?;
        // `reqwest` takes its ciphers from the process; a program that has chosen others keeps them.
        static CIPHERS: Once = Once::new();
        CIPHERS.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let mut builder = Client::builder()
            .connect_timeout(timeouts.connect)
            // A key must not follow to wherever a server points.
            .redirect(reqwest::redirect::Policy::none());
        if !with_tls {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(RemoteError::Client)?;
        Ok(Self {
            client,
            key,
            authorization,
            timeouts,
        })
    }

    /// When an answer that is asked for now has to have begun.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeouts.first_byte
    }

    /// Asks for `path` and waits for the head of the answer, which is a success.
    pub(crate) async fn ask(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Option<&Value>,
        deadline: Instant,
    ) -> Result<Response, RemoteError> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.client.request(method, format!("{}{path}", endpoint.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .header(ACCEPT, "text/event-stream, application/json")
                .body(body.to_string());
        }
        let sent = timeout_at(deadline, request.send()).await;
        let answered = sent.map_err(|_| self.too_slow(endpoint))?;
        let response = answered.map_err(|error| failed(endpoint, error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let (body, _) = self.body(endpoint, response, MAX_ERROR, deadline).await?;
        Err(RemoteError::Status {
            endpoint: endpoint.base.clone(),
            status,
            message: self.told(&body),
            retry_after,
        })
    }

    /// Asks for `path`; the answer is JSON.
    pub(crate) async fn json(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RemoteError> {
        let deadline = self.deadline();
        let response = self.ask(endpoint, path, body, deadline).await?;
        let text = self.whole(endpoint, response, deadline).await?;
        serde_json::from_slice(&text).map_err(|error| self.unreadable(&endpoint.base, &error))
    }

    /// The whole body of an answer that is not streamed.
    pub(crate) async fn whole(
        &self,
        endpoint: &Endpoint,
        response: Response,
        deadline: Instant,
    ) -> Result<Vec<u8>, RemoteError> {
        let (text, whole) = self.body(endpoint, response, MAX_BODY, deadline).await?;
        if !whole {
            return Err(RemoteError::TooLong {
                endpoint: endpoint.base.clone(),
                what: "the answer",
                limit: MAX_BODY,
            });
        }
        Ok(text)
    }

    /// Up to `limit` bytes of a body, and whether that is all of it.
    async fn body(
        &self,
        endpoint: &Endpoint,
        mut response: Response,
        limit: usize,
        deadline: Instant,
    ) -> Result<(Vec<u8>, bool), RemoteError> {
        let mut text = Vec::new();
        loop {
            let next = timeout_at(deadline, response.chunk()).await;
            let next = next.map_err(|_| self.too_slow(endpoint))?;
            let Some(piece) = next.map_err(|error| broken(endpoint, error))? else {
                return Ok((text, true));
            };
            let room = limit - text.len();
            text.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if piece.len() > room {
                return Ok((text, false));
            }
        }
    }

    /// What a server says is wrong, from the body of an error in any of the usual shapes.
    fn told(&self, body: &[u8]) -> String {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => self.clear(&message(&value)),
            Err(_) => self.clear(&String::from_utf8_lossy(body)),
        }
    }

    /// A server's words, cut and cleared of the key and of line breaks.
    pub(crate) fn clear(&self, words: &str) -> String {
        let hidden = match &self.key {
            Some(key) => key.hide_in(words),
            None => words.to_owned(),
        };
        let mut text: String = hidden.trim().chars().take(MAX_MESSAGE).collect();
        text = text.replace(|c: char| c.is_control(), " ");
        if text.is_empty() {
            "no message".to_owned()
        } else {
            text
        }
    }

    /// An answer that is no JSON, or of another shape than expected.
    pub(crate) fn unreadable(&self, endpoint: &str, error: &serde_json::Error) -> RemoteError {
        RemoteError::Unreadable {
            endpoint: endpoint.to_owned(),
            fault: self.clear(&error.to_string()),
        }
    }

    pub(crate) fn too_slow(&self, endpoint: &Endpoint) -> RemoteError {
        RemoteError::Timeout {
            endpoint: endpoint.base.clone(),
            what: "the beginning of its answer",
            limit: self.timeouts.first_byte,
        }
    }
}

/// A request that was not answered: there is no connection, not even in time, or it broke.
fn failed(endpoint: &Endpoint, error: reqwest::Error) -> RemoteError {
    let (endpoint, source) = (endpoint.base.clone(), error.without_url());
    if source.is_connect() {
        RemoteError::Unreachable { endpoint, source }
    } else {
        RemoteError::Broken { endpoint, source }
    }
}

/// A connection that broke in the middle of an answer.
pub(crate) fn broken(endpoint: &Endpoint, error: reqwest::Error) -> RemoteError {
    RemoteError::Broken {
        endpoint: endpoint.base.clone(),
        source: error.without_url(),
    }
}

/// The message in the body of an error: OpenAI's shape, vLLM's older one, FastAPI's, or all of it.
pub(crate) fn message(value: &Value) -> String {
    let error = value.get("error").unwrap_or(value);
    let said = error
        .get("message")
        .or_else(|| error.get("detail"))
        .unwrap_or(error);
    match said {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn authorization(key: &Secret) -> Result<HeaderValue, RemoteError> {
    let value = HeaderValue::try_from(format!("Bearer {}", key.expose()));
    let mut value = value.map_err(|_| RemoteError::InvalidConfig {
        field: "api_key",
        value: "no text for a header".to_owned(),
        expected: "visible characters",
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The seconds of `Retry-After`; its other form, a date, is no use without the server's clock.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: f64 = value.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
