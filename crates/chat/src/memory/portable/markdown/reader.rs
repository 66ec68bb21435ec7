//! Reads a page of Markdown that this program has written.
//!
//! Whatever is not of the layout is an error that names its line: nothing is left out, and nothing guessed.

use engine::{Message, ToolCall};

use super::super::date;
use super::{
    ANSWER, ASSISTANT, CALL, FACTS, HEADING, INTERRUPTED, MESSAGE, RESULT, THOUGHT, UNTITLED, UPDATED, USER,
    is_label, unescaped,
};
use crate::memory::{KeptTurn, MemoryError, Portable, PortableConversation, PortableTurn};

/// A label, and where its block is.
struct Block<'a> {
    /// Number of the label's line, from 0.
    at: usize,
    /// The label's line.
    label: &'a str,
    /// The lines behind it.
    lines: &'a [&'a str],
}

/// Reads a page.
///
/// # Errors
///
/// [`MemoryError::Markdown`] names the first line that does not fit.
pub(in super::super) fn read(page: &str) -> Result<Portable, MemoryError> {
    // A program that ends its lines in two characters has done so with the first.
    let page = match page.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => page.replace("\r\n", "\n"),
        _ => page.to_owned(),
    };
    let mut lines: Vec<&str> = page.split('\n').collect();
    if lines.last().is_some_and(|last| !last.is_empty()) {
        lines.push("");
    }
    let mut portable = Portable::default();
    let from = facts(&lines, &mut portable.facts);
    let blocks = blocks(&lines, from)?;
    let mut reading: Option<Reading> = None;
    for block in blocks {
        if block.label.starts_with(UPDATED) {
            let heading = lines.get(block.at - 2).copied().unwrap_or_default();
            if let Some(before) = reading.take() {
                portable.conversations.push(before.end()?);
            }
            reading = Some(Reading::begin(heading, &block)?);
        } else {
            let at = block.at;
            let reading = reading.as_mut();
            let reading = reading.ok_or_else(|| wrong(at, "stands in no conversation"))?;
            reading.take(&block)?;
        }
    }
    if let Some(last) = reading {
        portable.conversations.push(last.end()?);
    }
    Ok(portable)
}

fn wrong(at: usize, reason: impl Into<String>) -> MemoryError {
    let (line, reason) = (at + 1, reason.into());
    MemoryError::Markdown { line, reason }
}

/// Reads the facts; the line that follows them.
fn facts(lines: &[&str], facts: &mut Vec<String>) -> usize {
    let has_facts = matches!(lines, [FACTS, "", first, ..] if first.starts_with("- "));
    if !has_facts {
        return 0;
    }
    let mut next = 2;
    for line in lines.iter().skip(2) {
        match (line.strip_prefix("- "), line.strip_prefix("  "), facts.last_mut()) {
            (Some(fact), ..) => facts.push(fact.to_owned()),
            (None, Some(more), Some(fact)) => {
                fact.push('\n');
                fact.push_str(more);
            }
            _ => break,
        }
        next += 1;
    }
    // The empty line behind them.
    next + 1
}

