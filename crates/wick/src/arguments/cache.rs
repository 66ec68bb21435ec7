//! Arguments about models of a hub and the cache that they lie in.

use clap::Args;
use providers::hub::HubModel;

use super::model::OfflineArgument;

/// `wick pull`.
#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// The model: OWNER/NAME, OWNER/NAME:PATTERN or OWNER/NAME@REVISION:PATTERN, the pattern being a quantization such as Q4_K_M, a glob or a file
    #[arg(value_name = "MODEL")]
    pub(crate) model: HubModel,
    #[command(flatten)]
    pub(crate) offline: OfflineArgument,
}

/// `wick list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Print one JSON object for each model
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wick rm`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    /// The models, as `wick pull` takes them; of one without a pattern, all of its files
    #[arg(value_name = "MODEL", required = true)]
    pub(crate) models: Vec<HubModel>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
