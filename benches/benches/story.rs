//! A long text that is recited: what is streamed of it has to be the whole of it.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use generator::{AsyncStream, CandleStringChunk, GenerateError, Limits, TextGenerator};
use models::Tokenizer;

use crate::recital;

/// Tokens of every story.
pub(crate) const TOKENS: usize = 4096;

/// A generator that recites one text, and that text.
pub(crate) struct Story {
    pub(crate) generator: TextGenerator,
    pub(crate) whole: String,
    tokens: Vec<u32>,
    done: Receiver<()>,
}

impl Story {
    /// A story of these tokens, over and over.
    pub(crate) fn new(tokenizer: &Tokenizer, tokens: &[u32]) -> Self {
        let tokens: Vec<u32> = tokens.iter().copied().cycle().take(TOKENS).collect();
        let limits = Limits {
            unread: TOKENS,
            ..Limits::default()
        };
        let (generator, done) = recital::generator(tokenizer, tokens.clone(), limits);
        let whole = tokenizer.decode(&tokens).unwrap();
        Self {
            generator,
            whole,
            tokens,
            done,
        }
    }

    /// Reads a stream of the whole story, and says how long the worker took from the first token to the last.
    pub(crate) fn read(&self, stream: AsyncStream<Result<CandleStringChunk, GenerateError>>) -> Duration {
        let (mut text, mut tokens, mut end) = (String::new(), Vec::new(), None);
        for chunk in recital::afterwards(stream, &self.done) {
            let chunk = chunk.unwrap();
            text.push_str(&chunk.text);
            tokens.extend(chunk.tokens);
            end = chunk.end;
        }
        assert!(text == self.whole && tokens == self.tokens, "streamed: {text}");
        end.unwrap().timings.decode
    }
}
