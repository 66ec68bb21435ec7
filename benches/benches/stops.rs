//! Stop strings that never come whole, though each begins as the text does again and again.

use generator::{AsyncStream, CandleStringChunk, GenerateError, GenerateRequest};

use crate::recital;
use crate::story::{Story, TOKENS};

pub(crate) const TEXT: &str = "A king had three sons, and none of them would say which road they took.\n\n";
pub(crate) const STOPS: [&str; 16] = [
    "\n\nUser:",
    "A king had two",
    "king of",
    "had a",
    "three daughters",
    "sons;",
    "and all",
    "none but",
    "of those",
    "them not",
    "would not",
    "say no",
    "which way",
    "road,",
    "they were",
    "took it",
];

/// The story, until one of `stops` comes.
pub(crate) fn stream(story: &Story, stops: &[&str]) -> AsyncStream<Result<CandleStringChunk, GenerateError>> {
    story.generator.generate_with(GenerateRequest {
        max_tokens: Some(TOKENS as u32),
        stop: stops.iter().map(ToString::to_string).collect(),
        sampling: story.generator.sampling().clone(),
        ..GenerateRequest::new(&recital::PROMPT[..])
    })
}
