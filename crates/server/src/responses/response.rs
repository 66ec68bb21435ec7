//! A response: its head, and the items that the model gave.

use engine::{CandleCompletionParams, FinishReason, ToolCall, ToolChoice};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer::{Answer, End, TimingsBody};
use crate::error::Failure;
use crate::logprobs::{ChatToken, Spelling};
use crate::model::{Model, now};
use crate::state::State;

/// What is known of a response before it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    id: String,
    created: u64,
    model: String,
    instructions: Option<String>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    max_output_tokens: Option<u32>,
    parallel: bool,
    tool_choice: Value,
    tools: Vec<Value>,
    /// The part of the ids of its items that is its own.
    mark: String,
}

impl Outline {
    pub(crate) fn new(
        state: &State,
        model: &Model,
        params: &CandleCompletionParams,
        instructions: Option<String>,
    ) -> Self {
        let tools = params.tools.iter().map(|tool| {
            json!({"type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.parameters, "strict": tool.strict})
        });
        let mark = state.id("");
        Self {
            id: format!("resp_{mark}"),
            created: now(),
            model: model.id().to_owned(),
            instructions,
            temperature: params.temperature,
            top_p: params.sampling.top_p,
            max_output_tokens: params.max_tokens,
            parallel: params.parallel_tool_calls.unwrap_or(true),
            tool_choice: match &params.tool_choice {
                ToolChoice::Named(name) => json!({"type": "function", "name": name}),
                ToolChoice::Required => "required".into(),
                ToolChoice::None => "none".into(),
                ToolChoice::Auto => "auto".into(),
            },
            tools: tools.collect(),
            mark,
        }
    }

    /// The id of the item at `index`.
    pub(crate) fn item_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{}{index:02x}", self.mark)
    }
}

/// A response.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ResponseBody {
    id: String,
    #[schema(example = "response")]
    object: &'static str,
    /// In seconds since 1970.
    created_at: u64,
    status: ResponseStatus,
    error: Option<ResponseFault>,
    incomplete_details: Option<IncompleteDetails>,
    instructions: Option<String>,
    max_output_tokens: Option<u32>,
    model: String,
    /// What the model thought, said and calls, in this order.
    output: Vec<OutputItem>,
    parallel_tool_calls: bool,
    /// Always null: nothing is stored.
    previous_response_id: Option<String>,
    /// Always false.
    store: bool,
    temperature: Option<f32>,
    top_p: Option<f32>,
    /// A word, or the tool that had to be called.
    tool_choice: Value,
    #[schema(value_type = Vec<Object>)]
    tools: Vec<Value>,
    #[schema(example = "disabled")]
    truncation: &'static str,
    usage: Option<ResponseUsage>,
    /// What the draws were made with, where it is known. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseStatus {
    InProgress,
    Completed,
    Incomplete,
    Failed,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ResponseFault {
    code: String,
    message: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct IncompleteDetails {
    #[schema(example = "max_output_tokens")]
    reason: &'static str,
}

/// Tokens read and generated.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ResponseUsage {
    input_tokens: usize,
    input_tokens_details: InputTokensDetails,
    output_tokens: usize,
    output_tokens_details: OutputTokensDetails,
    total_tokens: usize,
    /// Where the time went. An extension.
    timings: TimingsBody,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct InputTokensDetails {
    cached_tokens: usize,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OutputTokensDetails {
    reasoning_tokens: usize,
}

/// Something that the model gave.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum OutputItem {
    Reasoning {
        id: String,
        /// Always empty: the whole is in the content.
        #[schema(value_type = Vec<Object>)]
        summary: Vec<Value>,
        content: Vec<OutputPart>,
    },
    Message {
        id: String,
        #[schema(example = "assistant")]
        role: &'static str,
        status: ResponseStatus,
        content: Vec<OutputPart>,
    },
    FunctionCall {
        id: String,
        /// What its result is sent back under.
        call_id: String,
        name: String,
        /// JSON text, as the model wrote it.
        arguments: String,
        status: ResponseStatus,
    },
}

/// A piece of what the model thought or said.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum OutputPart {
    ReasoningText {
        text: String,
    },
    OutputText {
        text: String,
        /// Always empty.
        #[schema(value_type = Vec<Object>)]
        annotations: Vec<Value>,
        /// Where they were asked for.
        logprobs: Vec<ChatToken>,
    },
}

impl OutputPart {
    pub(crate) fn said(text: String, logprobs: Vec<ChatToken>) -> Self {
        Self::OutputText {
            text,
            annotations: Vec::new(),
            logprobs,
        }
    }
}

impl OutputItem {
    pub(crate) fn reasoning(id: String, content: Vec<OutputPart>) -> Self {
        Self::Reasoning {
            id,
            summary: Vec::new(),
            content,
        }
    }

