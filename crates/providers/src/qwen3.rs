//! Qwen3: dense models and mixtures of experts that think before they answer, unless they are told not to.
//!
//! `enable_thinking` is a variable of the template. Calls of tools are JSON between tags
//! ([`Qwen3`](crate::output::Qwen3)).
//!
//! # Source
//!
//! The model cards, whose sampling for thinking is the one here.

use crate::family::Family;
use crate::local_family;
use crate::output::OutputFormat;

/// Qwen3.
pub const QWEN3: Family = Family {
    name: "qwen3",
    weights: "unsloth/Qwen3-4B-GGUF:Q4_K_M",
    architectures: &["qwen3", "qwen3moe", "qwen3_moe"],
    template: Some(include_str!("../assets/qwen3.jinja")),
    sampling: |sampling| {
        let params = &mut sampling.params;
        (params.temperature, params.top_p, params.top_k, params.min_p) = (0.6, 0.95, 20, 0.0);
    },
    format: Some(OutputFormat::Qwen3),
    ends: &["<|im_end|>"],
};

local_family! {
    /// A model of the family Qwen3.
    Qwen3Provider, QWEN3
}
