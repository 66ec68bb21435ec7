//! What servers understand beyond OpenAI's fields.
//!
//! Servers ignore fields that they do not know. So that none of a request's is silently ignored, a server is asked only
//! for what its kind is known to do, and the rest is refused here by name.
//!
//! Source: the request types of vLLM 0.12 and later (`structured_outputs`), of SGLang 0.5 (`regex`) and of llama.cpp's
//! server (`grammar`).

use engine::EngineError;

/// The kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// vLLM, and what takes its fields: NVIDIA Dynamo, llm-d, our own server. Also who does not say what he is.
    Vllm,
    /// SGLang, and its router, which rewrites requests and keeps the fields of SGLang alone.
    Sglang,
    /// llama.cpp's server.
    LlamaCpp,
    /// OpenAI's fields and no others.
    OpenAi,
}

impl Dialect {
    /// The kind of server whose models are owned by `owner`, as `/v1/models` tells.
    pub(crate) fn of_owner(owner: Option<&str>) -> Self {
        match owner {
            // The router says that its models are "local".
            Some("sglang" | "local") => Self::Sglang,
            Some("llamacpp") => Self::LlamaCpp,
            Some("openai" | "system") => Self::OpenAi,
            _ => Self::Vllm,
        }
    }

    /// The greatest seed that it takes.
    pub(crate) fn greatest_seed(self) -> u64 {
        match self {
            // The one above draws a seed afresh.
            Self::LlamaCpp => u64::from(u32::MAX) - 1,
            _ => i64::MAX.unsigned_abs(),
        }
    }

    /// The error for a field that it cannot be asked for.
    pub(crate) fn lacks(self, field: &'static str, value: impl std::fmt::Display) -> EngineError {
        EngineError::InvalidParameter {
            field,
            value: value.to_string(),
            expected: match self {
                Self::Vllm => "absent: vLLM's interface has nothing of that kind",
                Self::Sglang => "absent: SGLang's interface has nothing of that kind",
                Self::LlamaCpp => "absent: llama.cpp's interface has nothing of that kind",
                Self::OpenAi => "absent: OpenAI's interface has nothing of that kind",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_tells_the_kind() {
        for (owner, kind) in [
            (Some("vllm"), Dialect::Vllm),
            (Some("sglang"), Dialect::Sglang),
            (Some("local"), Dialect::Sglang),
            (Some("llamacpp"), Dialect::LlamaCpp),
            (Some("openai"), Dialect::OpenAi),
            (Some("nvidia"), Dialect::Vllm),
            (None, Dialect::Vllm),
        ] {
            assert_eq!(Dialect::of_owner(owner), kind);
        }
    }
}
