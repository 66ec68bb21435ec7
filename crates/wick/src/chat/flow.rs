//! Styled text set in lines: words are kept whole, and no line is wider than the terminal.
//!
//! Letters come in one at a time. A word is written when it is known to have ended, and never again: nothing that was
//! written is erased or moved. What is written depends on the letters alone, not on how they were cut into pieces.

use unicode_width::UnicodeWidthChar as _;

use super::style::Style;

/// Columns below which a terminal counts as wide as this.
const LEAST_WIDTH: usize = 8;

/// Marks that may not begin a line, of scripts that put no spaces between words.
const NEVER_FIRST: &str = "。，、．：；？！）」』】》〉〕’”ー々";

/// Lines of a width.
#[derive(Debug)]
pub(super) struct Flow {
    colours: bool,
    width: usize,
    /// Columns of the line that are taken, its margin included.
    column: usize,
    /// Whether anything but its margin stands on the line.
    filled: bool,
    /// What stands before every further line of the same paragraph.
    margin: Vec<(char, Style)>,
    word: Vec<(char, Style)>,
    word_width: usize,
    /// Spaces between what is written and the word.
    spaces: Vec<Style>,
    /// What the terminal shows letters in.
    look: Style,
    out: String,
}

impl Flow {
    /// Lines of `width` columns, in colours or without.
    pub(super) fn new(width: usize, colours: bool) -> Self {
        Self {
            colours,
            width: width.max(LEAST_WIDTH),
            column: 0,
            filled: false,
            margin: Vec::new(),
            word: Vec::new(),
            word_width: 0,
            spaces: Vec::new(),
            look: Style::PLAIN,
            out: String::new(),
        }
    }

    /// The terminal is this wide from here on.
    pub(super) fn resize(&mut self, width: usize) {
        self.width = width.max(LEAST_WIDTH);
    }

    /// Columns that a line has beside the margin.
    pub(super) fn room(&self) -> usize {
        self.width.saturating_sub(width_of(&self.margin)).max(1)
    }

    /// Whether letters are coloured.
    pub(super) fn colours(&self) -> bool {
        self.colours
    }

    /// Whether the line has anything on it.
    pub(super) fn mid_line(&self) -> bool {
        self.column > 0 || !self.word.is_empty() || !self.spaces.is_empty()
    }

    /// Begins a line with `first`; `rest` stands before the lines that it runs on to. At most half the width is margin.
    pub(super) fn begin(&mut self, first: &[(char, Style)], rest: &[(char, Style)]) {
        let most = self.width / 2;
        self.margin = narrow(rest, most);
        for (letter, style) in narrow(first, most) {
            self.write(letter, style);
        }
        self.filled = false;
    }

    /// Adds a letter to the text; a space ends a word.
    pub(super) fn letter(&mut self, letter: char, style: Style) {
        if letter == ' ' || letter == '\t' {
            self.end_word();
            self.spaces.push(style);
            return;
        }
        let width = width(letter);
        let joins = width == 0 || NEVER_FIRST.contains(letter);
        let breaks = |(last, _): &(char, Style)| self::width(*last) > 1;
        if !joins && (width > 1 || self.word.last().is_some_and(breaks)) {
            self.end_word();
        }
        if width > 0 && self.word_width + width > self.room() {
            self.end_word();
        }
        self.word.push((letter, style));
        self.word_width += width;
    }

    /// Adds a letter that is never moved to another line: the terminal breaks the line where it has to.
    pub(super) fn fixed(&mut self, letter: char, style: Style) {
        self.end_word();
        self.write_spaces();
        self.write(letter, style);
        self.filled = true;
    }

    /// Ends the line.
    pub(super) fn end_line(&mut self) {
        self.end_word();
        self.spaces.clear();
        self.margin.clear();
        self.next_line();
    }

