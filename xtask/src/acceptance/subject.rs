//! The loaded model that a case runs on.

use std::cell::RefCell;
use std::path::Path;

use generator::TextGenerator;
use models::{Checkpoint, LoadOptions, Model, ModelFactory};
use providers::family::PLAIN;
use providers::{FAMILIES, Family, LocalProvider, ProgressHub};

use super::manifest::Case;

/// A model twice: bare, for logits, and behind a provider, for text.
pub(crate) struct Subject {
    pub(crate) model: RefCell<Box<dyn Model>>,
    pub(crate) provider: LocalProvider,
}

/// What came of opening a case's files.
pub(crate) enum Opened {
    /// Loaded.
    Ready(Box<Subject>),
    /// A format or architecture without code yet.
    Unsupported(String),
    /// It should have loaded.
    Failed(String),
}

impl Subject {
    /// The provider's generator.
    pub(crate) fn generator(&self) -> &TextGenerator {
        self.provider.text_generator()
    }

    /// Loads the files of `case`.
    pub(crate) fn open(fixtures: &Path, case: &Case, options: LoadOptions) -> Opened {
        let Some(first) = case.files.first() else {
            return Opened::Unsupported("no runner for this kind".into());
        };
        match load(&fixtures.join(&case.model).join(first), options) {
            Ok(subject) => Opened::Ready(Box::new(subject)),
            Err(error) => Opened::Failed(format!("{error:#}")),
        }
    }
}

fn load(path: &Path, options: LoadOptions) -> anyhow::Result<Subject> {
    let checkpoint = Checkpoint::open(path)?;
    let model = RefCell::new(ModelFactory::load(&checkpoint, options, &mut |_| {})?);
    let provider = LocalProvider::load_family(path, family(path), options, &ProgressHub::new())?;
    Ok(Subject { model, provider })
}

/// The family whose small relatives the models called `kq-…` are; the others are of none.
fn family(path: &Path) -> &'static Family {
    let path = path.to_string_lossy();
    let of = |family: &&Family| match family.name {
        "kimi-k2" => path.contains("kq-kimi"),
        "qwen3" => path.contains("kq-qwen3"),
        "llama" => path.contains("kq-llama"),
        _ => false,
    };
    FAMILIES.into_iter().find(of).unwrap_or(&PLAIN)
}
