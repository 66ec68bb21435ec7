//! The cache on disk: blobs, the names that snapshots give them, and the commits that revisions had.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use models::HeldWeights;

use super::model::is_path;
use super::{HubError, HubFile, HubModel, choice};

/// A repository's part of the cache.
#[derive(Debug)]
pub(super) struct Repository {
    folder: PathBuf,
    locks: PathBuf,
}

/// A model of which something is cached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedModel {
    /// The repository.
    pub model: HubModel,
    /// Its files that are there, by their paths, with their lengths in bytes; the same file at two commits stands once.
    pub files: Vec<(String, u64)>,
    /// Bytes of all its blobs, those included that are not whole.
    pub bytes: u64,
    /// When the last of its files came, where the system tells.
    pub modified: Option<SystemTime>,
}

impl Repository {
    pub(super) fn of(cache: &Path, model: &HubModel) -> Self {
        let folder = model.folder();
        Self {
            locks: cache.join(".locks").join(&folder),
            folder: cache.join(folder),
        }
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    /// Where the whole file lies.
    pub(super) fn blob(&self, file: &HubFile) -> PathBuf {
        self.blobs().join(&file.blob)
    }

    /// Where a part of it lies.
    pub(super) fn partial(&self, file: &HubFile) -> PathBuf {
        self.blobs().join(format!("{}.incomplete", file.blob))
    }

    /// Bytes of it that came before it was whole.
    pub(super) fn partial_bytes(&self, file: &HubFile) -> u64 {
        fs::metadata(self.partial(file)).map_or(0, |told| told.len())
    }

    /// Bytes of it that are still to come.
    pub(super) fn missing(&self, file: &HubFile) -> u64 {
        if self.has(file) {
            return 0;
        }
        file.bytes.saturating_sub(self.partial_bytes(file))
    }

    /// Whether the whole file is there.
    pub(super) fn has(&self, file: &HubFile) -> bool {
        fs::metadata(self.blob(file)).is_ok_and(|told| told.len() == file.bytes)
    }

    /// The folder of a commit's files.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Waits until no other process works on the blob of `file`; none does until what is given is dropped.
    pub(super) fn lock(&self, file: &HubFile) -> Result<File, HubError> {
        make(&self.locks)?;
        make(&self.blobs())?;
        let path = self.locks.join(format!("{}.lock", file.blob));
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.map_err(HubError::io(&path))?;
        lock.lock().map_err(HubError::io(&path))?;
        Ok(lock)
    }

    /// Notes which commit the revision of `model` is, all of whose files are there.
    pub(super) fn remember(&self, model: &HubModel, commit: &str) -> Result<(), HubError> {
        if model.revision() == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(model.revision());
        make(path.parent().unwrap_or(&self.folder))?;
        // Renamed, so that nobody ever reads half of it.
        let mut written = path.clone().into_os_string();
        static WRITERS: AtomicU64 = AtomicU64::new(0);
        let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
        written.push(format!(".{}-{writer}", std::process::id()));
        fs::write(&written, commit).map_err(HubError::io(&written))?;
        fs::rename(&written, &path).map_err(HubError::io(path))
    }

    /// Gives a whole blob its name in the snapshot of `commit`.
    pub(super) fn name(&self, commit: &str, file: &HubFile) -> Result<(), HubError> {
        let path = self.snapshot(commit).join(&file.path);
        if fs::metadata(&path).is_ok_and(|told| told.len() == file.bytes) {
            return Ok(());
        }
        make(path.parent().unwrap_or(&self.folder))?;
        // What stands there leads nowhere, or to something else.
        let _ = fs::remove_file(&path);
        let blob = self.blob(file);
        match link(&blob, &path, file) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(HubError::io(path)),
        }
    }

    /// The commit that the revision of `model` had, and its files that are there.
    pub(super) fn listed(&self, model: &HubModel) -> Result<(String, Vec<HubFile>), HubError> {
        let commit = self.commit(model);
        let snapshot = self.snapshot(&commit);
        let mut files = Vec::new();
        if is_path(&commit) {
            walk(&snapshot, &mut String::new(), &mut files);
        }
        if files.is_empty() {
            return Err(HubError::Offline {
                model: model.to_string(),
            });
        }
        Ok((commit, files))
    }

