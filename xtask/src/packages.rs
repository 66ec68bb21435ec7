//! Packages of Python and Node that a step needs: installed below the target directory, as pinned in a folder of the tree.
//!
//! **A program that is missing is named, with what installs it**; nothing of the system is changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::ci::root;
use super::peers;

/// Scripts with their packages, where they may leave files.
pub(crate) struct Packages {
    /// The interpreter that has the packages of `requirements.txt`.
    pub(crate) python: PathBuf,
    /// A copy of the scripts, with the packages of `package.json` in `node_modules`.
    pub(crate) work: PathBuf,
}

/// Copies the scripts of `source` below `folder` and installs what they need, unless it is there.
pub(crate) fn install(source: &str, folder: &Path) -> Result<Packages> {
    need(
        "python3",
        &["-c", "import ensurepip, venv"],
        "python3 and python3-venv",
    )?;
    need("node", &["--version"], "nodejs")?;
    need("npm", &["--version"], "npm")?;
    let work = copy(&root().join(source), folder)?;
    let requirements = std::fs::read_to_string(work.join("requirements.txt"))?;
    let packages: Vec<&str> = requirements
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let python = peers::environment(&folder.join("python"), &packages, &[])?;
    install_node(&work)?;
    Ok(Packages { python, work })
}

/// That a program runs.
///
/// * `asked`: arguments with which it ends at once.
/// * `packages`: what has it on Debian.
fn need(program: &str, asked: &[&str], packages: &str) -> Result<()> {
    let mut command = Command::new(program);
    command
        .args(asked)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    bail!("{program} is missing: install {packages} (on Debian: apt-get install {packages})");
}

fn copy(source: &Path, folder: &Path) -> Result<PathBuf> {
    let work = folder.join("work");
    std::fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
    for entry in std::fs::read_dir(source).with_context(|| source.display().to_string())? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            std::fs::copy(&path, work.join(name)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(work)
}

/// Installs the packages of `package.json`, unless they are there.
fn install_node(work: &Path) -> Result<()> {
    let wanted = std::fs::read_to_string(work.join("package.json"))?;
    let ready = work.join("node_modules/ready");
    if std::fs::read_to_string(&ready).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut install = Command::new("npm");
    install.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel",
        "error",
    ]);
    finish(install.current_dir(work))?;
    std::fs::write(ready, wanted)?;
    Ok(())
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_missing_is_named_with_what_installs_it() {
        let error = need("no-such-program-anywhere", &[], "some-package").unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("no-such-program-anywhere") && message.contains("apt-get install some-package")
        );
        need("true", &[], "coreutils").unwrap();
    }
}
