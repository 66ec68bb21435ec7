//! The template's text made palatable to the Jinja engine, line by line unchanged in number.
//!
//! Outside strings, comments and raw blocks, three things are rewritten:
//! * `{% generation %}…{% endgeneration %}`, which marks what a model wrote, becomes a `with` block: the same
//!   scope, the same output.
//! * The value of a `set` goes through [`VARIABLE_FUNCTION`] or [`ATTRIBUTE_FUNCTION`], which keep it finite.
//! * A list literal `[…]` becomes a call of [`LIST_FUNCTION`] in templates that change lists in place
//!   (`xs.append(x)`), since the engine's own lists are immutable.

/// Name of the function that wraps a list literal; no published template defines it.
pub(super) const LIST_FUNCTION: &str = "__list";

/// Name of the function that wraps what a variable is set to.
pub(super) const VARIABLE_FUNCTION: &str = "__variable";

/// Name of the function that wraps what an attribute of a namespace is set to.
pub(super) const ATTRIBUTE_FUNCTION: &str = "__attribute";

/// Methods that only a Python list has.
const LIST_METHODS: [&str; 9] = [
    "append", "extend", "insert", "pop", "remove", "clear", "reverse", "copy", "index",
];

/// A template's text as the engine gets it.
#[derive(Clone, Debug)]
pub(super) struct Rewritten {
    pub(super) text: std::sync::Arc<str>,
    /// Some list method of [`LIST_METHODS`] is called somewhere.
    pub(super) mutates_lists: bool,
}

/// Rewrites `source`; text that is not well-formed is passed on for the engine to complain about.
pub(super) fn rewrite(source: &str) -> Rewritten {
    let mutates_lists = LIST_METHODS.iter().any(|method| {
        source.match_indices(method).any(|(at, _)| {
            let before = source.get(..at).unwrap_or_default().trim_end();
            let after = source.get(at + method.len()..).unwrap_or_default().trim_start();
            before.ends_with('.') && after.starts_with('(')
        })
    });
    let mut scanner = Scanner {
        rest: source,
        out: String::with_capacity(source.len()),
        mutates_lists,
    };
    scanner.template();
    Rewritten {
        text: scanner.out.into(),
        mutates_lists,
    }
}

/// Names of variables that are set to something made of themselves, as in `set x = x | default(1)`.
pub(super) fn set_from_themselves(source: &str) -> impl Iterator<Item = &str> {
    source.split("{%").skip(1).filter_map(|tag| {
        let inner = tag.split("%}").next()?.trim_start_matches(['-', '+']);
        let setting = inner.trim_start().strip_prefix("set")?;
        let (name, value) = setting.split_once('=')?;
        let name = name.strip_prefix(char::is_whitespace)?.trim();
        (!name.is_empty() && mentions(value, name)).then_some(name)
    })
}

/// Whether an expression reads the variable `name`, outside strings and not as an attribute.
fn mentions(expression: &str, name: &str) -> bool {
    let mut rest = expression;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let taken = if is_word(first) {
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            if before != '.' && rest.get(..end) == Some(name) {
                return true;
            }
            end
        } else if matches!(first, '\'' | '"') {
            let inner = rest.get(1..).unwrap_or_default();
            inner.find(first).map_or(rest.len(), |end| end + 2)
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            before = first;
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    false
}

/// Reads the source front to back, writing the rewritten text as it goes.
struct Scanner<'a> {
    rest: &'a str,
    out: String,
    mutates_lists: bool,
}

impl<'a> Scanner<'a> {
    /// Copies `bytes` bytes; `bytes` is a character boundary of what is left, or its end.
    fn copy(&mut self, bytes: usize) {
        let (head, tail) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.out.push_str(head);
        self.rest = tail;
    }

    fn copy_char(&mut self) {
        self.copy(self.rest.chars().next().map_or(0, char::len_utf8));
    }

    /// Copies through the first `end`, or all that is left.
    fn copy_through(&mut self, end: &str) {
        let bytes = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.copy(bytes);
    }

    /// Copies `skip` bytes, whitespace and one word, and returns the word.
    fn peek_word(&self, skip: usize) -> (usize, &'a str) {
        let tail = self.rest.get(skip..).unwrap_or_default();
        let word = tail.trim_start();
        let start = skip + (tail.len() - word.len());
        let end = word.find(|c: char| !is_word(c)).unwrap_or(word.len());
        (start, word.get(..end).unwrap_or_default())
    }

