//! Which model is meant, and how it is held.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use models::{Compute, HeldWeights, LoadOptions};
use providers::remote::{RemoteConfig, Secret};
use providers::{FAMILIES, Family};

use super::precision::{Cache, Computing};
use crate::failure::Usage;
use crate::settings::{self, ModelName, Origin, Settings, SettingsError};
use crate::source::Source;

/// Whether hubs are asked.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OfflineArgument {
    /// Use only what is on this machine
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    offline: Option<bool>,
}

impl OfflineArgument {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        settings.fill("offline", &mut self.offline).map(drop)
    }

    /// Whether only what is on this machine may be used.
    pub(crate) fn said(self) -> bool {
        self.offline.unwrap_or(false)
    }
}

/// Which model, and how it is held.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArguments {
    /// Model: a GGUF file, a safetensors file, a folder as published, or one of a hub, OWNER/NAME:PATTERN, which
    /// is downloaded unless it was before [default: the demo model that is built in]
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    model: Option<ModelName>,
    /// Ask the OpenAI-compatible server at this address, which --model then names a model of; several times for replicas, and
    /// empty for none. The key, if it wants one, stands in WICK_API_KEY or in the file of --remote-key-file
    #[arg(long, value_name = "URL", conflicts_with_all = ["provider", "cache", "compute", "keep_packed"])]
    remote: Option<Vec<String>>,
    /// A file with the server's key in it, which only its owner may read
    #[arg(long, value_name = "FILE")]
    remote_key_file: Option<PathBuf>,
    /// Whether that file was named by the command line, and so counts more than the variable.
    #[arg(skip)]
    key_by_flag: bool,
    #[command(flatten)]
    offline: OfflineArgument,
    /// What is known of the model beyond its files: its family [default: nothing]
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    provider: Option<&'static Family>,
    /// Numbers that keys and values are kept in; f16 takes half the memory and is not exact [default: f16, or f32 where
    /// the forward pass is exact]
    #[arg(long, value_name = "TYPE")]
    cache: Option<Cache>,
    /// How the forward pass computes; exact decodes weights to 32-bit floats, fast packs them as they are and rounds what they
    /// multiply to 8 bits [default: fast where the architecture has kernels, else exact; figures of `eval` are exact]
    #[arg(long, value_name = "WAY")]
    compute: Option<Computing>,
    /// Keep packed weights in a file of about the model's size beside it, so that the next start need not pack them
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    keep_packed: Option<bool>,
    /// Whether that was said by the command line, and so is refused where nothing is packed.
    #[arg(skip)]
    keep_by_flag: bool,
}

/// The variable of the environment that holds a server's key.
pub(crate) const KEY: &str = "WICK_API_KEY";

