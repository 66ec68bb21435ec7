//! Behaviour of a generator over a scripted model: every wait is bounded, so that a failure is not a hang.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::unimplemented)]

mod reading;
mod scripted;
mod vocabulary;

mod cancelling;
mod choices;
mod company;
mod constraining;
mod deadlines;
mod drafting;
mod embedding;
mod ending;
mod failing;
mod keeping;
mod logprobs;
mod refusing;
mod scoring;
mod streaming;
