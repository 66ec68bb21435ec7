//! Files that are written whole, or not at all.
//!
//! What is written lies beside its place until all of it is on the disk. Whatever fails, nothing half written stays, and what
//! stood there before is as it was. A file that was not there is its owner's alone, and at no moment may others read what they
//! may not read in the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Names that are tried for what lies beside: one that was killed leaves its own behind.
const MOST_NAMES: usize = 100;

/// Writes `text` to a file that is not there yet.
///
/// # Errors
///
/// [`ErrorKind::AlreadyExists`] where something is there; what keeps it from being written.
pub(crate) fn fresh(path: &Path, text: &str) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let beside = Beside::write(path, text, None)?;
    match fs::hard_link(&beside.0, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Ok(()) => Ok(()),
        // Not every file system has second names.
        Err(_) if path.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(&beside.0, path),
    }
}

/// Writes `text` to `path`. A file that is there is replaced, behind a link too, and keeps who may read it; into what is no
/// file, such as a pipe or a device, it is written.
///
/// # Errors
///
/// What keeps it from being written.
pub(crate) fn replacing(path: &Path, text: &str) -> io::Result<()> {
    let there = match path.metadata() {
        Ok(there) if !there.is_file() => {
            return OpenOptions::new()
                .write(true)
                .open(path)?
                .write_all(text.as_bytes());
        }
        Ok(there) => Some(there.permissions()),
        Err(_) => None,
    };
    let place = place(path)?;
    let beside = Beside::write(&place, text, there)?;
    fs::rename(&beside.0, place)
}

/// Where the file lies or would lie: at the end of the links that `path` is.
fn place(path: &Path) -> io::Result<PathBuf> {
    /// Links that follow each other at most.
    const MOST_LINKS: usize = 40;
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&place) else {
            return Ok(place);
        };
        place = place.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(io::Error::other("too many links follow each other"))
}

/// A file beside the one that is meant; removed with the value if it is still there.
struct Beside(PathBuf);

impl Beside {
    fn write(path: &Path, text: &str, permissions: Option<fs::Permissions>) -> io::Result<Self> {
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it names no file"))?;
        let (beside, mut file) = Self::create(path, name)?;
        let beside = Self(beside);
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(beside)
    }

    /// An empty file that nobody else may read.
    fn create(path: &Path, name: &std::ffi::OsStr) -> io::Result<(PathBuf, File)> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        for number in 0..MOST_NAMES {
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}.{number}", std::process::id()));
            let beside = path.with_file_name(hidden);
            match options.open(&beside) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| (beside, file)),
            }
        }
        let fault = format!("there are {MOST_NAMES} files beside it that were not written to their end");
        Err(io::Error::other(fault))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Gone already where it was renamed.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder").flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_there_is_left_alone_and_nothing_half_written_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fresh(&path, "one").expect("it is not there");
        let fault = fresh(&path, "two").expect_err("it is there");
        assert_eq!(fault.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "one");
        assert!(fresh(&folder.path().join("no/a"), "x").is_err());
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_fresh_is_its_owners_alone_and_a_leftover_does_not_block_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b"] {
            let left = path(&format!(".{name}.{}.0", std::process::id()));
            fs::write(left, "half").expect("a leftover");
        }
        fresh(&path("a"), "one").expect("it can be written");
        replacing(&path("b"), "one").expect("it can be written");
        assert_eq!((mode(&path("a")), mode(&path("b"))), (0o600, 0o600));
        fs::set_permissions(path("b"), fs::Permissions::from_mode(0o640)).expect("a mode");
        replacing(&path("b"), "two").expect("it can be written");
        assert_eq!(mode(&path("b")), 0o640);
        assert_eq!(fs::read_to_string(path("b")).expect("it is there"), "two");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_permissions_kept_and_pipes_written_into() {
        use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link, pipe) = (
            folder.path().join("file"),
            folder.path().join("link"),
            folder.path().join("pipe"),
        );
        symlink("file", &link).expect("a link");
        replacing(&link, "one").expect("it can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        replacing(&link, "two").expect("it can be written");
        assert!(link.symlink_metadata().expect("it is there").is_symlink());
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "two");
        assert_eq!(
            file.metadata().expect("it is there").permissions().mode() & 0o777,
            0o600
        );
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo runs").success());
        let other = pipe.clone();
        let reading = std::thread::spawn(move || fs::read_to_string(other));
        replacing(&pipe, "three").expect("it can be written");
        let read = reading.join().expect("the reader does not panic");
        assert_eq!(read.expect("it can be read"), "three");
        assert!(pipe.metadata().expect("it is there").file_type().is_fifo());
        assert_eq!(names(folder.path()), ["file", "link", "pipe"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_that_is_full_says_so() {
        let fault = replacing(Path::new("/dev/full"), "text").expect_err("it is full");
        assert_eq!(fault.kind(), ErrorKind::StorageFull);
    }
}
