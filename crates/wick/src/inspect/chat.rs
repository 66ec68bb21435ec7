//! A chat in a file, in the shape of a request to an OpenAI-compatible server or as its messages alone.

use std::path::Path;

use anyhow::Context as _;
use engine::Capabilities;
use engine::{CandleCompletionParams, CandlePrompt, Message, Request, ToolChoice, ToolDefinition};
use providers::Dialect;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A chat, and what of a request its template reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chat {
    messages: Vec<Message>,
    #[serde(default)]
    tools: Vec<ToolDefinition>,
    #[serde(default)]
    tool_choice: ToolChoice,
    #[serde(default)]
    reasoning_effort: Option<String>,
    #[serde(default)]
    chat_template_kwargs: Map<String, Value>,
}

/// Reads the chat in `file`.
///
/// # Errors
///
/// A file that cannot be read or holds something else.
pub(super) fn read(file: &Path) -> anyhow::Result<Chat> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let value: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let chat = match value {
        messages @ Value::Array(_) => serde_json::from_value(messages).map(|messages| Chat {
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            reasoning_effort: None,
            chat_template_kwargs: Map::new(),
        }),
        whole => serde_json::from_value(whole),
    };
    chat.with_context(|| format!("{} holds no chat", file.display()))
}

impl Chat {
    /// The prompt that a model is given for it.
    ///
    /// # Errors
    ///
    /// What is wrong with the chat, and what its template says of it.
    pub(super) fn rendered(self, dialect: &Dialect) -> anyhow::Result<String> {
        let params = CandleCompletionParams {
            tools: self.tools,
            tool_choice: self.tool_choice,
            reasoning_effort: self.reasoning_effort,
            template_variables: self.chat_template_kwargs,
            ..CandleCompletionParams::default()
        };
        let prompt = CandlePrompt::chat(self.messages);
        Request::for_capabilities(&prompt, &params, Capabilities::local(true).with_tools(true))?;
        Ok(dialect.render_for(prompt.messages().unwrap_or_default(), &params)?)
    }
}
