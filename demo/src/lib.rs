//! The demo model: its corpus, its training and its examination.
//!
//! A small chat model of the Qwen3 architecture, made by this workspace from nothing but its own grammar and word
//! lists, so that the first command of a newcomer works without a download.
#![forbid(unsafe_code)]

pub mod dialogue;
pub mod corpus;
pub mod vocabulary;
pub mod rendering;
pub mod batches;
pub mod ops;
pub mod network;
pub mod optimizer;
pub mod schedule;
pub mod checkpoint;
pub mod curve;
pub mod validation;
pub mod training;
pub mod export;
pub mod examination;
