//! A model as it lies on disk: a GGUF file with all its parts, or a folder as published on the hub.
//!
//! Architectures ask for tensors by one set of names, those of GGUF files; a folder of safetensors is asked
//! under the names that its format has for them.

pub(crate) mod names;
mod outline;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::gguf::{GgufFile, TensorInfo, TensorKind};
use crate::mapping::Mapping;
use crate::quant::BlockType;
use crate::safetensors::{Element, SafetensorInfo, SafetensorsSet};
use crate::settings::Settings;
use crate::weight::Weight;
use crate::{ModelError, Tokenizer};

pub use outline::Outline;

/// Rows and columns of the tiles that block-FP8 checkpoints scale, where their config does not say.
const TILE: [usize; 2] = [128, 128];

/// An opened model whose weights have not been read; clones share its maps.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Gguf(GgufFile),
    Safetensors { tensors: SafetensorsSet, config: Json },
}

/// One tensor as it is stored, for a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// The name in the file.
    pub name: String,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// How its weights are stored, `Q4_K` or `BF16`.
    pub kind: String,
    /// Bytes in the file; `None` where the kind is unknown.
    pub bytes: Option<u64>,
}

impl Checkpoint {
    /// Opens a model: a GGUF file (any part of a split set), a safetensors file, the list of its
    /// shards, or a folder.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the file and what is wrong with it; no weight is read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let source = match extension {
            Some("safetensors") => Source::folder(path)?,
            // The list of a folder's shards stands for the folder.
            Some("json") => Source::folder(path.parent().unwrap_or(path))?,
            _ if path.is_dir() => Source::folder(path)?,
            _ => Source::Gguf(GgufFile::open(path)?),
        };
        Ok(Self { source })
    }

    /// The tokenizer that belongs to the model.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::from_gguf`] and [`Tokenizer::from_folder`].
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        match &self.source {
            Source::Gguf(file) => Tokenizer::from_gguf(file),
            Source::Safetensors { tensors, .. } => Tokenizer::from_folder(tensors.folder()),
        }
    }

    /// What the model's maker says of generation: the `generation_config.json` of a folder; a GGUF file has keys for it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`], [`ModelError::Json`] if there is one that cannot be read.
    pub fn generation_config(&self) -> Result<Option<Json>, ModelError> {
        let Source::Safetensors { tensors, .. } = &self.source else {
            return Ok(None);
        };
        let path = tensors.folder().join("generation_config.json");
        if !path.exists() {
            return Ok(None);
        }
        let map = Mapping::open(&path)?;
        let config =
            serde_json::from_slice(map.bytes()).map_err(|source| ModelError::Json { path, source })?;
        Ok(Some(config))
    }

    /// Whether a folder says, in the way of sentence-transformers, how its hidden states become an embedding.
    pub fn has_pooling_config(&self) -> bool {
        match &self.source {
            Source::Gguf(_) => false,
            Source::Safetensors { tensors, .. } => {
                let folder = tensors.folder();
                folder.join("modules.json").exists() || folder.join("1_Pooling").exists()
            }
        }
    }

    /// The GGUF file, if the model lies in one.
    pub fn gguf(&self) -> Option<&GgufFile> {
        match &self.source {
            Source::Gguf(file) => Some(file),
            Source::Safetensors { .. } => None,
        }
    }

    /// Where the model lies.
    pub fn path(&self) -> &Path {
        match &self.source {
            Source::Gguf(file) => file.path(),
            Source::Safetensors { tensors, .. } => tensors.folder(),
        }
    }

    /// All files that hold its tensors.
    pub(crate) fn files(&self) -> &[Arc<Mapping>] {
        match &self.source {
            Source::Gguf(file) => file.files(),
            Source::Safetensors { tensors, .. } => tensors.files(),
        }
    }

    /// Length in bytes of all files that hold its tensors.
    pub fn file_bytes(&self) -> u64 {
        match &self.source {
            Source::Gguf(file) => file.file_bytes(),
            Source::Safetensors { tensors, .. } => tensors.file_bytes(),
        }
    }

    /// What the model says of itself.
    pub fn outline(&self) -> Outline {
        Outline::of(self)
    }

    /// Every tensor, under its own name.
    pub fn stored(&self) -> Vec<StoredTensor> {
        match &self.source {
            Source::Gguf(file) => file.tensors().iter().map(StoredTensor::from).collect(),
            Source::Safetensors { tensors, .. } => tensors.tensors().iter().map(StoredTensor::from).collect(),
        }
    }

    /// `general.architecture`, or the `model_type` of a `config.json`.
    pub(crate) fn architecture(&self) -> Result<&str, ModelError> {
        match &self.source {
            Source::Gguf(file) => file.metadata().str("general.architecture"),
            Source::Safetensors { config, .. } => {
                config
                    .get("model_type")
                    .and_then(Json::as_str)
                    .ok_or(ModelError::MissingMetadata {
                        key: "model_type".into(),
                        wanted: "a text",
                    })
            }
        }
    }

    /// The settings of the architecture whose GGUF keys begin with `prefix`.
    pub(crate) fn settings<'c>(&'c self, prefix: &'c str) -> Settings<'c> {
        match &self.source {
            Source::Gguf(file) => Settings::Gguf {
                metadata: file.metadata(),
                prefix,
            },
            Source::Safetensors { config, .. } => Settings::Config(config),
        }
    }

    /// The name that the tensor called `name` in GGUF files has here.
    pub(crate) fn own_name(&self, name: &str) -> String {
        match &self.source {
            Source::Gguf(_) => name.to_owned(),
            Source::Safetensors { .. } => names::published(name),
        }
    }

    /// The name of one matrix of a stack, where each is a tensor of its own.
    pub(crate) fn part_name(&self, name: &str, part: usize) -> Option<String> {
        match &self.source {
            Source::Gguf(_) => None,
            Source::Safetensors { .. } => Some(names::published_part(name, part)),
        }
    }

    /// The shape of the tensor with its own name `own`.
    pub(crate) fn shape(&self, own: &str) -> Option<&[usize]> {
        match &self.source {
            Source::Gguf(file) => file.tensor(own).map(|tensor| tensor.shape.as_slice()),
            Source::Safetensors { tensors, .. } => tensors.tensor(own).map(|tensor| tensor.shape.as_slice()),
        }
    }

    /// The tensor with its own name `own`, still in its stored form.
    pub(crate) fn weight(&self, own: &str) -> Result<Weight, ModelError> {
        let missing = || ModelError::missing_tensor(own);
        match &self.source {
            Source::Gguf(file) => Weight::of_gguf(file, file.tensor(own).ok_or_else(missing)?),
            Source::Safetensors { tensors, config } => {
                let tensor = tensors.tensor(own).ok_or_else(missing)?;
                Weight::of_safetensors(tensors, tensor, tile(config)?)
            }
        }
    }

    /// Bytes in the file of the tensor with its own name `own`, which can be decoded: its kind is known, and scales
    /// that belong to it have the right shape. Reads headers alone.
    pub(crate) fn check(&self, own: &str) -> Result<u64, ModelError> {
        let missing = || ModelError::missing_tensor(own);
        match &self.source {
            Source::Gguf(file) => {
                let tensor = file.tensor(own).ok_or_else(missing)?;
                Ok(file.bytes(tensor)?.len() as u64)
            }
            Source::Safetensors { tensors, config } => {
                let tensor = tensors.tensor(own).ok_or_else(missing)?;
                Weight::check_safetensors(tensors, tensor, tile(config)?)?;
                Ok(tensor.byte_len())
            }
        }
    }

    /// The type of a tensor's blocks; `None` of 8-bit floats, and of types that are not known.
    pub(crate) fn block(&self, own: &str) -> Option<BlockType> {
        match &self.source {
            Source::Gguf(file) => match file.tensor(own)?.kind {
                TensorKind::Known(block) => Some(block),
                _ => None,
            },
            Source::Safetensors { tensors, .. } => match tensors.tensor(own)?.element {
                Element::F32 => Some(BlockType::F32),
                Element::F16 => Some(BlockType::F16),
                Element::Bf16 => Some(BlockType::BF16),
                _ => None,
            },
        }
    }

    /// Tensors that are stored.
    pub(crate) fn tensor_count(&self) -> usize {
        match &self.source {
            Source::Gguf(file) => file.tensors().len(),
            Source::Safetensors { tensors, .. } => tensors.tensors().len(),
        }
    }

    /// Own names of all tensors that an architecture has to have a place for.
    ///
    /// Left out are those that a published folder may carry without being part of the forward pass: scales, which
    /// belong to the tensor beside them, tables that are computed anew, and the layers behind the last one, which
    /// predict further tokens.
    pub(crate) fn own_names(&self, layers: usize) -> Vec<&str> {
        match &self.source {
            Source::Gguf(file) => file.tensors().iter().map(|tensor| tensor.name.as_str()).collect(),
            Source::Safetensors { tensors, config } => {
                let further = config
                    .get("num_nextn_predict_layers")
                    .and_then(Json::as_u64)
                    .unwrap_or(0) as usize;
                let names = tensors.tensors().iter().map(|tensor| tensor.name.as_str());
                names
                    .filter(|name| !names::beside_the_model(name, layers..layers.saturating_add(further)))
                    .collect()
            }
        }
    }
}

