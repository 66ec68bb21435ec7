//! A client that sends what a test tells it to, byte by byte, and reads what comes.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The data of a stream's events, `[DONE]` included as a string.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into()))
            .collect()
    }
}

/// A connection whose answer is read piece by piece.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Self {
            reader: BufReader::new(stream),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes).await
    }

    /// Sends a request with this body.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bytes = format!("{head}\r\n{body}");
        self.send(bytes.as_bytes()).await.expect("the server reads");
    }

    /// The next line; nothing at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// Lines up to one that begins like this.
    pub(crate) async fn until(&mut self, beginning: &str) -> Option<String> {
        loop {
            let line = self.line().await?;
            if line.starts_with(beginning) {
                return Some(line);
            }
        }
    }

    /// An answer to its end.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut reply = Reply {
            status,
            headers,
            body: String::new(),
        };
        let length = reply
            .header("content-length")
            .and_then(|length| length.parse().ok());
        let bytes = match length {
            Some(_) if status == 304 || status == 204 => Vec::new(),
            Some(length) => self.exactly(length).await?,
            None if reply.header("transfer-encoding").is_some() => self.chunks().await?,
            None => Vec::new(),
        };
        reply.body = String::from_utf8(bytes).expect("answers are text");
        Some(reply)
    }

    async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).await.ok()?;
        Some(bytes)
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line().await?, 16).ok()?;
            bytes.extend(self.exactly(length).await?);
            self.line().await?;
            if length == 0 {
                return Some(bytes);
            }
        }
    }
}

/// Asks once on a connection of its own.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut connection = Connection::open(address).await;
    connection.ask(method, path, headers, body).await;
    connection.reply().await.expect("there is an answer")
}

pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Sends JSON.
pub(crate) async fn post(address: SocketAddr, path: &str, body: &Value) -> Reply {
    ask(address, "POST", path, &[JSON], &body.to_string()).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    ask(address, "GET", path, &[], "").await
}
