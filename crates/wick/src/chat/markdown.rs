//! Markdown shown as it arrives: headings, lists, quotes, code and tables, line by line.
//!
//! A machine over letters: what it writes depends on the letters alone, whatever pieces they come in, and nothing that was
//! written is erased. What a line is can be told from its first letters; only rows of tables and rules are held back
//! whole. Line ends are kept as the model wrote them. Without colours every mark stays and lines are only wrapped; code
//! is never wrapped, so that it can be copied.
//!
//! The marks are those of CommonMark and tables of GitHub, as far as a stream can have them: no mark reaches over a line
//! end, references and HTML are text.

mod inline;
mod code;
mod opening;
mod table;

use super::flow::{Flow, styled};
use super::style::{Colour, Style};
use code::Code;
use inline::Inline;
use opening::{Opening, opening};
use table::Table;

const HEADING: Style = Style::of(Colour::Magenta).bold();
const MARK: Style = Style::of(Colour::Blue);

/// Columns of a rule at most.
const RULE: usize = 40;

/// A text of Markdown on its way to a terminal.
#[derive(Debug)]
pub(super) struct Markdown {
    flow: Flow,
    state: State,
    /// Letters of a line of which it is not known yet what it is.
    held: String,
    /// What stands before the line: marks of quotes, and then of list items.
    first: Vec<(char, Style)>,
    rest: Vec<(char, Style)>,
    /// Quotes that the line stands in.
    quotes: usize,
    /// Whether an empty line is due before what comes next; none is at the beginning.
    gap: bool,
    begun: bool,
    /// A line that is the heading of a table if a rule follows it.
    heading: Option<String>,
    table: Option<Table>,
}

#[derive(Debug)]
enum State {
    /// At the beginning of a line.
    Start,
    /// In a line of text.
    Text(Inline),
    /// In code that a line of the mark ends.
    Code {
        mark: char,
        count: usize,
        code: Code,
        /// Whether the line is known not to end the code.
        within: bool,
    },
}

impl Markdown {
    /// A text for a terminal of `width` columns.
    pub(super) fn new(width: usize, colours: bool) -> Self {
        Self {
            flow: Flow::new(width, colours),
            state: State::Start,
            held: String::new(),
            first: Vec::new(),
            rest: Vec::new(),
            quotes: 0,
            gap: false,
            begun: false,
            heading: None,
            table: None,
        }
    }

    /// The terminal is this wide from here on.
    pub(super) fn resize(&mut self, width: usize) {
        self.flow.resize(width);
    }

    /// Adds a piece; what the terminal is to be given for it.
    pub(super) fn push(&mut self, text: &str) -> String {
        for letter in text.chars() {
            self.letter(letter);
        }
        self.flow.take()
    }

    /// Ends the text, and its line; what is left to be shown.
    pub(super) fn end(&mut self) -> String {
        match &self.state {
            State::Start if self.held.is_empty() && self.first.is_empty() => {}
            State::Code { within: false, .. } if self.held.is_empty() => {}
            _ => self.letter('\n'),
        }
        self.settle();
        self.state = State::Start;
        if self.flow.mid_line() {
            self.flow.end_line();
        }
        self.flow.take()
    }

    fn letter(&mut self, letter: char) {
        match &mut self.state {
            State::Start => self.start(letter),
            State::Text(inline) => {
                let flow = &mut self.flow;
                let mut show = |letter, style| flow.letter(letter, style);
                if letter == '\n' {
                    inline.end(&mut show);
                    self.end_line();
                } else {
                    inline.push(letter, &mut show);
                }
            }
            State::Code { .. } => self.code(letter),
        }
    }

    fn end_line(&mut self) {
        self.flow.end_line();
        self.state = State::Start;
        self.new_line();
    }

    /// Nothing of the next line is known.
    fn new_line(&mut self) {
        self.held.clear();
        self.first.clear();
        self.rest.clear();
        self.quotes = 0;
    }

