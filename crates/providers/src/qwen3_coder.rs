//! Qwen3-Coder: models that write code and call tools, and do not think first.
//!
//! Calls have a tag around each argument ([`Qwen3Coder`](crate::output::Qwen3Coder)), whose type the declaration of the
//! tool tells.
//!
//! # Source
//!
//! The model cards and the chat template.

use crate::family::Family;
use crate::local_family;
use crate::output::OutputFormat;

/// Qwen3-Coder, and the demo model.
pub const QWEN3_CODER: Family = Family {
    name: "qwen3-coder",
    weights: "unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:Q4_K_M",
    architectures: &["qwen3", "qwen3moe", "qwen3_moe"],
    // Its model is trained on the format.
    template: Some(include_str!("../assets/demo.jinja")),
    sampling: |sampling| {
        let params = &mut sampling.params;
        (params.temperature, params.top_p, params.top_k, params.min_p) = (0.7, 0.8, 20, 0.0);
        params.penalties.repeat = 1.05;
    },
    format: Some(OutputFormat::Qwen3Coder),
    ends: &["<|im_end|>"],
};

local_family! {
    /// A model of the family Qwen3-Coder.
    Qwen3CoderProvider, QWEN3_CODER
}
