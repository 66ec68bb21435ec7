//! A file's bytes, mapped read-only: weights are read from the page cache and never copied whole.
//!
//! The one place of this crate that holds `unsafe`. Only regular files are mapped: a directory, a pipe or a
//! device is refused before it is opened, so that opening can neither hang nor map something endless.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::ModelError;

/// The bytes of one file.
///
/// A mapped file must not be truncated or rewritten in place while it is in use; the operating system would then
/// end the process (`SIGBUS`) or show changed bytes. Replacing a file by renaming another over it is safe.
pub struct Mapping {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    /// The file too, for what is better read than mapped.
    Mapped(Mmap, File),
    Held(Cow<'static, [u8]>),
}

impl Mapping {
    /// Maps the file at `path`.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Io`] if the file does not exist or cannot be opened or mapped.
    /// * [`ModelError::NotAFile`] if `path` is a directory, a pipe or a device.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let read = |source| ModelError::Io {
            path: path.to_owned(),
            source,
        };
        let facts = fs::metadata(path).map_err(read)?;
        if !facts.is_file() {
            return Err(ModelError::NotAFile {
                path: path.to_owned(),
            });
        }
        if facts.len() == 0 {
            return Ok(Self::held(path, Vec::new()));
        }
        let file = File::open(path).map_err(read)?;
        Ok(Self {
            path: path.to_owned(),
            bytes: Bytes::Mapped(map(&file).map_err(read)?, file),
        })
    }

    /// Bytes that are in memory already, such as a file built into the program; `name` stands in errors.
    pub fn held(name: impl Into<PathBuf>, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self {
            path: name.into(),
            bytes: Bytes::Held(bytes.into()),
        }
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map, _) => map,
            Bytes::Held(bytes) => bytes,
        }
    }

    /// A few bytes, in `buffer` where they had to be read: a page that is touched stays in memory with up to megabytes around
    /// it, which the system maps at once.
    pub(crate) fn few<'b>(
        &'b self,
        range: Range<usize>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], ModelError> {
        #[cfg(unix)]
        if let Bytes::Mapped(_, file) = &self.bytes {
            use std::os::unix::fs::FileExt as _;
            buffer.resize(range.len(), 0);
            let read = file.read_exact_at(buffer, range.start as u64);
            return match read {
                Ok(()) => Ok(buffer),
                Err(source) => Err(ModelError::Io {
                    path: self.path.clone(),
                    source,
                }),
            };
        }
        buffer.clear();
        Ok(self.bytes().get(range).unwrap_or_default())
    }

    /// Gives pages of the file back to the system, which reads them again when they are asked for.
    ///
    /// Only an advice: where it is not taken, nothing changes.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map, _) = &self.bytes {
            // What shares its pages is read again.
            let start = range.start / PAGE * PAGE;
            let end = range.end.next_multiple_of(PAGE).min(map.len());
            if start < end {
                let _ = forget(map, start, end - start);
            }
        }
    }

    /// Whether the bytes are those of a file, not of memory.
    pub(crate) fn is_mapped(&self) -> bool {
        matches!(self.bytes, Bytes::Mapped(..))
    }

    /// Path the mapping was opened with.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("path", &self.path)
            .field("len", &self.bytes().len())
            .finish()
    }
}

#[allow(unsafe_code, reason = "a memory map can only be made by an unsafe call")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and private to this process's view, and `Mapping` documents that the file must
    // not be truncated or rewritten in place while it is mapped.
    unsafe { Mmap::map(file) }
}

/// A multiple of every page size in use.
#[cfg(unix)]
const PAGE: usize = 1 << 16;

#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "what a mapping holds may change by this advice, in general"
)]
fn forget(map: &Mmap, start: usize, len: usize) -> std::io::Result<()> {
    // SAFETY: the pages are those of a file and were never written, so that they are read again as they were.
    unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_refused_by_name() {
        let folder = std::env::temp_dir();
        let error = Mapping::open(&folder).unwrap_err().to_string();
        assert!(error.contains(&folder.display().to_string()), "{error}");
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let error = Mapping::open(Path::new("no/such/file.gguf")).unwrap_err();
        assert!(matches!(error, ModelError::Io { .. }));
        assert!(error.to_string().contains("no/such/file.gguf"), "{error}");
    }

    #[test]
    fn an_empty_file_maps_to_no_bytes() {
        let path = std::env::temp_dir().join(format!("mapping-empty-{}", std::process::id()));
        fs::write(&path, b"").unwrap();
        let map = Mapping::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(map.bytes(), b"");
    }

    #[test]
    fn a_mapped_file_shows_the_bytes_that_were_written() {
        let path = std::env::temp_dir().join(format!("mapping-bytes-{}", std::process::id()));
        fs::write(&path, b"four").unwrap();
        let map = Mapping::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(map.bytes(), b"four");
        assert_eq!(map.path(), path);
    }
}
