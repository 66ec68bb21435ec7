//! A whole answer to a chat.

use engine::{FinishReason, StopCause};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Answer, Choice, UsageBody};
use crate::logprobs::{ChatLogprobs, Spelling};
use crate::model::{Model, now};
use crate::state::State;
use crate::tools::MadeCall;

/// What all pieces of one answer have in common.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
}

impl Head {
    pub(crate) fn new(state: &State, model: &Model) -> Self {
        Self {
            id: state.id("chatcmpl-"),
            created: now(),
            model: model.id().to_owned(),
        }
    }
}

/// An answer to a chat.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatAnswer {
    id: String,
    #[schema(example = "chat.completion")]
    object: &'static str,
    /// In seconds since 1970.
    created: u64,
    model: String,
    choices: Vec<ChatChoice>,
    usage: UsageBody,
    /// What the draws of the first choice were made with, where it is known. An extension.
    seed: Option<u64>,
}

/// One of the answers that were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatChoice {
    index: usize,
    message: AnswerMessage,
    logprobs: Option<ChatLogprobs>,
    /// `stop`, `length` or `tool_calls`.
    finish_reason: &'static str,
    /// The stop string or the token that ended the answer, where one did. An extension.
    stop_reason: Option<StopReason>,
}

/// What the model answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnswerMessage {
    #[schema(example = "assistant")]
    role: &'static str,
    /// Null where the model calls tools and says nothing.
    content: Option<String>,
    /// Always null.
    refusal: Option<String>,
    /// What the model thought, where it did. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<MadeCall>,
}

/// What ended an answer: a text, or a token by its id.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum StopReason {
    Text(String),
    Token(u32),
}

impl StopReason {
    pub(crate) fn of(cause: Option<StopCause>) -> Option<Self> {
        match cause? {
            StopCause::Text(text) => Some(Self::Text(text)),
            StopCause::Token(token) => Some(Self::Token(token)),
            _ => None,
        }
    }
}

impl ChatAnswer {
    pub(crate) fn new(head: Head, answer: Answer, spelling: Option<&Spelling>) -> Self {
        let usage = UsageBody::from(&answer.end);
        let choices = answer.choices.into_iter().enumerate();
        Self {
            id: head.id,
            object: "chat.completion",
            created: head.created,
            model: head.model,
            choices: choices
                .map(|(index, choice)| ChatChoice::new(index, choice, spelling))
                .collect(),
            usage,
            seed: answer.end.seed,
        }
    }
}

impl ChatChoice {
    fn new(index: usize, choice: Choice, spelling: Option<&Spelling>) -> Self {
        let silent = choice.text.is_empty() && !choice.calls.is_empty();
        Self {
            index,
            logprobs: spelling.map(|spelling| spelling.chat(&choice.logprobs)),
            finish_reason: choice.finish.unwrap_or(FinishReason::Stop).as_str(),
            stop_reason: StopReason::of(choice.stop),
            message: AnswerMessage {
                role: "assistant",
                content: (!silent).then_some(choice.text),
                refusal: None,
                reasoning_content: Some(choice.reasoning).filter(|thought| !thought.is_empty()),
                tool_calls: choice.calls.into_iter().map(MadeCall::from).collect(),
            },
        }
    }
}
