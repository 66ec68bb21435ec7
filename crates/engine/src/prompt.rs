//! What a model is asked: a chat that its template renders, or text that it continues as it is.
//!
//! A prompt is data; rendering a chat belongs to the provider, which knows the model's template.

use crate::message::Message;

/// What a provider is asked to complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandlePrompt {
    /// Messages, oldest first. The provider renders them with the model's chat template.
    Chat(Vec<Message>),
    /// Text that the model continues, past any template. Empty means the model's start token alone.
    Raw(String),
}

impl CandlePrompt {
    /// Text that the model continues, past any template.
    pub fn raw(text: impl Into<String>) -> Self {
        CandlePrompt::Raw(text.into())
    }

    /// A chat of `messages`, oldest first.
    pub fn chat(messages: impl Into<Vec<Message>>) -> Self {
        CandlePrompt::Chat(messages.into())
    }

    /// The prompt's text without a template: a raw prompt as it is, a chat as the contents of its
    /// messages with a blank line between them. Calls of tools are no part of it.
    ///
    /// A provider whose model has a chat template renders [`CandlePrompt::Chat`] with it instead.
    pub fn text(&self) -> String {
        match self {
            CandlePrompt::Raw(text) => text.clone(),
            CandlePrompt::Chat(messages) => {
                let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
                contents.join("\n\n")
            }
        }
    }

    /// The messages of a chat; `None` for a raw prompt.
    pub fn messages(&self) -> Option<&[Message]> {
        match self {
            CandlePrompt::Chat(messages) => Some(messages),
            CandlePrompt::Raw(_) => None,
        }
    }
}

/// One user message.
impl From<&str> for CandlePrompt {
    fn from(text: &str) -> Self {
        CandlePrompt::Chat(vec![Message::user(text)])
    }
}

/// One user message.
impl From<String> for CandlePrompt {
    fn from(text: String) -> Self {
        CandlePrompt::Chat(vec![Message::user(text)])
    }
}

/// A chat, oldest message first.
impl From<Vec<Message>> for CandlePrompt {
    fn from(messages: Vec<Message>) -> Self {
        CandlePrompt::Chat(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_becomes_one_user_message() {
        assert_eq!(
            CandlePrompt::from("hi"),
            CandlePrompt::Chat(vec![Message::user("hi")])
        );
        assert_eq!(CandlePrompt::from("hi".to_owned()), CandlePrompt::from("hi"));
    }

    #[test]
    fn raw_text_is_kept_to_the_letter() {
        assert_eq!(CandlePrompt::raw("  once\n").text(), "  once\n");
        assert_eq!(CandlePrompt::raw("").messages(), None);
    }

    #[test]
    fn the_text_of_a_chat_is_its_contents_in_order() {
        let prompt = CandlePrompt::chat([Message::system("be brief"), Message::user("hi")]);
        assert_eq!(prompt.text(), "be brief\n\nhi");
    }
}
