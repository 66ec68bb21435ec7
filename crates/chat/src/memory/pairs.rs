//! Pairs of characters: how scripts that set no spaces between words are indexed.
//!
//! A run of such characters is indexed as each character with the one behind it, and the last one alone. Whatever stands
//! in a text is found by the pairs of it that way, wherever a word begins.

/// Whether a character is of a script whose words are not told by spaces alone: Chinese, Japanese, Korean.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{11ff}'     // Hangul, by its letters
        | '\u{3005}'..='\u{3007}'   // marks that repeat, zero
        | '\u{3041}'..='\u{3096}'   // Hiragana
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' // Katakana
        | '\u{3105}'..='\u{312f}'   // Bopomofo
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' // Han
        | '\u{ac00}'..='\u{d7a3}'   // Hangul, by its syllables
        | '\u{ff66}'..='\u{ff9f}'   // Katakana of half the width
        | '\u{20000}'..='\u{3ffff}' // Han beyond the first plane
    )
}

/// Parts of a text that are of such a script throughout, or without any character of one.
pub(super) fn runs(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let unspaced = is_unspaced(rest.chars().next()?);
        let end = rest.find(|c| is_unspaced(c) != unspaced).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        rest = behind;
        Some((unspaced, run))
    })
}

/// Each character of a run with the one behind it; a single character where it stands alone.
pub(super) fn of_run(run: &str) -> impl Iterator<Item = &str> {
    let starts = run.char_indices().map(|(start, _)| start);
    starts.filter_map(move |start| {
        let rest = run.get(start..)?;
        let two: usize = rest.chars().take(2).map(char::len_utf8).sum();
        rest.get(..two)
    })
}

/// What of a text is indexed by pairs, with spaces between them; empty of most texts.
///
/// What stands in one word with such a run, such as a number, is indexed beside it: it is no word to the index otherwise.
pub(super) fn pairs(text: &str) -> String {
    let mut pairs: Vec<&str> = Vec::new();
    let words = text.split(|c: char| !c.is_alphanumeric());
    for word in words.filter(|word| word.contains(is_unspaced)) {
        for (unspaced, run) in runs(word) {
            match unspaced {
                true => pairs.extend(of_run(run)),
                false => pairs.push(run),
            }
        }
    }
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_its_pairs_and_its_last_character() {
        assert_eq!(pairs("I live in 東京都, 猫 too"), "東京 京都 都 猫");
        assert_eq!(pairs("since 2020年春"), "2020 年春 春");
        assert_eq!(pairs("plain, Müsli"), "");
        let found: Vec<_> = runs("a東京b").collect();
        assert_eq!(found, [(false, "a"), (true, "東京"), (false, "b")]);
        assert_eq!(runs("").count(), 0);
    }
}
