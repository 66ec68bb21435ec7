//! Places of files of the program: the folders of the XDG base directory specification.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The configuration file, unless another is named; none where the system tells of no home.
pub(crate) fn configuration() -> Option<PathBuf> {
    Some(folder("XDG_CONFIG_HOME", ".config")?.join("wick/config.toml"))
}

/// The memory, unless another is named; none where the system tells of no home.
pub(crate) fn memory() -> Option<PathBuf> {
    Some(folder("XDG_DATA_HOME", ".local/share")?.join("wick/memory.db"))
}

/// The folder of a server's conversations, unless another is named; none where the system tells of no home.
pub(crate) fn conversations() -> Option<PathBuf> {
    Some(folder("XDG_DATA_HOME", ".local/share")?.join("wick/conversations"))
}

/// The lines that were typed; none where the system tells of no home.
pub(crate) fn history() -> Option<PathBuf> {
    Some(folder("XDG_STATE_HOME", ".local/state")?.join("wick/history"))
}

/// The home of the person who runs the program.
pub(super) fn home() -> Option<PathBuf> {
    let said = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    said("HOME").or_else(|| said("USERPROFILE")).map(PathBuf::from)
}

/// What `variable` says, if that is an absolute path as the specification wants it, or else `below` the home.
fn folder(variable: &str, below: &str) -> Option<PathBuf> {
    let said = env::var_os(variable).map(PathBuf::from);
    said.filter(|path| path.is_absolute())
        .or_else(|| Some(home()?.join(below)))
}
