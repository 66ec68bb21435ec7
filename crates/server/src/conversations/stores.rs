//! The files that conversations lie in: one for each key, opened when it is first needed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chat::memory::Archive;

use crate::error::Failure;
use crate::keys::Owner;
use crate::state::lock;

/// A folder of archives.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    folder: PathBuf,
    open: Arc<Mutex<HashMap<String, Arc<Mutex<Archive>>>>>,
}

impl Stores {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: Arc::default(),
        }
    }

    /// Does something with the archive of `owner`. What one request writes in several steps, no other of this server comes
    /// between.
    pub(crate) fn with<T>(
        &self,
        owner: &Owner,
        work: impl FnOnce(&Archive) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let known = lock(&self.open).get(owner.name()).cloned();
        let archive = match known {
            Some(archive) => archive,
            None => {
                let opened = Archive::open(self.folder.join(format!("{}.db", owner.name())))?;
                let opened = Arc::new(Mutex::new(opened));
                // Whoever was faster has opened the same file.
                Arc::clone(lock(&self.open).entry(owner.name().to_owned()).or_insert(opened))
            }
        };
        let archive = lock(&archive);
        work(&archive)
    }
}
