//! Which model is meant: one on disk, one of a hub, or the demo model that is built in.

use std::path::{Path, PathBuf};

use models::Checkpoint;
use providers::ProgressHub;
use providers::hub::HubModel;

use crate::{loading, pulling};

/// A model that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The one that is built in.
    #[cfg(feature = "demo")]
    Demo,
    /// A file or a folder.
    Path(PathBuf),
    /// A model of a hub, which is downloaded unless it is cached.
    Hub {
        model: HubModel,
        /// Whether the hub may not be asked.
        offline: bool,
    },
}

impl Source {
    /// What is meant by `given`: nothing means the demo model, and so does its bare name; `./demo` is a path. What is there
    /// is a path too; what is not, and is written as a hub's models are, is one of these.
    ///
    /// # Errors
    ///
    /// Nothing given to a program that has no model built in.
    pub(crate) fn of(given: Option<&Path>, offline: bool) -> anyhow::Result<Self> {
        match given {
            #[cfg(feature = "demo")]
            None => Ok(Self::Demo),
            #[cfg(feature = "demo")]
            Some(path) if path.as_os_str() == providers::demo::ID => Ok(Self::Demo),
            Some(path) => Ok(match hub_model(path) {
                Some(model) => Self::Hub { model, offline },
                None => Self::Path(path.to_owned()),
            }),
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
            Self::Hub { model, offline } => {
                let progress = ProgressHub::new();
                let _bars = loading::bars(&progress)?;
                Ok(Checkpoint::open(pulling::path(model, *offline, &progress)?)?)
            }
        }
    }
}

/// The model of a hub that `path` names, unless it is there or ends as a file of a model does.
fn hub_model(path: &Path) -> Option<HubModel> {
    let is_file = |end: &std::ffi::OsStr| {
        ["gguf", "safetensors", "json", "model"]
            .iter()
            .any(|known| end == *known)
    };
    let text = path.to_str()?;
    let named = text.split(':').next().map(Path::new)?;
    if path.exists() || named.extension().is_some_and(is_file) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(Some(Path::new(text)), false).expect("something is meant")
    }

    #[test]
    fn a_path_is_told_from_a_model_of_a_hub() {
        for text in ["src/main.rs", "./demo", "a/missing.gguf", "/a/b", "a", "a/b/c"] {
            assert_eq!(source(text), Source::Path(text.into()), "{text}");
        }
        for text in ["a/b", "a/b:Q4_K_M", "unsloth/Qwen3-0.6B-GGUF:x.gguf"] {
            assert!(matches!(source(text), Source::Hub { .. }), "{text}");
        }
    }
}
