//! A request that has been checked: the only thing an engine takes.
//!
//! Whatever can be known to be wrong before any work is an error here.

use std::fmt;

use crate::config::Deadlines;
use crate::error::EngineError;
use crate::message::Message;
use crate::model::Capabilities;
use crate::params::CandleCompletionParams;
use crate::parser::{OutputParser, PlainText};
use crate::prompt::CandlePrompt;

/// A checked request.
///
/// Its text passes through [`PlainText`] unless another parser is given.
pub struct Request {
    parser: Box<dyn OutputParser>,
    choices: u32,
    deadlines: Deadlines,
}

impl Request {
    /// Checks `prompt` and every field of `params` for a provider that takes no tools.
    ///
    /// # Errors
    ///
    /// * [`EngineError::EmptyPrompt`] if a chat has no message, or none that says or calls anything. An empty
    ///   raw prompt is left to the model, which may have a start token to continue from.
    /// * [`EngineError::InvalidMessage`] for the first message with a field that is not of its role.
    /// * [`EngineError::InvalidParameter`] for the first parameter out of its range.
    /// * [`EngineError::ToolsUnsupported`] where a tool is declared, called, or gave a result.
    pub fn new(prompt: &CandlePrompt, params: &CandleCompletionParams) -> Result<Self, EngineError> {
        let request = Self::with_tools(prompt, params)?;
        let unsupported = |field, value| Err(EngineError::ToolsUnsupported { field, value });
        if let Some(tool) = params.tools.first() {
            return unsupported("tools", format!("{:?}", tool.name));
        }
        let messages = prompt.messages().unwrap_or_default();
        match messages.iter().position(|message| message.uses_tools()) {
            Some(index) => unsupported("messages", format!("a call or its result at {index}")),
            None => Ok(request),
        }
    }

    /// Checks `prompt` and every field of `params` for a provider of these capabilities.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`], tools being refused only where the provider takes none.
    pub fn for_capabilities(
        prompt: &CandlePrompt,
        params: &CandleCompletionParams,
        capabilities: Capabilities,
    ) -> Result<Self, EngineError> {
        if capabilities.tools {
            Self::with_tools(prompt, params)
        } else {
            Self::new(prompt, params)
        }
    }

    fn with_tools(prompt: &CandlePrompt, params: &CandleCompletionParams) -> Result<Self, EngineError> {
        if let Some(messages) = prompt.messages() {
            if messages.iter().all(Message::is_empty) {
                return Err(EngineError::EmptyPrompt);
            }
            for (index, message) in messages.iter().enumerate() {
                if let Some(fault) = message.tool_fault() {
                    return Err(EngineError::InvalidMessage { index, fault });
                }
            }
        }
        params.validate()?;
        if let (CandlePrompt::Raw(_), Some(tool)) = (prompt, params.tools.first()) {
            return Err(EngineError::InvalidParameter {
                field: "tools",
                value: format!("{:?} with a raw prompt", tool.name),
                expected: "a chat, whose template declares them",
            });
        }
        if matches!(prompt, CandlePrompt::Raw(_)) {
            let variable = params
                .template_variables
                .keys()
                .next()
                .map(|name| ("template_variables", name));
            let effort = params
                .reasoning_effort
                .as_ref()
                .map(|effort| ("reasoning_effort", effort));
            if let Some((field, value)) = effort.or(variable) {
                return Err(EngineError::InvalidParameter {
                    field,
                    value: format!("{value:?} with a raw prompt"),
                    expected: "a chat, whose template reads them",
                });
            }
        }
        Ok(Self {
            parser: Box::new(PlainText),
            choices: params.choices.unwrap_or(1),
            deadlines: params.deadlines,
        })
    }

    /// Checks that a prompt of `prompt_tokens` leaves room for an answer in `context` tokens.
    ///
    /// # Errors
    ///
    /// [`EngineError::ContextOverflow`] with both counts if not even one token fits.
    pub fn with_prompt_tokens(self, prompt_tokens: usize, context: usize) -> Result<Self, EngineError> {
        if prompt_tokens >= context {
            return Err(EngineError::ContextOverflow {
                prompt_tokens,
                context,
            });
        }
        Ok(self)
    }

    /// Reads the model's text with `parser`.
    ///
    /// For [`Engine::coordinate_generation`](crate::Engine::coordinate_generation); a backend that speaks
    /// chunks has parsed its text itself.
    #[must_use]
    pub fn with_parser(self, parser: impl OutputParser + 'static) -> Self {
        Self {
            parser: Box::new(parser),
            ..self
        }
    }

