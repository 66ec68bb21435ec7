//! Kimi K2: a mixture of experts of a thousand billion parameters, and its smaller relatives.
//!
//! Calls of tools stand between tokens of their own ([`KimiK2`](crate::output::KimiK2)); newer versions think before they
//! answer, in tags of text that the parser takes out wherever they stand.
//!
//! # Source
//!
//! The model card, the chat template and the guide to tool calls in its repository.

use crate::family::Family;
use crate::local_family;
use crate::output::OutputFormat;

/// Kimi K2. Its weights need hundreds of gigabytes; a cluster serves them too.
pub const KIMI_K2: Family = Family {
    name: "kimi-k2",
    weights: "unsloth/Kimi-K2-Instruct-GGUF:Q4_K_M",
    architectures: &["deepseek2", "deepseek_v3", "kimi_k2"],
    template: Some(include_str!("../assets/kimi_k2.jinja")),
    sampling: |sampling| sampling.params.temperature = 0.6,
    format: Some(OutputFormat::KimiK2),
    ends: &["<|im_end|>"],
};

local_family! {
    /// A model of the family Kimi K2.
    KimiK2Provider, KIMI_K2
}
