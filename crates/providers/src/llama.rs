//! Llama 3: dense models.
//!
//! A call of a tool is a JSON object that is the whole answer ([`Llama3`](crate::output::Llama3)).
//!
//! # Source
//!
//! The model cards, the chat template and the `generation_config.json` of Llama 3.1.

use crate::family::Family;
use crate::local_family;
use crate::output::OutputFormat;

/// Llama 3.
pub const LLAMA: Family = Family {
    name: "llama",
    weights: "unsloth/Llama-3.2-3B-Instruct-GGUF:Q4_K_M",
    architectures: &["llama"],
    template: Some(include_str!("../assets/llama3.jinja")),
    sampling: |sampling| {
        let params = &mut sampling.params;
        (params.temperature, params.top_p) = (0.6, 0.9);
    },
    format: Some(OutputFormat::Llama3),
    ends: &["<|eot_id|>", "<|eom_id|>"],
};

local_family! {
    /// A model of the family Llama 3.
    LlamaProvider, LLAMA
}
