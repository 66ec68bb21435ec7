//! Output formats: how a model writes its calls of tools, and the parser that reads each.
//!
//! A model writes calls as its own chat template writes those of earlier turns. So the template decides which
//! format is read, and a format that no parser reads is refused, never taken for another.

mod argument;
mod call;
pub mod grammar;
pub mod kimi_k2;
pub mod llama3;
mod marker;
mod object;
mod pending;
mod prose;
pub mod qwen3;
pub mod qwen3_coder;
#[cfg(test)]
mod read;
pub mod thinking;

use engine::{Message, OutputParser, ToolDefinition};

pub use grammar::{Calls, Reasoning};
pub use kimi_k2::KimiK2;
pub use llama3::Llama3;
pub use qwen3::Qwen3;
pub use qwen3_coder::Qwen3Coder;
pub use thinking::Thinking;

/// How a model writes its calls of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFormat {
    /// JSON between tokens of its own, ids included; read by [`KimiK2`].
    KimiK2,
    /// One JSON object that is the whole answer; read by [`Llama3`].
    Llama3,
    /// One JSON object between `<tool_call>` and `</tool_call>`; read by [`Qwen3`].
    Qwen3,
    /// Tags around each value: `<function=…>`, `<parameter=…>`; read by [`Qwen3Coder`].
    Qwen3Coder,
}

impl OutputFormat {
    /// The format in which the chat template of this text writes calls, where it is one that can be read.
    pub fn of_template(source: &str) -> Option<Self> {
        let has = |mark: &str| source.contains(mark);
        if has("<function=") {
            Some(Self::Qwen3Coder)
        } else if has("<|tool_call_argument_begin|>") {
            Some(Self::KimiK2)
        } else if has("<tool_call>") && has("arguments") {
            Some(Self::Qwen3)
        } else if has("<|start_header_id|>") && has("\"parameters\": ") {
            Some(Self::Llama3)
        } else {
            None
        }
    }

    /// Names of the tokens that the format is made of, which have to stay in the text to be read.
    pub fn marks(self) -> &'static [&'static str] {
        match self {
            Self::KimiK2 => &kimi_k2::MARKS,
            Self::Llama3 => &[llama3::TAG],
            Self::Qwen3 | Self::Qwen3Coder => &["<tool_call>", "</tool_call>"],
        }
    }

    /// A parser for one request, of calls alone: reasoning is [`Thinking`]'s.
    ///
    /// * `tools`: what is declared to the model.
    /// * `messages`: the chat so far; the ids of new calls, where the model writes none, differ from all of its.
    pub fn parser(self, tools: &[ToolDefinition], messages: &[Message]) -> Box<dyn OutputParser> {
        match self {
            Self::KimiK2 => Box::new(KimiK2::new()),
            Self::Llama3 => Box::new(Llama3::new(tools).with_first_call(first_call(messages))),
            Self::Qwen3 => Box::new(Qwen3::new().with_first_call(first_call(messages))),
            Self::Qwen3Coder => Box::new(Qwen3Coder::new(tools).with_first_call(first_call(messages))),
        }
    }

    /// A parser of calls and, before them, of reasoning, which `prompt` may have opened.
    pub fn parser_with_reasoning(
        self,
        tools: &[ToolDefinition],
        messages: &[Message],
        prompt: &str,
    ) -> Thinking {
        let thinking = Thinking::new(self.parser(tools, messages)).after_prompt(prompt);
        match self {
            Self::KimiK2 => thinking.ended_by(&kimi_k2::SECTIONS),
            Self::Llama3 | Self::Qwen3 | Self::Qwen3Coder => thinking,
        }
    }
}

/// What the ids that are made here begin with; a number follows.
const ID: &str = "call_";

/// One more than the largest number of an id that was made here.
fn first_call(messages: &[Message]) -> u32 {
    let calls = messages.iter().flat_map(|message| &message.tool_calls);
    let numbers = calls.filter_map(|call| call.id.strip_prefix(ID)?.parse().ok());
    numbers.max().map_or(0, |last: u32| last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use engine::ToolCall;

    use super::*;

    #[test]
    fn ids_go_on_after_the_largest_of_the_chat() {
        let calling = |ids: &[&str]| {
            let calls: Vec<ToolCall> = ids.iter().map(|id| ToolCall::new(*id, "now", "{}")).collect();
            Message::assistant("").with_tool_calls(calls)
        };
        assert_eq!(first_call(&[Message::user("hi")]), 0);
        assert_eq!(first_call(&[calling(&["call_0"])]), 1);
        // Turns that the chat has forgotten may have had others.
        let messages = [
            calling(&["call_11", "call_7"]),
            calling(&["functions.now:99", "call_", "call_x"]),
        ];
        assert_eq!(first_call(&messages), 12);
    }

    #[test]
    fn the_template_decides_the_format() {
        let source = include_str!("../assets/demo.jinja");
        assert_eq!(OutputFormat::of_template(source), Some(OutputFormat::Qwen3Coder));
        assert_eq!(OutputFormat::of_template("{{ tools | tojson }}"), None);
        for (source, format) in [
            (
                "<tool_call>{\"name\": …, \"arguments\": …}</tool_call>",
                OutputFormat::Qwen3,
            ),
            (
                "<|tool_call_begin|>{{ id }}<|tool_call_argument_begin|>",
                OutputFormat::KimiK2,
            ),
        ] {
            assert_eq!(OutputFormat::of_template(source), Some(format));
        }
    }
}
