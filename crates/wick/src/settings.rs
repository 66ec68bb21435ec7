//! What is set where: flags, environment, the configuration file with its profiles, defaults.
//!
//! A flag wins over a variable of the environment, that over the chosen profile, that over the rest of the file. Every
//! value keeps the place that it comes from. A file is read whole before anything of it counts: what it says that is no
//! setting, or is of another type, is an error with its line.

mod place;
mod value;
mod range;
mod key;
mod file;
mod secret;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use file::File;
pub(crate) use key::KEYS;
use place::configuration;
pub(crate) use place::{conversations, history, memory};
pub(crate) use range::{Bias, Factor, Finite, Growth, Penalty, Share, Window};
pub(crate) use secret::{key_of_file, text_of_key_file};
pub(crate) use value::{ModelName, Setting};

/// The variable that names the configuration file.
pub(crate) const CONFIG: &str = "WICK_CONFIG";
/// The variable that chooses a profile.
pub(crate) const PROFILE: &str = "WICK_PROFILE";

/// Variables with a secret in them, which no program that is started here sees.
pub(crate) const SECRETS: [&str; 4] = [
    "WICK_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACE_TOKEN",
];

/// Where a value comes from; what is further down wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nothing says it.
    Default,
    /// The file, outside of all profiles.
    File {
        /// Counted from 1.
        line: usize,
    },
    /// The profile that was chosen.
    Profile {
        /// Its name.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// The command line.
    Flag,
}

impl Origin {
    /// How much it counts, more being more.
    fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Profile { .. } => 2,
            Self::Variable(_) => 3,
            Self::Flag => 4,
        }
    }
}

/// A setting with its place.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// Its name.
    pub(crate) key: &'static str,
    /// Null where nothing says it.
    pub(crate) value: Value,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// File, profile and environment of one run of the program.
#[derive(Debug)]
pub(crate) struct Settings {
    file: Option<File>,
    profile: Option<String>,
    resolved: Vec<Resolved>,
}

impl Settings {
    /// Reads what `config`, or else the environment, names, or else the file in its usual place if there is one.
    ///
    /// # Errors
    ///
    /// Those of the file, and a profile that it does not have.
    pub(crate) fn read(config: Option<&Path>, profile: Option<&str>) -> Result<Self, SettingsError> {
        let file = match named(config) {
            Some(path) => Some(File::read(path)?),
            None => match configuration() {
                Some(path) if path.exists() => Some(File::read(path)?),
                _ => None,
            },
        };
        let chosen = match profile {
            Some(name) => Some(name.to_owned()),
            None => variable(PROFILE)?.or_else(|| file.as_ref()?.profile.clone()),
        };
        if let Some(name) = &chosen
            && !file.as_ref().is_some_and(|file| file.has_profile(name))
        {
            return Err(SettingsError::NoProfile {
                name: name.clone(),
                known: file.as_ref().map(File::profiles).unwrap_or_default(),
                path: file.map(|file| file.path),
            });
        }
        Ok(Self {
            file,
            profile: chosen,
            resolved: Vec::new(),
        })
    }

    /// The file, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// The profile, if one is chosen.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// What was filled, in that order.
    pub(crate) fn resolved(&self) -> &[Resolved] {
        &self.resolved
    }

