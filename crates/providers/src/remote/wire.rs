//! The shapes of what servers send, read leniently: what is absent or null is nothing, what is unknown is left.
//!
//! One shape serves streamed and whole answers, of chats and of plain completions: they differ in where a choice keeps its
//! text.

use serde::Deserialize;
use serde_json::{Map, Value};

/// An event of a stream, or a whole answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) error: Option<Value>,
    /// `error` where the whole is one.
    pub(crate) object: Option<String>,
    #[serde(default)]
    pub(crate) choices: Option<Vec<Choice>>,
    pub(crate) usage: Option<Tokens>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) index: u32,
    /// A piece of a chat's answer.
    pub(crate) delta: Option<Said>,
    /// The whole of it.
    pub(crate) message: Option<Said>,
    /// Text of a plain completion.
    pub(crate) text: Option<String>,
    pub(crate) finish_reason: Option<String>,
    /// What ended it, as vLLM tells.
    pub(crate) stop_reason: Option<Value>,
    /// What ended it, as SGLang tells.
    pub(crate) matched_stop: Option<Value>,
    pub(crate) logprobs: Option<Logprobs>,
    pub(crate) token_ids: Option<Vec<u32>>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Said {
    pub(crate) content: Option<String>,
    /// What the model says where it declines; it is its answer all the same.
    pub(crate) refusal: Option<String>,
    pub(crate) reasoning_content: Option<String>,
    pub(crate) reasoning: Option<String>,
    pub(crate) tool_calls: Option<Vec<Call>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) index: Option<u32>,
    pub(crate) id: Option<String>,
    pub(crate) function: Option<Function>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: Option<String>,
    /// Text; the object itself where a server sends it unwritten.
    pub(crate) arguments: Option<Value>,
}

/// Log-probabilities: `content` of a chat, the three others of a plain completion.
#[derive(Debug, Deserialize)]
pub(crate) struct Logprobs {
    pub(crate) content: Option<Vec<Entry>>,
    pub(crate) tokens: Option<Vec<String>>,
    pub(crate) token_logprobs: Option<Vec<Option<f32>>>,
    pub(crate) top_logprobs: Option<Vec<Option<Map<String, Value>>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    #[serde(default)]
    pub(crate) token: String,
    pub(crate) id: Option<u32>,
    pub(crate) logprob: Option<f32>,
    #[serde(default)]
    pub(crate) top_logprobs: Option<Vec<Entry>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) prompt_tokens: Option<usize>,
    pub(crate) completion_tokens: Option<usize>,
    pub(crate) prompt_tokens_details: Option<Details>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Details {
    pub(crate) cached_tokens: Option<usize>,
}
