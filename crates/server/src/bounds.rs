//! How much of something a request may have: what is refused beyond it, and what the description says of it.

/// Headers of a request.
pub(crate) const HEADERS: usize = 100;
/// Bytes of the head of a request: its first line and its headers.
pub(crate) const HEADER_BYTES: usize = 64 << 10;
/// Texts that end an answer.
pub(crate) const STOPS: usize = 64;
/// Answers to the same prompt.
pub(crate) const CHOICES: i64 = 128;
/// Most that is added to the logit of a token, or taken from it.
pub(crate) const BIAS: f64 = 100.0;
/// The most probable tokens in each place whose log-probabilities are told.
pub(crate) const TOP: i64 = 20;
/// Texts that one request has continued.
pub(crate) const PROMPTS: usize = 128;
/// Texts that one request has vectors of.
pub(crate) const TEXTS: usize = 2_048;
/// Bytes of the title of a conversation.
pub(crate) const TITLE: usize = 1_000;
