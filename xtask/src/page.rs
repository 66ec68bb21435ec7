//! The page of `wick serve` in a real browser: Playwright drives Chromium against a server of the demo model.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::ci::root;
use super::demo_server::{self, DemoServer};
use super::packages::{self, finish};

const SOURCE: &str = "crates/server/browser";
/// Names that Chromium has on the path.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Runs the tests of the page.
///
/// * `pictures`: writes the pictures of `docs` in the place of running the tests.
pub(crate) fn run(pictures: bool) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let browser = find(&folders, &BROWSERS)
        .context("chromium is missing: install chromium (on Debian: apt-get install chromium)")?;
    let program = demo_server::build()?;
    let folder = root().join("target/page");
    let packages = packages::install(SOURCE, &folder)?;
    let mut server = DemoServer::start(&folder.join("kept"), None)?;
    let mut tests = Command::new(&packages.python);
    tests.arg("run.py").arg(&server.url).arg(program);
    tests.arg("node_modules/axe-core/axe.min.js").arg(browser);
    if pictures {
        tests.arg("--pictures").arg(root().join("docs"));
    }
    finish(tests.current_dir(&packages.work))?;
    server.end()
}

/// The first of these programs that lies in one of the folders.
fn find(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    let places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_is_there_is_taken() {
        let here = [root().join("xtask"), root()];
        assert_eq!(
            find(&here, &["absent", "Cargo.lock"]),
            Some(root().join("Cargo.lock"))
        );
        assert_eq!(find(&here, &["absent"]), None);
    }
}
