//! A memory as a page of Markdown, which people read and [`read`] reads again to the letter.
//!
//! The layout:
//!
//! ~~~~markdown
//! # Facts
//!
//! - The user has a fox.
//!
//! # Title of a conversation
//!
//! *Last added to 2026-11-29 05:55:20 UTC*
//!
//! **User** 2026-11-29 05:55:16 UTC
//!
//! Rain in Oslo?
//!
//! **Call** "get_weather" "call_1"
//!
//! ```json
//! {"city": "Oslo"}
//! ```
//!
//! **Result** "call_1"
//!
//! Rain.
//!
//! **Answer**
//!
//! Yes.
//! ~~~~
//!
//! A label stands on a line of its own, an empty line before it and behind it. **Thought** is what the model thought,
//! **Assistant** what it said before it called a tool, **Answer, interrupted** an answer that was stopped; calls behind an
//! answer are those that nothing ran. **Message** is any other message between the two, as JSON. Names and ids are JSON
//! strings. A line of a text that would be read as a label has a backslash before it.

mod reader;

use std::fmt::Write as _;

use engine::{Message, Role, ToolCall};

use super::date;
use super::{Portable, PortableConversation, PortableTurn};
pub(super) use reader::read;

const FACTS: &str = "# Facts";
const HEADING: &str = "# ";
const UPDATED: &str = "*Last added to ";
const USER: &str = "**User**";
const THOUGHT: &str = "**Thought**";
const ASSISTANT: &str = "**Assistant**";
const CALL: &str = "**Call**";
const RESULT: &str = "**Result**";
const MESSAGE: &str = "**Message**";
const ANSWER: &str = "**Answer**";
const INTERRUPTED: &str = "**Answer, interrupted**";
/// What a label begins with.
const LABELS: [&str; 9] = [
    UPDATED,
    USER,
    THOUGHT,
    ASSISTANT,
    CALL,
    RESULT,
    MESSAGE,
    ANSWER,
    INTERRUPTED,
];
/// The title of a conversation without one.
const UNTITLED: &str = "(untitled)";

/// Writes a page.
pub(super) fn write(portable: &Portable) -> String {
    let mut page = Page(String::new());
    if !portable.facts.is_empty() {
        page.line(FACTS);
        page.line("");
        for fact in &portable.facts {
            page.line(&format!("- {}", fact.replace('\n', "\n  ")));
        }
    }
    for conversation in &portable.conversations {
        page.conversation(conversation);
    }
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn conversation(&mut self, conversation: &PortableConversation) {
        if !self.0.is_empty() {
            self.line("");
        }
        self.line(&format!("{HEADING}{}", title(&conversation.title)));
        self.line("");
        self.line(&format!("{UPDATED}{}*", date::to_text(conversation.updated)));
        for turn in &conversation.turns {
            self.turn(turn);
        }
    }

    fn turn(&mut self, PortableTurn { turn, kept }: &PortableTurn) {
        match kept {
            Some(kept) => self.block(&format!("{USER} {}", date::to_text(*kept)), &turn.user),
            None => self.block(USER, &turn.user),
        }
        // Whether a call would be taken for one of the message before.
        let mut open = false;
        for message in &turn.between {
            open = self.message(message, open);
        }
        if !turn.reasoning.is_empty() {
            self.block(THOUGHT, &turn.reasoning);
        }
        let answer = if turn.interrupted { INTERRUPTED } else { ANSWER };
        self.block(answer, &turn.answer);
        turn.tool_calls.iter().for_each(|call| self.call(call));
    }

    /// Writes a message between the user's and the answer; whether calls behind it would be its own.
    fn message(&mut self, message: &Message, open: bool) -> bool {
        let Message {
            role,
            content,
            tool_calls,
            tool_call_id,
        } = message;
        match (role, tool_call_id) {
            (Role::Assistant, None) => {
                if open || tool_calls.is_empty() || !content.is_empty() {
                    self.block(ASSISTANT, content);
                }
                tool_calls.iter().for_each(|call| self.call(call));
                true
            }
            (Role::Tool, Some(id)) if tool_calls.is_empty() => {
                self.block(&format!("{RESULT} {}", quoted(id)), content);
                false
            }
            _ => {
                // Texts alone: there is nothing that JSON lacks.
                let json = serde_json::to_string(message).unwrap_or_default();
                self.fenced(MESSAGE, &json);
                false
            }
        }
    }

    fn call(&mut self, call: &ToolCall) {
        let label = format!("{CALL} {} {}", quoted(&call.name), quoted(&call.id));
        self.fenced(&label, &call.arguments);
    }

    /// A text in a fence that is longer than any in it.
    fn fenced(&mut self, label: &str, text: &str) {
        let mut fence = "```".to_owned();
        while text.contains(&fence) {
            fence.push('`');
        }
        self.block(label, &format!("{fence}json\n{text}\n{fence}"));
    }

    fn block(&mut self, label: &str, text: &str) {
        let _ = write!(self.0, "\n{label}\n\n");
        for line in text.split('\n') {
            if is_label(unescaped(line)) {
                self.0.push('\\');
            }
            self.line(line);
        }
    }
}

/// A line without the backslashes before it.
fn unescaped(line: &str) -> &str {
    line.trim_start_matches('\\')
}

fn is_label(line: &str) -> bool {
    LABELS.iter().any(|label| line.starts_with(label))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A title on one line.
fn title(title: &str) -> String {
    match title {
        "" => UNTITLED.to_owned(),
        UNTITLED => format!("\\{UNTITLED}"),
        title => title
            .replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('\r', "\\r"),
    }
}
