//! Packed matrices in a file beside the model: a later load maps what the first one packed.
//!
//! The file counts only if every byte of it is as it was written, by this version, for these files of the model; else it is
//! made anew. It takes its name when it is whole, and of several processes that load the same model one makes it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use simd_matmul::{Blocks, Matrix, Pool, Weights};

use super::packed;
use crate::backend::Holding;
use crate::checkpoint::Checkpoint;
use crate::loader::{Build, Parts, StackShape};
use crate::mapping::Mapping;
use crate::partial::{self, PartialFile};
use crate::weight::Weight;
use crate::{HeldWeights, ModelError};

/// What the last bytes of a file are: this, the index's checksum, and its length, both little-endian.
const MAGIC: [u8; 8] = *b"packed01";
const TRAILER: usize = MAGIC.len() + size_of::<u32>() + size_of::<u64>();
/// Bytes that one checksum is of.
const CHUNK: usize = 4 << 20;
/// Bytes at either end of a model's file that tell it from another of the same name, length and time.
const ENDS: usize = 64 << 10;

/// Where the packed matrices of a model are kept, and what they were packed from.
pub(crate) struct Place {
    path: PathBuf,
    /// The file whose lock is held while the packed one is made.
    lock: PathBuf,
    sources: Vec<Source>,
}

/// What a file of the model was when its matrices were packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    name: String,
    bytes: u64,
    modified: Option<Duration>,
    /// Checksum of both ends.
    ends: u32,
}

/// What a file of packed matrices holds: they stand one after the other, before this.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    program: String,
    tiles: u32,
    big_endian: bool,
    sources: Vec<Source>,
    matrices: BTreeMap<String, Entry>,
    /// Checksums of the matrices' bytes, chunk after chunk.
    chunks: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    weights: String,
    rows: usize,
    columns: usize,
    bytes: Range<usize>,
}

impl Place {
    /// The place beside the model's first file; `None` of a model that lies in no file.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if a file cannot be measured.
    pub(crate) fn beside(checkpoint: &Checkpoint) -> Result<Option<Self>, ModelError> {
        let files = checkpoint.files();
        let (Some(first), true) = (files.first(), files.iter().all(|file| file.is_mapped())) else {
            return Ok(None);
        };
        let mut name = first.path().file_name().unwrap_or_default().to_owned();
        name.push(HeldWeights::KEPT_EXTENSION);
        Ok(Some(Self {
            path: first.path().with_file_name(name),
            lock: first.path().to_owned(),
            sources: files
                .iter()
                .map(|file| Source::of(file))
                .collect::<Result<_, _>>()?,
        }))
    }
}

impl Source {
    fn of(file: &Mapping) -> Result<Self, ModelError> {
        let facts = fs::metadata(file.path()).map_err(|source| ModelError::Io {
            path: file.path().to_owned(),
            source,
        })?;
        let bytes = file.bytes();
        let mut ends = crc32fast::Hasher::new();
        ends.update(&bytes[..bytes.len().min(ENDS)]);
        ends.update(&bytes[bytes.len().saturating_sub(ENDS)..]);
        Ok(Self {
            name: own_name(file.path()),
            bytes: facts.len(),
            modified: facts
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok()),
            ends: ends.finalize(),
        })
    }
}

/// The matrices of a file that counts.
#[derive(Debug)]
pub(crate) struct Kept {
    map: Arc<Mapping>,
    matrices: BTreeMap<String, Entry>,
}

impl Kept {
    /// Maps the file at `place` and reads all of it; `None` if there is none that counts.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] and [`ModelError::NotAFile`] if what is there cannot be read.
    pub(crate) fn open(place: &Place, pool: &Pool) -> Result<Option<Self>, ModelError> {
        if !place.path.exists() {
            return Ok(None);
        }
        let map = Mapping::open(&place.path)?;
        Ok(checked(map.bytes(), place, pool).map(|matrices| Self {
            map: Arc::new(map),
            matrices,
        }))
    }

    /// The kept form of a tensor.
    pub(super) fn matrix(&self, weight: &Weight) -> Result<Matrix, ModelError> {
        let weights = packed::weights(weight);
        self.find(&key(weight), weights, weight.rows(), weight.columns())
    }

