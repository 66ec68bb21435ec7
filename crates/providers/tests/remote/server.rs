//! A server that does what a test tells it to, byte by byte.
//!
//! Each connection has a thread and serves one request; what it answers with is the test's function, which is given the
//! request, its number from 0 and the connection. The list of models is answered here, and has no number.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

/// A server; its threads end with the test program.
pub(crate) struct Server {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Asked, usize, &mut Wire) + Send + Sync + 'static) -> Self {
        let models = json!({"object": "list", "data": [
            {"id": "synthetic", "object": "model", "owned_by": "vllm", "max_model_len": 4096}]});
        Self::with_models(models, answer)
    }

    pub(crate) fn with_models(
        models: Value,
        answer: impl Fn(&Asked, usize, &mut Wire) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log, models) = (Arc::clone(&answer), Arc::clone(&log), models.clone());
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let mut wire = Wire { stream };
                    if request.path == "/v1/models" {
                        return wire.json(200, &models);
                    }
                    let number = {
                        let mut log = log.lock().expect("nobody panics with the log in hand");
                        log.push(request.clone());
                        log.len() - 1
                    };
                    answer(&request, number, &mut wire);
                });
            }
        });
        Self {
            address: format!("http://{address}"),
            asked,
        }
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .expect("nobody panics with the log in hand")
            .clone()
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Asked {
        path,
        authorization,
        body,
    })
}

/// A connection. Dropping it closes it; whoever gave up listening is no concern here.
pub(crate) struct Wire {
    stream: TcpStream,
}

impl Wire {
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        let _ = self.stream.flush();
    }

    /// A whole answer of any kind.
    pub(crate) fn answer(&mut self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        self.write(
            format!(
                "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
            )
            .as_bytes(),
        );
    }

    pub(crate) fn json(&mut self, status: u16, body: &Value) {
        self.answer(status, "Content-Type: application/json\r\n", &body.to_string());
    }

    /// The head of a stream of events.
    pub(crate) fn begin(&mut self) {
        self.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
              Transfer-Encoding: chunked\r\n\r\n",
        );
    }

    /// A piece of the stream.
    pub(crate) fn piece(&mut self, bytes: &[u8]) {
        let head = format!("{:x}\r\n", bytes.len());
        self.write(&[head.as_bytes(), bytes, b"\r\n"].concat());
    }

    /// An event.
    pub(crate) fn event(&mut self, data: &Value) {
        self.piece(format!("data: {data}\n\n").as_bytes());
    }

    /// A piece of the first choice's text.
    pub(crate) fn text(&mut self, text: &str) {
        self.event(&chunk(&json!({"content": text}), None));
    }

    /// The end of the stream as HTTP has it, after whatever came.
    pub(crate) fn end(&mut self) {
        self.write(b"0\r\n\r\n");
    }

    /// The finish of the first choice, usage, and the end.
    pub(crate) fn finish(&mut self, reason: &str) {
        self.event(&chunk(&json!({}), Some(reason)));
        self.event(
            &json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 8}}}),
        );
        self.piece(b"data: [DONE]\n\n");
        self.end();
    }

    /// The whole answer of one text.
    pub(crate) fn say(&mut self, text: &str) {
        self.begin();
        self.event(&chunk(&json!({"role": "assistant", "content": ""}), None));
        self.text(text);
        self.finish("stop");
    }

    /// Waits until the other side closes; whether it does within `time`.
    pub(crate) fn is_closed_within(&mut self, time: Duration) -> bool {
        self.stream
            .set_read_timeout(Some(time))
            .expect("a timeout can be set");
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            // A reset is an end as well.
            Err(error) => !matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ),
        }
    }
}

/// A chunk of a chat with this piece of its first choice.
pub(crate) fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({"id": "1", "object": "chat.completion.chunk", "choices": [
        {"index": 0, "delta": delta, "finish_reason": finish}]})
}
