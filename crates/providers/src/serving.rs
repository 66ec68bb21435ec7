//! How much a local model takes on: requests at once and waiting, sequences and caches, tokens of a context.

use engine::EngineConfig;
use generator::Limits;

/// Settings of a model that is loaded to serve many callers.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// Admission, deadlines, breaker and clock; its name is that of the model.
    pub engine: EngineConfig,
    /// Sequences at once, caches that are kept.
    pub limits: Limits,
    /// Most tokens that prompt and answer may have together, at least 2 and no more than the model can. Absent: as many as
    /// the model can.
    pub context: Option<usize>,
}
