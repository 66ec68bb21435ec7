//! `wick serve`: it tells where it listens, answers, and ends as it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::process::{program, wait, wick};

/// A server that is killed if the test forgets it.
struct Serving {
    child: Child,
    address: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut child = program()
            .args(["serve", "--port", "0", "--no-conversations"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("stdout is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .expect("it is an address")
            .to_owned();
        Self { child, address }
    }

    fn ask(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        answer
    }

    fn until_ready(&self) {
        let began = Instant::now();
        while !self.ask("GET /health", "").starts_with("HTTP/1.1 200") {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the model is not loaded"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let kill = std::process::Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(kill.expect("there is a program to send signals").success());
    }

    /// What it said on standard error, when it has ended.
    fn said(&mut self) -> String {
        let mut said = String::new();
        let mut pipe = self.child.stderr.take().expect("stderr is piped");
        pipe.read_to_string(&mut said).expect("it is text");
        said
    }
}

const CHAT: &str = r#"{"model":"demo","max_tokens":5,"messages":[{"role":"user","content":"a secret"}]}"#;

#[cfg(all(unix, feature = "demo"))]
#[test]
fn it_answers_and_ends_when_it_is_told_to() {
    for signal in ["-INT", "-TERM"] {
        let mut serving = Serving::start(&["--log-requests"]);
        serving.until_ready();
        let answer = serving.ask("POST /v1/chat/completions", CHAT);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(serving.ask("GET /metrics", "").contains("http_requests_total{"));
        serving.signal(signal);
        let status = wait(&mut serving.child);
        assert!(status.success(), "{status}");
        let said = serving.said();
        assert!(said.contains("wick: demo is ready\n"), "{said}");
        assert!(said.contains("POST /v1/chat/completions 200 "), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[cfg(all(unix, feature = "demo"))]
#[test]
fn interrupts_that_come_together_are_one_and_what_was_begun_is_finished() {
    let mut serving = Serving::start(&[]);
    serving.until_ready();
    let mut stream = TcpStream::connect(&serving.address).expect("the server listens");
    let body = r#"{"model":"demo","max_tokens":900,"ignore_eos":true,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("the answer begins");
    serving.signal("-INT");
    std::thread::sleep(Duration::from_millis(5));
    serving.signal("-INT");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("the answer ends");
    assert!(rest.contains("[DONE]"), "{rest}");
    let status = wait(&mut serving.child);
    assert!(status.success(), "{status}");
}

#[cfg(all(unix, feature = "demo"))]
#[test]
fn a_second_interrupt_ends_it_at_once() {
    let mut serving = Serving::start(&[]);
    serving.until_ready();
    let mut stream = TcpStream::connect(&serving.address).expect("the server listens");
    let body = r#"{"model":"demo","max_tokens":900,"ignore_eos":true,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("the answer begins");
    serving.signal("-INT");
    // The first one has to be seen before the second.
    std::thread::sleep(Duration::from_millis(100));
    if serving.child.try_wait().expect("it can be asked").is_none() {
        serving.signal("-INT");
    }
    let began = Instant::now();
    let status = wait(&mut serving.child);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(matches!(status.code(), Some(130 | 0)), "{status}");
}

#[cfg(feature = "demo")]
#[test]
fn a_context_is_as_long_as_it_is_told_to_be() {
    let serving = Serving::start(&["--ctx", "64", "--max-concurrency", "2", "--max-queue", "1"]);
    serving.until_ready();
    assert!(serving.ask("GET /v1/models", "").contains("\"max_model_len\":64"));
}

#[test]
fn what_it_cannot_do_is_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let keys = folder.path().join("keys");
    let keys = keys.to_str().expect("it is text");
    for (arguments, said) in [
        (vec!["serve", "--port", "99999"], "99999"),
        (vec!["serve", "--host", "nowhere"], "nowhere"),
        (vec!["serve", "--max-concurrency", "0"], "max-concurrency"),
        (vec!["serve", "--api-key-file", keys], "cannot read the keys in"),
        (
            vec!["serve", "--port", "0", "--cors-origin", "nonsense"],
            "is no origin",
        ),
    ] {
        let ended = wick(&arguments);
        let complaint = ended.complaint();
        assert!(complaint.contains(said), "{complaint}");
    }
    std::fs::write(keys, "a-key-of-ours\n").expect("it can be written");
    #[cfg(unix)]
    {
        let ended = wick(&["serve", "--api-key-file", keys]);
        assert!(ended.complaint().contains("can be read by others"), "{ended:?}");
    }
}

#[test]
fn a_model_that_cannot_be_loaded_ends_it() {
    let ended = wick(&[
        "serve",
        "--port",
        "0",
        "--no-conversations",
        "--model",
        "missing.gguf",
    ]);
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("missing.gguf"), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}
