//! The models that are measured.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use models::synth::{self, Quant, Shape};
use models::{Checkpoint, LoadOptions, ModelFactory};

use super::table::Row;
use crate::ci::root;

/// Positions that stand before what is measured.
pub(super) const DEPTHS: [usize; 2] = [0, 2048];

/// A synthetic model.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    shape: Shape,
    quant: Quant,
    /// Whether every token uses every weight, so that limits can be compared with.
    dense: bool,
}

/// All of them.
pub(super) const ALL: [Subject; 5] = [
    Subject::new(Shape::Qwen3_0_6B, Quant::Q4KM, true),
    Subject::new(Shape::Qwen3_0_6B, Quant::Q8_0, true),
    Subject::new(Shape::Llama3_2_1B, Quant::Q4KM, true),
    Subject::new(Shape::Qwen3_30BA3B8L, Quant::Q4KM, false),
    Subject::new(Shape::KimiK2_3L48E, Quant::Q4KM, false),
];

/// The one that serving is measured with.
pub(super) const SERVED: Subject = ALL[0];

impl Subject {
    const fn new(shape: Shape, quant: Quant, dense: bool) -> Self {
        Self { shape, quant, dense }
    }

    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.shape.name(), self.quant.name())
    }

    /// The model's file, which is made where it is missing.
    pub(super) fn file(&self) -> Result<PathBuf> {
        let folder = root().join("target/bench-models");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let path = folder.join(format!("{}.gguf", self.name()));
        if !path.exists() {
            eprintln!("making {}", path.display());
            synth::write_as(self.shape, self.quant, 0, &path, &mut |_| {})?;
        }
        Ok(path)
    }

    /// A row of the table with no figures in it.
    pub(super) fn row(&self, file: &Path, depth: usize) -> Result<Row> {
        let plan = ModelFactory::plan(&Checkpoint::open(file)?, LoadOptions::default())?;
        Ok(Row {
            model: self.name(),
            depth,
            position_bytes: plan.cache_bytes_per_position,
            file_bytes: file.metadata()?.len(),
            parameters: plan.parameters,
            dense: self.dense,
            ..Row::default()
        })
    }
}
