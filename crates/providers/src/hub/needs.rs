//! What having a model takes, known before a byte of it is downloaded.

use std::path::Path;

use super::{HubError, HubFile};

/// What having a model takes, and what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of all its files; about what it takes of memory, caches aside.
    pub bytes: u64,
    /// Bytes that are not in the cache yet.
    pub download_bytes: u64,
    /// Bytes that are free where the cache lies, where the system tells.
    pub disk_free: Option<u64>,
    /// Bytes of memory that programs could take now, where the system tells.
    pub memory_free: Option<u64>,
}

impl Needs {
    pub(super) fn of(files: &[HubFile], download_bytes: u64, cache: &Path) -> Self {
        Self {
            bytes: files.iter().map(|file| file.bytes).sum(),
            download_bytes,
            disk_free: disk_free(cache),
            memory_free: memory_free(),
        }
    }

    /// Whether the model is larger than the memory there is: it would run from disk, very slowly.
    pub fn exceeds_memory(&self) -> bool {
        self.memory_free.is_some_and(|free| self.bytes > free)
    }

    /// Refuses what the disk does not hold.
    pub(super) fn check(&self, cache: &Path) -> Result<(), HubError> {
        match self.disk_free {
            Some(free) if self.download_bytes > free => Err(HubError::NoSpace {
                needed: self.download_bytes,
                free,
                folder: cache.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// Bytes free below `folder`, which need not exist yet.
#[cfg(unix)]
fn disk_free(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| folder.exists());
    // A path of one part that does not exist is below the current folder.
    let there = there.filter(|path| !path.as_os_str().is_empty());
    let told = rustix::fs::statvfs(there.unwrap_or(Path::new("."))).ok()?;
    Some(told.f_bavail.saturating_mul(told.f_frsize))
}

#[cfg(not(unix))]
fn disk_free(_folder: &Path) -> Option<u64> {
    None
}

/// What Linux says is available.
fn memory_free() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_sizes() {
        let needs = Needs {
            bytes: 10,
            download_bytes: 10,
            disk_free: Some(9),
            memory_free: Some(10),
        };
        let error = needs.check(Path::new("cache")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "10 bytes are to be downloaded, and cache has room for 9"
        );
        assert!(!needs.exceeds_memory());
        let partly = Needs {
            download_bytes: 9,
            ..needs
        };
        assert!(partly.check(Path::new("cache")).is_ok());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let needs = Needs::of(&[], 0, &folder.path().join("not/there/yet"));
        assert!(
            needs.disk_free > Some(0) && needs.memory_free > Some(0),
            "{needs:?}"
        );
    }
}
