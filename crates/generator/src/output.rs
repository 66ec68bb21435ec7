//! The text of a sequence as it comes about: tokens made to text, stop strings held back, and what the reader does not
//! have yet.

use models::Tokenizer;

use crate::detokenizer::Detokenizer;
use crate::stop::StopMatcher;

/// The text of one choice.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    tokenizer: Tokenizer,
    detokenizer: Detokenizer,
    stops: StopMatcher,
    /// Text of the token at hand, reused.
    piece: String,
    /// Tokens that the reader does not have yet, and their text; reused.
    tokens: Vec<u32>,
    text: String,
}

impl Output {
    /// What follows `prompt`.
    pub(crate) fn new(tokenizer: Tokenizer, stops: StopMatcher, prompt: &[u32]) -> Self {
        let begins_the_text = prompt
            .iter()
            .all(|&token| tokenizer.token_bytes(token).is_none_or(<[u8]>::is_empty));
        let detokenizer = Detokenizer::new(begins_the_text && tokenizer.strips_first_space());
        Self {
            tokenizer,
            detokenizer,
            stops,
            piece: String::with_capacity(32),
            tokens: Vec::new(),
            text: String::with_capacity(32),
        }
    }

    /// Forgets what the reader has been given.
    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.text.clear();
    }

    /// Tokens that the reader does not have yet.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Their text, without what is held back.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Goes on behind `token`; without its text where it is an end token.
    pub(crate) fn push(&mut self, token: u32, is_end: bool) {
        self.tokens.push(token);
        self.piece.clear();
        if !is_end {
            let bytes = self.tokenizer.token_bytes(token).unwrap_or_default();
            self.detokenizer.push(bytes, &mut self.piece);
        }
    }

    /// Makes the text of the token just pushed the reader's, as far as no stop string can have begun in it, and says
    /// which one is complete.
    ///
    /// * `is_last`: nothing follows, so that nothing is held back.
    /// * `may_stop`: whether stop strings are looked for.
    pub(crate) fn release(&mut self, is_last: bool, may_stop: bool) -> Option<String> {
        if is_last {
            self.detokenizer.finish(&mut self.piece);
        }
        let stop = if may_stop {
            self.stops.push(&mut self.piece).map(str::to_owned)
        } else {
            None
        };
        if is_last && stop.is_none() {
            self.stops.finish(&mut self.piece);
        }
        self.text.push_str(&self.piece);
        stop
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is shown of bytes that come in these pieces, and the stop string that ended them.
    fn stream<'a>(stops: &[String], pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, Option<String>) {
        let mut detokenizer = Detokenizer::new(false);
        let mut matcher = StopMatcher::new(stops.to_vec());
        let (mut piece, mut shown) = (String::new(), String::new());
        for bytes in pieces {
            piece.clear();
            detokenizer.push(bytes, &mut piece);
            let stop = matcher.push(&mut piece).map(str::to_owned);
            shown.push_str(&piece);
            if stop.is_some() {
                return (shown, stop);
            }
        }
        piece.clear();
        detokenizer.finish(&mut piece);
        let stop = matcher.push(&mut piece).map(str::to_owned);
        if stop.is_none() {
            matcher.finish(&mut piece);
        }
        (shown + &piece, stop)
    }

    proptest! {
        /// Also inside a character, which no stop string is to see in parts.
        #[test]
        fn bytes_split_anywhere_stop_where_the_whole_text_does(
            text in "[aé🦀]{0,12}",
            broken in prop::option::of((0usize..40, 0x80u8..)),
            stops in prop::collection::vec("[aé🦀\u{FFFD}]{1,4}", 0..4),
            cuts in prop::collection::vec(0usize..50, 0..12),
        ) {
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = broken {
                bytes.insert(at.min(bytes.len()), byte);
            }
            let whole = String::from_utf8_lossy(&bytes);
            let expected = stream(&stops, [whole.as_bytes()]);
            for at in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(at);
                prop_assert_eq!(stream(&stops, [head, tail]), expected.clone());
            }
            prop_assert_eq!(stream(&stops, bytes.chunks(1)), expected.clone());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(stream(&stops, pieces), expected);
        }
    }
}
