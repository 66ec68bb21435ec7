//! Lists the files of `page/`, so that they become part of the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let own = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let folder = own.join("page");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    list(&folder, "", &mut files)?;
    files.sort();
    let mut table = format!("static FILES: [(&str, &[u8]); {}] = [\n", files.len());
    for file in &files {
        let path = folder.join(file);
        // Writing to a string does not fail.
        let _ = writeln!(table, "    ({file:?}, include_bytes!({path:?})),");
    }
    table.push_str("];\n");
    std::fs::write(out.join("page.rs"), table)
}

/// Adds the files below `folder`, by their paths with `/` from there; hidden ones are left out.
fn list(folder: &Path, prefix: &str, files: &mut Vec<String>) -> std::io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