    /// Matrices of the numbers that were made of the tensor `name`.
    pub(super) fn stack(&self, name: &str, shape: StackShape) -> Result<Vec<Matrix>, ModelError> {
        (0..shape.count)
            .map(|part| self.find(&part_key(name, part), Weights::F32, shape.outputs, shape.inputs))
            .collect()
    }

    fn find(&self, key: &str, weights: Weights, rows: usize, columns: usize) -> Result<Matrix, ModelError> {
        let damaged = |fault| ModelError::Damaged {
            path: self.map.path().to_owned(),
            fault,
        };
        let entry = self
            .matrices
            .get(key)
            .ok_or_else(|| damaged(format!("it has no matrix `{key}`")))?;
        let found = (entry.weights.as_str(), entry.rows, entry.columns);
        let name = format!("{weights:?}");
        if found != (name.as_str(), rows, columns) {
            return Err(damaged(format!(
                "matrix `{key}` is {found:?}, not {:?}",
                (name, rows, columns)
            )));
        }
        let tiles = Tiles {
            map: Arc::clone(&self.map),
            bytes: entry.bytes.clone(),
        };
        Ok(Matrix::kept(weights, rows, columns, Arc::new(tiles))?)
    }
}

/// The matrices of a file's bytes, if these are as they were written, for the model at `place`.
fn checked(bytes: &[u8], place: &Place, pool: &Pool) -> Option<BTreeMap<String, Entry>> {
    let (rest, trailer) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER)?)?;
    let (magic, numbers) = trailer.split_first_chunk()?;
    let (sum, length) = numbers.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length.first_chunk()?)).ok()?;
    let (matrices, index) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
    if *magic != MAGIC || u32::from_le_bytes(*sum) != crc32fast::hash(index) {
        return None;
    }
    let index: Index = serde_json::from_slice(index).ok()?;
    let same = index.program == PROGRAM
        && index.tiles == Matrix::TILES_VERSION
        && index.big_endian == cfg!(target_endian = "big")
        && index.sources == place.sources
        && index.chunks.len() == matrices.len().div_ceil(CHUNK);
    if !same {
        return None;
    }
    let whole = AtomicBool::new(true);
    pool.run(index.chunks.len(), |number| {
        let chunk = matrices[number * CHUNK..].chunks(CHUNK).next();
        let same = chunk.map(crc32fast::hash) == index.chunks.get(number).copied();
        whole.fetch_and(same, Ordering::Relaxed);
    });
    whole.into_inner().then_some(index.matrices)
}

/// What the order of a program's loading may depend on.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The bytes of one matrix.
#[derive(Debug)]
struct Tiles {
    map: Arc<Mapping>,
    bytes: Range<usize>,
}

impl Blocks for Tiles {
    fn bytes(&self) -> &[u8] {
        self.map.bytes().get(self.bytes.clone()).unwrap_or_default()
    }
}

/// Packs the matrices of a model, one at a time, and writes them.
pub(crate) struct Keeping<'p> {
    place: &'p Place,
    pool: &'p Pool,
    /// Bytes that the whole file is expected to have, for errors.
    expected: u64,
    out: PartialFile,
    matrices: BTreeMap<String, Entry>,
    written: usize,
    chunks: Vec<u32>,
    /// Of the chunk that is being written.
    sum: crc32fast::Hasher,
    _lock: File,
}

/// What is kept, or what has to be written for that.
pub(crate) enum Found<'p> {
    Kept(Kept),
    Missing(Keeping<'p>),
}