impl ModelArguments {
    /// Takes what is not said from `settings`.
    ///
    /// A server that is named hides the model of a place that counts less: it is not a model of that server.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read; flags that change nothing of a server's model; a server where none may be asked.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> anyhow::Result<()> {
        let flags = [
            ("--provider", self.provider.is_some()),
            ("--cache", self.cache.is_some()),
            ("--compute", self.compute.is_some()),
            ("--keep-packed", self.keep_packed.is_some()),
        ];
        self.key_by_flag = self.remote_key_file.is_some();
        self.keep_by_flag = self.keep_packed.is_some();
        let mut origin = settings.fill("remote", &mut self.remote)?;
        if !self.is_remote() {
            origin = Origin::Default;
        }
        settings.fill_from(&origin, "model", &mut self.model)?;
        settings.fill("remote_key_file", &mut self.remote_key_file)?;
        self.offline.settle(settings)?;
        settings.fill("provider", &mut self.provider)?;
        settings.fill("cache", &mut self.cache)?;
        settings.fill("compute", &mut self.compute)?;
        settings.fill("keep_packed", &mut self.keep_packed)?;
        if !self.is_remote() {
            if self.key_by_flag {
                return Err(Usage("--remote-key-file is of no use without --remote".to_owned()).into());
            }
            return Ok(());
        }
        if let Some((flag, _)) = flags.iter().find(|(_, given)| *given) {
            let said =
                format!("{flag} cannot be used with a server, which `remote` names; --remote= asks none");
            return Err(Usage(said).into());
        }
        if self.offline.said() {
            let said = "a server, which --remote or `remote` names, cannot be used with --offline";
            return Err(Usage(said.to_owned()).into());
        }
        Ok(())
    }

    /// Takes whether hubs are asked from `settings`, where nothing else of them counts.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn settle_offline(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        self.offline.settle(settings)
    }

    /// Whether a server is asked; an empty address is none.
    pub(crate) fn is_remote(&self) -> bool {
        self.endpoints().next().is_some()
    }

    /// Whether only what is on this machine may be used.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline.said()
    }

    fn endpoints(&self) -> impl Iterator<Item = &String> {
        self.remote.iter().flatten().filter(|address| !address.is_empty())
    }

    /// Where the server's key comes from, if there is one.
    pub(crate) fn key(&self) -> Option<KeySource> {
        let variable = std::env::var_os(KEY).is_some_and(|key| !key.is_empty());
        match &self.remote_key_file {
            Some(path) if self.key_by_flag || !variable => Some(KeySource::File(path.clone())),
            _ => variable.then_some(KeySource::Variable),
        }
    }

    /// The same for another model: one of the same server, where one is asked.
    pub(crate) fn naming(&self, model: &str) -> Self {
        Self {
            model: Some(ModelName(PathBuf::from(model))),
            ..self.clone()
        }
    }

    /// The server that is to be asked, if one is.
    ///
    /// # Errors
    ///
    /// A name of the model that is no text; a key that cannot be read, or that others can.
    pub(crate) fn remote(&self) -> anyhow::Result<Option<RemoteConfig>> {
        let mut endpoints = self.endpoints();
        let Some(first) = endpoints.next() else {
            return Ok(None);
        };
        let mut config = RemoteConfig::new(first);
        config.endpoints.extend(endpoints.cloned());
        if let Some(ModelName(path)) = &self.model {
            let name = path.to_str().context("the name of the model is no text")?;
            config.model = Some(name.to_owned());
        }
        config.api_key = match self.key() {
            Some(KeySource::File(path)) => Some(settings::key_of_file(&path)?),
            Some(KeySource::Variable) => Some(Secret::from_env(KEY)?),
            None => None,
        };
        Ok(Some(config))
    }

    /// The model, which has to be named where figures are computed.
    ///
    /// # Errors
    ///
    /// None is named.
    pub(crate) fn named(&self) -> anyhow::Result<Source> {
        usage(self.model.is_some(), "name a model with --model PATH")?;
        self.bare()
    }

    /// The model where nothing but its weights is used.
    ///
    /// # Errors
    ///
    /// Those of [`Self::source`], and a family, which would change nothing.
    pub(crate) fn bare(&self) -> anyhow::Result<Source> {
        usage(
            self.provider.is_none(),
            "that uses the weights alone, which no family changes; leave --provider out",
        )?;
        self.source()
    }

    /// The model.
    ///
    /// # Errors
    ///
    /// None is named, and none is built in; it is a server's.
    pub(crate) fn source(&self) -> anyhow::Result<Source> {
        usage(
            !self.is_remote(),
            "that needs the model itself, not a server; leave --remote out",
        )?;
        usage(
            self.remote_key_file.is_none() || !self.key_by_flag,
            "that asks no server; leave --remote-key-file out",
        )?;
        let path = self.model.as_ref().map(|ModelName(path)| path.as_path());
        Source::of(path, self.offline.said())
    }

    /// What is taken from its family.
    pub(crate) fn family(&self) -> Option<&'static Family> {
        self.provider
    }

    /// How the model is to be loaded.
    pub(crate) fn options(&self) -> LoadOptions {
        self.computing(self.compute.map(Into::into).unwrap_or_default())
    }

    fn computing(&self, compute: Compute) -> LoadOptions {
        let packs = compute != Compute::Exact || self.keep_by_flag;
        LoadOptions {
            cache: self.cache.map(Into::into),
            compute,
            weights: match self.keep_packed {
                Some(true) if packs => HeldWeights::Kept,
                _ => HeldWeights::Auto,
            },
            ..LoadOptions::default()
        }
    }

    /// How the model is to be loaded where figures are compared with those of others: exact, unless something else is said.
    pub(crate) fn exact_options(&self) -> LoadOptions {
        self.computing(self.compute.map_or(Compute::Exact, Into::into))
    }
}

/// # Errors
///
/// [`Usage`] that says `fault`, unless things are as they should be.
fn usage(fine: bool, fault: &str) -> Result<(), Usage> {
    match fine {
        true => Ok(()),
        false => Err(Usage(fault.to_owned())),
    }
}

/// Where a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In [`KEY`].
    Variable,
    /// In a file.
    File(PathBuf),
}

/// The family of this name.
pub(crate) fn family(name: &str) -> Result<&'static Family, String> {
    let found = FAMILIES.into_iter().find(|family| family.name == name);
    found.ok_or_else(|| {
        let known = FAMILIES.map(|family| family.name);
        format!("known are {}", known.join(", "))
    })
}
