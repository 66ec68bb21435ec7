//! What takes longer than a change can wait for: many random cases, killed processes, fuzzing, the scalar kernels
//! under valgrind.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::ci::{cargo, root};

/// Seconds that each target is fuzzed.
const SECONDS: u32 = 60;
/// Version of cargo-fuzz, which is installed below the target directory where it is missing.
const CARGO_FUZZ: &str = "0.13.2";

/// A case of `models` runs a model: thousands of them would take hours. What `interleavings` borrows from other crates has
/// tests that are theirs, and cannot run with its locks.
pub(crate) fn many_cases() -> Result<()> {
    let arguments = [
        "test",
        "--workspace",
        "--exclude",
        "models",
        "--exclude",
        "interleavings",
        "--all-features",
        "--lib",
        "--tests",
    ];
    cargo(&arguments, &[("PROPTEST_CASES", "4096")])
}

/// The loops that kill a process again and again, which the usual tests of `chat` and `wick` do a few times.
pub(crate) fn killed() -> Result<()> {
    for (package, tests, name) in [
        ("chat", "chat", "killing::"),
        ("wick", "program", "terminal_memory::"),
    ] {
        let arguments = ["test", "--package", package, "--all-features", "--test", tests];
        cargo(&[&arguments[..], &["--", "--ignored", name]].concat(), &[])?;
    }
    Ok(())
}

/// Fuzzes every target of `fuzz/` for a minute, from its seeds where it has some.
pub(crate) fn fuzz() -> Result<()> {
    let tools = root().join("target/tools");
    let program = tools.join("bin/cargo-fuzz");
    if !program.exists() {
        let folder = tools.display().to_string();
        cargo(
            &[
                "install",
                "cargo-fuzz",
                "--version",
                CARGO_FUZZ,
                "--locked",
                "--root",
                &folder,
            ],
            &[],
        )?;
    }
    let listed = root().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(&listed).with_context(|| listed.display().to_string())? {
        let name = entry?
            .path()
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned());
        targets.extend(name);
    }
    targets.sort();
    for target in &targets {
        println!("== fuzz {target}");
        let corpus = root().join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        let mut command = Command::new(&program);
        command.args(["fuzz", "run", target]).arg(&corpus);
        let seeds = root().join("fuzz/seeds").join(target);
        if seeds.exists() {
            command.arg(seeds);
        }
        // Sanitizers are unstable options of the compiler; this permits them on the pinned toolchain.
        command.env("RUSTC_BOOTSTRAP", "1").current_dir(root());
        let limit = format!("-max_total_time={SECONDS}");
        let status = command
            .args(["--", &limit])
            .status()
            .context("cannot start cargo-fuzz")?;
        ensure!(status.success(), "fuzzing `{target}` ended with {status}");
    }
    Ok(())
}

/// The server under two minutes of streams of which many are cut off.
pub(crate) fn load() -> Result<()> {
    let arguments = ["test", "--workspace", "--all-features", "--test", "load"];
    cargo(
        &[&arguments[..], &["--", "--ignored", "--nocapture"]].concat(),
        &[],
    )
}

/// The tests of `simd-sampling` at scalar under valgrind, with few random cases: each runs forty times slower.
///
/// Skipped by name where valgrind is missing.
pub(crate) fn valgrind() -> Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind: skipped, it is not installed");
        return Ok(());
    }
    // Not the test of `simd` that starts itself again: its child runs outside valgrind and sees other levels.
    let arguments = ["test", "--package", "simd-sampling", "--lib", "--tests"];
    let runner = "valgrind --quiet --error-exitcode=9";
    cargo(
        &arguments,
        &[
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", runner),
            ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner),
            ("SIMD_LEVEL", "scalar"),
            ("PROPTEST_CASES", "4"),
        ],
    )
}
