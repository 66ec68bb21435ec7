//! GGUF files: metadata and tensors of one model, read from memory maps of its one file or its parts.
//!
//! Invariant: once a model is open, every tensor of a known block type lies inside its file, so reading its bytes
//! cannot fail; a tensor of an unknown type fails alone, when its bytes are asked for. Counts and lengths that the
//! file claims are held against the bytes that are there before anything is allocated.
//!
//! Source: the GGUF specification of the ggml project, versions 2 and 3, little-endian.

mod array;
mod metadata;
mod reader;
mod split;
mod writer;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use array::Array;
pub use metadata::{Metadata, Value, ValueType};
pub use writer::GgufWriter;

use crate::ModelError;
use crate::mapping::Mapping;
use crate::quant::BlockType;

/// An open GGUF file with all its parts; clones share the maps.
#[derive(Clone, Debug)]
pub struct GgufFile {
    /// The first part, or the only one.
    map: Arc<Mapping>,
    /// All parts.
    parts: Arc<[Arc<Mapping>]>,
    header: Arc<Header>,
}

#[derive(Debug)]
struct Header {
    version: u32,
    alignment: u64,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
}

/// Name, shape and place of one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name as it stands in the file, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Outermost dimension first, `(rows, columns)` for a matrix: the reverse of the order in the file.
    pub shape: Vec<usize>,
    /// How its weights are stored.
    pub kind: TensorKind,
    /// Index of its file among the parts.
    part: usize,
    /// First byte, counted from the start of the file.
    start: u64,
    /// Bytes; zero where the block type is unknown.
    len: u64,
}

/// How the weights of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TensorKind {
    /// A block type that can be decoded.
    Known(BlockType),
    /// The number of a type that is not known here.
    Unknown(u32),
}

/// What the tensors of one kind add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindTotal {
    /// The kind these figures are about.
    pub kind: TensorKind,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of weights.
    pub weights: u64,
    /// Bytes in the file; `None` where the type is unknown.
    pub bytes: Option<u64>,
}

