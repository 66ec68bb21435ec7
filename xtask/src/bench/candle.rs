//! Candle's own quantized models, in a program of this workspace that is built by itself.

use std::path::PathBuf;

use anyhow::Result;

use crate::ci::cargo;

/// Its name in tables.
pub(super) const NAME: &str = "candle";

/// Builds the program with no more features than candle has by default, and says where it lies.
pub(super) fn build() -> Result<PathBuf> {
    cargo(
        &["build", "--quiet", "--release", "--package", "candle-peer"],
        &[],
    )?;
    Ok(super::target()?.join("release/candle-peer"))
}