    /// Puts into `slot` what the places below the command line say of `key`, unless the command line has filled it.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn fill<T: Setting>(
        &mut self,
        key: &'static str,
        slot: &mut Option<T>,
    ) -> Result<Origin, SettingsError> {
        self.fill_from(&Origin::Default, key, slot)
    }

    /// [`Settings::fill`] without the places that count less than `least`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(crate) fn fill_from<T: Setting>(
        &mut self,
        least: &Origin,
        key: &'static str,
        slot: &mut Option<T>,
    ) -> Result<Origin, SettingsError> {
        let mut origin = Origin::Flag;
        if slot.is_none() {
            let found = self.below(key)?;
            let found = found.filter(|(_, origin)| origin.rank() >= least.rank());
            origin = Origin::Default;
            if let Some((value, from)) = found {
                *slot = Some(value);
                origin = from;
            }
        }
        self.resolved.push(Resolved {
            key,
            value: slot.as_ref().map_or(Value::Null, Setting::shown),
            origin: origin.clone(),
        });
        Ok(origin)
    }

    /// What environment and file say.
    fn below<T: Setting>(&self, key: &'static str) -> Result<Option<(T, Origin)>, SettingsError> {
        let name = variable_of(key);
        if let Some(text) = variable(&name)? {
            let Some(value) = T::of_text(&text) else {
                return Err(SettingsError::Variable {
                    name,
                    found: text,
                    expected: T::expected(),
                });
            };
            return Ok(Some((value, Origin::Variable(name))));
        }
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let of_profile = self.profile.as_deref().and_then(|name| {
            let entry = file.entry(Some(name), key)?;
            let (name, line) = (name.to_owned(), entry.line);
            Some((entry, Origin::Profile { name, line }))
        });
        let found = of_profile.or_else(|| {
            let entry = file.entry(None, key)?;
            Some((entry, Origin::File { line: entry.line }))
        });
        let Some((entry, origin)) = found else {
            return Ok(None);
        };
        // Values were checked when the file was read.
        let folder = file.path.parent().unwrap_or(Path::new(""));
        Ok(T::of_value(&entry.value).map(|value| (value.based(folder), origin)))
    }
}

/// The configuration file that `config`, or else the environment, names.
fn named(config: Option<&Path>) -> Option<PathBuf> {
    let said = || std::env::var_os(CONFIG).filter(|value| !value.is_empty());
    config.map(Path::to_owned).or_else(|| said().map(PathBuf::from))
}

/// The configuration file that would be read, whether it is there or not.
pub(crate) fn named_or_usual(config: Option<&Path>) -> Option<PathBuf> {
    named(config).or_else(configuration)
}

/// The variable of a key.
pub(crate) fn variable_of(key: &str) -> String {
    format!("WICK_{}", key.to_ascii_uppercase())
}

/// A variable's text; one that is empty is not set.
fn variable(name: &str) -> Result<Option<String>, SettingsError> {
    match std::env::var_os(name).map(OsString::into_string) {
        Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        None => Ok(None),
        Some(Err(other)) => Err(SettingsError::Variable {
            name: name.to_owned(),
            found: other.to_string_lossy().into_owned(),
            expected: "a text".to_owned(),
        }),
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}:{line}: {fault}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        fault: String,
    },
    /// The file says something that is no setting.
    #[error("{}:{line}: {key} is no setting{}", path.display(), meant.map(|meant| format!("; {meant} is one")).unwrap_or_default())]
    Unknown {
        path: PathBuf,
        line: usize,
        key: String,
        /// The setting that is spelled most alike.
        meant: Option<&'static str>,
    },
    /// A setting in the file is of another type, or out of its range.
    #[error("{}:{line}: {key} is {found}, expected {expected}", path.display())]
    Value {
        path: PathBuf,
        line: usize,
        key: String,
        found: String,
        expected: String,
    },
    /// A secret in the file.
    #[error(
        "{}:{line}: {key} is a secret, which does not stand in a configuration; put it into WICK_API_KEY, or into a file \
         that remote_key_file names",
        path.display()
    )]
    Secret { path: PathBuf, line: usize, key: String },
    /// A variable of the environment is out of its range.
    #[error("{name} is {found:?}, expected {expected}")]
    Variable {
        name: String,
        found: String,
        expected: String,
    },
    /// A profile that the file does not have.
    #[error("there is no profile {name:?}{}{}", match path {
        Some(path) => format!(" in {}", path.display()),
        None => ": there is no configuration file".to_owned(),
    }, match known.as_slice() {
        [] => String::new(),
        known => format!("; there are {}", known.join(", ")),
    })]
    NoProfile {
        name: String,
        known: Vec<String>,
        path: Option<PathBuf>,
    },
    /// A file with a key in it cannot be read.
    #[error("cannot read the key in {}", path.display())]
    KeyFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file with a key in it is not kept from others.
    #[error("{} may be read by others (mode {mode:03o}), and a key stands in it; chmod 600 keeps it yours", path.display())]
    KeyOpen { path: PathBuf, mode: u32 },
    /// A file that should hold a key holds something else.
    #[error("{} holds {found}, expected a key on one line", path.display())]
    NoKey { path: PathBuf, found: &'static str },
}
