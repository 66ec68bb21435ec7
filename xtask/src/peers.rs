//! `peers`: makes the engines that we are measured beside and compared with, below `target/peers`.
//!
//! llama.cpp is built once, for this very CPU, from the source that the sdist of `llama-cpp-python` carries: its own
//! `llama-bench` is what is measured, since Python bindings would understate it, and the bindings run on the same
//! libraries. mistral.rs is its Python package. What is there already is not made again; a step that was cut off leaves
//! nothing under the name of its result.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::ci::root;

/// The sdist on PyPI.
const PACKAGE: &str = "llama-cpp-python";
/// Its pinned version.
const VERSION: &str = "0.3.36";
/// The folder that the sdist unpacks to.
const UNPACKED: &str = "llama_cpp_python-0.3.36";
/// The package of mistral.rs.
const MISTRAL_RS: &str = "mistralrs==0.9.5";
/// Settings of llama.cpp: this CPU's instructions, no network.
const SETTINGS: [&str; 7] = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
];

/// Makes what is missing and prints where it lies.
pub(crate) fn run() -> Result<()> {
    println!("{}", make_llama_cpp()?.join(BENCH).display());
    println!("{}", make_mistral_rs()?.display());
    Ok(())
}

const BENCH: &str = "llama-bench";
const BATCHED_BENCH: &str = "llama-batched-bench";

/// `llama-bench`, where it has been built.
pub(crate) fn llama_bench() -> Option<PathBuf> {
    Some(libraries().join(BENCH)).filter(|program| program.exists())
}

/// `llama-batched-bench`, which decodes several sequences at once, where it has been built.
pub(crate) fn llama_batched_bench() -> Option<PathBuf> {
    Some(libraries().join(BATCHED_BENCH)).filter(|program| program.exists())
}

/// The interpreter that has mistral.rs, where it has been installed.
pub(crate) fn mistral_rs() -> Option<PathBuf> {
    let installed = std::fs::read_to_string(mistral_rs_folder().join(READY)).ok()?;
    (installed == MISTRAL_RS).then(|| mistral_rs_folder().join("bin/python"))
}

/// File in an environment that says that it is whole.
const READY: &str = "ready";

/// The folder of llama.cpp's programs and libraries, which are built where they are missing.
pub(crate) fn make_llama_cpp() -> Result<PathBuf> {
    if llama_bench().is_none() || llama_batched_bench().is_none() {
        build_llama_cpp().context("llama.cpp was not built")?;
    }
    ensure!(
        llama_bench().is_some() && llama_batched_bench().is_some(),
        "the build left no {BENCH} or no {BATCHED_BENCH}"
    );
    Ok(libraries())
}

/// Source of the Python bindings.
pub(crate) fn bindings() -> Result<PathBuf> {
    source(&folder())
}

fn make_mistral_rs() -> Result<PathBuf> {
    environment(&mistral_rs_folder(), &[MISTRAL_RS], &[])
}

/// An interpreter with these packages, in a folder of its own; what is there whole is kept.
pub(crate) fn environment(folder: &Path, packages: &[&str], variables: &[(&str, &str)]) -> Result<PathBuf> {
    let (python, ready) = (folder.join("bin/python"), folder.join(READY));
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&ready).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    finish(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet"]).args(packages);
    finish(install.envs(variables.iter().copied()))?;
    std::fs::write(&ready, wanted).with_context(|| ready.display().to_string())?;
    Ok(python)
}

fn mistral_rs_folder() -> PathBuf {
    folder().join("mistral.rs")
}

fn libraries() -> PathBuf {
    llama_cpp_folder().join("bin")
}

/// Of this version, so that another one is built anew.
fn llama_cpp_folder() -> PathBuf {
    folder().join(format!("llama.cpp-{VERSION}"))
}

fn folder() -> PathBuf {
    root().join("target/peers")
}

fn build_llama_cpp() -> Result<()> {
    let folder = folder();
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let source = source(&folder)?.join("vendor/llama.cpp");
    let cmake = cmake(&folder)?;
    let build = llama_cpp_folder();
    let mut configure = Command::new(&cmake);
    configure.args(["-G", "Unix Makefiles", "-S"]).arg(&source);
    finish(configure.arg("-B").arg(&build).args(SETTINGS))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut make = Command::new(&cmake);
    make.arg("--build").arg(&build);
    finish(make.args(["--target", BENCH, BATCHED_BENCH, "--parallel", &cores.to_string()]))
}

/// The unpacked source.
fn source(folder: &Path) -> Result<PathBuf> {
    let unpacked = folder.join(UNPACKED);
    if unpacked.exists() {
        return Ok(unpacked);
    }
    let archive = folder.join(format!("{UNPACKED}.tar.gz"));
    if !archive.exists() {
        let wanted = format!("{PACKAGE}=={VERSION}");
        let mut download = pip(folder)?;
        download.args(["download", "--no-deps", "--no-binary", PACKAGE, &wanted, "--dest"]);
        finish(download.arg(folder))?;
    }
    // Unpacked beside its name: a folder of that name is whole.
    let part = folder.join("unpacking");
    std::fs::create_dir_all(&part).with_context(|| part.display().to_string())?;
    let mut unpack = Command::new("tar");
    finish(unpack.arg("-xzf").arg(&archive).arg("-C").arg(&part))?;
    std::fs::rename(part.join(UNPACKED), &unpacked).with_context(|| unpacked.display().to_string())?;
    Ok(unpacked)
}

/// The system's cmake, or one that is installed here.
fn cmake(folder: &Path) -> Result<PathBuf> {
    let there = Command::new("cmake")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if there.is_ok_and(|status| status.success()) {
        return Ok("cmake".into());
    }
    let own = folder.join("venv/bin/cmake");
    if !own.exists() {
        finish(pip(folder)?.args(["install", "cmake"]))?;
    }
    Ok(own)
}

/// pip of a Python environment of our own.
fn pip(folder: &Path) -> Result<Command> {
    let environment = folder.join("venv");
    let program = environment.join("bin/pip");
    if !program.exists() {
        finish(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    let mut pip = Command::new(program);
    pip.arg("--quiet").arg("--disable-pip-version-check");
    Ok(pip)
}

/// Runs a command to its end.
fn finish(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_that_of_the_version() {
        assert_eq!(UNPACKED, format!("{}-{VERSION}", PACKAGE.replace('-', "_")));
    }

    #[test]
    fn a_command_that_fails_or_is_absent_is_named() {
        for name in ["false", "no-such-program-anywhere"] {
            let error = finish(&mut Command::new(name)).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
