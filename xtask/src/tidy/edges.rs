//! Dependencies run one way only: a crate may depend on crates below it in the list, never above.

use std::path::Path;

use anyhow::{Context, Result};

/// The crates, lowest first, as `docs/architecture.md` lists them from the top.
const ORDER: [&str; 10] = [
    "simd",
    "simd-sampling",
    "simd-matmul",
    "models",
    "generator",
    "engine",
    "providers",
    "chat",
    "server",
    "wick",
];

/// Findings for every edge that points upward and every crate that is not in the list.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let folder = root.join("crates");
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let manifest = path.join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else {
            continue;
        };
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        findings.extend(upward(&name, &text));
    }
    findings.sort();
    Ok(findings)
}

fn upward(name: &str, manifest: &str) -> Vec<String> {
    let Some(own) = rank(name) else {
        return vec![format!(
            "crates/{name}: the crate has no place in the list of `cargo xtask tidy`"
        )];
    };
    let mut findings = Vec::new();
    let mut in_dependencies = false;
    for line in manifest.lines() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            in_dependencies = section.contains("dependencies");
            continue;
        }
        let dependency = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if in_dependencies && rank(dependency).is_some_and(|rank| rank > own) {
            findings.push(format!(
                "crates/{name}: depends on `{dependency}`, which is not below it"
            ));
        }
    }
    findings
}

fn rank(name: &str) -> Option<usize> {
    ORDER.iter().position(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upward_edge_is_found() {
        let manifest = "[dependencies]\nsimd.workspace = true\nchat = { workspace = true }\n";
        assert_eq!(
            upward("engine", manifest),
            ["crates/engine: depends on `chat`, which is not below it"]
        );
    }

    #[test]
    fn downward_edges_and_other_sections_pass() {
        let manifest = "[package]\nname = \"chat\"\n[dependencies]\nengine.workspace = true\n";
        assert!(upward("chat", manifest).is_empty());
    }

    #[test]
    fn a_crate_outside_the_list_is_found() {
        assert_eq!(upward("extra", "").len(), 1);
    }
}
