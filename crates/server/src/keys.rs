//! API keys: who may ask, and whose conversations are whose.
//!
//! **A key is kept as its digest alone**, and digests are compared in a time that does not depend on where they part.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Bytes that a file of keys may have.
const FILE_BYTES: u64 = 1 << 20;
/// Bytes that a key has at least.
const SHORTEST: usize = 8;

/// The keys that are let in.
#[derive(Clone)]
pub struct Keys {
    digests: Vec<[u8; 32]>,
}

/// Who asks: a key's digest, or nobody in particular where no keys are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner(String);

impl Owner {
    /// Everybody, where no keys are asked for.
    pub(crate) fn everybody() -> Self {
        Self("everybody".to_owned())
    }

    /// A name for a file: letters and digits.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Keys {
    /// These keys.
    ///
    /// # Errors
    ///
    /// [`KeysError::Short`] of a key with fewer than 8 bytes, [`KeysError::Unsendable`] of one with something else than
    /// visible ASCII, [`KeysError::None`] if there are none.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k str>) -> Result<Self, KeysError> {
        let mut digests = Vec::new();
        for (index, key) in keys.into_iter().enumerate() {
            let number = index + 1;
            if key.len() < SHORTEST {
                return Err(KeysError::Short { number });
            }
            if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(KeysError::Unsendable { number });
            }
            digests.push(digest(key));
        }
        if digests.is_empty() {
            return Err(KeysError::None);
        }
        Ok(Self { digests })
    }

    /// The keys of a file: one a line, spaces around it aside; empty lines and those that begin with `#` hold none.
    ///
    /// # Errors
    ///
    /// * [`KeysError::File`] if it cannot be read.
    /// * [`KeysError::Exposed`] if others than its owner can read it, where files have such permissions.
    /// * Those of [`Keys::new`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, KeysError> {
        let path = path.as_ref();
        let failed = |source| KeysError::File {
            path: path.to_owned(),
            source,
        };
        // Permissions of what was opened, not of what stands at the path a moment later.
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if is_exposed(&metadata) {
            let path = path.to_owned();
            return Err(KeysError::Exposed { path });
        }
        let mut text = String::new();
        file.take(FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
        let lines = text.lines().map(str::trim);
        Self::new(lines.filter(|line| !line.is_empty() && !line.starts_with('#')))
    }

    /// Whom `key` belongs to; nobody where it is not among these.
    pub(crate) fn owner(&self, key: &str) -> Option<Owner> {
        let given = digest(key);
        // All of them, whichever it is.
        let mut found = false;
        for digest in &self.digests {
            found |= bool::from(digest.ct_eq(&given));
        }
        found.then(|| Owner(given.iter().take(16).map(|byte| format!("{byte:02x}")).collect()))
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(unix)]
fn is_exposed(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &std::fs::Metadata) -> bool {
    false
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.digests.len())
    }
}

/// Why keys cannot be used. No message shows one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read.
    #[error("cannot read the keys in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can read the file: take that permission away.
    #[error("{} can be read by others than its owner; chmod 600 it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// A key is so short that it can be guessed.
    #[error("key {number} has fewer than {SHORTEST} characters")]
    Short {
        /// Which one, from 1.
        number: usize,
    },
    /// A key cannot stand in a header.
    #[error("key {number} has characters that are not visible ASCII")]
    Unsendable {
        /// Which one, from 1.
        number: usize,
    },
    /// There is no key, so that nobody could ask.
    #[error("there are no keys")]
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_all_of_it() {
        let keys = Keys::new(["first-key", "second-key"]).unwrap();
        assert!(keys.owner("first-key").is_some());
        assert_ne!(keys.owner("first-key"), keys.owner("second-key"));
        for other in ["", "first-ke", "first-key ", "First-key"] {
            assert_eq!(keys.owner(other), None, "{other:?}");
        }
        assert_eq!(format!("{keys:?}"), "Keys(2)");
    }

    #[test]
    fn keys_that_are_no_keys_are_refused_without_being_shown() {
        for (key, message) in [
            ("short", "key 1 has fewer than 8 characters"),
            ("spaces within", "key 1 has characters that are not visible ASCII"),
        ] {
            assert_eq!(Keys::new([key]).unwrap_err().to_string(), message);
        }
        assert!(matches!(Keys::new([]), Err(KeysError::None)));
    }
}
