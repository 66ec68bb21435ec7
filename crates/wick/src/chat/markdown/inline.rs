//! Marks within a line: emphasis, code, links.
//!
//! A mark is taken for one only where its other end is seen; until then what follows it is held back, no further than the
//! end of the line or a bound. So a lone `*` stays a star, and nothing that was shown is taken back.

use super::super::style::{Colour, Style};

/// Letters of a phrase that are held back until its other end comes.
const FAR: usize = 200;

/// Letters of a link that are held back.
const FAR_LINK: usize = 600;

const CODE: Style = Style::of(Colour::Cyan);
const LINK: Style = Style {
    underlined: true,
    ..Style::of(Colour::Blue)
};

/// The marks of one line, fed letter by letter.
#[derive(Debug, Default)]
pub(super) struct Inline {
    base: Style,
    held: Vec<char>,
    /// The letter before those held.
    before: Option<char>,
    /// Whether a bold phrase is open that was too long to be held back.
    bold: bool,
    /// Whether every mark stays.
    literal: bool,
}

/// What the held letters begin with.
enum Step {
    /// That is not known yet.
    Wait,
    /// So many letters, to the letter.
    Literal(usize),
    /// One letter, for so many.
    Letter(char, usize),
    /// A phrase between marks of a length, in a style.
    Phrase { mark: usize, inner: usize, style: Style },
    /// Code between marks of a length.
    Code { mark: usize, inner: usize },
    /// A link: its text, its address, and how many letters it has in all.
    Link {
        text: Vec<char>,
        address: String,
        taken: usize,
    },
    /// The beginning or the end of a long bold phrase.
    Bold,
}

impl Inline {
    /// Marks of a line whose letters look like this.
    pub(super) fn new(base: Style) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    /// A line whose marks stay.
    pub(super) fn literal() -> Self {
        Self {
            literal: true,
            ..Self::default()
        }
    }

    /// Adds a letter; what is known by then goes to `show`.
    pub(super) fn push(&mut self, letter: char, show: &mut dyn FnMut(char, Style)) {
        if self.literal {
            show(letter, self.base);
            return;
        }
        self.held.push(letter);
        self.advance(false, show);
    }

    /// Ends the line: what is held back is shown.
    pub(super) fn end(&mut self, show: &mut dyn FnMut(char, Style)) {
        self.advance(true, show);
        self.bold = false;
        self.before = None;
    }

    fn advance(&mut self, ended: bool, show: &mut dyn FnMut(char, Style)) {
        let mut at = 0;
        while at < self.held.len() {
            let base = if self.bold { self.base.bold() } else { self.base };
            let rest = self.held.get(at..).unwrap_or_default();
            let taken = match step(rest, self.before, self.bold, ended) {
                Step::Wait => break,
                Step::Literal(count) => {
                    rest.iter().take(count).for_each(|letter| show(*letter, base));
                    count
                }
                Step::Letter(letter, count) => {
                    show(letter, base);
                    count
                }
                Step::Phrase { mark, inner, style } => {
                    whole(
                        rest.get(mark..mark + inner).unwrap_or_default(),
                        base.with(style),
                        show,
                    );
                    inner + 2 * mark
                }
                Step::Code { mark, inner } => {
                    let code = rest.get(mark..mark + inner).unwrap_or_default();
                    unpadded(code)
                        .iter()
                        .for_each(|letter| show(*letter, base.with(CODE)));
                    inner + 2 * mark
                }
                Step::Link { text, address, taken } => {
                    whole(&text, base.with(LINK), show);
                    if !text.iter().copied().eq(address.chars()) {
                        let shown = format!(" ({address})");
                        shown
                            .chars()
                            .for_each(|letter| show(letter, base.with(Style::FAINT)));
                    }
                    taken
                }
                Step::Bold => {
                    self.bold = !self.bold;
                    2
                }
            };
            at += taken.max(1);
            self.before = self.held.get(at - 1).copied();
        }
        self.held.drain(..at.min(self.held.len()));
    }
}

/// Shows a whole line or phrase.
pub(super) fn whole(text: &[char], base: Style, show: &mut dyn FnMut(char, Style)) {
    let mut inline = Inline::new(base);
    inline.held = text.to_vec();
    inline.end(show);
}

/// What `text` begins with; `ended` if nothing follows it.
fn step(text: &[char], before: Option<char>, bold: bool, ended: bool) -> Step {
    match text.first() {
        Some('\\') => match text.get(1) {
            Some(next) if is_escapable(*next) => Step::Letter(*next, 2),
            None if !ended => Step::Wait,
            _ => Step::Literal(1),
        },
        Some('`') => code(text, ended),
        Some(mark @ ('*' | '_' | '~')) => phrase(text, *mark, before, bold, ended),
        Some('!') if text.get(1) == Some(&'[') => link(text, 1, ended),
        Some('!') if text.len() == 1 && !ended => Step::Wait,
        Some('[') => link(text, 0, ended),
        Some('<') => address(text, ended),
        _ => Step::Literal(1),
    }
}

