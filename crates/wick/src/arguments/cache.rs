//! Arguments about models of a hub and the cache that they lie in.

use clap::Args;
use providers::hub::HubModel;

/// `wick pull`.
#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// The model: OWNER/NAME, OWNER/NAME:PATTERN or OWNER/NAME@REVISION:PATTERN, the pattern being a quantization such as Q4_K_M, a glob or a file
    #[arg(value_name = "MODEL")]
    pub(crate) model: HubModel,
    /// Say where it lies if it is on this machine, and fail if not
    #[arg(long)]
    pub(crate) offline: bool,
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
    /// The model, as `wick pull` takes it; without a pattern, all of its files
    #[arg(value_name = "MODEL")]
    pub(crate) model: HubModel,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
