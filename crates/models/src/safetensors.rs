//! Safetensors files: the tensors of one model, in one file or in shards, read from memory maps.
//!
//! Invariant: once a set is open, every tensor lies inside its file, tensors cover their file without overlap or gap,
//! and no name stands twice. A tensor of an element type that is not known here fails alone, when it is asked for.
//! Lengths and counts that a file claims are held against the bytes that are there before anything is allocated.
//!
//! Source: the safetensors format of the Hugging Face project, and the index of shards that its hub publishes.

mod header;
mod index;
mod shards;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ModelError;
use crate::mapping::Mapping;

/// An open model in safetensors files; clones share its maps.
#[derive(Clone, Debug)]
pub struct SafetensorsSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    shards: Vec<Arc<Mapping>>,
    tensors: Vec<SafetensorInfo>,
    by_name: HashMap<String, usize>,
}

/// Name, shape and place of one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetensorInfo {
    /// Name as it stands in the file, such as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Outermost dimension first, `(rows, columns)` for a matrix; empty for a single number.
    pub shape: Vec<usize>,
    /// How its entries are stored.
    pub element: Element,
    /// Index of its file.
    shard: usize,
    /// Its bytes, counted from the start of the file.
    bytes: Range<usize>,
}

/// How the entries of a tensor are stored, little-endian.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE float of 32 bits.
    F32,
    /// IEEE float of 16 bits.
    F16,
    /// The upper half of an [`Element::F32`].
    Bf16,
    /// Float of 8 bits: 4 of exponent, 3 of mantissa, no infinities.
    F8E4M3,
    /// The name of a type that is not read here.
    Unknown(String),
}

impl SafetensorsSet {
    /// Opens and checks a model; no tensor data is read.
    ///
    /// `path` is a folder as published (`model.safetensors`, or `model.safetensors.index.json` with its shards), a
    /// file of its own, or one shard `…-00001-of-00002.safetensors`, which brings the others beside it.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Io`], [`ModelError::NotAFile`] if a file cannot be read.
    /// * [`ModelError::NoWeights`] if the folder holds no model, [`ModelError::MissingPart`] if a shard is missing.
    /// * [`ModelError::Truncated`], [`ModelError::TensorPastEnd`], [`ModelError::NotText`], [`ModelError::Json`] and
    ///   [`ModelError::Damaged`] if a header or the index cannot be true.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        shards::open(path).map(|inner| Self(Arc::new(inner)))
    }

    /// A file that is in memory already; `name` stands in errors.
    ///
    /// # Errors
    ///
    /// Those of [`SafetensorsSet::open`] that do not concern the file system.
    pub fn from_bytes(
        name: impl Into<PathBuf>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, ModelError> {
        let inner = shards::single(Mapping::held(name, bytes))?;
        Ok(Self(Arc::new(inner)))
    }

    /// Folder in which the files lie.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// All files, shard after shard.
    pub(crate) fn files(&self) -> &[Arc<Mapping>] {
        &self.0.shards
    }

    /// Length of all files together in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.0.shards.iter().map(|shard| shard.bytes().len() as u64).sum()
    }

    /// All tensors: shard after shard, in the order of their data.
    pub fn tensors(&self) -> &[SafetensorInfo] {
        &self.0.tensors
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&SafetensorInfo> {
        self.0.by_name.get(name).and_then(|&at| self.0.tensors.get(at))
    }

    /// The stored entries of a tensor, row after row, borrowed from the map.
    ///
    /// # Errors
    ///
    /// * [`ModelError::UnknownElement`] if the tensor's element type is not known here.
    /// * [`ModelError::Truncated`] if `tensor` was taken from another set.
    pub fn bytes(&self, tensor: &SafetensorInfo) -> Result<&[u8], ModelError> {
        self.located(tensor).map(|(_, bytes)| bytes)
    }

    /// The file in which a tensor stands, and where in it: for an owner that outlives this set.
    ///
    /// # Errors
    ///
    /// As [`SafetensorsSet::bytes`].
    pub fn place(&self, tensor: &SafetensorInfo) -> Result<(Arc<Mapping>, Range<usize>), ModelError> {
        let (map, _) = self.located(tensor)?;
        Ok((Arc::clone(map), tensor.bytes.clone()))
    }

    fn located(&self, tensor: &SafetensorInfo) -> Result<(&Arc<Mapping>, &[u8]), ModelError> {
        if let Element::Unknown(element) = &tensor.element {
            return Err(ModelError::UnknownElement {
                tensor: tensor.name.clone(),
                element: element.clone(),
            });
        }
        let map = self.0.shards.get(tensor.shard);
        map.and_then(|map| Some((map, map.bytes().get(tensor.bytes.clone())?)))
            .ok_or_else(|| ModelError::Truncated {
                path: map.map_or(self.folder(), |map| map.path()).to_owned(),
                what: "tensor data",
                offset: tensor.bytes.start as u64,
                needed: tensor.byte_len(),
                length: map.map_or(0, |map| map.bytes().len() as u64),
            })
    }
}

impl SafetensorInfo {
    /// Bytes that the tensor takes in its file.
    pub fn byte_len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Element {
    fn named(name: &str) -> Self {
        match name {
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            "F8_E4M3" => Self::F8E4M3,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// Bytes of one entry; `None` for a type that is not known.
    fn size(&self) -> Option<usize> {
        match self {
            Self::F32 => Some(4),
            Self::F16 | Self::Bf16 => Some(2),
            Self::F8E4M3 => Some(1),
            Self::Unknown(_) => None,
        }
    }
}

/// The name in the file.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::F8E4M3 => "F8_E4M3",
            Self::Unknown(name) => name,
        })
    }
}

#[cfg(test)]
mod tests;
