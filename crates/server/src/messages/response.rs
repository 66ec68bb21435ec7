//! A whole answer in Anthropic's shape.

use engine::{FinishReason, StopCause, ToolCall, Usage};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::answer::Answer;

/// An answer to a chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MessageAnswer {
    pub(crate) id: String,
    #[serde(rename = "type")]
    #[schema(example = "message")]
    kind: &'static str,
    #[schema(example = "assistant")]
    role: &'static str,
    model: String,
    /// What the model thought, said and calls, in this order.
    content: Vec<ContentBlock>,
    /// Why it ended; null at the beginning of a stream.
    stop_reason: Option<&'static str>,
    /// The text of `stop_sequences` that ended it, where one did.
    stop_sequence: Option<String>,
    pub(crate) usage: MessageUsage,
}

/// A piece of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ContentBlock {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
        /// Always empty: thoughts are not sent back.
        signature: String,
    },
    ToolUse {
        id: String,
        name: String,
        /// The arguments; empty where the model wrote none that are whole.
        #[schema(value_type = Object)]
        input: Map<String, Value>,
    },
}

/// Tokens read and generated.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct MessageUsage {
    /// Tokens of the prompt that had to be read.
    input_tokens: usize,
    /// Those that an earlier request's cache held.
    cache_read_input_tokens: usize,
    /// Always 0: what is kept costs nothing.
    cache_creation_input_tokens: usize,
    output_tokens: usize,
}

impl From<Usage> for MessageUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens.saturating_sub(usage.cached_tokens),
            cache_read_input_tokens: usage.cached_tokens,
            cache_creation_input_tokens: 0,
            output_tokens: usage.completion_tokens,
        }
    }
}

/// Why an answer ended, in Anthropic's words, and the text that ended it.
pub(crate) fn stop(finish: Option<FinishReason>, cause: Option<StopCause>) -> (&'static str, Option<String>) {
    match (finish, cause) {
        (Some(FinishReason::Length), _) => ("max_tokens", None),
        (Some(FinishReason::ToolCalls), _) => ("tool_use", None),
        (_, Some(StopCause::Text(text))) => ("stop_sequence", Some(text)),
        _ => ("end_turn", None),
    }
}

impl MessageAnswer {
    /// The answer before anything is said.
    pub(crate) fn empty(id: String, model: String, usage: MessageUsage) -> Self {
        Self {
            id,
            kind: "message",
            role: "assistant",
            model,
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            usage,
        }
    }

    pub(crate) fn new(id: String, model: String, answer: Answer) -> Self {
        let choice = answer.choices.into_iter().next().unwrap_or_default();
        let mut content = Vec::new();
        if !choice.reasoning.is_empty() {
            content.push(ContentBlock::Thinking {
                thinking: choice.reasoning,
                signature: String::new(),
            });
        }
        if !choice.text.is_empty() {
            content.push(ContentBlock::Text { text: choice.text });
        }
        content.extend(choice.calls.into_iter().map(ContentBlock::from));
        let (reason, sequence) = stop(choice.finish, choice.stop);
        Self {
            content,
            stop_reason: Some(reason),
            stop_sequence: sequence,
            ..Self::empty(id, model, answer.end.usage.into())
        }
    }
}

impl From<ToolCall> for ContentBlock {
    fn from(call: ToolCall) -> Self {
        Self::ToolUse {
            // A call that was cut off is told by the reason of the end.
            input: call.parse_arguments().unwrap_or_default(),
            id: call.id,
            name: call.name,
        }
    }
}