    /// A letter at the beginning of a line: what the line is may be known with it.
    fn start(&mut self, letter: char) {
        let ended = letter == '\n';
        if !ended {
            self.held.push(letter);
        }
        // Marks follow marks: a quote may begin a list item, that one code.
        while let Some(found) = opening(&self.held, ended) {
            if self.open(found, ended) {
                return;
            }
        }
    }

    /// Begins what a line was found to be; whether the line's beginning is dealt with.
    fn open(&mut self, opening: Opening, ended: bool) -> bool {
        if self.first.is_empty() && !matches!(opening, Opening::Bar) {
            self.settle();
        }
        let colours = self.flow.colours();
        match opening {
            Opening::Quote { taken } => {
                let mark = styled(if colours { "│ " } else { "> " }, MARK);
                self.margin(taken, &mark, &mark);
                self.quotes += 1;
            }
            Opening::Item { taken, indent, mark } => {
                let shown = match mark.as_str() {
                    "-" | "*" | "+" if colours => "•",
                    mark => mark,
                };
                let first = styled(&format!("{}{shown} ", " ".repeat(indent)), MARK);
                let rest = styled(&" ".repeat(first.len()), Style::PLAIN);
                self.margin(taken, &first, &rest);
            }
            Opening::Task { taken, done } if colours => {
                let mark = styled(if done { "☑ " } else { "☐ " }, MARK);
                self.margin(taken, &mark, &styled("  ", Style::PLAIN));
            }
            opening => {
                self.open_last(opening, ended);
                return true;
            }
        }
        false
    }

    /// Begins a line that no further mark can follow on.
    fn open_last(&mut self, opening: Opening, ended: bool) {
        let colours = self.flow.colours();
        match opening {
            Opening::Blank => {
                self.gap |= self.begun;
                if !self.first.is_empty() {
                    self.begin_line();
                    self.flow.end_line();
                }
                self.new_line();
            }
            Opening::Rule => {
                let line = self.held.trim().to_owned();
                self.begin_line();
                let rule = if colours {
                    "─".repeat(self.flow.room().min(RULE))
                } else {
                    line
                };
                self.line_of(&rule, Style::FAINT);
                self.new_line();
            }
            Opening::Fence { mark, count, info } => {
                let line = self.held.trim().to_owned();
                self.begin_line();
                self.line_of(&line, Style::FAINT);
                self.state = State::Code {
                    mark,
                    count,
                    code: Code::new(if colours { &info } else { "" }),
                    within: false,
                };
            }
            Opening::Bar => {
                let line = self.held.clone();
                self.bar(line);
            }
            Opening::Heading { taken, level } if colours => {
                let underlined = level == 1;
                self.text(
                    taken,
                    Style {
                        underlined,
                        ..HEADING
                    },
                    ended,
                );
            }
            Opening::Text { indent } => {
                let indent = styled(&" ".repeat(indent), Style::PLAIN);
                self.margin(indent.len(), &indent, &indent);
                self.text(0, Style::PLAIN, ended);
            }
            // Without colours the marks are text.
            _ => self.text(0, Style::PLAIN, ended),
        }
    }

    /// Takes so many letters from those held, and puts something before the line.
    fn margin(&mut self, taken: usize, first: &[(char, Style)], rest: &[(char, Style)]) {
        self.held = self.held.chars().skip(taken).collect();
        self.first.extend_from_slice(first);
        self.rest.extend_from_slice(rest);
    }

    /// Begins a line of text with what is held, after so many letters of marks.
    fn text(&mut self, taken: usize, look: Style, ended: bool) {
        self.begin_line();
        let held = std::mem::take(&mut self.held);
        self.state = if self.flow.colours() {
            State::Text(Inline::new(look))
        } else {
            State::Text(Inline::literal())
        };
        held.chars().skip(taken).for_each(|letter| self.letter(letter));
        if ended {
            self.letter('\n');
        }
    }

