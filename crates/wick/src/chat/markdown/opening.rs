//! What a line is, told from its first letters.

/// What a line, or the rest of one behind other marks, begins with.
///
/// * `taken`: letters of the mark, spaces around it included.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Nothing stands on it.
    Blank,
    Quote {
        taken: usize,
    },
    /// An item of a list.
    Item {
        taken: usize,
        indent: usize,
        mark: String,
    },
    /// The box of an item that can be ticked.
    Task {
        taken: usize,
        done: bool,
    },
    Heading {
        taken: usize,
        level: usize,
    },
    /// The whole line is a rule.
    Rule,
    /// The whole line begins code.
    Fence {
        mark: char,
        count: usize,
        info: String,
    },
    /// The whole line begins with a bar, as those of tables do.
    Bar,
    Text {
        indent: usize,
    },
}

/// What the line begins with; `None` while that is not known. `ended` if there is nothing more of the line.
pub(super) fn opening(line: &str, ended: bool) -> Option<Opening> {
    let rest = line.trim_start_matches([' ', '\t']);
    let indent = line.chars().take(line.len() - rest.len()).map(columns).sum();
    let spaces = line.len() - rest.len();
    let text = Some(Opening::Text { indent: spaces });
    let Some(first) = rest.chars().next() else {
        return ended.then_some(Opening::Blank);
    };
    match first {
        '#' => heading(rest, ended).map(|level| match level {
            Some(level) => Opening::Heading {
                taken: spaces + (level + 1).min(rest.len()),
                level,
            },
            None => Opening::Text { indent: spaces },
        }),
        '>' => match rest.chars().nth(1) {
            None if !ended => None,
            next => Some(Opening::Quote {
                taken: spaces + 1 + usize::from(next == Some(' ')),
            }),
        },
        '`' | '~' => fence(rest, first, ended, spaces),
        '|' => ended.then_some(Opening::Bar),
        '-' | '*' | '_' | '+' => dashes(rest, first, ended, spaces, indent),
        '0'..='9' => number(rest, ended, spaces, indent),
        '[' => task(rest, ended, spaces),
        _ => text,
    }
}

fn columns(letter: char) -> usize {
    if letter == '\t' { 4 } else { 1 }
}

/// The level of a heading; `Some(None)` if it is none.
fn heading(rest: &str, ended: bool) -> Option<Option<usize>> {
    let level = rest.len() - rest.trim_start_matches('#').len();
    match rest.chars().nth(level) {
        _ if level > 6 => Some(None),
        None if !ended => None,
        None | Some(' ') => Some(Some(level)),
        Some(_) => Some(None),
    }
}

fn fence(rest: &str, mark: char, ended: bool, indent: usize) -> Option<Opening> {
    let info = rest.trim_start_matches(mark);
    let count = rest.len() - info.len();
    if count < 3 {
        return (ended || !info.is_empty()).then_some(Opening::Text { indent });
    }
    // Three backticks may enclose code within a line, too.
    if mark == '`' && info.contains('`') {
        return Some(Opening::Text { indent });
    }
    ended.then(|| Opening::Fence {
        mark,
        count,
        info: info.trim().to_owned(),
    })
}

fn dashes(rest: &str, mark: char, ended: bool, spaces: usize, indent: usize) -> Option<Opening> {
    let text = Opening::Text { indent: spaces };
    let others = rest.trim_start_matches([mark, ' ']);
    let item = mark != '_' && (rest.chars().nth(1) == Some(' ') || rest.len() == 1);
    let count = rest.chars().filter(|letter| *letter == mark).count();
    if others.is_empty() {
        return match ended {
            false => None,
            true if count >= 3 && mark != '+' => Some(Opening::Rule),
            true if item => Some(Opening::Item {
                taken: spaces + rest.len().min(2),
                indent,
                mark: mark.to_string(),
            }),
            true => Some(text),
        };
    }
    if !item {
        return Some(text);
    }
    let gap = rest.chars().skip(1).take_while(|letter| *letter == ' ').count();
    Some(Opening::Item {
        taken: spaces + 1 + gap.min(4),
        indent,
        mark: mark.to_string(),
    })
}

fn number(rest: &str, ended: bool, spaces: usize, indent: usize) -> Option<Opening> {
    let text = Opening::Text { indent: spaces };
    let behind = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let digits = rest.len() - behind.len();
    let mut behind = behind.chars();
    match (behind.next(), behind.next()) {
        _ if digits > 9 => Some(text),
        (None, _) | (Some('.' | ')'), None) if !ended => None,
        (Some('.' | ')'), Some(' ')) => Some(Opening::Item {
            taken: spaces + digits + 2,
            indent,
            mark: rest.chars().take(digits + 1).collect(),
        }),
        _ => Some(text),
    }
}

fn task(rest: &str, ended: bool, spaces: usize) -> Option<Opening> {
    let done = match rest.chars().nth(1) {
        None if !ended => return None,
        Some(' ') => false,
        Some('x' | 'X') => true,
        _ => return Some(Opening::Text { indent: spaces }),
    };
    match (rest.chars().nth(2), rest.chars().nth(3)) {
        (None, _) | (Some(']'), None) if !ended => None,
        (Some(']'), Some(' ')) => Some(Opening::Task {
            taken: spaces + 4,
            done,
        }),
        _ => Some(Opening::Text { indent: spaces }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_letters_tell_what_a_line_is() {
        let item = |taken, indent, mark: &str| Opening::Item {
            taken,
            indent,
            mark: mark.to_owned(),
        };
        for (line, expected) in [
            ("a", Some(Opening::Text { indent: 0 })),
            ("  a", Some(Opening::Text { indent: 2 })),
            ("#", None),
            ("##", None),
            ("## ", Some(Opening::Heading { taken: 3, level: 2 })),
            ("#a", Some(Opening::Text { indent: 0 })),
            ("-", None),
            ("--", None),
            ("- a", Some(item(2, 0, "-"))),
            ("  * a", Some(item(4, 2, "*"))),
            ("**a", Some(Opening::Text { indent: 0 })),
            ("-a", Some(Opening::Text { indent: 0 })),
            ("12", None),
            ("12.", None),
            ("12. ", Some(item(4, 0, "12."))),
            ("12.5", Some(Opening::Text { indent: 0 })),
            ("``", None),
            ("```rust", None),
            ("`a", Some(Opening::Text { indent: 0 })),
            ("```a`", Some(Opening::Text { indent: 0 })),
            ("> ", Some(Opening::Quote { taken: 2 })),
            ("| a", None),
            ("[", None),
            ("[x]", None),
            ("[x] ", Some(Opening::Task { taken: 4, done: true })),
            ("[a", Some(Opening::Text { indent: 0 })),
        ] {
            assert_eq!(opening(line, false), expected, "{line:?}");
        }
        for (line, expected) in [
            ("   ", Opening::Blank),
            ("---", Opening::Rule),
            ("* * *", Opening::Rule),
            ("--", Opening::Text { indent: 0 }),
            ("-", item(1, 0, "-")),
            ("| a", Opening::Bar),
            ("3.", Opening::Text { indent: 0 }),
        ] {
            assert_eq!(opening(line, true), Some(expected), "{line:?}");
        }
    }
}
