//! Standard output: what the program was asked for, and nothing else.
//!
//! Text of a model is foreign. On a terminal its control characters and those that turn the direction of writing are
//! shown as a replacement character, so that an answer cannot move the cursor, retitle the window, type for its
//! reader or show other words than it has; in a pipe it is passed on to the letter.

use std::io::{IsTerminal as _, StdoutLock, Write as _};

use crate::failure;

/// Writes `text` and flushes it.
pub(crate) fn write(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(failure::of_write)
}

/// Writes `text`, which may hold what others wrote: to the letter in a pipe or a file, harmless at a terminal.
pub(crate) fn page(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().is_terminal() {
        true => write(&harmless(text)),
        false => write(text),
    }
}

/// Writes JSON: to the letter in a pipe or a file; at a terminal the same values, with escapes for what it would obey.
pub(crate) fn record(json: &str) -> anyhow::Result<()> {
    match std::io::stdout().is_terminal() {
        true => write(&escaped(json)),
        false => write(json),
    }
}

/// Standard output while an answer streams to it.
pub(crate) struct Answer {
    out: StdoutLock<'static>,
    terminal: bool,
    mid_line: bool,
    /// Whether what was shown last is reasoning.
    aside: bool,
}

impl Answer {
    /// Holds standard output until dropped.
    pub(crate) fn begin() -> Self {
        let out = std::io::stdout().lock();
        let terminal = out.is_terminal();
        Self {
            out,
            terminal,
            mid_line: false,
            aside: false,
        }
    }

    /// Shows a piece of the model's reasoning, dimmed, on a terminal; in a pipe it is no part of the answer.
    pub(crate) fn reasoning(&mut self, text: &str) -> anyhow::Result<()> {
        if !self.terminal || text.is_empty() {
            return Ok(());
        }
        self.aside = true;
        self.show(&dimmed(&harmless(text), std::env::var_os("NO_COLOR").is_none()))?;
        self.mid_line = !text.ends_with('\n');
        Ok(())
    }

    /// Shows a piece of the answer at once.
    pub(crate) fn piece(&mut self, text: &str) -> anyhow::Result<()> {
        if self.aside && !text.is_empty() {
            self.aside = false;
            self.end_line()?;
        }
        let Some(last) = text.chars().last() else {
            return Ok(());
        };
        self.mid_line = last != '\n';
        if self.terminal {
            self.show(&harmless(text))
        } else {
            self.show(text)
        }
    }

    /// Shows `text` on a line of its own.
    pub(crate) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.aside = false;
        self.end_line()?;
        self.piece(&format!("{text}\n"))
    }

    fn show(&mut self, text: &str) -> anyhow::Result<()> {
        let written = self.out.write_all(text.as_bytes());
        written.and_then(|()| self.out.flush()).map_err(failure::of_write)
    }

    /// Ends the line on a terminal, where a prompt follows; in a pipe the answer stays as it is.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        if self.terminal { self.end_line() } else { Ok(()) }
    }

    /// Ends the line that the answer stopped in.
    pub(crate) fn end_line(&mut self) -> anyhow::Result<()> {
        if !self.mid_line {
            return Ok(());
        }
        self.mid_line = false;
        self.show("\n")
    }
}

/// `text` in the terminal's faint letters, if it may have colours.
fn dimmed(text: &str, colours: bool) -> String {
    match colours {
        true => format!("\u{1b}[2m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

/// Whether a terminal would obey this character instead of showing it. Marks that turn the direction of writing are
/// among them: with them a line reads as something else than it is.
pub(crate) fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// `text` without anything that a terminal would obey, line ends and tabs apart.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |letter| match letter {
        '\n' | '\t' => letter,
        _ if steers(letter) => char::REPLACEMENT_CHARACTER,
        _ => letter,
    };
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

/// The same JSON with an escape for each character that a terminal would obey. Those stand in strings alone: between
/// values there are line ends and spaces.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\n' => text.push(letter),
            // None of them is beyond the plane that four digits reach.
            _ if steers(letter) => text += &format!("\\u{:04x}", u32::from(letter)),
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_is_faint_where_there_are_colours() {
        assert_eq!(dimmed("a", true), "\u{1b}[2ma\u{1b}[0m");
        assert_eq!(dimmed("a", false), "a");
    }

    #[test]
    fn escape_sequences_do_not_reach_a_terminal() {
        assert_eq!(
            harmless("a\u{1b}[2J\tb\n\u{9b}c\r"),
            "a\u{fffd}[2J\tb\n\u{fffd}c\u{fffd}"
        );
        for mark in ['\u{202e}', '\u{2066}', '\u{200e}', '\u{200f}', '\u{61c}'] {
            assert_eq!(harmless(&format!("a\r\n{mark}b")), "a\n\u{fffd}b");
        }
    }

    #[test]
    fn a_record_stays_the_same_json_without_what_steers() {
        let text = "a\u{9b}b\u{202e}c\u{7f}\u{1b}d\u{61c}";
        let record = serde_json::json!({ "text": text });
        for json in [record.to_string(), format!("{record:#}\n")] {
            let shown = escaped(&json);
            assert!(shown.contains("a\\u009bb\\u202ec\\u007f"), "{shown}");
            assert!(
                !shown.chars().any(|letter| letter != '\n' && steers(letter)),
                "{shown}"
            );
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&shown).ok(),
                Some(record.clone())
            );
        }
    }
}
