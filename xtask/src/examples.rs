//! The examples of the crates, each run as whoever copies it would: it has to succeed and to print what it is about.
//!
//! An example that is not in the list is a failure, and so is one of the list that there is not.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::ci::{cargo, root};

/// An example: its crate, its name, and what stands among what it prints.
type Example = (&'static str, &'static str, &'static [&'static str]);

const EXAMPLES: [Example; 10] = [
    ("simd", "kernel", &["scalar: ", "used where nothing is said: "]),
    (
        "simd-sampling",
        "sampler",
        &["greedy: the", "TopP leaves ", "the same again: true"],
    ),
    ("simd-matmul", "product", &["64 by 256", "the largest difference"]),
    ("models", "logits", &["next: "]),
    (
        "generator",
        "generate",
        &["[seed 2]", "0 of them from the cache", "9 of them from the cache"],
    ),
    (
        "engine",
        "breaker",
        &[
            "breaker: Open",
            "text: \"Good \"",
            "breaker: Closed\n1 completed, 2 failed, 1 refused",
        ],
    ),
    (
        "providers",
        "provider",
        &["[demo, a context of ", "Pim", " tokens, the first after "],
    ),
    ("providers", "toy_family", &[]),
    (
        "chat",
        "agent",
        &[
            "Hello Mira.",
            "[get_weather {\"city\":\"Paris\"}]",
            "Paris has sunshine at 21 degrees.",
        ],
    ),
    (
        "chat",
        "assistant",
        &[
            "[calls calculator with ",
            "[it gave: 42]",
            "[kept as conversation ",
        ],
    ),
];

/// Builds and runs all of them.
pub(crate) fn run() -> Result<()> {
    unlisted()?;
    // As the tests of the workspace build them: alone they would have other features, and be built anew.
    cargo(&["build", "--workspace", "--all-features", "--examples"], &[])?;
    let own = std::env::current_exe().context("where this program lies is not known")?;
    let folder = own
        .parent()
        .context("this program lies in no folder")?
        .join("examples");
    let temporary = root().join("target/examples");
    std::fs::create_dir_all(&temporary).with_context(|| temporary.display().to_string())?;
    for (package, name, expected) in EXAMPLES {
        let output = Command::new(folder.join(name))
            .env("TMPDIR", &temporary)
            .output()
            .with_context(|| format!("cannot start the example `{name}` of {package}"))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "the example `{name}` of {package} ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        ensure!(
            !printed.trim().is_empty(),
            "the example `{name}` of {package} prints nothing"
        );
        for words in expected {
            ensure!(
                printed.contains(words),
                "the example `{name}` of {package} does not print {words:?} but:\n{printed}"
            );
        }
        println!("{package}: {name}");
    }
    Ok(())
}

/// Checks that the list has every example that there is.
fn unlisted() -> Result<()> {
    let crates = root().join("crates");
    for entry in std::fs::read_dir(&crates).with_context(|| crates.display().to_string())? {
        let package = entry?.file_name().to_string_lossy().into_owned();
        for name in names(crates.join(&package).join("examples"))? {
            if !EXAMPLES
                .iter()
                .any(|(of, listed, _)| (*of, *listed) == (&package, &name))
            {
                bail!("the example `{name}` of {package} is not run: xtask/src/examples.rs does not list it");
            }
        }
    }
    Ok(())
}

/// The examples in a folder, which need not be there.
fn names(folder: PathBuf) -> Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    Ok(names)
}
