//! Text that is not decided yet, taken from its front.

/// Whether whitespace next to a tag may be the format's.
pub(super) fn is_space(c: char) -> bool {
    c.is_ascii_whitespace()
}

/// Text that is not decided yet.
#[derive(Default)]
pub(super) struct Pending {
    text: String,
    /// Bytes taken.
    taken: usize,
}

impl Pending {
    pub(super) fn push(&mut self, text: &str) {
        self.text.drain(..self.taken);
        self.taken = 0;
        self.text.push_str(text);
    }

    pub(super) fn rest(&self) -> &str {
        self.text.get(self.taken..).unwrap_or_default()
    }

    /// Drops `len` bytes, which end with a character.
    pub(super) fn skip(&mut self, len: usize) {
        self.taken += len;
    }

    pub(super) fn take(&mut self, len: usize) -> String {
        let taken = self.rest().get(..len).unwrap_or_default().to_owned();
        self.skip(taken.len());
        taken
    }

    pub(super) fn take_space(&mut self) -> String {
        let rest = self.rest();
        self.take(rest.len() - rest.trim_start_matches(is_space).len())
    }
}
