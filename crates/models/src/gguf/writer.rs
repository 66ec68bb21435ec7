//! Writing GGUF files: version 3, little-endian, tensor data aligned to 32 bytes.
//!
//! Only what [`GgufFile`](super::GgufFile) reads back can be written: shapes and byte counts are checked as tensors
//! are added. A tensor comes with its bytes, or is declared and streamed while the file is written, so that a file
//! larger than memory can be made. Its name appears in the folder when all of it is written, never before.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use super::{Array, Value};
use crate::ModelError;
use crate::partial::{self, PartialFile};
use crate::quant::BlockType;

const ALIGNMENT: u64 = 32;

/// A GGUF file in the making.
#[derive(Debug, Default)]
pub struct GgufWriter<'a> {
    metadata: Vec<(String, Value)>,
    tensors: Vec<Tensor<'a>>,
}

#[derive(Debug)]
struct Tensor<'a> {
    name: String,
    shape: Vec<usize>,
    kind: BlockType,
    len: u64,
    /// `None` for a tensor whose bytes are streamed.
    bytes: Option<Cow<'a, [u8]>>,
}

impl<'a> GgufWriter<'a> {
    /// A file without metadata and tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key; a key that is set twice keeps its place and takes the later value.
    pub fn metadata(&mut self, key: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        let (key, value) = (key.into(), value.into());
        match self.metadata.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.metadata.push((key, value)),
        }
        self
    }

    /// Adds a tensor.
    ///
    /// * `shape`: outermost dimension first, `(rows, columns)` for a matrix.
    /// * `bytes`: its blocks, row after row.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unwritable`] if the name is taken, the shape has no or more than four dimensions or an empty
    /// one, the columns are no multiple of the block, or `bytes` has not the length that shape and type give.
    pub fn tensor(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        kind: BlockType,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<&mut Self, ModelError> {
        let (name, bytes) = (name.into(), bytes.into());
        let given = bytes.len();
        let tensor = self.checked(name, shape, kind)?;
        if tensor.len != given as u64 {
            let fault = format!("{given} bytes do not fill shape {shape:?} of {kind}");
            return Err(unwritable(tensor.name, fault));
        }
        self.tensors.push(Tensor {
            bytes: Some(bytes),
            ..tensor
        });
        Ok(self)
    }

    /// Adds a tensor whose bytes [`write_with`](Self::write_with) asks for.
    ///
    /// * `shape`: outermost dimension first.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unwritable`] as for [`tensor`](Self::tensor).
    pub fn declare(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        kind: BlockType,
    ) -> Result<&mut Self, ModelError> {
        let tensor = self.checked(name.into(), shape, kind)?;
        self.tensors.push(tensor);
        Ok(self)
    }

    /// A tensor that can stand in a file, still without its bytes.
    fn checked(&self, name: String, shape: &[usize], kind: BlockType) -> Result<Tensor<'a>, ModelError> {
        let columns = shape.last().copied().unwrap_or(0);
        let needed = shape
            .iter()
            .try_fold(1, |product: usize, &dim| product.checked_mul(dim))
            .and_then(|weights| (weights / kind.block_len()).checked_mul(kind.block_bytes()));
        let fault = if self.tensors.iter().any(|known| known.name == name) {
            "the name is taken".to_owned()
        } else if !(1..=4).contains(&shape.len()) || shape.contains(&0) {
            format!("shape {shape:?} is not one to four dimensions of at least 1")
        } else if !columns.is_multiple_of(kind.block_len()) {
            format!("{columns} columns are no multiple of a {kind} block")
        } else if let Some(len) = needed {
            return Ok(Tensor {
                name,
                shape: shape.to_vec(),
                kind,
                len: len as u64,
                bytes: None,
            });
        } else {
            format!("shape {shape:?} of {kind} has more bytes than can be counted")
        };
        Err(unwritable(name, fault))
    }

    /// Length of the whole file in bytes.
    pub fn file_bytes(&self) -> u64 {
        let header = (self.header().len() as u64).next_multiple_of(ALIGNMENT);
        let data: u64 = self
            .tensors
            .iter()
            .map(|tensor| tensor.len.next_multiple_of(ALIGNMENT))
            .sum();
        header + data
    }

    /// Writes the file at `path`, over one that is there.
    ///
    /// # Errors
    ///
    /// As for [`write_with`](Self::write_with); a declared tensor is [`ModelError::Unwritable`], since nothing
    /// gives its bytes.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        self.write_with(path, |_, _| Ok(()))
    }

    /// Writes the file at `path`, over one that is there, and streams the declared tensors.
    ///
    /// All is written to a temporary file in the same folder, which takes the name `path` at the end; if anything
    /// fails, what stood at `path` stays as it was and the temporary file is removed.
    ///
    /// * `fill`: called once for each declared tensor, in their order, with its name; it writes exactly the tensor's
    ///   blocks, row after row.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Unwritable`] if `fill` wrote fewer or more bytes than the tensor has.
    /// * [`ModelError::DiskFull`] if there is no room for the file.
    /// * [`ModelError::NotAFile`] if something other than a file is at `path`.
    /// * [`ModelError::Write`] if the file cannot be created or written, or `fill` failed.
    pub fn write_with(
        &self,
        path: impl AsRef<Path>,
        mut fill: impl FnMut(&str, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ModelError> {
        let path = path.as_ref();
        let failed = |source| partial::fault(path, self.file_bytes(), source);
        let mut out = PartialFile::create(path)?;
        self.write_header(&mut out).map_err(failed)?;
        for tensor in &self.tensors {
            let mut counted = Counted {
                out: &mut out,
                written: 0,
            };
            match &tensor.bytes {
                Some(bytes) => counted.write_all(bytes).map_err(failed)?,
                None => fill(&tensor.name, &mut counted).map_err(failed)?,
            }
            let (written, needed) = (counted.written, tensor.len);
            if written != needed {
                let fault = format!("{written} bytes were written of {needed}");
                return Err(unwritable(tensor.name.clone(), fault));
            }
            pad(&mut out, tensor.len).map_err(failed)?;
        }
        out.finish(path).map_err(failed)
    }

    /// Writes the file's bytes to `out`.
    ///
    /// # Errors
    ///
    /// Those of `out`, and [`InvalidInput`](io::ErrorKind::InvalidInput) for a declared tensor, whose bytes are not
    /// here.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_header(out)?;
        for tensor in &self.tensors {
            let bytes = tensor.bytes.as_deref().ok_or_else(|| {
                let message = format!("tensor `{}` was declared without its bytes", tensor.name);
                io::Error::new(io::ErrorKind::InvalidInput, message)
            })?;
            out.write_all(bytes)?;
            pad(out, tensor.len)?;
        }
        Ok(())
    }

    /// Writes all that stands before the tensors' data.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_header(&self, out: &mut impl Write) -> io::Result<()> {
        let header = self.header();
        out.write_all(&header)?;
        pad(out, header.len() as u64)
    }

    fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend_from_slice(&3u32.to_le_bytes());
        out.extend_from_slice(&(self.tensors.len() as u64).to_le_bytes());
        out.extend_from_slice(&(self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_string(&mut out, key);
            out.extend_from_slice(&value.value_type().id().to_le_bytes());
            put_value(&mut out, value);
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            put_string(&mut out, &tensor.name);
            out.extend_from_slice(&(tensor.shape.len() as u32).to_le_bytes());
            for dim in tensor.shape.iter().rev() {
                out.extend_from_slice(&(*dim as u64).to_le_bytes());
            }
            out.extend_from_slice(&tensor.kind.id().to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
            offset = (offset + tensor.len).next_multiple_of(ALIGNMENT);
        }
        out
    }
}

/// Counts what passes through it.
struct Counted<'w, W> {
    out: &'w mut W,
    written: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn unwritable(tensor: String, fault: String) -> ModelError {
    ModelError::Unwritable { tensor, fault }
}

fn pad(out: &mut impl Write, len: u64) -> io::Result<()> {
    let missing = len.next_multiple_of(ALIGNMENT) - len;
    for _ in 0..missing {
        out.write_all(&[0])?;
    }
    Ok(())
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(v) => out.push(*v),
        Value::I8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::U16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::U32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::F32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Bool(v) => out.push((*v).into()),
        Value::String(v) => put_string(out, v),
        Value::Array(v) => put_array(out, v),
        Value::U64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::F64(v) => out.extend_from_slice(&v.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    out.extend_from_slice(&array.item_type().id().to_le_bytes());
    out.extend_from_slice(&(array.len() as u64).to_le_bytes());
    out.extend_from_slice(array.bytes());
}
