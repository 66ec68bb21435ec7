//! Where a chat keeps what outlasts it: the folders of the XDG specification.

use std::path::{Path, PathBuf};

/// The file of conversations and facts; `None` where there is no home.
pub(super) fn memory() -> Option<PathBuf> {
    Some(folder("XDG_DATA_HOME", ".local/share")?.join("wick/memory.db"))
}

/// The file of the lines that were typed.
pub(super) fn history() -> Option<PathBuf> {
    Some(folder("XDG_STATE_HOME", ".local/state")?.join("wick/history"))
}

/// The folder that a variable names, or else one below the home. What is no absolute path counts as not set.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))
}

/// Makes the folder of `file`, which nobody else may look into.
pub(super) fn make_folder(file: &Path) -> std::io::Result<()> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}