    pub(crate) fn message(id: String, status: ResponseStatus, content: Vec<OutputPart>) -> Self {
        Self::Message {
            id,
            role: "assistant",
            status,
            content,
        }
    }

    pub(crate) fn call(id: String, status: ResponseStatus, call: ToolCall) -> Self {
        Self::FunctionCall {
            id,
            call_id: call.id,
            name: call.name,
            arguments: call.arguments,
            status,
        }
    }
}

impl ResponseBody {
    /// The response before anything is said.
    pub(crate) fn begun(outline: &Outline) -> Self {
        Self {
            id: outline.id.clone(),
            object: "response",
            created_at: outline.created,
            status: ResponseStatus::InProgress,
            error: None,
            incomplete_details: None,
            instructions: outline.instructions.clone(),
            max_output_tokens: outline.max_output_tokens,
            model: outline.model.clone(),
            output: Vec::new(),
            parallel_tool_calls: outline.parallel,
            previous_response_id: None,
            store: false,
            temperature: outline.temperature,
            top_p: outline.top_p,
            tool_choice: outline.tool_choice.clone(),
            tools: outline.tools.clone(),
            truncation: "disabled",
            usage: None,
            seed: None,
        }
    }

    /// The response with these items and figures.
    pub(crate) fn ended(
        outline: &Outline,
        output: Vec<OutputItem>,
        finish: Option<FinishReason>,
        end: &End,
        reasoning_tokens: usize,
    ) -> Self {
        let status = status(finish);
        let cut = status == ResponseStatus::Incomplete;
        Self {
            status,
            incomplete_details: cut.then_some(IncompleteDetails {
                reason: "max_output_tokens",
            }),
            output,
            usage: Some(ResponseUsage {
                input_tokens: end.usage.prompt_tokens,
                input_tokens_details: InputTokensDetails {
                    cached_tokens: end.usage.cached_tokens,
                },
                output_tokens: end.usage.completion_tokens,
                output_tokens_details: OutputTokensDetails { reasoning_tokens },
                total_tokens: end.usage.total_tokens(),
                timings: end.into(),
            }),
            seed: end.seed,
            ..Self::begun(outline)
        }
    }

    /// The response that failed after these items.
    pub(crate) fn failed(outline: &Outline, output: Vec<OutputItem>, failure: &Failure) -> Self {
        Self {
            status: ResponseStatus::Failed,
            error: Some(ResponseFault {
                code: failure.code.unwrap_or("server_error").to_owned(),
                message: failure.message.clone(),
            }),
            output,
            ..Self::begun(outline)
        }
    }

    /// The whole response.
    pub(crate) fn finished(outline: &Outline, answer: Answer, spelling: Option<&Spelling>) -> Self {
        let choice = answer.choices.into_iter().next().unwrap_or_default();
        let status = status(choice.finish);
        let mut output = Vec::new();
        if !choice.reasoning.is_empty() {
            let part = OutputPart::ReasoningText {
                text: choice.reasoning,
            };
            output.push(OutputItem::reasoning(
                outline.item_id("rs", output.len()),
                vec![part],
            ));
        }
        if !choice.text.is_empty() {
            let logprobs = spelling.map(|spelling| spelling.tokens(&choice.logprobs));
            let part = OutputPart::said(choice.text, logprobs.unwrap_or_default());
            output.push(OutputItem::message(
                outline.item_id("msg", output.len()),
                status,
                vec![part],
            ));
        }
        for call in choice.calls {
            output.push(OutputItem::call(
                outline.item_id("fc", output.len()),
                status,
                call,
            ));
        }
        Self::ended(
            outline,
            output,
            choice.finish,
            &answer.end,
            choice.reasoning_tokens,
        )
    }
}

/// How a response stands that ended so.
fn status(finish: Option<FinishReason>) -> ResponseStatus {
    match finish {
        Some(FinishReason::Length) => ResponseStatus::Incomplete,
        _ => ResponseStatus::Completed,
    }
}