    /// Shows the rest of a line that was begun.
    fn line_of(&mut self, line: &str, look: Style) {
        line.chars().for_each(|letter| self.flow.fixed(letter, look));
        self.flow.end_line();
        self.held.clear();
    }

    /// Begins a line with its margin, after the empty line that is due.
    fn begin_line(&mut self) {
        if self.gap {
            self.flow.end_line();
        }
        self.gap = false;
        self.begun = true;
        self.flow.begin(&self.first, &self.rest);
    }

    /// A whole line that begins with a bar: of a table, or a heading that a rule may follow.
    fn bar(&mut self, line: String) {
        if !self.first.is_empty() {
            // In a list or a quote it is text.
            self.text(0, Style::PLAIN, true);
            return;
        }
        self.new_line();
        if let Some(table) = &mut self.table {
            table.row(&line, &mut self.flow);
            return;
        }
        if let Some(heading) = self.heading.take() {
            if let Some(table) = Table::new(&heading, &line, self.flow.colours()) {
                self.begin_line();
                self.table = Some(table);
                return;
            }
            self.plain(heading);
        }
        self.heading = Some(line);
    }

    /// What was held back as the beginning of a table ends here.
    fn settle(&mut self) {
        if let Some(mut table) = self.table.take() {
            table.end(&mut self.flow);
        }
        if let Some(heading) = self.heading.take() {
            let held = std::mem::take(&mut self.held);
            self.plain(heading);
            self.held = held;
        }
    }

    fn plain(&mut self, line: String) {
        self.held = line;
        self.text(0, Style::PLAIN, true);
    }

    /// A letter of code, or of the line that ends it.
    fn code(&mut self, letter: char) {
        let State::Code {
            mark,
            count,
            code,
            within,
        } = &mut self.state
        else {
            return;
        };
        let flow = &mut self.flow;
        if letter != '\n' && !*within {
            self.held.push(letter);
            let line = unquoted(&self.held, self.quotes);
            let marks = line.trim().trim_start_matches(*mark);
            if line.trim().is_empty() || marks.is_empty() || line.len() < self.held.len() && line.is_empty() {
                return;
            }
            *within = true;
            let line = line.to_owned();
            self.held.clear();
            margin_of_code(self.quotes, flow);
            for letter in line.chars() {
                code.push(letter, &mut |letter, style| flow.fixed(letter, style));
            }
            return;
        }
        if letter != '\n' {
            code.push(letter, &mut |letter, style| flow.fixed(letter, style));
            return;
        }
        if *within {
            code.end_line(&mut |letter, style| flow.fixed(letter, style));
            *within = false;
            flow.end_line();
            return;
        }
        let line = unquoted(&self.held, self.quotes).to_owned();
        let (mark, count) = (*mark, *count);
        self.held.clear();
        margin_of_code(self.quotes, flow);
        let ends = line.trim().chars().count() >= count && line.trim().chars().all(|found| found == mark);
        let look = if ends { Style::FAINT } else { Style::PLAIN };
        let shown = if ends { line.trim() } else { line.as_str() };
        shown.chars().for_each(|letter| flow.fixed(letter, look));
        flow.end_line();
        if ends {
            self.state = State::Start;
            self.new_line();
        }
    }
}

/// Code in a quote has the quote's mark before each line.
fn margin_of_code(quotes: usize, flow: &mut Flow) {
    let mark = if flow.colours() { '│' } else { '>' };
    for _ in 0..quotes {
        flow.fixed(mark, MARK);
        flow.fixed(' ', MARK);
    }
}

/// A line without the marks of the quotes that it stands in.
fn unquoted(line: &str, quotes: usize) -> &str {
    let mut line = line;
    for _ in 0..quotes {
        let Some(inner) = line.trim_start().strip_prefix('>') else {
            break;
        };
        line = inner.strip_prefix(' ').unwrap_or(inner);
    }
    line
}

#[cfg(test)]
mod tests;
