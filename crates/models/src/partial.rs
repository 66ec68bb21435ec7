//! A file that gets its name when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::ModelError;

/// Bytes gathered before they are handed to the operating system.
const BUFFER: usize = 1 << 18;
/// What temporary names end with.
const ENDING: &str = ".partial";

/// A file under a temporary name, removed when it is dropped before [`finish`](Self::finish).
pub(crate) struct PartialFile {
    out: BufWriter<File>,
    name: TemporaryName,
}

struct TemporaryName(Option<PathBuf>);

impl Drop for TemporaryName {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Nothing more can be done about a file that cannot be removed.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl PartialFile {
    /// A new, empty file in the folder of `path`.
    pub(crate) fn create(path: &Path) -> Result<Self, ModelError> {
        let other = path.metadata().is_ok_and(|found| !found.is_file());
        let (false, Some(name)) = (other, path.file_name()) else {
            return Err(ModelError::NotAFile {
                path: path.to_owned(),
            });
        };
        for attempt in 0u32.. {
            let mut temporary = std::ffi::OsString::from(".");
            temporary.push(name);
            temporary.push(format!(".{}-{attempt}{ENDING}", std::process::id()));
            let temporary = path.with_file_name(temporary);
            match File::create_new(&temporary) {
                Ok(file) => {
                    return Ok(Self {
                        out: BufWriter::with_capacity(BUFFER, file),
                        name: TemporaryName(Some(temporary)),
                    });
                }
                Err(taken) if taken.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(fault(path, 0, source)),
            }
        }
        Err(fault(path, 0, ErrorKind::AlreadyExists.into()))
    }

    /// Hands the last bytes to the operating system and gives the file the name `path`.
    pub(crate) fn finish(mut self, path: &Path) -> io::Result<()> {
        self.out.flush()?;
        if let Some(temporary) = &self.name.0 {
            std::fs::rename(temporary, path)?;
        }
        self.name.0 = None;
        Ok(())
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Removes files that processes which were killed had begun for `path`, where no other process can be writing one.
pub(crate) fn remove_left(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let start = format!(".{name}.");
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name();
        if found
            .to_str()
            .is_some_and(|found| found.starts_with(&start) && found.ends_with(ENDING))
        {
            // What cannot be removed takes room, and does no other harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// What went wrong while a file of `bytes` bytes was written.
pub(crate) fn fault(path: &Path, bytes: u64, source: io::Error) -> ModelError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            ModelError::DiskFull { path, bytes, source }
        }
        _ => ModelError::Write { path, source },
    }
}
