//! A folder with an archive in it, which is gone when it is dropped.

use std::path::PathBuf;
use std::sync::Arc;

use chat::memory::Archive;

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("memory.db")
    }

    pub(crate) fn archive(&self) -> Arc<Archive> {
        Arc::new(Archive::open(self.file()).unwrap())
    }

    /// All bytes of all files in it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        files
            .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }
}
