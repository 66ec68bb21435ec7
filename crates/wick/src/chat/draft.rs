//! What is typed at a terminal, until it is a message: lines that go on, and blocks.

/// What begins and ends a block.
const BLOCK: &str = "\"\"\"";

/// Whether more has to be typed: the last line ends with a backslash, or a block is open.
pub(super) fn goes_on(text: &str) -> bool {
    if in_block(text) {
        return true;
    }
    let backslashes = text.len() - text.trim_end_matches('\\').len();
    backslashes % 2 == 1
}

fn in_block(text: &str) -> bool {
    match text.trim_start().strip_prefix(BLOCK) {
        Some(rest) => !rest.trim_end().ends_with(BLOCK),
        None => false,
    }
}

/// The message that was typed: without the marks of a block, and without the backslashes that lines went on with.
pub(super) fn message(text: &str) -> String {
    let trimmed = text.trim();
    let block = trimmed
        .strip_prefix(BLOCK)
        .and_then(|rest| rest.strip_suffix(BLOCK));
    match block {
        Some(inner) => {
            let inner = inner.strip_prefix('\n').unwrap_or(inner);
            inner.strip_suffix('\n').unwrap_or(inner).to_owned()
        }
        None => text.replace("\\\n", "\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_and_a_block_go_on() {
        for text in ["a\\", "a\\\nb\\", "\"\"\"", "\"\"\"\na\n", "  \"\"\" a"] {
            assert!(goes_on(text), "{text:?}");
        }
        for text in [
            "",
            "a",
            "a\\\\",
            "a\\\nb",
            "\"\"\"a\"\"\"",
            "\"\"\"\na\n\"\"\"",
            "say \"\"\"",
        ] {
            assert!(!goes_on(text), "{text:?}");
        }
    }

    #[test]
    fn marks_are_no_part_of_a_message() {
        for (text, expected) in [
            ("a\\\nb", "a\nb"),
            ("a\nb", "a\nb"),
            ("\"\"\"\na\\\nb\n\"\"\"", "a\\\nb"),
            ("\"\"\"a\"\"\"", "a"),
            (" a ", " a "),
        ] {
            assert_eq!(message(text), expected, "{text:?}");
        }
    }
}