    /// Removes the files that `model` means, and the blobs that nothing names any more; the bytes that became free.
    pub(super) fn remove(&self, model: &HubModel) -> Result<u64, HubError> {
        let none = || HubError::NotCached {
            model: model.to_string(),
        };
        if !self.folder.exists() {
            return Err(none());
        }
        let own = model.has_own_revision();
        if model.pattern().is_none() && !own {
            let bytes = self.bytes();
            fs::remove_dir_all(&self.folder).map_err(HubError::io(&self.folder))?;
            let _ = fs::remove_dir_all(&self.locks);
            return Ok(bytes);
        }
        let commits = if own {
            vec![self.commit(model)]
        } else {
            self.commits()
        };
        // All of it is known before any of it goes.
        let mut meant = Vec::new();
        for commit in commits {
            let snapshot = self.snapshot(&commit);
            let mut listed = Vec::new();
            if is_path(&commit) {
                walk(&snapshot, &mut String::new(), &mut listed);
            }
            let files = match model.pattern() {
                None => listed,
                Some(_) => match choice::choose(model, listed) {
                    Ok(choice) => choice.files,
                    Err(HubError::NoMatch { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            meant.extend(files.into_iter().map(|file| snapshot.join(file.path)));
        }
        if meant.is_empty() {
            return Err(none());
        }
        let mut free = 0;
        for path in meant {
            let mut kept = path.clone().into_os_string();
            kept.push(HeldWeights::KEPT_EXTENSION);
            let bytes = fs::metadata(&kept).map_or(0, |told| told.len());
            if fs::remove_file(&kept).is_ok() {
                free += bytes;
            }
            fs::remove_file(&path).map_err(HubError::io(path))?;
        }
        Ok(free + self.sweep()?)
    }

    /// The commit that the revision of `model` had when it was last downloaded; a commit is its own.
    fn commit(&self, model: &HubModel) -> String {
        let noted = fs::read_to_string(self.folder.join("refs").join(model.revision()));
        noted.map_or_else(|_| model.revision().to_owned(), |text| text.trim().to_owned())
    }

    /// Removes whole blobs that no snapshot names; the bytes that became free.
    fn sweep(&self) -> Result<u64, HubError> {
        let mut named = BTreeSet::new();
        for commit in self.commits() {
            let mut listed = Vec::new();
            walk(&self.snapshot(&commit), &mut String::new(), &mut listed);
            named.extend(listed.into_iter().map(|file| file.blob));
        }
        let mut free = 0;
        for entry in fs::read_dir(self.blobs()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if named.contains(&name) || name.ends_with(".incomplete") {
                continue;
            }
            free += entry.metadata().map(|told| told.len()).unwrap_or(0);
            fs::remove_file(entry.path()).map_err(HubError::io(entry.path()))?;
        }
        Ok(free)
    }

    fn commits(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("snapshots"))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    fn bytes(&self) -> u64 {
        let blobs = fs::read_dir(self.blobs()).into_iter().flatten().flatten();
        let blobs = blobs.filter_map(|entry| Some(entry.metadata().ok()?.len()));
        blobs.sum::<u64>() + self.kept_bytes()
    }

    /// Bytes of packed weights that are kept beside the files.
    fn kept_bytes(&self) -> u64 {
        let mut listed = Vec::new();
        for commit in self.commits() {
            let snapshot = self.snapshot(&commit);
            let mut files = Vec::new();
            walk(&snapshot, &mut String::new(), &mut files);
            listed.extend(files.into_iter().map(|file| snapshot.join(file.path)));
        }
        let kept = listed.into_iter().filter_map(|path| {
            let mut kept = path.into_os_string();
            kept.push(HeldWeights::KEPT_EXTENSION);
            Some(fs::metadata(kept).ok()?.len())
        });
        kept.sum()
    }

    fn modified(&self) -> Option<SystemTime> {
        let blobs = fs::read_dir(self.blobs()).into_iter().flatten().flatten();
        blobs
            .filter_map(|entry| entry.metadata().ok()?.modified().ok())
            .max()
    }
}

/// The models in a cache.
pub(super) fn list(cache: &Path) -> Result<Vec<CachedModel>, HubError> {
    let entries = match fs::read_dir(cache) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HubError::io(cache)(error)),
    };
    let mut models = Vec::new();
    for entry in entries.flatten() {
        let Some(model) = HubModel::of_folder(&entry.file_name().to_string_lossy()) else {
            continue;
        };
        let repository = Repository::of(cache, &model);
        let mut files = BTreeSet::new();
        for commit in repository.commits() {
            let mut listed = Vec::new();
            walk(&repository.snapshot(&commit), &mut String::new(), &mut listed);
            files.extend(listed.into_iter().map(|file| (file.path, file.bytes)));
        }
        models.push(CachedModel {
            bytes: repository.bytes(),
            modified: repository.modified(),
            files: files.into_iter().collect(),
            model,
        });
    }
    models.sort_by_key(|cached| cached.model.to_string());
    Ok(models)
}

/// The files below `folder` that are whole, without packed weights that are kept beside them; `below` is where it lies itself.
fn walk(folder: &Path, below: &mut String, files: &mut Vec<HubFile>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains(HeldWeights::KEPT_EXTENSION) {
            continue;
        }
        let length = below.len();
        below.push_str(&name);
        // Of what a link leads to.
        match fs::metadata(&path) {
            Ok(told) if told.is_dir() => {
                below.push('/');
                walk(&path, below, files);
            }
            Ok(told) => {
                let target = fs::read_link(&path).unwrap_or_else(|_| path.clone());
                let blob = target
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                files.push(HubFile {
                    path: below.clone(),
                    bytes: told.len(),
                    blob,
                    hashed: false,
                });
            }
            Err(_) => {}
        }
        below.truncate(length);
    }
}

fn make(folder: &Path) -> Result<(), HubError> {
    fs::create_dir_all(folder).map_err(HubError::io(folder))
}

/// A relative link, so that the cache can be moved.
#[cfg(unix)]
fn link(blob: &Path, path: &Path, file: &HubFile) -> std::io::Result<()> {
    let up = "../".repeat(2 + file.path.matches('/').count());
    let name = blob.file_name().unwrap_or_default();
    std::os::unix::fs::symlink(Path::new(&up).join("blobs").join(name), path)
}

#[cfg(not(unix))]
fn link(blob: &Path, path: &Path, _file: &HubFile) -> std::io::Result<()> {
    fs::hard_link(blob, path).or_else(|_| fs::copy(blob, path).map(|_| ()))
}
