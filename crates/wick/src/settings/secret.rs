//! Keys in files: read only where nobody else may read them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use providers::remote::Secret;

use super::SettingsError;

/// The most bytes that a key has.
const MOST_BYTES: u64 = 16 << 10;

/// The key that stands in a file. On Unix the file has to be its owner's alone.
///
/// # Errors
///
/// [`SettingsError::KeyFile`], [`SettingsError::KeyOpen`], [`SettingsError::NoKey`].
pub(crate) fn key_of_file(path: &Path) -> Result<Secret, SettingsError> {
    text_of_key_file(path).map(Secret::new)
}

/// [`key_of_file`] as a text, for those who hide it themselves.
///
/// # Errors
///
/// Those of [`key_of_file`].
pub(crate) fn text_of_key_file(path: &Path) -> Result<String, SettingsError> {
    let failed = |source| SettingsError::KeyFile {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    is_private(path, &file)?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let found = match text.trim() {
        "" => "nothing",
        key if key.len() as u64 > MOST_BYTES => "too much",
        key if key.contains(char::is_control) => "several lines",
        key => return Ok(key.to_owned()),
    };
    Err(SettingsError::NoKey {
        path: path.to_owned(),
        found,
    })
}

/// Asks the open file, so that it cannot be another one by the time it is read.
#[cfg(unix)]
fn is_private(path: &Path, file: &File) -> Result<(), SettingsError> {
    use std::os::unix::fs::PermissionsExt as _;
    let told = file.metadata().map_err(|source| SettingsError::KeyFile {
        path: path.to_owned(),
        source,
    })?;
    let mode = told.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SettingsError::KeyOpen {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// Elsewhere a file has no such permissions.
#[cfg(not(unix))]
fn is_private(_path: &Path, _file: &File) -> Result<(), SettingsError> {
    Ok(())
}
