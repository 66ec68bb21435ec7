//! Markdown as a terminal gets it, at every split and width.

use proptest::prelude::*;

use super::*;
use crate::chat::flow::width;

const PAGE: &str = "\
# A title with *one* slant

Some **bold** text with `code`, a [link](https://example.org/a) and a long line that has to be wrapped somewhere.
- an item
  1. another, 日本語のテキスト and more of it
- [x] done
> a quote with **weight**
> - and an item

| name | value |
|:-----|------:|
| a | 1 |
| **b** | `2` |

```rust
fn main() { println!(\"{}\", 1); } // a line of code that is longer than any terminal of the tests is wide
```
---
Last words, **unclosed and * lone\\* 2 * 3
";

fn shown(pieces: &[&str], width: usize, colours: bool) -> String {
    let mut markdown = Markdown::new(width, colours);
    let mut out: String = pieces.iter().map(|piece| markdown.push(piece)).collect();
    out.push_str(&markdown.end());
    out
}

/// The text without what colours it.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| *letter == 'm');
        } else {
            out.push(letter);
        }
    }
    out
}

#[test]
fn a_page_is_shown_with_its_marks_as_looks() {
    let page = bare(&shown(&[PAGE], 60, true));
    let expected = "\
A title with one slant

Some bold text with code, a link (https://example.org/a) and
a long line that has to be wrapped somewhere.
• an item
  1. another, 日本語のテキスト and more of it
• ☑ done
│ a quote with weight
│ • and an item

name       │       value
────────── │ ───────────
a          │           1
b          │           2

```rust
fn main() { println!(\"{}\", 1); } // a line of code that is longer than any terminal of the tests is wide
```
────────────────────────────────────────
Last words, **unclosed and * lone* 2 * 3
";
    assert_eq!(page, expected);
}

#[test]
fn without_colours_every_mark_stays() {
    let page = shown(&[PAGE], 60, false);
    assert!(!page.contains('\u{1b}'), "{page}");
    for kept in [
        "# A title with *one* slant",
        "**bold**",
        "- an item",
        "- [x] done",
        "> - and an item",
        "```rust",
        "---\n",
        "lone\\* 2 * 3",
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
}

#[test]
fn the_screen_is_the_same_at_every_split() {
    for colours in [true, false] {
        for width in [20, 60] {
            let whole = shown(&[PAGE], width, colours);
            for at in (0..=PAGE.len()).filter(|at| PAGE.is_char_boundary(*at)) {
                let (first, rest) = PAGE.split_at(at);
                assert_eq!(shown(&[first, rest], width, colours), whole, "{at}");
            }
            let letters: Vec<String> = PAGE.chars().map(String::from).collect();
            let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
            assert_eq!(shown(&letters, width, colours), whole);
        }
    }
}

#[test]
fn words_are_shown_while_their_line_goes_on() {
    let mut markdown = Markdown::new(80, true);
    assert_eq!(markdown.push("One two"), "One");
    assert_eq!(markdown.push(" three"), " two");
    assert_eq!(markdown.push(" **a b"), " three");
    assert_eq!(markdown.push("** c"), " \u{1b}[1ma b");
    assert_eq!(
        markdown.push("\n```\nlet a"),
        "\u{1b}[0m c\n\u{1b}[2m```\u{1b}[0m\nlet a"
    );
}

#[test]
fn a_table_without_rows_and_a_line_with_a_bar_are_shown() {
    assert_eq!(
        bare(&shown(&["| a | b |\n|---|---|"], 40, true)),
        "a         │ b\n───────── │ ─────────\n"
    );
    assert_eq!(bare(&shown(&["| a | b |\ntext"], 40, true)), "| a | b |\ntext\n");
    assert_eq!(bare(&shown(&["| a"], 40, true)), "| a\n");
}

#[test]
fn code_that_is_not_closed_ends_with_its_line() {
    assert_eq!(bare(&shown(&["```\na"], 40, true)), "```\na\n");
    assert_eq!(
        bare(&shown(&["```\na\n\nb\n````\n"], 40, true)),
        "```\na\n\nb\n````\n"
    );
    assert_eq!(
        bare(&shown(&["> ```\n> a\n> ```\nb"], 40, true)),
        "│ ```\n│ a\n│ ```\nb\n"
    );
}

#[test]
fn empty_lines_at_both_ends_are_left_out() {
    assert_eq!(shown(&["\n\na\n\n\n\nb\n\n"], 40, true), "a\n\nb\n");
    assert_eq!(shown(&[""], 40, true), "");
    assert_eq!(shown(&["\n\n"], 40, true), "");
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z]{1,9} ",
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("- ".to_owned()),
        Just("  ".to_owned()),
        Just("> ".to_owned()),
        Just("1. ".to_owned()),
        Just("# ".to_owned()),
        Just("**".to_owned()),
        Just("*".to_owned()),
        Just("`".to_owned()),
        Just("\n| a | b |\n".to_owned()),
        Just("|---|---|\n".to_owned()),
        Just("[a](b)".to_owned()),
        Just("日本語".to_owned()),
        Just("\\".to_owned()),
        Just("~~a~~ ".to_owned()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_line_outside_code_is_wider_than_the_terminal(text in pieces(), columns in 8_usize..50) {
        // Code is not wrapped, so that it can be copied.
        prop_assume!(!text.contains("```"));
        for line in bare(&shown(&[&text], columns, true)).lines() {
            let width: usize = line.chars().map(width).sum();
            prop_assert!(width <= columns, "{line:?} of {text:?}");
        }
    }

    #[test]
    fn every_letter_is_shown_without_colours(text in pieces()) {
        let letters = |text: &str| text.chars().filter(|letter| letter.is_alphabetic()).collect::<String>();
        prop_assert_eq!(letters(&shown(&[&text], 30, false)), letters(&text));
        prop_assert_eq!(letters(&bare(&shown(&[&text], 30, true))).len(), letters(&text).len());
    }

    #[test]
    fn any_text_is_the_same_letter_by_letter(text in "\\PC{0,60}", more in pieces()) {
        let text = text + &more;
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        prop_assert_eq!(shown(&letters, 24, true), shown(&[&text], 24, true));
    }
}
