//! Clients of others against `wick serve`: OpenAI's for Python and Node, Anthropic's for Python, and schemathesis, which
//! makes requests out of the server's description.

use std::process::Command;

use anyhow::Result;

use super::ci::root;
use super::demo_server::{self, DemoServer};
use super::packages::{self, Packages, finish};

const SOURCE: &str = "crates/server/clients";
/// The key that the clients have.
const KEY: &str = "a-key-for-clients";

/// Installs the clients below the target directory, starts the server, and runs them all.
pub(crate) fn run() -> Result<()> {
    demo_server::build()?;
    let folder = root().join("target/clients");
    let Packages { python, work } = packages::install(SOURCE, &folder)?;
    let mut server = DemoServer::start(&folder.join("kept"), Some(KEY))?;
    let url = server.url.clone();
    for script in ["with_openai.py", "with_anthropic.py"] {
        finish(Command::new(&python).args([script, &url, KEY]).current_dir(&work))?;
    }
    finish(
        Command::new("node")
            .args(["with_openai.mjs", &url, KEY])
            .current_dir(&work),
    )?;
    let mut described = Command::new(&python);
    described
        .args([
            "-m",
            "schemathesis.cli",
            "--config-file",
            "schemathesis.toml",
            "run",
        ])
        .arg(format!("{url}/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {KEY}")])
        .current_dir(&work);
    finish(&mut described)?;
    server.end()
}
