//! The words of a text as a query of the full-text index.

/// Words of a query: more than anybody writes on purpose.
const MOST: usize = 64;

/// A query that finds what has any of the words, or `None` of a text without words.
///
/// Each word is quoted, so that nothing in a text is an operator of the index.
pub(super) fn any_word(text: &str) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let word = format!("\"{}\"", word.to_lowercase());
        if !words.contains(&word) {
            words.push(word);
        }
        if words.len() == MOST {
            break;
        }
    }
    (!words.is_empty()).then(|| words.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_stand_once() {
        assert_eq!(
            any_word("Oslo, near oslo?"),
            Some("\"oslo\" OR \"near\"".to_owned())
        );
        assert_eq!(any_word("a\" OR b*"), Some("\"a\" OR \"or\" OR \"b\"".to_owned()));
        assert_eq!(any_word(" ?! "), None);
    }

    #[test]
    fn a_long_text_is_cut() {
        let text: String = (0..1000).map(|i| format!("w{i} ")).collect();
        assert_eq!(any_word(&text).unwrap().matches(" OR ").count(), MOST - 1);
    }
}