/// What a backslash takes the meaning from. Brackets are not among them: before one a backslash begins a formula.
fn is_escapable(letter: char) -> bool {
    "\\`*_#+-.!|~<>".contains(letter)
}

/// Letters equal to the first one; `None` while more may follow.
fn run(text: &[char], ended: bool) -> Option<usize> {
    let first = text.first()?;
    let count = text.iter().take_while(|letter| *letter == first).count();
    (ended || count < text.len()).then_some(count)
}

fn code(text: &[char], ended: bool) -> Step {
    let Some(mark) = run(text, ended) else {
        return Step::Wait;
    };
    let mut at = mark;
    while at < text.len() {
        if text.get(at) != Some(&'`') {
            at += 1;
            continue;
        }
        match run(text.get(at..).unwrap_or_default(), ended) {
            None => return Step::Wait,
            Some(count) if count == mark => {
                return Step::Code {
                    mark,
                    inner: at - mark,
                };
            }
            Some(count) => at += count,
        }
    }
    give_up(text, ended, FAR, Step::Literal(mark))
}

fn give_up(text: &[char], ended: bool, far: usize, step: Step) -> Step {
    if ended || text.len() > far {
        step
    } else {
        Step::Wait
    }
}

/// Code as it is shown: without the one space on both sides that keeps it from its marks.
fn unpadded(code: &[char]) -> &[char] {
    match code {
        [' ', inner @ .., ' '] if inner.iter().any(|letter| *letter != ' ') => inner,
        code => code,
    }
}

fn phrase(text: &[char], letter: char, before: Option<char>, bold: bool, ended: bool) -> Step {
    let Some(mark) = run(text, ended) else {
        return Step::Wait;
    };
    let next = text.get(mark).copied();
    if bold && letter == '*' && mark >= 2 && before.is_some_and(|before| !before.is_whitespace()) {
        return Step::Bold;
    }
    let style = match (letter, mark) {
        ('*' | '_', 1) => Style {
            italic: true,
            ..Style::PLAIN
        },
        ('*' | '_', 2) => Style::PLAIN.bold(),
        ('*' | '_', 3) => Style {
            italic: true,
            ..Style::PLAIN.bold()
        },
        ('~', 2) => Style {
            struck: true,
            ..Style::PLAIN
        },
        _ => return Step::Literal(mark),
    };
    let word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    // `snake_case`, `2*3` and `2**3` are no emphasis.
    let within = match (letter, mark) {
        ('_', _) | ('*', 1) => word(before),
        _ => digit(before) && digit(next),
    };
    if within || next.is_none_or(char::is_whitespace) {
        return Step::Literal(mark);
    }
    match closing(text, letter, mark, ended) {
        Closing::At(inner) => Step::Phrase { mark, inner, style },
        Closing::Unknown if text.len() <= FAR => Step::Wait,
        Closing::None if !ended && text.len() <= FAR => Step::Wait,
        _ if !ended && letter == '*' && mark == 2 && !bold => Step::Bold,
        _ => Step::Literal(mark),
    }
}

enum Closing {
    /// So many letters lie between the marks.
    At(usize),
    /// More has to be seen of it.
    Unknown,
    None,
}

/// The marks that end a phrase; those within code do not.
fn closing(text: &[char], letter: char, mark: usize, ended: bool) -> Closing {
    let mut at = mark;
    while let Some(found) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        match *found {
            '\\' => at += 2,
            '`' => match code(rest, ended) {
                Step::Code { mark, inner } => at += inner + 2 * mark,
                Step::Literal(count) => at += count,
                _ => return Closing::Unknown,
            },
            found if found == letter => {
                let Some(count) = run(rest, ended) else {
                    return Closing::Unknown;
                };
                let before = text.get(at - 1).copied();
                let after = text.get(at + count).copied();
                let ends = before.is_some_and(|before| !before.is_whitespace())
                    && !(letter == '_' && after.is_some_and(char::is_alphanumeric));
                // Three close the two phrases that end together; the inner one's marks come first.
                let fits = count == mark || (count == 3 && mark < 3 && letter != '~');
                if ends && fits {
                    return Closing::At(at + count - 2 * mark);
                }
                at += count;
            }
            _ => at += 1,
        }
    }
    Closing::None
}

