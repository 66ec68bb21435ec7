//! Light colours for code: comments, strings, numbers and the words of a language.
//!
//! No grammar is followed: the same few rules, with the words and comment marks of a family of languages. What is not
//! recognized keeps the terminal's own look, and no letter is ever changed.

use super::super::style::{Colour, Style};

const COMMENT: Style = Style::FAINT;
const STRING: Style = Style::of(Colour::Green);
const NUMBER: Style = Style::of(Colour::Yellow);
const WORD: Style = Style::of(Colour::Magenta);
const ADDED: Style = Style::of(Colour::Green);
const REMOVED: Style = Style::of(Colour::Red);

/// A family of languages.
#[derive(Debug)]
struct Family {
    names: &'static [&'static str],
    /// What begins a comment that lasts to the end of the line.
    comment: &'static str,
    /// What encloses a comment of any length.
    block: Option<(&'static str, &'static str)>,
    quotes: &'static str,
    words: &'static [&'static str],
}

#[rustfmt::skip]
const FAMILIES: [Family; 6] = [
    Family {
        names: &["rust", "rs"],
        comment: "//",
        block: Some(("/*", "*/")),
        quotes: "\"",
        words: &[
            "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn",
            "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "Self",
            "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
        ],
    },
    Family {
        names: &[
            "c", "h", "cpp", "c++", "cc", "java", "js", "javascript", "jsx", "ts", "typescript", "tsx", "go", "golang",
            "swift", "kotlin", "kt", "cs", "csharp", "c#", "php", "scala", "dart", "zig", "css", "json", "jsonc",
        ],
        comment: "//",
        block: Some(("/*", "*/")),
        quotes: "\"'`",
        words: &[
            "abstract", "async", "auto", "await", "bool", "boolean", "break", "byte", "case", "catch", "char", "class",
            "const", "continue", "default", "defer", "delete", "do", "double", "else", "enum", "export", "extends", "extern",
            "false", "final", "finally", "float", "for", "func", "fun", "function", "go", "goto", "if", "implements",
            "import", "in", "instanceof", "int", "interface", "let", "long", "map", "namespace", "new", "nil", "null",
            "nullptr", "of", "override", "package", "private", "protected", "public", "range", "return", "short", "signed",
            "sizeof", "static", "string", "struct", "super", "switch", "template", "this", "throw", "throws", "true", "try",
            "type", "typedef", "typeof", "undefined", "union", "unsigned", "using", "val", "var", "void", "volatile",
            "while", "yield",
        ],
    },
    Family {
        names: &["python", "py", "ruby", "rb", "elixir", "julia", "r", "perl"],
        comment: "#",
        block: None,
        quotes: "\"'",
        words: &[
            "and", "as", "assert", "async", "await", "begin", "break", "class", "continue", "def", "del", "do", "elif",
            "else", "elsif", "end", "except", "False", "finally", "for", "from", "function", "global", "if", "import", "in",
            "is", "lambda", "module", "nil", "None", "nonlocal", "not", "or", "pass", "raise", "require", "rescue",
            "return", "self", "True", "true", "false", "try", "unless", "until", "while", "with", "yield",
        ],
    },
    Family {
        names: &["sh", "bash", "zsh", "fish", "shell", "console", "make", "makefile", "dockerfile", "yaml", "yml", "toml", "ini"],
        comment: "#",
        block: None,
        quotes: "\"'",
        words: &[
            "case", "do", "done", "elif", "else", "esac", "exit", "export", "false", "fi", "for", "function", "if", "in",
            "local", "null", "return", "set", "then", "true", "unset", "until", "while", "FROM", "RUN", "COPY", "ENV",
            "CMD", "ENTRYPOINT", "WORKDIR",
        ],
    },
    Family {
        names: &["sql", "lua", "haskell", "hs", "ada", "vhdl"],
        comment: "--",
        block: None,
        quotes: "\"'",
        words: &[
            "all", "and", "as", "asc", "begin", "between", "by", "case", "create", "data", "delete", "desc", "distinct",
            "drop", "else", "end", "exists", "from", "function", "group", "having", "if", "in", "index", "inner", "insert",
            "into", "is", "join", "left", "let", "like", "limit", "local", "module", "nil", "not", "null", "of", "on", "or",
            "order", "outer", "return", "right", "select", "set", "table", "then", "type", "union", "update", "values",
            "where", "while", "with",
        ],
    },
    Family {
        names: &["diff", "patch"],
        comment: "",
        block: None,
        quotes: "",
        words: &[],
    },
];

/// The colours of one block of code, fed letter by letter.
#[derive(Debug)]
pub(super) struct Code {
    family: Option<&'static Family>,
    state: State,
    /// A word, or what may be the beginning of a mark.
    held: String,
    /// The look of a whole line of a diff.
    line: Option<Style>,
    fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// To the end of the line.
    Comment,
    /// To the mark that ends it; the last letter was a star.
    Block(bool),
    /// To the same quote; the last letter was a backslash.
    Quoted(char, bool),
}

impl Code {
    /// The colours of a language, as the line before the code names it.
    pub(super) fn new(info: &str) -> Self {
        let name = info.trim().split([' ', ',', '{', ':']).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        Self {
            family: FAMILIES
                .iter()
                .find(|family| family.names.contains(&name.as_str())),
            state: State::Text,
            held: String::new(),
            line: None,
            fresh: true,
        }
    }

