//! The tests of the SIMD crates on aarch64: cross-compiled, and run by a user-mode emulator.
//!
//! Debian's packages bring a compiler, the standard library for arm64, a linker with its C library, and the emulator. They
//! are installed only where one of them is missing. The compiler is Debian's, whatever toolchain runs
//! this task: the standard library belongs to it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::ci::root;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64-static";
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "libstd-rust-web-dev:arm64",
    "gcc-aarch64-linux-gnu",
    "libc6-dev-arm64-cross",
    "qemu-user-static",
];

/// Runs the tests of `simd`, `simd-sampling` and `simd-matmul` for aarch64.
///
/// * `if_available`: where a tool is missing and cannot be installed, say so and succeed.
///
/// # Errors
///
/// If a tool is missing and cannot be installed, or a test fails.
pub(crate) fn run(if_available: bool) -> Result<()> {
    match (prepare(), if_available) {
        (Ok(()), _) => {}
        (Err(error), true) => {
            println!("neon: skipped, {error:#}");
            return Ok(());
        }
        (Err(error), false) => return Err(error),
    }
    let status = Command::new(env!("CARGO"))
        .args([
            "test",
            "--package",
            "simd",
            "--package",
            "simd-sampling",
            "--package",
            "simd-matmul",
            "--features",
            "simd-sampling/serde",
        ])
        // The compiler may be a release older than what the workspace asks for.
        .args(["--lib", "--tests", "--target", TARGET, "--ignore-rust-version"])
        .env("RUSTC", RUSTC)
        .env("CARGO_TARGET_DIR", root().join("target/neon"))
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", EMULATOR)
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .current_dir(root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the tests for {TARGET} ended with {status}");
    Ok(())
}

/// Installs what is missing.
fn prepare() -> Result<()> {
    let Some(lacking) = missing()? else { return Ok(()) };
    println!("{lacking} is missing: installing {}", PACKAGES.join(", "));
    install()?;
    match missing()? {
        None => Ok(()),
        Some(lacking) => bail!(
            "{lacking} is still missing after installing {}",
            PACKAGES.join(", ")
        ),
    }
}

/// The first tool that is not there.
fn missing() -> Result<Option<String>> {
    for tool in [RUSTC, LINKER, EMULATOR] {
        let found = Command::new(tool).arg("--version").output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Ok(Some(tool.to_owned()));
        }
    }
    // Asked for a file that it lacks, the linker answers with the bare name.
    let start = Command::new(LINKER).arg("-print-file-name=Scrt1.o").output();
    let start = start.with_context(|| format!("cannot start {LINKER}"))?.stdout;
    if !Path::new(String::from_utf8_lossy(&start).trim()).is_absolute() {
        return Ok(Some("the C library for linking".to_owned()));
    }
    let output = Command::new(RUSTC)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .with_context(|| format!("cannot start {RUSTC}"))?;
    let libraries = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let there = !libraries.is_empty() && Path::new(&libraries).is_dir();
    Ok((!there).then(|| format!("the standard library for {TARGET}")))
}

/// Installs the packages.
fn install() -> Result<()> {
    for (program, arguments) in [
        ("dpkg", vec!["--add-architecture", "arm64"]),
        ("apt-get", vec!["update"]),
        (
            "apt-get",
            [&["install", "--yes", "--no-install-recommends"][..], &PACKAGES].concat(),
        ),
    ] {
        let status = Command::new(program)
            .args(&arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .with_context(|| format!("cannot start {program}"))?;
        ensure!(
            status.success(),
            "{program} {} ended with {status}",
            arguments.join(" ")
        );
    }
    Ok(())
}