/// `[text](address)`, or with `bang` 1 the same for a picture.
fn link(text: &[char], bang: usize, ended: bool) -> Step {
    let Some(close) = matching(text, bang, '[', ']') else {
        return give_up(text, ended, FAR, Step::Literal(1));
    };
    match text.get(close + 1) {
        None if !ended => return Step::Wait,
        Some('(') => {}
        _ => return Step::Literal(1),
    }
    let Some(end) = matching(text, close + 1, '(', ')') else {
        return give_up(text, ended, FAR_LINK, Step::Literal(1));
    };
    let target: String = text.get(close + 2..end).unwrap_or_default().iter().collect();
    let address = target.split_whitespace().next().unwrap_or_default();
    let address = address.trim_start_matches('<').trim_end_matches('>').to_owned();
    Step::Link {
        text: text.get(bang + 1..close).unwrap_or_default().to_vec(),
        address,
        taken: end + 1,
    }
}

/// Where the bracket at `from` is closed.
fn matching(text: &[char], from: usize, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(letter) = text.get(at) {
        if *letter == '\\' {
            at += 1;
        } else if *letter == open {
            depth += 1;
        } else if *letter == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at);
            }
        }
        at += 1;
    }
    None
}

/// `<address>`, or a line break of HTML, which tables have.
fn address(text: &[char], ended: bool) -> Step {
    let Some(end) = text.iter().position(|letter| *letter == '>') else {
        let hopeless = text.iter().any(|letter| letter.is_whitespace());
        return give_up(text, ended || hopeless, FAR, Step::Literal(1));
    };
    let inner: String = text.get(1..end).unwrap_or_default().iter().collect();
    if matches!(inner.as_str(), "br" | "br/" | "br /") {
        return Step::Letter(' ', end + 1);
    }
    let known = ["http://", "https://", "mailto:"];
    if inner.contains(char::is_whitespace) || !known.iter().any(|known| inner.starts_with(known)) {
        return Step::Literal(1);
    }
    Step::Link {
        text: inner.chars().collect(),
        address: inner,
        taken: end + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with each run of a style between braces, named by its first letters.
    fn shown(text: &str) -> String {
        let mut out = String::new();
        let mut last = Style::PLAIN;
        let name = |style: Style| {
            let mut name = String::new();
            for (set, letter) in [
                (style.bold, 'b'),
                (style.italic, 'i'),
                (style.struck, 's'),
                (style.faint, 'f'),
                (style.underlined, 'u'),
                (style.colour == Some(Colour::Cyan), 'c'),
            ] {
                if set {
                    name.push(letter);
                }
            }
            name
        };
        let mut show = |letter: char, style: Style| {
            if style != last {
                if last != Style::PLAIN {
                    out.push('}');
                }
                if style != Style::PLAIN {
                    out.push('{');
                    out.push_str(&name(style));
                    out.push(':');
                }
                last = style;
            }
            out.push(letter);
        };
        let mut inline = Inline::default();
        for letter in text.chars() {
            inline.push(letter, &mut show);
        }
        inline.end(&mut show);
        if last != Style::PLAIN {
            out.push('}');
        }
        out
    }

    #[test]
    fn marks_become_looks() {
        for (text, expected) in [
            ("a **b c** d", "a {b:b c} d"),
            ("*a* _b_ __c__", "{i:a} {i:b} {b:c}"),
            ("***a***", "{bi:a}"),
            ("**a *b***", "{b:a }{bi:b}"),
            ("*a **b***", "{i:a }{bi:b}"),
            ("~~a~~ ~b~", "{s:a} ~b~"),
            ("`a*b*` and ``a`b``", "{c:a*b*} and {c:a`b}"),
            ("`` `a` ``", "{c:`a`}"),
            ("**a `**` b**", "{b:a }{bc:**}{b: b}"),
            ("[a *b*](https://x.y \"t\")", "{u:a }{iu:b}{f: (https://x.y)}"),
            ("<https://x.y>", "{u:https://x.y}"),
            ("![a](b.png)", "{u:a}{f: (b.png)}"),
            (r"\*a\* \[x\]", r"*a* \[x\]"),
            ("a<br>b", "a b"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_mark_stays() {
        for text in [
            "2 * 3 * 4",
            "2*3*4",
            "2**3**4",
            "snake_case_name",
            "int *p = 0;",
            "a `b",
            "[a] (b)",
            "[a",
            "a < b > c",
            "Vec<u8>",
            "**a",
            "****",
            "a\\",
            "!",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_long_bold_phrase_is_not_held_back_to_its_end() {
        let long = "word ".repeat(60);
        let text = format!("**{long}end** after");
        assert_eq!(shown(&text), format!("{{b:{long}end}} after"));
        let mut seen = 0;
        let mut inline = Inline::default();
        for letter in text.chars().take(FAR + 10) {
            inline.push(letter, &mut |_, _| seen += 1);
        }
        assert!(seen > FAR - 10, "{seen}");
    }
}