impl<'p> Keeping<'p> {
    /// Begins the file at `place`, unless there is one that counts; waits for another process that is making it.
    ///
    /// * `expected`: bytes that it will have, about.
    ///
    /// # Errors
    ///
    /// * Those of [`Kept::open`].
    /// * [`ModelError::Write`], [`ModelError::NotAFile`], [`ModelError::DiskFull`] if no file can be made there.
    pub(crate) fn unless_kept(
        place: &'p Place,
        pool: &'p Pool,
        expected: u64,
    ) -> Result<Found<'p>, ModelError> {
        if let Some(kept) = Kept::open(place, pool)? {
            return Ok(Found::Kept(kept));
        }
        let lock = File::open(&place.lock).and_then(|file| file.lock().map(|()| file));
        let lock = lock.map_err(|source| ModelError::Io {
            path: place.lock.clone(),
            source,
        })?;
        if let Some(kept) = Kept::open(place, pool)? {
            return Ok(Found::Kept(kept));
        }
        partial::remove_left(&place.path);
        Ok(Found::Missing(Self {
            place,
            pool,
            expected,
            out: PartialFile::create(&place.path)?,
            matrices: BTreeMap::new(),
            written: 0,
            chunks: Vec::new(),
            sum: crc32fast::Hasher::new(),
            _lock: lock,
        }))
    }

    /// Ends the file, gives it its name and maps it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Write`], [`ModelError::DiskFull`] if that cannot be done, [`ModelError::Damaged`] if it is not what was
    /// written.
    pub(crate) fn finish(mut self) -> Result<Kept, ModelError> {
        if !self.written.is_multiple_of(CHUNK) {
            self.end_chunk();
        }
        let index = Index {
            program: PROGRAM.to_owned(),
            tiles: Matrix::TILES_VERSION,
            big_endian: cfg!(target_endian = "big"),
            sources: self.place.sources.clone(),
            matrices: std::mem::take(&mut self.matrices),
            chunks: std::mem::take(&mut self.chunks),
        };
        let (place, pool, expected) = (self.place, self.pool, self.expected);
        let failed = |source| partial::fault(&place.path, expected, source);
        let index = serde_json::to_vec(&index).map_err(|source| failed(source.into()))?;
        let trailer = [
            &MAGIC[..],
            &crc32fast::hash(&index).to_le_bytes(),
            &(index.len() as u64).to_le_bytes(),
        ];
        for bytes in std::iter::once(&index[..]).chain(trailer) {
            self.out.write_all(bytes).map_err(failed)?;
        }
        self.out.finish(&place.path).map_err(failed)?;
        Kept::open(place, pool)?.ok_or_else(|| ModelError::Damaged {
            path: place.path.clone(),
            fault: "it is not what was written".to_owned(),
        })
    }

    fn keep(&mut self, key: String, matrix: &Matrix) -> Result<(), ModelError> {
        let mut rest = matrix.tiles().unwrap_or_default();
        let entry = Entry {
            weights: format!("{:?}", matrix.weights()),
            rows: matrix.rows(),
            columns: matrix.columns(),
            bytes: self.written..self.written + rest.len(),
        };
        while !rest.is_empty() {
            let room = CHUNK - self.written % CHUNK;
            let (part, after) = rest.split_at(room.min(rest.len()));
            self.out
                .write_all(part)
                .map_err(|source| partial::fault(&self.place.path, self.expected, source))?;
            self.sum.update(part);
            self.written += part.len();
            if self.written.is_multiple_of(CHUNK) {
                self.end_chunk();
            }
            rest = after;
        }
        self.matrices.insert(key, entry);
        Ok(())
    }

    fn end_chunk(&mut self) {
        self.chunks.push(std::mem::take(&mut self.sum).finalize());
    }
}

/// What is kept of a tensor in blocks: where it stands in the model's files.
fn key(weight: &Weight) -> String {
    let (path, start) = weight.place();
    format!("{}@{start}", own_name(path))
}

/// What is kept of numbers that were made of a tensor.
fn part_key(name: &str, part: usize) -> String {
    format!("{name}:{part}")
}

fn own_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

impl Parts for Keeping<'_> {
    type Matrix = ();
    type Stack = ();
    type Vector = ();
    type Table = ();
}

impl Build for Keeping<'_> {
    fn build_matrix(&mut self, weight: Weight) -> Result<(), ModelError> {
        let key = key(&weight);
        if self.matrices.contains_key(&key) {
            return Ok(());
        }
        let matrix = packed::matrix(self.pool, &weight, Holding::Memory)?;
        self.keep(key, &matrix)
    }

    fn build_stack(&mut self, parts: Vec<Weight>) -> Result<(), ModelError> {
        parts.into_iter().try_for_each(|part| self.build_matrix(part))
    }

    fn stack_of(&mut self, name: &str, values: Vec<f32>, shape: StackShape) -> Result<(), ModelError> {
        let parts = values.chunks_exact(shape.outputs * shape.inputs);
        for (part, values) in parts.enumerate() {
            let matrix = packed::numbers(self.pool, values, shape.outputs, shape.inputs)?;
            self.keep(part_key(name, part), &matrix)?;
        }
        Ok(())
    }

    fn build_vector(&mut self, _: Weight) -> Result<(), ModelError> {
        Ok(())
    }

    fn build_table(&mut self, _: Weight) -> Result<(), ModelError> {
        Ok(())
    }
}