    /// Adds a letter, no line end; what is known by then goes to `show`.
    pub(super) fn push(&mut self, letter: char, show: &mut dyn FnMut(char, Style)) {
        let Some(family) = self.family else {
            show(letter, Style::PLAIN);
            return;
        };
        if family.words.is_empty() {
            self.push_of_diff(letter, show);
            return;
        }
        match self.state {
            State::Comment => show(letter, COMMENT),
            State::Block(star) => {
                show(letter, COMMENT);
                self.state = match letter {
                    '/' if star => State::Text,
                    _ => State::Block(letter == '*'),
                };
            }
            State::Quoted(quote, escaped) => {
                show(letter, STRING);
                self.state = match letter {
                    _ if escaped => State::Quoted(quote, false),
                    '\\' => State::Quoted(quote, true),
                    _ if letter == quote => State::Text,
                    _ => State::Quoted(quote, false),
                };
            }
            State::Text => self.push_text(letter, family, show),
        }
    }

    /// Ends the line; comments of any length go on, and so do strings between backticks.
    pub(super) fn end_line(&mut self, show: &mut dyn FnMut(char, Style)) {
        self.flush(show);
        self.line = None;
        self.fresh = true;
        if !matches!(self.state, State::Block(_) | State::Quoted('`', _)) {
            self.state = State::Text;
        }
    }

    fn push_of_diff(&mut self, letter: char, show: &mut dyn FnMut(char, Style)) {
        if self.fresh {
            self.fresh = false;
            self.line = match letter {
                '+' => Some(ADDED),
                '-' => Some(REMOVED),
                '@' => Some(Style::of(Colour::Cyan)),
                _ => None,
            };
        }
        show(letter, self.line.unwrap_or(Style::PLAIN));
    }

    fn push_text(&mut self, letter: char, family: &Family, show: &mut dyn FnMut(char, Style)) {
        let in_word = |held: &str| held.chars().next_back().is_some_and(is_word);
        if is_word(letter) {
            if !in_word(&self.held) {
                self.flush(show);
            }
            self.held.push(letter);
            return;
        }
        if in_word(&self.held) {
            self.flush(show);
        }
        self.held.push(letter);
        if self.held == family.comment {
            self.state = State::Comment;
            self.flush_as(COMMENT, show);
        } else if family.block.is_some_and(|(begin, _)| begin == self.held) {
            self.state = State::Block(false);
            self.flush_as(COMMENT, show);
        } else if !self.may_begin(family) {
            self.held.pop();
            self.flush(show);
            self.begin(letter, family, show);
        }
    }

    /// A letter that stands after what was no mark: it may begin one, or a string.
    fn begin(&mut self, letter: char, family: &Family, show: &mut dyn FnMut(char, Style)) {
        self.held.push(letter);
        if family.quotes.contains(letter) {
            self.state = State::Quoted(letter, false);
            self.flush_as(STRING, show);
        } else if self.held == family.comment {
            self.state = State::Comment;
            self.flush_as(COMMENT, show);
        } else if !self.may_begin(family) {
            self.flush(show);
        }
    }

    /// Whether more letters could make a mark of what is held.
    fn may_begin(&self, family: &Family) -> bool {
        let begins = |mark: &str| mark.len() > self.held.len() && mark.starts_with(&self.held);
        begins(family.comment) || family.block.is_some_and(|(begin, _)| begins(begin))
    }

    fn flush(&mut self, show: &mut dyn FnMut(char, Style)) {
        let word = |family: &Family| {
            family
                .words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(&self.held))
        };
        let known = |family: &Family| {
            // Only in SQL do capitals make no difference.
            family.words.contains(&self.held.as_str()) || (family.comment == "--" && word(family))
        };
        let style = match self.held.chars().next() {
            Some(first) if first.is_ascii_digit() => NUMBER,
            _ if self.family.is_some_and(known) => WORD,
            _ => Style::PLAIN,
        };
        self.flush_as(style, show);
    }

    fn flush_as(&mut self, style: Style, show: &mut dyn FnMut(char, Style)) {
        for letter in std::mem::take(&mut self.held).chars() {
            show(letter, style);
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The letters that have the style, everything else as dots.
    fn in_style(language: &str, code: &str, style: Style) -> String {
        let mut out = String::new();
        let mut all = String::new();
        let mut show = |letter: char, found: Style| {
            all.push(letter);
            out.push(if found == style { letter } else { '.' });
        };
        let mut colours = Code::new(language);
        for (number, line) in code.split('\n').enumerate() {
            if number > 0 {
                show('\n', style);
            }
            for letter in line.chars() {
                colours.push(letter, &mut show);
            }
            colours.end_line(&mut show);
        }
        assert_eq!(all, code, "no letter is changed");
        out
    }

    #[test]
    fn words_strings_numbers_and_comments_are_told_apart() {
        let rust = "let a = \"x // y\"; // let 5\nfn b<'a>() {}";
        assert_eq!(
            in_style("rust", rust, WORD),
            "let.......................\nfn..........."
        );
        assert_eq!(
            in_style("rust", rust, STRING),
            "........\"x // y\"..........\n............."
        );
        assert_eq!(
            in_style("rust", rust, COMMENT),
            "..................// let 5\n............."
        );
        assert_eq!(in_style("py", "x = 12 # 3", NUMBER), "....12....");
        assert_eq!(in_style("sql", "SELECT a -- b", WORD), "SELECT.......");
        assert_eq!(
            in_style("js", "a / b /* c\nd */ e", COMMENT),
            "....../* c\nd */.."
        );
        assert_eq!(in_style("diff", "+a\n-b", ADDED), "+a\n..");
    }

    #[test]
    fn an_unknown_language_keeps_its_look() {
        assert_eq!(
            in_style("brainfuck", "let \"a\" // b", Style::PLAIN),
            "let \"a\" // b"
        );
    }
}
