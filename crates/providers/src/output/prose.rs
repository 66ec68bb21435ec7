//! The answer's text around calls of tools.

use std::mem;

use engine::Events;

use super::pending::is_space;

/// The answer of one choice: whitespace next to the tags of a call is the format's, all other text the answer's.
pub(super) struct Prose {
    choice: u32,
    /// Whitespace that is text if text follows.
    space: String,
    /// Whether whitespace that comes now belongs to a tag before it.
    after_tag: bool,
    /// Ids of the tokens that no event has carried yet.
    pub(super) tokens: Vec<u32>,
}

impl Prose {
    pub(super) fn new(choice: u32) -> Self {
        Self {
            choice,
            space: String::new(),
            after_tag: false,
            tokens: Vec::new(),
        }
    }

    pub(super) fn choice(&self) -> u32 {
        self.choice
    }

    /// A tag of a call: whitespace on both sides of it is no text.
    pub(super) fn tag(&mut self) {
        self.space.clear();
        self.after_tag = true;
    }

    /// Text of the answer; whitespace at its end is held back until text follows.
    pub(super) fn say(&mut self, text: &str, events: &mut Events) {
        let text = match self.after_tag {
            true => text.trim_start_matches(is_space),
            false => text,
        };
        let solid = text.trim_end_matches(is_space);
        if solid.is_empty() {
            self.space.push_str(text);
            return;
        }
        let mut said = mem::take(&mut self.space);
        said.push_str(solid);
        self.space.push_str(text.get(solid.len()..).unwrap_or_default());
        self.after_tag = false;
        events.text(self.choice, said, mem::take(&mut self.tokens));
    }

    /// No text follows.
    pub(super) fn finish(self, events: &mut Events) {
        events.text(self.choice, self.space, self.tokens);
    }
}
