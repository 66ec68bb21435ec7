//! Which model is meant: one on disk, or the demo model that is built in.

use std::path::{Path, PathBuf};

use models::Checkpoint;

/// A model that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The one that is built in.
    #[cfg(feature = "demo")]
    Demo,
    /// A file or a folder.
    Path(PathBuf),
}

impl Source {
    /// What is meant by `given`: nothing means the demo model, and so does its bare name; `./demo` is a path.
    ///
    /// # Errors
    ///
    /// Nothing given to a program that has no model built in.
    pub(crate) fn of(given: Option<&Path>) -> anyhow::Result<Self> {
        match given {
            #[cfg(feature = "demo")]
            None => Ok(Self::Demo),
            #[cfg(feature = "demo")]
            Some(path) if path.as_os_str() == providers::demo::ID => Ok(Self::Demo),
            Some(path) => Ok(Self::Path(path.to_owned())),
            #[cfg(not(feature = "demo"))]
            None => anyhow::bail!("no model is built in; name one with --model PATH"),
        }
    }

    /// Opens the model; no weight is read.
    ///
    /// # Errors
    ///
    /// Files that are not whole.
    pub(crate) fn open(&self) -> anyhow::Result<Checkpoint> {
        match self {
            #[cfg(feature = "demo")]
            Self::Demo => Ok(providers::demo::checkpoint()?),
            Self::Path(path) => Ok(Checkpoint::open(path)?),
        }
    }
}
