//! The house rules that no compiler checks, each one a function from a source file to findings.
//!
//! Files are those that git knows or would add, so a fresh file is checked before it is committed.

mod edges;
mod source;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use source::Source;

/// Lines that a source file may have, tests aside.
const LINES: usize = 500;
/// Names that say nothing about what a file holds.
const VAGUE: [&str; 7] = ["utils", "helpers", "common", "manager", "types", "misc", "mod"];
/// Folders and files that hold tests.
const TESTS: [&str; 4] = ["tests", "tests.rs", "benches", "fuzz"];
/// Where `unsafe` may stand; each of these argues every block.
const UNSAFE: [&str; 4] = [
    "crates/simd/src/",
    "crates/simd-sampling/src/",
    "crates/simd-matmul/src/",
    "crates/models/src/mapping.rs",
];

/// Checks the whole tree.
pub(crate) fn run() -> Result<()> {
    let root = super::ci::root();
    let mut findings = edges::check(&root)?;
    for path in rust_files(&root)? {
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
        check(&path, &text, &mut findings);
    }
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "{} findings", findings.len());
    Ok(())
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            "*.rs",
        ])
        .current_dir(root)
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        bail!("git ls-files ended with {}", output.status);
    }
    let listed = String::from_utf8(output.stdout)?;
    Ok(listed
        .lines()
        .map(PathBuf::from)
        .filter(|path| root.join(path).exists())
        .collect())
}

fn check(path: &Path, text: &str, findings: &mut Vec<String>) {
    let shown = path.display().to_string();
    let mut find = |line: usize, what: &str| findings.push(format!("{shown}:{line}: {what}"));
    let test_file = path
        .components()
        .any(|part| TESTS.iter().any(|name| part.as_os_str() == *name));
    if !text.starts_with("//!") {
        find(1, "the first line does not say (`//!`) what the file is");
    }
    if path
        .file_stem()
        .is_some_and(|stem| VAGUE.iter().any(|vague| stem == *vague))
    {
        find(1, "the file's name says nothing about what it holds");
    }
    let source = Source::parse(text);
    let length = source.lines_outside_tests();
    if length > LINES && !test_file {
        find(
            LINES,
            &format!("{length} lines outside tests, {LINES} are allowed"),
        );
    }
    for (number, code, in_test) in source.code() {
        let word = |word: &str| has_word(code, word);
        if word("unsafe") && !UNSAFE.iter().any(|allowed| shown.starts_with(allowed)) && !test_file {
            find(number, "`unsafe` outside the files that may hold it");
        }
        if in_test || test_file {
            continue;
        }
        for call in [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err("] {
            if code.contains(call) {
                find(number, &format!("`{call}` outside tests"));
            }
        }
        for stub in ["todo!", "unimplemented!"] {
            if code.contains(stub) {
                find(number, &format!("`{stub}` outside tests"));
            }
        }
    }
}

/// Whether `word` stands in `code` between characters that cannot belong to a name.
fn has_word(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(part_of_name) && !code[at + word.len()..].starts_with(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(Path::new(path), text, &mut findings);
        findings
    }

    #[test]
    fn a_clean_file_has_no_findings() {
        assert!(findings("crates/chat/src/turn.rs", "//! A turn.\n\npub struct Turn;\n").is_empty());
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let cases = [
            ("crates/chat/src/turn.rs", "pub struct Turn;\n"),
            ("crates/chat/src/utils.rs", "//! Things.\n"),
            (
                "crates/chat/src/turn.rs",
                "//! A turn.\nfn f() { unsafe { g() } }\n",
            ),
            (
                "crates/chat/src/turn.rs",
                "//! A turn.\nfn f() { g().unwrap(); }\n",
            ),
            ("crates/chat/src/turn.rs", "//! A turn.\nfn f() { todo!() }\n"),
        ];
        for (path, text) in cases {
            assert_eq!(findings(path, text).len(), 1, "{path}: {text}");
        }
        let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(LINES));
        assert_eq!(findings("crates/chat/src/long.rs", &long).len(), 1);
    }

    #[test]
    fn comments_strings_and_tests_may_say_anything() {
        let text = "//! A turn.\n// unsafe, x.unwrap()\nconst A: &str = \"unsafe todo!()\";\n\
                    #[cfg(test)]\nmod tests {\n    fn f() { g().unwrap(); }\n}\n";
        assert!(findings("crates/chat/src/turn.rs", text).is_empty());
    }

    #[test]
    fn code_behind_a_test_module_is_checked_again() {
        let text = "//! A turn.\n#[cfg(test)]\nmod tests {\n    fn f() {}\n}\nfn g() { h().unwrap(); }\n";
        assert_eq!(findings("crates/chat/src/turn.rs", text).len(), 1);
    }
}