/// Rows and columns of the tiles that an FP8 checkpoint scales.
fn tile(config: &Json) -> Result<[usize; 2], ModelError> {
    let Some(stated) = config
        .get("quantization_config")
        .and_then(|q| q.get("weight_block_size"))
    else {
        return Ok(TILE);
    };
    let numbers: Option<Vec<usize>> = stated
        .as_array()
        .map(|list| list.iter().filter_map(|n| n.as_u64()?.try_into().ok()).collect());
    match numbers.as_deref() {
        Some(&[height, width]) if height > 0 && width > 0 => Ok([height, width]),
        _ => Err(ModelError::Setting {
            key: "quantization_config.weight_block_size".into(),
            value: stated.to_string(),
            wanted: "two numbers of at least 1 are needed".into(),
        }),
    }
}

impl From<GgufFile> for Checkpoint {
    fn from(file: GgufFile) -> Self {
        Self {
            source: Source::Gguf(file),
        }
    }
}

impl From<&TensorInfo> for StoredTensor {
    fn from(tensor: &TensorInfo) -> Self {
        Self {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            kind: tensor.kind.to_string(),
            bytes: tensor.byte_len(),
        }
    }
}

impl From<&SafetensorInfo> for StoredTensor {
    fn from(tensor: &SafetensorInfo) -> Self {
        Self {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            kind: tensor.element.to_string(),
            bytes: Some(tensor.byte_len()),
        }
    }
}

impl Source {
    fn folder(path: &Path) -> Result<Self, ModelError> {
        let tensors = SafetensorsSet::open(path)?;
        let path = tensors.folder().join("config.json");
        let map = Mapping::open(&path)?;
        let config =
            serde_json::from_slice(map.bytes()).map_err(|source| ModelError::Json { path, source })?;
        Ok(Self::Safetensors { tensors, config })
    }
}
