//! The gate: every step that a change must pass, in the order of how fast it fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// A step's name and what it does.
type Step = (&'static str, fn() -> Result<()>);

/// Runs every step and prints how long each took; stops at the first failure.
pub(crate) fn run(full: bool) -> Result<()> {
    let steps: [Step; 8] = [
        ("tidy", super::tidy::run),
        ("fmt", || cargo(&["fmt", "--all", "--check"], &[])),
        ("clippy", || {
            cargo(
                &[
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--all-features",
                    "--",
                    "-D",
                    "warnings",
                ],
                &[],
            )
        }),
        ("test", || cargo(&["test", "--workspace", "--all-features"], &[])),
        ("examples", super::examples::run),
        ("clients", super::clients::run),
        ("page", || super::page::run(false)),
        ("doc", || {
            let flags = [("RUSTDOCFLAGS", "-D warnings")];
            cargo(&["doc", "--workspace", "--all-features", "--no-deps"], &flags)
        }),
    ];
    for (name, step) in steps {
        timed(name, step)?;
    }
    if full {
        timed("test, many cases", super::full::many_cases)?;
        timed("killed processes", super::full::killed)?;
        timed("fuzz", super::full::fuzz)?;
        timed("valgrind", super::full::valgrind)?;
        timed("server under load", super::full::load)?;
        timed("replicas behind a router", super::gateway::run)?;
        timed("demo model", || super::demo::examine(&[]))?;
        timed("demo model in other implementations", super::demo::compare)?;
        timed("demo model behind a server of llama.cpp", super::remote::compare)?;
    }
    Ok(())
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

fn timed(name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let start = Instant::now();
    step().with_context(|| format!("step `{name}` failed"))?;
    println!("== {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .context("cannot start cargo")?;
    ensure!(
        status.success(),
        "cargo {} ended with {status}",
        arguments.join(" ")
    );
    Ok(())
}
