//! What a run leaves on disk to be resumed from: weights, moments, and where it stood.
//!
//! A resumed run goes on to the same bits as one that was never interrupted, on the same machine with the same number
//! of threads.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor, safetensors};
use serde::{Deserialize, Serialize};

use crate::batches::{Place, WINDOW};
use crate::network::{Network, Shape};
use crate::optimizer::{AdamW, Hyperparameters};

/// Where a run stood, beside its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Seed of weights and corpus.
    pub seed: u64,
    /// Steps of the whole run.
    pub steps: u32,
    /// Highest learning rate of the whole run.
    pub peak: f64,
    /// Steps taken.
    pub step: u32,
    /// The next batch.
    pub place: Place,
    /// Tokens read, without padding.
    pub tokens: u64,
    /// Seconds spent.
    pub seconds: f64,
}

impl Progress {
    /// Dialogues of the corpus that were trained on at most, from 0 on: whole windows.
    pub fn dialogues(&self) -> u64 {
        (self.place.window + 1) * WINDOW
    }
}

const PROGRESS: &str = "progress.json";
const WEIGHTS: &str = "weights.safetensors";
const MOMENTS: &str = "moments.safetensors";

/// Writes a checkpoint as a folder, in the place of one that stands there; it gets its name when it is whole.
///
/// # Errors
///
/// Files that cannot be written.
pub fn write(folder: &Path, network: &Network, optimizer: &AdamW, progress: &Progress) -> Result<()> {
    let shown = || folder.display().to_string();
    let partial = folder.with_extension("partial");
    std::fs::create_dir_all(&partial).with_context(shown)?;
    let weights: HashMap<String, Tensor> = (network.variables().iter())
        .map(|(name, variable)| (name.clone(), variable.as_tensor().clone()))
        .collect();
    safetensors::save(&weights, partial.join(WEIGHTS))?;
    safetensors::save(&optimizer.state()?, partial.join(MOMENTS))?;
    std::fs::write(partial.join(PROGRESS), serde_json::to_string_pretty(progress)?).with_context(shown)?;
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(shown)?;
    }
    std::fs::rename(&partial, folder).with_context(shown)
}

/// Reads a checkpoint.
///
/// # Errors
///
/// Files that cannot be read or are of another network.
pub fn read(folder: &Path, shape: Shape) -> Result<(Network, AdamW, Progress)> {
    let (network, progress) = trained(folder, shape)?;
    let mut optimizer = AdamW::new(network.variables(), Hyperparameters::default());
    let moments = safetensors::load(folder.join(MOMENTS), &Device::Cpu)?;
    optimizer.restore(&moments, progress.step)?;
    Ok((network, optimizer, progress))
}

/// Reads the weights of a checkpoint alone, and where the run stood.
///
/// # Errors
///
/// As [`read`].
pub fn trained(folder: &Path, shape: Shape) -> Result<(Network, Progress)> {
    let text =
        std::fs::read_to_string(folder.join(PROGRESS)).with_context(|| folder.display().to_string())?;
    let weights = safetensors::load(folder.join(WEIGHTS), &Device::Cpu)
        .with_context(|| folder.display().to_string())?;
    Ok((
        Network::with_weights(shape, &weights)?,
        serde_json::from_str(&text)?,
    ))
}
