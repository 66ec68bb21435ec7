//! A hub on this machine, which answers as it is told to.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// The first byte that is wanted.
    pub(crate) from: Option<usize>,
    pub(crate) authorization: Option<String>,
}

/// An answer; a connection that is cut has a body that ends early.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut: Option<usize>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            cut: None,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bytes(body: &[u8], from: Option<usize>) -> Self {
        Self {
            body: body[from.unwrap_or(0).min(body.len())..].to_vec(),
            ..Self::status(if from.is_some() { 206 } else { 200 })
        }
    }

    pub(crate) fn cut_after(self, bytes: usize) -> Self {
        Self {
            cut: Some(bytes),
            ..self
        }
    }

    fn json(value: &Value) -> Self {
        Self::bytes(value.to_string().as_bytes(), None)
    }
}

/// What is answered in place of the usual: `None` for the usual. The number says how often the path was asked before.
type Odd = dyn Fn(&Asked, usize) -> Option<Answer> + Send + Sync;

pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// A hub with the repository `a/m` of these files.
    pub(crate) fn new(
        files: &[(&str, &[u8])],
        odd: impl Fn(&Asked, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::of("a/m", files, odd)
    }

    /// A hub with one repository of these files.
    pub(crate) fn of(
        repository: &'static str,
        files: &[(&str, &[u8])],
        odd: impl Fn(&Asked, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let files: BTreeMap<String, Vec<u8>> = files
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, files, odd): (_, _, Arc<Odd>) = (Arc::clone(&asked), Arc::new(files), Arc::new(odd));
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, files, odd) = (Arc::clone(&log), Arc::clone(&files), Arc::clone(&odd));
                std::thread::spawn(move || serve(stream, &log, repository, &files, &*odd));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn usual(files: &[(&str, &[u8])]) -> Self {
        Self::new(files, |_, _| None)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked of files, in order.
    pub(crate) fn files_asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().expect("the log");
        asked
            .iter()
            .filter(|asked| asked.path.contains("/resolve/"))
            .cloned()
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().expect("the log").len()
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    repository: &str,
    files: &BTreeMap<String, Vec<u8>>,
    odd: &Odd,
) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut out = stream;
    while let Some(asked) = read(&mut reader) {
        let before = {
            let mut log = log.lock().expect("the log");
            let before = log.iter().filter(|other| other.path == asked.path).count();
            log.push(asked.clone());
            before
        };
        let answer = odd(&asked, before).unwrap_or_else(|| usual(&asked, repository, files));
        let mut head = format!(
            "HTTP/1.1 {} x\r\ncontent-length: {}\r\n",
            answer.status,
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let body = &answer.body[..answer.cut.unwrap_or(answer.body.len()).min(answer.body.len())];
        if out
            .write_all(head.as_bytes())
            .and_then(|()| out.write_all(body))
            .is_err()
            || answer.cut.is_some()
        {
            return;
        }
    }
}

fn read(reader: &mut impl std::io::BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut from, mut authorization) = (None, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => from = value.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok(),
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(Asked {
        path,
        from,
        authorization,
    })
}

fn usual(asked: &Asked, repository: &str, files: &BTreeMap<String, Vec<u8>>) -> Answer {
    let path = asked.path.split('?').next().unwrap_or_default();
    if path == format!("/api/models/{repository}/revision/main") {
        return Answer::json(&json!({"sha": COMMIT}));
    }
    if path == format!("/api/models/{repository}/tree/{COMMIT}") {
        return Answer::json(&tree(files));
    }
    match path
        .strip_prefix(&format!("/{repository}/resolve/{COMMIT}/"))
        .map(|path| files.get(path))
    {
        Some(Some(bytes)) if asked.from.is_some_and(|from| from >= bytes.len()) => Answer::status(416),
        Some(Some(bytes)) => Answer::bytes(bytes, asked.from),
        _ => Answer::status(404),
    }
}

pub(crate) fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn tree(files: &BTreeMap<String, Vec<u8>>) -> Value {
    let entry = |(path, bytes): (&String, &Vec<u8>)| {
        let mut entry =
            json!({"type": "file", "path": path, "size": bytes.len(), "oid": checksum(bytes)[..40]});
        if path.ends_with(".gguf") {
            entry["lfs"] = json!({"oid": checksum(bytes), "size": bytes.len()});
        }
        entry
    };
    let folder = json!({"type": "directory", "path": "x", "size": 0, "oid": "0"});
    files.iter().map(entry).chain([folder]).collect()
}
