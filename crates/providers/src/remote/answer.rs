//! An answer as the server tells it, made into chunks.
//!
//! The invariant of this file: a failure never looks like a finish. A choice ends with a reason that is known, the whole
//! ends when every choice asked for has ended, and everything else is an error.

use std::time::{Duration, Instant};

use engine::{CandleCompletionChunk, Drafts, FinishReason, StopCause, Timings, Usage};
use serde_json::Value;

use super::calls::Calls;
use super::error::RemoteError;
use super::http::{self, Http};
use super::logprobs;
use super::wire;

/// What was asked for, as far as the answer is read by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) choices: u32,
    pub(crate) seed: Option<u64>,
    /// When the work began.
    pub(crate) began: Instant,
}

/// Reads one answer.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    http: &'a Http,
    endpoint: &'a str,
    asked: Asked,
    choices: Vec<Choice>,
    usage: Option<wire::Tokens>,
    /// Pieces with something in them: the count of tokens where the server tells none.
    pieces: usize,
    first: Option<Duration>,
    last: Duration,
}

#[derive(Debug, Default)]
struct Choice {
    calls: Calls,
    called: bool,
    finished: bool,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(http: &'a Http, endpoint: &'a str, asked: Asked) -> Self {
        let choices = (0..asked.choices).map(|_| Choice::default()).collect();
        Self {
            http,
            endpoint,
            asked,
            choices,
            usage: None,
            pieces: 0,
            first: None,
            last: Duration::ZERO,
        }
    }

    /// Takes an event's data, or a whole answer; what it says goes to `out`.
    pub(crate) fn read(
        &mut self,
        data: &[u8],
        out: &mut Vec<CandleCompletionChunk>,
    ) -> Result<(), RemoteError> {
        let answer: wire::Answer =
            serde_json::from_slice(data).map_err(|error| self.http.unreadable(self.endpoint, &error))?;
        let is_error = answer.object.as_deref() == Some("error");
        if answer.error.as_ref().is_some_and(|error| !error.is_null()) || is_error {
            return Err(self.reported(data));
        }
        if answer.usage.is_some() {
            self.usage = answer.usage;
        }
        let before = out.len();
        for choice in answer.choices.unwrap_or_default() {
            self.read_choice(choice, out)?;
        }
        if out.len() > before {
            self.last = self.asked.began.elapsed();
            self.first.get_or_insert(self.last);
        }
        Ok(())
    }

    fn read_choice(
        &mut self,
        piece: wire::Choice,
        out: &mut Vec<CandleCompletionChunk>,
    ) -> Result<(), RemoteError> {
        let index = piece.index;
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        if place >= self.choices.len() {
            return Err(self.malformed(format!("has a choice {index} that was not asked for")));
        }
        let begin = out.len();
        let mut tokens = piece.token_ids.unwrap_or_default();
        if let Some(given) = piece.logprobs {
            let logprobs = logprobs::read(given).map_err(|fault| self.malformed(fault))?;
            if !logprobs.is_empty() {
                tokens = logprobs.iter().map(|of| of.chosen.token).collect();
                out.push(CandleCompletionChunk::Logprobs {
                    choice: index,
                    logprobs,
                });
            }
        }
        let body = out.len();
        let said = piece.delta.or(piece.message).unwrap_or_default();
        if let Some(text) = said
            .reasoning_content
            .or(said.reasoning)
            .filter(|t| !t.is_empty())
        {
            out.push(CandleCompletionChunk::Reasoning {
                choice: index,
                text,
                tokens: vec![],
            });
        }
        for text in [said.content, said.refusal, piece.text].into_iter().flatten() {
            if !text.is_empty() {
                out.push(CandleCompletionChunk::Text {
                    choice: index,
                    text,
                    tokens: vec![],
                });
            }
        }
        let mut fault = None;
        if let Some(choice) = self.choices.get_mut(place) {
            for call in said.tool_calls.into_iter().flatten() {
                choice.called = true;
                fault = fault.or(choice.calls.push(index, call, out).err());
            }
        }
        if let Some(fault) = fault {
            return Err(self.malformed(fault));
        }
        self.pieces += usize::from(out.len() > begin);
        give_tokens(tokens, index, body, out);
        match piece.finish_reason {
            // Some servers write an empty reason where there is none yet.
            Some(reason) if !reason.is_empty() => {
                let stop = piece.stop_reason.or(piece.matched_stop);
                self.finish(index, &reason, stop.as_ref(), out)
            }
            _ => Ok(()),
        }
    }