/// Parts a page into blocks, and sees that an empty line stands before and behind each label.
fn blocks<'a>(lines: &'a [&'a str], from: usize) -> Result<Vec<Block<'a>>, MemoryError> {
    // A conversation begins with its title, two lines before the label.
    let begin = |at: usize, label: &str| {
        if label.starts_with(UPDATED) {
            at.checked_sub(2)
        } else {
            Some(at)
        }
    };
    let labels: Vec<(usize, &str)> = lines
        .iter()
        .copied()
        .enumerate()
        .skip(from)
        .filter(|(_, line)| is_label(line))
        .collect();
    let mut blocks = Vec::new();
    let mut expected = from;
    for (place, &(at, label)) in labels.iter().enumerate() {
        let begins = begin(at, label).filter(|begins| *begins >= expected);
        let begins = begins.ok_or_else(|| wrong(at, "has no title two lines before it"))?;
        if place == 0 && begins > expected {
            return Err(wrong(expected, "belongs to no conversation"));
        }
        let ends = match labels.get(place + 1) {
            Some(&(next, label)) => begin(next, label).unwrap_or(next),
            None => lines.len(),
        };
        let is_empty = |at: usize| lines.get(at).is_some_and(|line| line.is_empty());
        if ends < at + 2 || !is_empty(at + 1) || !is_empty(ends - 1) {
            return Err(wrong(at, "has no empty lines around what it labels"));
        }
        if begins < at && !is_empty(at - 1) {
            return Err(wrong(at - 1, "is not empty, behind a title"));
        }
        let of_it = lines.get(at + 2..ends.max(at + 3) - 1).unwrap_or_default();
        blocks.push(Block {
            at,
            label,
            lines: of_it,
        });
        expected = ends;
    }
    let left = lines.iter().skip(expected).position(|line| !line.is_empty());
    match left {
        Some(left) => Err(wrong(expected + left, "belongs to no conversation")),
        None => Ok(blocks),
    }
}

/// A conversation as far as it was read.
struct Reading {
    conversation: PortableConversation,
    turn: Option<Open>,
}

/// A turn as far as it was read.
struct Open {
    /// The line that it begins at.
    at: usize,
    turn: PortableTurn,
    is_answered: bool,
    /// Whether a call is one of the last message between.
    takes_calls: bool,
}

impl Reading {
    fn begin(heading: &str, block: &Block<'_>) -> Result<Self, MemoryError> {
        let title = heading.strip_prefix(HEADING).and_then(title);
        let title = title.ok_or_else(|| wrong(block.at - 2, format!("is no title: {heading:?}")))?;
        let updated = block
            .label
            .strip_prefix(UPDATED)
            .and_then(|rest| rest.strip_suffix('*'));
        let updated = updated
            .and_then(date::to_seconds)
            .ok_or_else(|| wrong(block.at, format!("tells no time: {:?}", block.label)))?;
        if !block.lines.is_empty() {
            return Err(wrong(block.at + 2, format!("is not {USER}")));
        }
        Ok(Self {
            conversation: PortableConversation {
                title,
                updated,
                turns: Vec::new(),
            },
            turn: None,
        })
    }

    fn end(mut self) -> Result<PortableConversation, MemoryError> {
        self.end_turn()?;
        Ok(self.conversation)
    }

    fn end_turn(&mut self) -> Result<(), MemoryError> {
        match self.turn.take() {
            Some(open) if !open.is_answered => Err(wrong(open.at, format!("has no {ANSWER} behind it"))),
            Some(open) => {
                self.conversation.turns.push(open.turn);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, block: &Block<'_>) -> Result<(), MemoryError> {
        if let Some(rest) = block.label.strip_prefix(USER) {
            self.end_turn()?;
            let time = rest.strip_prefix(' ').map(|time| {
                let seconds = date::to_seconds(time);
                seconds.ok_or_else(|| wrong(block.at, format!("tells no time: {time:?}")))
            });
            let turn = PortableTurn {
                kept: time.transpose()?,
                turn: KeptTurn {
                    user: block.text(),
                    ..KeptTurn::default()
                },
            };
            if !(rest.is_empty() || rest.starts_with(' ')) {
                return Err(block.unknown());
            }
            self.turn = Some(Open {
                at: block.at,
                turn,
                is_answered: false,
                takes_calls: false,
            });
            return Ok(());
        }
        let open = self.turn.as_mut();
        let open = open.ok_or_else(|| wrong(block.at, format!("stands before any {USER}")))?;
        open.take(block)
    }
}

impl Open {
    fn take(&mut self, block: &Block<'_>) -> Result<(), MemoryError> {
        let (name, rest) = block.parts();
        if self.is_answered && name != CALL {
            return Err(wrong(block.at, format!("stands behind {ANSWER}")));
        }
        let turn = &mut self.turn.turn;
        let takes_calls = matches!(name, ASSISTANT | CALL);
        match (name, rest.as_slice()) {
            (THOUGHT, []) if turn.reasoning.is_empty() => turn.reasoning = block.text(),
            (ASSISTANT, []) => turn.between.push(Message::assistant(block.text())),
            (RESULT, [id]) => turn.between.push(Message::tool_result(id, block.text())),
            (MESSAGE, []) => {
                let message = serde_json::from_str(&block.fenced()?);
                let message = message.map_err(|error| wrong(block.at, format!("is no message: {error}")))?;
                turn.between.push(message);
            }
            (CALL, [name, id]) => {
                let call = ToolCall::new(id, name, block.fenced()?);
                match turn.between.last_mut() {
                    _ if self.is_answered => turn.tool_calls.push(call),
                    Some(message) if self.takes_calls => message.tool_calls.push(call),
                    _ => {
                        let message = Message::assistant("").with_tool_calls(vec![call]);
                        turn.between.push(message);
                    }
                }
            }
            (ANSWER | INTERRUPTED, []) => {
                turn.answer = block.text();
                turn.interrupted = name == INTERRUPTED;
                self.is_answered = true;
            }
            _ => return Err(block.unknown()),
        }
        self.takes_calls = takes_calls;
        Ok(())
    }
}

impl Block<'_> {
    /// The label, and the JSON strings behind it.
    fn parts(&self) -> (&str, Vec<String>) {
        for name in [CALL, RESULT] {
            if let Some(rest) = self.label.strip_prefix(name) {
                let strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                // One that is none makes the label an unknown one.
                let strings: Option<Vec<String>> = strings.map(Result::ok).collect();
                return (name, strings.unwrap_or_default());
            }
        }
        (self.label, Vec::new())
    }

    fn unknown(&self) -> MemoryError {
        wrong(self.at, format!("is no label here: {:?}", self.label))
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| match line.strip_prefix('\\') {
            Some(rest) if is_label(unescaped(rest)) => rest,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The text within the fence.
    fn fenced(&self) -> Result<String, MemoryError> {
        let text = self.text();
        let within = text.split_once('\n').and_then(|(first, rest)| {
            let fence = first
                .strip_suffix("json")
                .filter(|fence| fence.starts_with("```"))?;
            rest.strip_suffix(fence)?.strip_suffix('\n')
        });
        let within = within.ok_or_else(|| wrong(self.at, "has no text in a fence behind it"))?;
        Ok(within.to_owned())
    }
}

/// A title as it was.
fn title(line: &str) -> Option<String> {
    if line == UNTITLED {
        return Some(String::new());
    }
    if line.strip_prefix('\\') == Some(UNTITLED) {
        return Some(UNTITLED.to_owned());
    }
    let mut title = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        title.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            character => character,
        });
    }
    Some(title)
}
