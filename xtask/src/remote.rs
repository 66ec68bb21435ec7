//! The remote provider against a server of others: llama.cpp's Python server with the demo model.
//!
//! The same greedy text has to come from `wick` alone and from `wick` with that server behind it.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::ci::{cargo, root};
use super::peers;

const MODEL: &str = "crates/providers/assets/demo-q8_0.gguf";
/// What the server needs beside the bindings.
const PACKAGES: [&str; 6] = [
    "fastapi==0.121.3",
    "uvicorn==0.38.0",
    "sse-starlette==3.0.3",
    "starlette-context==0.4.0",
    "pydantic-settings==2.12.0",
    "PyYAML==6.0.3",
];
/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(120);
/// Questions that have one answer. Where many words are about as likely, as in greetings and stories, the 8-bit activations
/// of llama.cpp decide otherwise than exact arithmetic.
const PROMPTS: [&str; 5] = [
    "Who are you?",
    "What is wick?",
    "What can you do?",
    "Which language is this project written in?",
    "What is a KV cache?",
];

/// Starts the server, asks both, and ends it.
pub(crate) fn compare() -> Result<()> {
    let libraries = peers::make_llama_cpp()?;
    let bindings = peers::bindings()?.display().to_string();
    let packages = [&PACKAGES[..], &[bindings.as_str()]].concat();
    let folder = root().join("target/peers/server");
    let python = peers::environment(&folder, &packages, &[("CMAKE_ARGS", "-DLLAMA_BUILD=OFF")])?;
    // As the step before builds it: alone it would have other features, and be built anew.
    cargo(
        &["build", "--release", "--package", "wick", "--package", "demo"],
        &[],
    )?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let server = Command::new(python)
        .args([
            "-m",
            "llama_cpp.server",
            "--n_ctx",
            "1024",
            "--host",
            "127.0.0.1",
            "--port",
        ])
        .arg(port.to_string())
        .arg("--model")
        .arg(root().join(MODEL))
        .env("LLAMA_CPP_LIB_PATH", libraries)
        .current_dir(root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the server")?;
    let mut server = Server(server);
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(status) = server.0.try_wait()? {
            bail!("the server ended with {status}");
        }
        ensure!(began.elapsed() < PATIENCE, "the server does not start");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (wick, url) = (
        root().join("target/release/wick"),
        format!("http://127.0.0.1:{port}"),
    );
    for prompt in PROMPTS {
        let raw = format!("<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n");
        for (kind, asked) in [
            ("raw", vec!["--raw", "--prompt", &raw]),
            ("chat", vec!["--prompt", prompt]),
        ] {
            let here = answer(&wick, &asked)?;
            let there = answer(&wick, &[&asked[..], &["--remote", &url]].concat())?;
            ensure!(
                here["text"] == there["text"],
                "{kind} {prompt:?}: {} here, {} there",
                here["text"],
                there["text"]
            );
            ensure!(
                here["finish_reason"] == there["finish_reason"],
                "{kind} {prompt:?}: {here} here, {there} there"
            );
            println!(
                "{kind} {prompt:?}: the same text, {} bytes",
                there["text"].as_str().map_or(0, str::len)
            );
        }
    }
    Ok(())
}

fn answer(wick: &Path, arguments: &[&str]) -> Result<Value> {
    let ended = Command::new(wick)
        .args(["run", "--temperature", "0", "--max-tokens", "60", "--json"])
        .args(arguments)
        .output()
        .context("cannot start wick")?;
    ensure!(
        ended.status.success(),
        "wick failed: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    serde_json::from_slice(&ended.stdout).context("wick printed no JSON")
}

/// A server, which ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