    fn finish(
        &mut self,
        index: u32,
        reason: &str,
        stop: Option<&Value>,
        out: &mut Vec<CandleCompletionChunk>,
    ) -> Result<(), RemoteError> {
        let finish = match reason {
            "stop" | "eos" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            "content_filter" => {
                return Err(RemoteError::Filtered {
                    endpoint: self.endpoint.to_owned(),
                });
            }
            "abort" | "error" => {
                return Err(RemoteError::Reported {
                    endpoint: self.endpoint.to_owned(),
                    code: None,
                    message: format!("the answer ended with {reason:?}"),
                });
            }
            other => {
                let reason = self.http.clear(other);
                return Err(self.malformed(format!("ends for the unknown reason {reason:?}")));
            }
        };
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(choice) = self.choices.get_mut(place) else {
            return Ok(());
        };
        choice.finished = true;
        let called = choice.called;
        choice
            .calls
            .finish(index, out)
            .map_err(|fault| self.malformed(fault))?;
        out.push(CandleCompletionChunk::Finish {
            choice: index,
            // A named tool's call ends with `stop` at some servers.
            finish: match finish {
                FinishReason::Stop if called => FinishReason::ToolCalls,
                finish => finish,
            },
            stop: match stop {
                Some(Value::String(text)) if finish == FinishReason::Stop => {
                    Some(StopCause::Text(text.clone()))
                }
                Some(Value::Number(token)) if finish == FinishReason::Stop => token
                    .as_u64()
                    .and_then(|token| u32::try_from(token).ok())
                    .map(StopCause::Token),
                _ => None,
            },
        });
        Ok(())
    }

    /// The end of the answer.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Unfinished`] where a choice has not ended.
    pub(crate) fn complete(self) -> Result<CandleCompletionChunk, RemoteError> {
        if !self.choices.iter().all(|choice| choice.finished) {
            return Err(RemoteError::Unfinished {
                endpoint: self.endpoint.to_owned(),
            });
        }
        let usage = match &self.usage {
            Some(told) => Usage {
                prompt_tokens: told.prompt_tokens.unwrap_or_default(),
                cached_tokens: told
                    .prompt_tokens_details
                    .as_ref()
                    .and_then(|details| details.cached_tokens)
                    .unwrap_or_default(),
                completion_tokens: told.completion_tokens.unwrap_or_default(),
            },
            None => Usage {
                completion_tokens: self.pieces,
                ..Usage::default()
            },
        };
        let first = self.first.unwrap_or_else(|| self.asked.began.elapsed());
        Ok(CandleCompletionChunk::Complete {
            usage,
            timings: Timings {
                time_to_first_token: first,
                decode: self.last.saturating_sub(first),
                ..Timings::default()
            },
            seed: self.asked.seed,
            cache_miss: None,
            drafts: Drafts::default(),
        })
    }

    fn reported(&self, data: &[u8]) -> RemoteError {
        let value: Value = serde_json::from_slice(data).unwrap_or_default();
        let error = value.get("error").unwrap_or(&value);
        let code = error.get("code").and_then(Value::as_u64);
        let refused = error.get("type").and_then(Value::as_str) == Some("invalid_request_error");
        RemoteError::Reported {
            endpoint: self.endpoint.to_owned(),
            code: code
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| (400..600).contains(code))
                .or(refused.then_some(400)),
            message: self.http.clear(&http::message(&value)),
        }
    }

    fn malformed(&self, fault: impl Into<String>) -> RemoteError {
        RemoteError::Malformed {
            endpoint: self.endpoint.to_owned(),
            fault: fault.into(),
        }
    }
}

/// Puts the ids of a piece's tokens into the first of its chunks that takes some, from `begin` on; into an empty text
/// where none does.
fn give_tokens(mut given: Vec<u32>, choice: u32, begin: usize, out: &mut Vec<CandleCompletionChunk>) {
    if given.is_empty() {
        return;
    }
    for chunk in out.iter_mut().skip(begin) {
        if let CandleCompletionChunk::Text { tokens, .. }
        | CandleCompletionChunk::Reasoning { tokens, .. }
        | CandleCompletionChunk::ToolCallDelta { tokens, .. } = chunk
        {
            std::mem::swap(tokens, &mut given);
            return;
        }
    }
    out.push(CandleCompletionChunk::Text {
        choice,
        text: String::new(),
        tokens: given,
    });
}
