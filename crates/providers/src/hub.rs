//! Models of a hub: which files are meant, what they need, and how they come to lie on disk.
//!
//! The cache is laid out as the libraries of Hugging Face do it, so that what one of them has downloaded is found here, and
//! the other way round: `models--OWNER--NAME/blobs` holds the files by their checksums, `snapshots` their names at each
//! commit, `refs` the commit of each revision.
//!
//! It owns three invariants. A blob under its own name is whole: it is downloaded beside, checked, and renamed. Two
//! processes never write one blob: a lock is held meanwhile. The token goes to the hub's own address and nowhere else.
//!
//! ```no_run
//! use providers::hub::{Cancel, Hub, HubModel, HubSettings};
//! use providers::{LocalProvider, ProgressHub};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model: HubModel = "unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:Q4_K_M".parse()?;
//! let hub = Hub::new(HubSettings::from_environment())?;
//! let progress = ProgressHub::new();
//! let plan = hub.plan(&model, &progress)?;
//! println!("{} bytes to download", plan.needs().download_bytes);
//! let path = hub.fetch(&plan, &progress, &Cancel::new())?;
//! let provider = LocalProvider::load(path, &progress)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Source
//!
//! The hub's HTTP API as its documentation and the library `huggingface_hub` describe it.

mod cache;
mod choice;
mod download;
mod error;
mod http;
mod model;
mod needs;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use cache::CachedModel;
pub use error::HubError;
pub use model::HubModel;
pub use needs::Needs;
pub use settings::{HubSettings, Token};

use crate::progress::{ProgressEvent, ProgressHub};
use cache::Repository;
use choice::Choice;
use http::Http;

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFile {
    /// Its path in the repository.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The name of its blob: the SHA-256 of a large file, the git object id of a small one.
    pub blob: String,
    /// Whether the blob's name is the file's SHA-256.
    pub hashed: bool,
}

/// Stops a download from another thread; clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Not cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops what is under way within a chunk; what is on disk by then is gone on with the next time.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a model of the hub comes down to: its files at one commit.
#[derive(Clone, Debug)]
pub struct Plan {
    model: HubModel,
    commit: String,
    files: Vec<HubFile>,
    /// The path to open, below the snapshot; empty for the snapshot itself.
    entry: String,
    needs: Needs,
}

impl Plan {
    /// The files that are needed.
    pub fn files(&self) -> &[HubFile] {
        &self.files
    }

    /// The commit that they are of.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// What having them takes.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }
}

/// A hub, and the cache of what came from it.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
    http: Http,
}

impl Hub {
    /// A hub with these settings; nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// [`HubError::Client`] where no connection could ever be made, for want of certificates for one.
    pub fn new(settings: HubSettings) -> Result<Self, HubError> {
        let http = Http::new(&settings)?;
        Ok(Self { settings, http })
    }

    /// Finds out which files `model` means; where the hub is not to be asked, among those that are cached.
    ///
    /// # Errors
    ///
    /// * [`HubError::NotFound`], [`HubError::Unauthorized`], [`HubError::RateLimited`], [`HubError::Status`],
    ///   [`HubError::Network`], [`HubError::Answer`] as the hub says.
    /// * [`HubError::Ambiguous`], [`HubError::NoMatch`], [`HubError::NoModel`] where the files leave more than one choice, or
    ///   none.
    /// * [`HubError::Offline`] where it is not cached and must not be asked for.
    pub fn plan(&self, model: &HubModel, progress: &ProgressHub) -> Result<Plan, HubError> {
        progress.send(&ProgressEvent::Look {
            model: model.to_string(),
        });
        let repository = Repository::of(&self.settings.cache, model);
        let (commit, listed) = if self.settings.offline {
            repository.listed(model)?
        } else {
            self.http.files(model)?
        };
        let Choice { files, entry } = choice::choose(model, listed)?;
        let mut blobs: Vec<&HubFile> = files.iter().collect();
        // A blob that has two names is there once.
        blobs.sort_by(|a, b| a.blob.cmp(&b.blob));
        blobs.dedup_by(|a, b| a.blob == b.blob);
        let missing = blobs.iter().map(|file| repository.missing(file)).sum();
        let needs = Needs::of(&files, missing, &self.settings.cache);
        Ok(Plan {
            model: model.clone(),
            commit,
            files,
            entry,
            needs,
        })
    }

    /// Downloads what is missing of `plan`, checks it, and says where the model lies. Blocks; what is broken off is gone
    /// on with, be it by a retry or by the next call.
    ///
    /// # Errors
    ///
    /// * [`HubError::NoSpace`] before anything is downloaded.
    /// * [`HubError::Size`], [`HubError::Checksum`] where a file is not what the hub said; it is thrown away.
    /// * [`HubError::Cancelled`], [`HubError::Io`], and those of [`Self::plan`].
    pub fn fetch(&self, plan: &Plan, progress: &ProgressHub, cancel: &Cancel) -> Result<PathBuf, HubError> {
        let repository = Repository::of(&self.settings.cache, &plan.model);
        plan.needs.check(&self.settings.cache)?;
        for file in &plan.files {
            if !repository.has(file) {
                if self.settings.offline {
                    return Err(HubError::Offline {
                        model: plan.model.to_string(),
                    });
                }
                download::blob(&self.http, &repository, plan, file, progress, cancel)?;
            }
            repository.name(&plan.commit, file)?;
        }
        if !self.settings.offline {
            // Not before: what was there until now stays usable until this is.
            repository.remember(&plan.model, &plan.commit)?;
        }
        let snapshot = repository.snapshot(&plan.commit);
        Ok(if plan.entry.is_empty() {
            snapshot
        } else {
            snapshot.join(&plan.entry)
        })
    }

    /// The models that are cached, by name.
    ///
    /// # Errors
    ///
    /// [`HubError::Io`].
    pub fn cached(&self) -> Result<Vec<CachedModel>, HubError> {
        cache::list(&self.settings.cache)
    }

    /// Removes what is cached of `model`: the files that its pattern means, all where it has none; of its revision alone,
    /// where it names another than `main`. Gives the bytes that became free; a blob that another file still names stays.
    ///
    /// # Errors
    ///
    /// [`HubError::NotCached`] where nothing of it is, [`HubError::Io`].
    pub fn remove(&self, model: &HubModel) -> Result<u64, HubError> {
        Repository::of(&self.settings.cache, model).remove(model)
    }

    /// Where the cache lies.
    pub fn cache(&self) -> &Path {
        &self.settings.cache
    }
}