    fn template(&mut self) {
        while let Some(open) = self.rest.find('{') {
            self.copy(open);
            match self.rest.as_bytes().get(1) {
                Some(b'#') => self.copy_through("#}"),
                Some(b'{') => {
                    self.copy(2);
                    self.code("}}", "");
                }
                Some(b'%') => self.block(),
                _ => self.copy(1),
            }
        }
        self.copy(self.rest.len());
    }

    /// A `{% … %}` tag, from its first brace.
    fn block(&mut self) {
        let marker = matches!(self.rest.as_bytes().get(2), Some(b'-' | b'+'));
        let (start, word) = self.peek_word(if marker { 3 } else { 2 });
        let replacement = match word {
            "generation" => "with",
            "endgeneration" => "endwith",
            "set" => {
                self.copy(start + word.len());
                self.set();
                return;
            }
            "raw" => {
                self.copy_through("%}");
                self.raw_body();
                return;
            }
            _ => word,
        };
        self.copy(start);
        self.out.push_str(replacement);
        self.rest = self.rest.get(word.len()..).unwrap_or_default();
        self.code("%}", "");
    }

    /// What follows the word `set`, up to and with the end of the tag.
    fn set(&mut self) {
        // A target is a name, a dotted name or several names; one with a filter opens a block instead.
        let target = self
            .rest
            .find(|c: char| !is_word(c) && !" \t\r\n.,()".contains(c))
            .unwrap_or(0);
        let attribute = self.rest.get(..target).is_some_and(|target| target.contains('.'));
        self.copy(target);
        let assigns = self.rest.starts_with('=') && !self.rest.starts_with("==");
        if assigns {
            self.copy(1);
            self.out.push_str(if attribute {
                ATTRIBUTE_FUNCTION
            } else {
                VARIABLE_FUNCTION
            });
            self.out.push('(');
        }
        self.code("%}", if assigns { ")" } else { "" });
    }

    /// Copies text verbatim up to the tag that ends a raw block.
    fn raw_body(&mut self) {
        while let Some(open) = self.rest.find("{%") {
            self.copy(open);
            let marker = matches!(self.rest.as_bytes().get(2), Some(b'-' | b'+'));
            if self.peek_word(if marker { 3 } else { 2 }).1 == "endraw" {
                self.copy_through("%}");
                return;
            }
            self.copy(2);
        }
        self.copy(self.rest.len());
    }

    /// Expression code, then `suffix`, then the delimiter `end` with the marker that may stand before it.
    fn code(&mut self, end: &str, suffix: &str) {
        // Open brackets; `true` where it is a list literal that was wrapped.
        let mut open: Vec<bool> = Vec::new();
        // Whether what was just read is a value, so that `[` takes an item of it.
        let mut after_value = false;
        while let Some(next) = self.rest.chars().next() {
            let marker = usize::from(matches!(next, '-' | '+'));
            if open.is_empty() && self.rest.get(marker..).is_some_and(|rest| rest.starts_with(end)) {
                self.out.push_str(suffix);
                self.copy(marker + end.len());
                return;
            }
            match next {
                '"' | '\'' => {
                    self.string(next);
                    after_value = true;
                }
                '[' if !after_value && self.mutates_lists => {
                    open.push(true);
                    self.out.push_str(LIST_FUNCTION);
                    self.out.push('(');
                    self.copy(1);
                }
                '[' | '(' | '{' => {
                    open.push(false);
                    self.copy(1);
                    after_value = false;
                }
                ']' | ')' | '}' => {
                    self.copy(1);
                    if open.pop() == Some(true) {
                        self.out.push(')');
                    }
                    after_value = true;
                }
                c if is_word(c) => {
                    let word = self.peek_word(0).1;
                    self.copy(word.len());
                    after_value = !OPERATORS.contains(&word);
                }
                c => {
                    self.copy_char();
                    after_value = after_value && c.is_whitespace();
                }
            }
        }
    }

    /// A string literal with its quotes.
    fn string(&mut self, quote: char) {
        self.copy(1);
        while let Some(next) = self.rest.chars().next() {
            self.copy_char();
            match next {
                '\\' => self.copy_char(),
                c if c == quote => return,
                _ => {}
            }
        }
    }
}

/// Words after which a value begins, so that `[` opens a list.
const OPERATORS: [&str; 9] = ["and", "or", "not", "in", "is", "if", "else", "elif", "do"];

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
