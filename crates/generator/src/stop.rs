//! Stop strings: a generation ends where its text comes to hold one of them, and no part of it is shown.
//!
//! Text that may be the beginning of a stop string is held back until it has become one or cannot any more; no other
//! text ever is. For each string, the state between two tokens is how many of its bytes the text ends with, so that the
//! result is the same however the text is split over tokens. The first string that is whole ends the generation; of
//! several that become whole with the same byte, the longest, and of equal ones the first in the list.
//!
//! Source: Knuth, Morris and Pratt, *Fast Pattern Matching in Strings*, 1977.

/// The stop strings of one sequence and what is held back for them.
#[derive(Clone, Debug)]
pub(crate) struct StopMatcher {
    /// The longest first.
    patterns: Vec<Pattern>,
    held: String,
}

impl StopMatcher {
    /// For strings that are not empty.
    pub(crate) fn new(strings: Vec<String>) -> Self {
        let mut patterns: Vec<Pattern> = strings.into_iter().map(Pattern::new).collect();
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.text.len()));
        let longest = patterns.first().map_or(0, |pattern| pattern.text.len());
        Self {
            patterns,
            held: String::with_capacity(2 * longest),
        }
    }

    /// Takes the text that has come, and leaves in `text` what may be shown of all that came so far; the string that
    /// ends the generation, if one has become whole. Nothing may be pushed after it.
    pub(crate) fn push(&mut self, text: &mut String) -> Option<&str> {
        if self.patterns.is_empty() {
            return None;
        }
        let before = self.held.len();
        self.held.push_str(text);
        text.clear();
        for end in before..self.held.len() {
            let byte = self.held.as_bytes()[end];
            let mut whole = None;
            for (index, pattern) in self.patterns.iter_mut().enumerate() {
                if pattern.take(byte) {
                    whole = whole.or(Some(index));
                }
            }
            if let Some(index) = whole {
                let stop = &self.patterns[index].text;
                // It begins where a character does, as its own first byte.
                text.push_str(&self.held[..end + 1 - stop.len()]);
                self.held.clear();
                return Some(stop);
            }
        }
        let kept = self.patterns.iter().map(|pattern| pattern.matched).max();
        let shown = self.held.len() - kept.unwrap_or(0);
        text.push_str(&self.held[..shown]);
        self.held.drain(..shown);
        None
    }

    /// Appends what was held back: no text follows that could make it a stop string.
    pub(crate) fn finish(&mut self, text: &mut String) {
        text.push_str(&self.held);
        self.held.clear();
    }
}

/// One string to be found.
#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    /// For each number of matched bytes, from 1, how many stay matched where the next one differs: the length of the
    /// longest proper prefix that the matched bytes end with.
    shorter: Vec<usize>,
    /// Bytes of `text` that the text so far ends with, fewer than all.
    matched: usize,
}

impl Pattern {
    fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut shorter = vec![0; bytes.len()];
        let mut matched = 0;
        for at in 1..bytes.len() {
            while matched > 0 && bytes[at] != bytes[matched] {
                matched = shorter[matched - 1];
            }
            if bytes[at] == bytes[matched] {
                matched += 1;
            }
            shorter[at] = matched;
        }
        Self {
            text,
            shorter,
            matched: 0,
        }
    }

    /// Goes on by a byte and says whether the string is whole.
    fn take(&mut self, byte: u8) -> bool {
        let bytes = self.text.as_bytes();
        while self.matched > 0 && bytes[self.matched] != byte {
            self.matched = self.shorter[self.matched - 1];
        }
        if bytes[self.matched] == byte {
            self.matched += 1;
        }
        let whole = self.matched == bytes.len();
        if whole {
            self.matched = 0;
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is shown of `pieces`, and which string ended them; pieces behind it are not pushed.
    fn stream<'a>(stops: &[String], pieces: impl IntoIterator<Item = &'a str>) -> (String, Option<String>) {
        let mut matcher = StopMatcher::new(stops.to_vec());
        let (mut shown, mut text) = (String::new(), String::new());
        for piece in pieces {
            text.clear();
            text.push_str(piece);
            let stop = matcher.push(&mut text).map(str::to_owned);
            shown.push_str(&text);
            if stop.is_some() {
                return (shown, stop);
            }
            let longest = stops.iter().map(String::len).max().unwrap_or(0);
            assert!(
                matcher.held.len() < longest.max(1),
                "held back too much: {:?}",
                matcher.held
            );
        }
        text.clear();
        matcher.finish(&mut text);
        (shown + &text, None)
    }

    /// The same by looking at every prefix of the whole text.
    fn naive(stops: &[String], text: &str) -> (String, Option<String>) {
        for end in 0..=text.len() {
            let ending = stops
                .iter()
                .filter(|stop| text.as_bytes()[..end].ends_with(stop.as_bytes()));
            if let Some(stop) = ending.rev().max_by_key(|stop| stop.len()) {
                return (text[..end - stop.len()].to_owned(), Some(stop.clone()));
            }
        }
        (text.to_owned(), None)
    }

    fn owned(stops: &[&str]) -> Vec<String> {
        stops.iter().map(|&stop| stop.to_owned()).collect()
    }

    #[test]
    fn text_is_held_back_only_while_it_may_become_a_stop_string() {
        let mut matcher = StopMatcher::new(owned(&["\n\nUser:"]));
        for (piece, shown) in [
            ("Hello", "Hello"),
            ("\n", ""),
            ("x", "\nx"),
            ("\n\nUs", ""),
            ("e", ""),
            ("\n", "\n\nUse"),
        ] {
            let mut text = piece.to_owned();
            assert_eq!(matcher.push(&mut text), None);
            assert_eq!(text, shown, "after {piece:?}");
        }
        let mut rest = String::new();
        matcher.finish(&mut rest);
        assert_eq!(rest, "\n");
    }

    #[test]
    fn the_string_that_is_whole_first_ends_and_of_several_the_longest() {
        let stops = owned(&["cd", "abcd", "bc!"]);
        assert_eq!(
            stream(&stops, ["xab", "cd", "bc!"]),
            ("x".to_owned(), Some("abcd".to_owned()))
        );
        assert_eq!(
            stream(&stops, ["x", "bc!"]),
            ("x".to_owned(), Some("bc!".to_owned()))
        );
        assert_eq!(stream(&[], ["any", "thing"]), ("anything".to_owned(), None));
    }

    proptest! {
        #[test]
        fn every_split_gives_what_the_whole_text_gives(
            text in "[abé🦀]{0,24}",
            stops in prop::collection::vec("[abé🦀]{1,5}", 0..5),
            cuts in prop::collection::vec(0usize..24, 0..10),
        ) {
            let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| starts[cut % starts.len()]).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]);
            let expected = naive(&stops, &text);
            prop_assert_eq!(stream(&stops, pieces), expected.clone());
            let characters = starts.windows(2).map(|cut| &text[cut[0]..cut[1]]);
            prop_assert_eq!(stream(&stops, characters), expected);
        }
    }
}
