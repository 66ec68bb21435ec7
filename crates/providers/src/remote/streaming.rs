//! One attempt at a completion: the request, its answer event by event, and every chunk handed on as it comes.

use std::sync::Arc;
use std::time::Duration;

use engine::CandleCompletionChunk;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Asked};
use super::attempts::Failure;
use super::background::Item;
use super::endpoint::{Endpoint, Pass};
use super::error::RemoteError;
use super::http::{Http, broken};
use super::sse::{Decoder, Event, Fault};

/// A completion that is asked for.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    pub(crate) asked: Asked,
}

/// What says that a stream is at its end.
const DONE: &str = "[DONE]";

/// Asks `endpoint`; every chunk but the last goes to `sender`, and the last is given back.
pub(crate) async fn attempt(
    http: Arc<Http>,
    order: Arc<Order>,
    sender: Sender<Item>,
    endpoint: Arc<Endpoint>,
    mut pass: Pass,
) -> (Pass, Result<CandleCompletionChunk, Failure>) {
    let mut reading = Reading {
        http: &http,
        endpoint: &endpoint,
        answer: Answer::new(&http, &endpoint.base, order.asked),
        sender,
        pass: &mut pass,
        begun: false,
    };
    let result = reading.read(&order).await;
    let Reading { answer, begun, .. } = reading;
    let result = result.and_then(|()| answer.complete());
    (pass, result.map_err(|error| Failure { error, begun }))
}

struct Reading<'a> {
    http: &'a Http,
    endpoint: &'a Endpoint,
    answer: Answer<'a>,
    sender: Sender<Item>,
    pass: &'a mut Pass,
    begun: bool,
}

impl Reading<'_> {
    /// Reads the answer to its end.
    async fn read(&mut self, order: &Order) -> Result<(), RemoteError> {
        let deadline = self.http.deadline();
        let asked = self
            .http
            .ask(self.endpoint, order.path, Some(&order.body), deadline);
        let response = asked.await?;
        let kind = response.headers().get(CONTENT_TYPE);
        let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if is_json {
            let text = self.http.whole(self.endpoint, response, deadline).await?;
            return self.hand_on(&text).await;
        }
        self.read_events(response, deadline).await
    }

    async fn read_events(
        &mut self,
        mut response: Response,
        mut deadline: Instant,
    ) -> Result<(), RemoteError> {
        let mut decoder = Decoder::default();
        loop {
            let next = timeout_at(deadline, response.chunk()).await;
            let next = next.map_err(|_| self.too_slow())?;
            let Some(piece) = next.map_err(|error| broken(self.endpoint, error))? else {
                return Ok(());
            };
            decoder.push(&piece).map_err(|fault| self.fault(fault))?;
            while let Some(event) = decoder.next() {
                if let Event::Data(data) = event {
                    if data.trim() == DONE {
                        return Ok(());
                    }
                    self.hand_on(data.as_bytes()).await?;
                }
                let next = Instant::now() + self.between();
                // A comment, or a word about who speaks, is not yet the beginning.
                deadline = if self.begun { next } else { deadline.max(next) };
            }
        }
    }

    /// Hands on what an event, or a whole answer, says.
    async fn hand_on(&mut self, data: &[u8]) -> Result<(), RemoteError> {
        let mut chunks = Vec::new();
        let read = self.answer.read(data, &mut chunks);
        for chunk in chunks {
            self.pass.came();
            self.begun = true;
            if self.sender.send(Ok(chunk)).await.is_err() {
                // Nobody reads any more, and this task is about to be ended.
                std::future::pending::<()>().await;
            }
        }
        read
    }

    fn between(&self) -> Duration {
        self.http.timeouts.between_events
    }

    fn too_slow(&self) -> RemoteError {
        if !self.begun {
            return self.http.too_slow(self.endpoint);
        }
        RemoteError::Timeout {
            endpoint: self.endpoint.base.clone(),
            what: "the next event of its answer",
            limit: self.between(),
        }
    }

    fn fault(&self, fault: Fault) -> RemoteError {
        let endpoint = self.endpoint.base.clone();
        match fault {
            Fault::TooLong { what, limit } => RemoteError::TooLong {
                endpoint,
                what,
                limit,
            },
            Fault::NotUtf8 => RemoteError::Malformed {
                endpoint,
                fault: "is not UTF-8".to_owned(),
            },
        }
    }
}
