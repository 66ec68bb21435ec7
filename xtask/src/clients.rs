//! Clients of others against `wick serve`: OpenAI's for Python and Node, Anthropic's for Python, and schemathesis, which
//! makes requests out of the server's description.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::ci::{cargo, root};
use super::peers;

const SOURCE: &str = "crates/server/clients";
/// The key that the clients have.
const KEY: &str = "a-key-for-clients";
/// How long the server may take to start and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Installs the clients below the target directory, starts the server, and runs them all.
pub(crate) fn run() -> Result<()> {
    // As the tests of the workspace build it: alone, or without what only tests need, its dependencies would have other
    // features and be built anew.
    cargo(&["test", "--workspace", "--all-features", "--no-run", "--quiet"], &[])?;
    let folder = root().join("target/clients");
    let work = prepare(&folder)?;
    let requirements = std::fs::read_to_string(work.join("requirements.txt"))?;
    let packages: Vec<&str> = requirements
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let python = peers::environment(&folder.join("python"), &packages, &[])?;
    install_node(&work)?;
    let mut server = Server::start(&folder.join("kept"))?;
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

/// Copies the clients to where they may leave files.
fn prepare(folder: &Path) -> Result<PathBuf> {
    let work = folder.join("work");
    std::fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
    let source = root().join(SOURCE);
    for entry in std::fs::read_dir(&source).with_context(|| source.display().to_string())? {
        let path = entry?.path();
        if let Some(name) = path.file_name() {
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

fn finish(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// A server of the demo model, which ends with this.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts one on a free port, with conversations in a new folder, and waits until it answers.
    pub(crate) fn start(kept: &Path) -> Result<Self> {
        if kept.exists() {
            std::fs::remove_dir_all(kept).with_context(|| kept.display().to_string())?;
        }
        std::fs::create_dir_all(kept).with_context(|| kept.display().to_string())?;
        let keys = kept.join("keys");
        std::fs::write(&keys, KEY).with_context(|| keys.display().to_string())?;
        finish(Command::new("chmod").arg("600").arg(&keys))?;
        let mut child = Command::new(root().join("target/debug/wick"))
            .args(["serve", "--port", "0", "--conversations"])
            .arg(kept)
            .arg("--api-key-file")
            .arg(&keys)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start wick")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let mut server = Self {
            child,
            url: url.unwrap_or_default(),
        };
        let Some(address) = server.url.strip_prefix("http://").map(str::to_owned) else {
            bail!("wick says {line:?} in the place of its address");
        };
        let began = Instant::now();
        while !is_ready(&address) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            ensure!(began.elapsed() < PATIENCE, "the server does not become ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Tells it to end, and waits until it has.
    fn end(&mut self) -> Result<()> {
        let id = self.child.id().to_string();
        finish(Command::new("kill").args(["-TERM", &id]))?;
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