    /// The parser, how many choices it is to read, and how long the request may take.
    pub(crate) fn into_parts(self) -> (Box<dyn OutputParser>, u32, Deadlines) {
        (self.parser, self.choices, self.deadlines)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::{ToolCall, ToolDefinition};

    fn params() -> CandleCompletionParams {
        CandleCompletionParams::default()
    }

    #[test]
    fn a_chat_with_nothing_said_is_refused() {
        for prompt in [CandlePrompt::Chat(vec![]), CandlePrompt::from("")] {
            let error = Request::new(&prompt, &params()).unwrap_err();
            assert!(matches!(error, EngineError::EmptyPrompt), "{error}");
        }
    }

    #[test]
    fn an_empty_message_beside_another_is_the_callers_business() {
        let prompt = CandlePrompt::chat([Message::system(""), Message::user("hi")]);
        assert!(Request::new(&prompt, &params()).is_ok());
    }

    fn calling() -> Message {
        Message::assistant("").with_tool_calls([ToolCall::new("call_0", "now", "{}")])
    }

    fn tooled(prompt: &CandlePrompt, tools: bool, takes: bool) -> Result<Request, EngineError> {
        let mut params = params();
        if tools {
            let schema = serde_json::json!({"type": "object"});
            params.tools.push(ToolDefinition::new("now", schema));
        }
        Request::for_capabilities(prompt, &params, Capabilities::local(true).with_tools(takes))
    }

    #[test]
    fn a_chat_of_calls_alone_is_not_empty() {
        assert!(tooled(&CandlePrompt::chat([calling()]), false, true).is_ok());
    }

    #[test]
    fn tools_are_refused_by_a_provider_that_takes_none() {
        let asked = CandlePrompt::from("What time is it?");
        let answered = CandlePrompt::chat([
            Message::user("?"),
            calling(),
            Message::tool_result("call_0", "noon"),
        ]);
        let resulting = CandlePrompt::chat([Message::tool_result("call_0", "noon")]);
        for (prompt, tools, message) in [
            (&asked, true, "tools holds \"now\""),
            (&answered, false, "messages holds a call or its result at 1"),
            (&resulting, false, "messages holds a call or its result at 0"),
        ] {
            assert!(tooled(prompt, tools, true).is_ok(), "{message}");
            let error = tooled(prompt, tools, false).unwrap_err();
            assert!(!error.is_backend_failure());
            assert_eq!(
                error.to_string(),
                format!("the provider takes no tools, and {message}")
            );
        }
    }

    #[test]
    fn tools_are_refused_with_a_raw_prompt() {
        assert_eq!(
            tooled(&CandlePrompt::raw("x"), true, true)
                .unwrap_err()
                .to_string(),
            "tools is \"now\" with a raw prompt, expected a chat, whose template declares them"
        );
    }

    #[test]
    fn what_a_template_reads_is_refused_with_a_raw_prompt() {
        let mut params = params();
        params
            .template_variables
            .insert("enable_thinking".to_owned(), true.into());
        let refused = |params: &CandleCompletionParams| {
            Request::new(&CandlePrompt::raw("x"), params)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused(&params),
            "template_variables is \"enable_thinking\" with a raw prompt, expected a chat, whose template reads them"
        );
        params.reasoning_effort = Some("low".to_owned());
        assert_eq!(
            refused(&params),
            "reasoning_effort is \"low\" with a raw prompt, expected a chat, whose template reads them"
        );
        assert!(Request::new(&CandlePrompt::from("x"), &params).is_ok());
    }

    #[test]
    fn a_message_with_fields_of_another_role_is_refused() {
        let call = || vec![ToolCall::new("1", "now", "{}")];
        let idless = Message::new(crate::message::Role::Tool, "noon");
        let answering = Message {
            tool_call_id: Some("1".to_owned()),
            ..Message::assistant("noon")
        };
        for (message, fault) in [
            (
                Message::user("x").with_tool_calls(call()),
                "calls tools and is not the assistant's",
            ),
            (idless, "is a tool's and has no tool_call_id"),
            (answering, "has a tool_call_id and is not a tool's"),
        ] {
            let prompt = CandlePrompt::chat([Message::user("hi"), message]);
            let error = tooled(&prompt, false, true).unwrap_err();
            assert_eq!(error.to_string(), format!("message 1 {fault}"));
        }
    }

    #[test]
    fn an_empty_raw_prompt_is_left_to_the_model() {
        assert!(Request::new(&CandlePrompt::raw(""), &params()).is_ok());
    }

    #[test]
    fn a_bad_parameter_is_refused() {
        let params = CandleCompletionParams {
            temperature: Some(f32::NAN),
            ..params()
        };
        let error = Request::new(&CandlePrompt::raw("x"), &params).unwrap_err();
        assert!(
            matches!(
                error,
                EngineError::InvalidParameter {
                    field: "temperature",
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_prompt_that_fills_the_context_is_refused_with_both_counts() {
        let request = || Request::new(&CandlePrompt::raw("x"), &params()).unwrap();
        assert!(request().with_prompt_tokens(511, 512).is_ok());
        for tokens in [512, 513] {
            let error = request().with_prompt_tokens(tokens, 512).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the prompt has {tokens} tokens and leaves no room in a context of 512")
            );
        }
    }
}
