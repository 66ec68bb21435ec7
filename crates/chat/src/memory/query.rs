//! The words of a text as a query of the full-text index.
//!
//! Words that every text has are no reason to recall one: they are left out, unless somebody looks for them. Scripts without spaces are looked for by
//! their [pairs](super::pairs).

use super::pairs::{of_run, runs};

/// Words of a query: more than anybody writes on purpose.
const MOST: usize = 64;

/// Words that tell nothing of what a text is about in any language, and what is left of shortened ones at their
/// apostrophe.
const STOP_WORDS: &[&str] = &[
    // English
    "a", "about", "all", "also", "am", "an", "and", "any", "are", "aren", "as", "at", "be", "been", "being",
    "but", "by", "can", "could", "couldn", "d", "did", "didn", "do", "does", "doesn", "doing", "don", "done",
    "each", "for", "from", "had", "hadn", "has", "hasn", "have", "haven", "having", "he", "her", "here",
    "hers", "him", "his", "how", "i", "if", "in", "into", "is", "isn", "it", "its", "just", "let", "ll", "m",
    "me", "mine", "my", "no", "nor", "not", "of", "off", "on", "onto", "or", "our", "ours", "please", "re",
    "s", "shall", "she", "should", "shouldn", "so", "some", "such", "t", "than", "that", "the", "their",
    "theirs", "them", "then", "there", "these", "they", "this", "those", "to", "too", "us", "ve", "very",
    "was", "wasn", "we", "were", "weren", "what", "when", "where", "which", "who", "whom", "whose", "why",
    "will", "with", "would", "wouldn", "you", "your", "yours", // German
    "aber", "als", "auch", "auf", "aus", "bei", "bist", "das", "dein", "deine", "dem", "den", "der", "des",
    "du", "ein", "eine", "einen", "einer", "es", "für", "haben", "habe", "ich", "ihr", "im", "ist", "kann",
    "mein", "meine", "mich", "mir", "mit", "nicht", "oder", "sich", "sie", "sind", "und", "uns", "von",
    "vom", "warum", "wer", "wie", "wird", "wir", "wo", "zu", "zum", "zur",
    // French, Italian, Spanish, Portuguese
    "al", "au", "aux", "avec", "c", "ce", "ces", "che", "chi", "como", "con", "da", "dans", "de", "del",
    "della", "di", "e", "el", "elle", "en", "est", "et", "eu", "il", "j", "je", "l", "las", "le", "les",
    "lo", "los", "lui", "ma", "mes", "mi", "moi", "mon", "n", "non", "nous", "ou", "où", "para", "pas",
    "por", "qu", "que", "qui", "quoi", "qué", "sa", "se", "ses", "si", "sono", "sont", "su", "sua", "sul",
    "sur", "te", "tu", "um", "uma", "un", "una", "une", "vous", "y", "à", "è",
    "é", // Pairs of Chinese, Japanese and Korean
    "一个", "什么", "你的", "可以", "怎么", "我们", "我的", "是什", "有什", "没有", "的是", "这个", "那个",
    "お願", "から", "こと", "この", "しい", "した", "して", "する", "その", "たい", "てい", "でし", "です",
    "ない", "なに", "ので", "ます", "まし", "ませ", "もの", "れる", "何で", "願い", "니다", "습니", "있는",
    "하는", "합니", "입니",
];

/// A query that finds what has any of the words, or `None` of a text without any.
///
/// * `common`: whether words that tell nothing are among them.
///
/// Each word is quoted, so that nothing in a text is an operator of the index.
pub(super) fn any_word(text: &str, common: bool) -> Option<String> {
    let mut terms: Vec<String> = Vec::new();
    let words = text.split(|c: char| !c.is_alphanumeric());
    for (unspaced, run) in words.flat_map(runs) {
        let single = run.chars().nth(1).is_none();
        let mut add = |word: &str, term: String| {
            if terms.len() < MOST && (common || !STOP_WORDS.contains(&word)) && !terms.contains(&term) {
                terms.push(term);
            }
        };
        match (unspaced, single) {
            (false, _) => {
                let word = run.to_lowercase();
                add(&word, format!("\"{word}\""));
            }
            // The first of a pair, or alone.
            (true, true) => add(run, format!("{{pairs}} : \"{run}\" *")),
            (true, false) => {
                for pair in of_run(run).filter(|pair| pair.chars().nth(1).is_some()) {
                    add(pair, format!("{{pairs}} : \"{pair}\""));
                }
            }
        }
    }
    (!terms.is_empty()).then(|| terms.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_stand_once() {
        assert_eq!(
            any_word("Oslo, near oslo?", false),
            Some("\"oslo\" OR \"near\"".to_owned())
        );
        assert_eq!(
            any_word("x\" AND z*", false),
            Some("\"x\" OR \"z\"".to_owned()),
            "no operator"
        );
        assert_eq!(any_word(" ?! ", false), None);
    }

    #[test]
    fn words_that_every_text_has_are_left_out() {
        assert_eq!(
            any_word("What's the capital?", false),
            Some("\"capital\"".to_owned())
        );
        assert_eq!(any_word("Who is it, and what isn't?", false), None);
        assert_eq!(any_word("the who", true), Some("\"the\" OR \"who\"".to_owned()));
    }

    #[test]
    fn what_sets_no_spaces_is_looked_for_by_pairs() {
        assert_eq!(
            any_word("東京都です 猫 Tom", false),
            Some("{pairs} : \"東京\" OR {pairs} : \"京都\" OR {pairs} : \"都で\" OR {pairs} : \"猫\" * OR \"tom\"".to_owned())
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let text: String = (0..1000).map(|i| format!("w{i} ")).collect();
        assert_eq!(any_word(&text, false).unwrap().matches(" OR ").count(), MOST - 1);
    }
}
