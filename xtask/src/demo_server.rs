//! A `wick serve` of the demo model, on a free port, for programs that are no part of the workspace's tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::ci::{cargo, root};
use super::packages::finish;

/// How long the server may take to start and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, which ends with this.
pub(crate) struct DemoServer {
    child: Child,
    pub(crate) url: String,
}

/// Builds the program, and says where it lies.
pub(crate) fn build() -> Result<PathBuf> {
    // As the tests of the workspace build it: alone, or without what only tests need, its dependencies would have other
    // features and be built anew.
    cargo(
        &["test", "--workspace", "--all-features", "--no-run", "--quiet"],
        &[],
    )?;
    Ok(program())
}

fn program() -> PathBuf {
    root().join("target/debug/wick")
}

impl DemoServer {
    /// Starts one with conversations in a new folder, and waits until it answers.
    ///
    /// * `key`: the one that it asks for; none where it asks for none.
    pub(crate) fn start(kept: &Path, key: Option<&str>) -> Result<Self> {
        if kept.exists() {
            std::fs::remove_dir_all(kept).with_context(|| kept.display().to_string())?;
        }
        std::fs::create_dir_all(kept).with_context(|| kept.display().to_string())?;
        let mut command = Command::new(program());
        command
            .args(["serve", "--port", "0", "--conversations"])
            .arg(kept);
        if let Some(key) = key {
            let keys = kept.join("keys");
            std::fs::write(&keys, key).with_context(|| keys.display().to_string())?;
            finish(Command::new("chmod").arg("600").arg(&keys))?;
            command.arg("--api-key-file").arg(&keys);
        }
        let mut child = command
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
    pub(crate) fn end(&mut self) -> Result<()> {
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

impl Drop for DemoServer {
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
