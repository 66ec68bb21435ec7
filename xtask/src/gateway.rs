//! Replicas of `wick serve` behind SGLang's router, which is installed from its registry.

use anyhow::{Context, Result};

use super::ci::{cargo, root};
use super::peers;

/// The router.
const ROUTER: &str = "sglang-router==0.3.2";

/// Kills a replica under load, and compares the router's ways to share requests out.
pub(crate) fn run() -> Result<()> {
    let python = peers::environment(&root().join("target/replicas/python"), &[ROUTER], &[])?;
    let python = python.to_str().context("the path of the workspace is no text")?;
    let arguments = [
        "test",
        "--workspace",
        "--all-features",
        "--test",
        "program",
        "--",
        "--ignored",
        "--nocapture",
        "--test-threads",
        "1",
        "replicas::",
    ];
    cargo(&arguments, &[("ROUTER_PYTHON", python)])
}