impl GgufFile {
    /// Opens and checks the file at `path`; no tensor data is read.
    ///
    /// A part of a model in several files brings the others, which must lie beside it under their names
    /// (`…-00001-of-00003.gguf`).
    ///
    /// # Errors
    ///
    /// * [`ModelError::Io`], [`ModelError::NotAFile`] if there is no readable file at `path`.
    /// * [`ModelError::NotGguf`], [`ModelError::GgufVersion`] if it is not a GGUF file of version 2 or 3.
    /// * [`ModelError::Truncated`], [`ModelError::CountPastEnd`] and [`ModelError::Damaged`] if a length, a count or
    ///   a value in the header cannot be true, or parts contradict each other.
    /// * [`ModelError::MissingPart`] if a part is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        split::open(path.as_ref()).map(Self::from)
    }

    /// Opens the files of one model, given in any order and under any names.
    ///
    /// # Errors
    ///
    /// Those of [`GgufFile::open`]; a part that is not among `paths`, or stands there twice, is
    /// [`ModelError::Damaged`].
    pub fn open_parts(paths: &[impl AsRef<Path>]) -> Result<Self, ModelError> {
        split::open_all(paths).map(Self::from)
    }

    /// A file that is in memory already, such as one built into the program; `name` stands in errors.
    ///
    /// # Errors
    ///
    /// Those of [`GgufFile::open`] that do not concern the file system; one part of several is
    /// [`ModelError::Damaged`].
    pub fn from_bytes(
        name: impl Into<PathBuf>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, ModelError> {
        split::held(Mapping::held(name, bytes)).map(Self::from)
    }

    /// Path of the file, the first part where there are several.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// The file, or all parts in their order.
    pub(crate) fn files(&self) -> &[Arc<Mapping>] {
        &self.parts
    }

    /// Length of the file in bytes, of all parts together where there are several.
    pub fn file_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes().len() as u64).sum()
    }

    /// Version of the format, 2 or 3.
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// Alignment of tensor data in bytes, a power of two.
    pub fn alignment(&self) -> u64 {
        self.header.alignment
    }

    /// Keys and values of the file, the first part where there are several.
    pub fn metadata(&self) -> &Metadata {
        &self.header.metadata
    }

    /// All tensors, part after part, in the order of the files; none in a file that holds only a vocabulary.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.header.tensors
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.header
            .by_name
            .get(name)
            .and_then(|&at| self.header.tensors.get(at))
    }

    /// The stored blocks of a tensor, row after row, borrowed from the map.
    ///
    /// # Errors
    ///
    /// * [`ModelError::UnknownTensorType`] if the tensor's type is not known here.
    /// * [`ModelError::Truncated`] if `tensor` was taken from another, longer file.
    pub fn bytes(&self, tensor: &TensorInfo) -> Result<&[u8], ModelError> {
        let (map, range) = self.located(tensor)?;
        Ok(map.bytes().get(range).unwrap_or_default())
    }

    /// The file in which a tensor's blocks stand, and where in it: for an owner that outlives this handle.
    ///
    /// # Errors
    ///
    /// As [`GgufFile::bytes`].
    pub fn place(&self, tensor: &TensorInfo) -> Result<(Arc<Mapping>, Range<usize>), ModelError> {
        let (map, range) = self.located(tensor)?;
        Ok((Arc::clone(map), range))
    }

    /// Gives what has been read of the files back to the system, which reads it again when it is asked for.
    pub(crate) fn release(&self) {
        for map in self.parts.iter().chain([&self.map]) {
            map.release(0..map.bytes().len());
        }
    }

    fn located(&self, tensor: &TensorInfo) -> Result<(&Arc<Mapping>, Range<usize>), ModelError> {
        if let TensorKind::Unknown(id) = tensor.kind {
            return Err(ModelError::UnknownTensorType {
                tensor: tensor.name.clone(),
                id,
            });
        }
        let map = self.parts.get(tensor.part).unwrap_or(&self.map);
        let place = usize::try_from(tensor.start)
            .ok()
            .zip(usize::try_from(tensor.len).ok());
        place
            .and_then(|(start, len)| Some(start..start.checked_add(len)?))
            .filter(|range| range.end <= map.bytes().len())
            .map(|range| (map, range))
            .ok_or_else(|| reader::truncated(map, "tensor data", tensor.start, tensor.len))
    }

    /// Tensors, weights and bytes by kind, in the order in which the kinds first appear.
    pub fn totals(&self) -> Vec<KindTotal> {
        let mut totals: Vec<KindTotal> = Vec::new();
        for tensor in self.tensors() {
            let weights = tensor.weights();
            let bytes = tensor.byte_len();
            match totals.iter_mut().find(|total| total.kind == tensor.kind) {
                Some(total) => {
                    total.tensors += 1;
                    total.weights = total.weights.saturating_add(weights);
                    total.bytes = total.bytes.zip(bytes).map(|(a, b)| a.saturating_add(b));
                }
                None => totals.push(KindTotal {
                    kind: tensor.kind,
                    tensors: 1,
                    weights,
                    bytes,
                }),
            }
        }
        totals
    }
}

impl From<split::Whole> for GgufFile {
    fn from(whole: split::Whole) -> Self {
        Self {
            map: whole.first,
            parts: whole.parts.into(),
            header: Arc::new(whole.header),
        }
    }
}

impl TensorInfo {
    /// Number of weights.
    pub fn weights(&self) -> u64 {
        self.shape
            .iter()
            .fold(1, |product: u64, &dim| product.saturating_mul(dim as u64))
    }

    /// Bytes that the tensor takes in the file; `None` where its type is unknown.
    pub fn byte_len(&self) -> Option<u64> {
        matches!(self.kind, TensorKind::Known(_)).then_some(self.len)
    }
}

impl std::fmt::Display for TensorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(kind) => f.write_str(kind.name()),
            Self::Unknown(id) => write!(f, "type {id}"),
        }
    }
}

#[cfg(test)]
mod tests;