    /// What has been written since the last call.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Writes the word, on the next line if this one has no room for it.
    pub(super) fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let taken = self.column + self.word_width;
        if !self.filled {
            self.spaces.truncate(self.width.saturating_sub(taken));
        } else if taken + self.spaces.len() > self.width {
            self.spaces.clear();
            self.next_line();
            for (letter, style) in self.margin.clone() {
                self.write(letter, style);
            }
        }
        self.write_spaces();
        for (letter, style) in std::mem::take(&mut self.word) {
            self.write(letter, style);
        }
        self.word_width = 0;
        self.filled = true;
    }

    fn write_spaces(&mut self) {
        for style in std::mem::take(&mut self.spaces) {
            if self.column < self.width {
                self.write(' ', style);
            }
        }
    }

    fn next_line(&mut self) {
        self.turn(Style::PLAIN);
        self.out.push('\n');
        self.column = 0;
        self.filled = false;
    }

    fn write(&mut self, letter: char, style: Style) {
        self.turn(style);
        self.out.push(letter);
        self.column += width(letter);
    }

    /// Gives the letters that follow another look.
    fn turn(&mut self, style: Style) {
        if !self.colours || self.look == style {
            return;
        }
        self.look.end(&mut self.out);
        style.begin(&mut self.out);
        self.look = style;
    }
}

/// The columns of a letter.
pub(super) fn width(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

/// The columns of styled text.
pub(super) fn width_of(text: &[(char, Style)]) -> usize {
    text.iter().map(|(letter, _)| width(*letter)).sum()
}

/// All letters of `text` in one style.
pub(super) fn styled(text: &str, style: Style) -> Vec<(char, Style)> {
    text.chars().map(|letter| (letter, style)).collect()
}

/// As much of `text` as `most` columns hold; its end is kept, where a mark of a list stands.
fn narrow(text: &[(char, Style)], most: usize) -> Vec<(char, Style)> {
    let mut text = text;
    while width_of(text) > most {
        text = text.get(1..).unwrap_or_default();
    }
    text.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, width: usize) -> String {
        let mut flow = Flow::new(width, false);
        for letter in text.chars() {
            flow.letter(letter, Style::PLAIN);
        }
        flow.end_line();
        flow.take()
    }

    #[test]
    fn words_move_to_the_next_line_whole() {
        assert_eq!(set("one two three four", 9), "one two\nthree\nfour\n");
        assert_eq!(set("exactly8 exactly8", 8), "exactly8\nexactly8\n");
    }

    #[test]
    fn a_word_wider_than_the_line_is_broken() {
        assert_eq!(set("a abcdefghijklmnopqr b", 8), "a\nabcdefgh\nijklmnop\nqr b\n");
    }

    #[test]
    fn wide_letters_take_two_columns_and_break_anywhere_but_before_a_full_stop() {
        assert_eq!(set("日本語日本語", 8), "日本語日\n本語\n");
        assert_eq!(set("日本語日。本", 8), "日本語\n日。本\n");
        assert_eq!(set("e\u{301}e\u{301}", 8), "e\u{301}e\u{301}\n");
    }

    #[test]
    fn a_margin_stands_before_every_line_and_takes_half_the_width_at_most() {
        let mut flow = Flow::new(10, false);
        let rest = styled("  ", Style::PLAIN);
        flow.begin(&styled("- ", Style::PLAIN), &rest);
        for letter in "one two three".chars() {
            flow.letter(letter, Style::PLAIN);
        }
        flow.end_line();
        let deep = styled("            - ", Style::PLAIN);
        flow.begin(&deep, &deep);
        flow.letter('x', Style::PLAIN);
        flow.end_line();
        assert_eq!(flow.take(), "- one two\n  three\n   - x\n");
    }

    #[test]
    fn a_look_never_outlasts_its_line() {
        let mut flow = Flow::new(8, true);
        for letter in "bold bold".chars() {
            flow.letter(letter, Style::PLAIN.bold());
        }
        flow.end_line();
        assert_eq!(flow.take(), "\u{1b}[1mbold\u{1b}[0m\n\u{1b}[1mbold\u{1b}[0m\n");
    }

    #[test]
    fn a_word_is_written_once_it_has_ended() {
        let mut flow = Flow::new(80, false);
        for letter in "one tw".chars() {
            flow.letter(letter, Style::PLAIN);
        }
        assert_eq!(flow.take(), "one");
        flow.letter(' ', Style::PLAIN);
        assert_eq!(flow.take(), " two".replace("two", "tw"));
    }
}
