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
