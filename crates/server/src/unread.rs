//! What is answered to a request whose head cannot be read: hyper's bare statuses, with a body that says what is wrong.
//!
//! No router sees such a request, so that the body is put where the answer is written. **Only hyper sends these statuses without
//! a body**: whatever comes from a route has one.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::bounds::{HEADER_BYTES, HEADERS};
use crate::error::Failure;

/// A stream of bytes on which no status stands alone.
pub(crate) struct Explained<S> {
    inner: S,
    /// What is still to be written in the place of such a status.
    left: Vec<u8>,
}

impl<S> Explained<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            left: Vec::new(),
        }
    }
}

impl<S: AsyncWrite + Unpin> Explained<S> {
    /// Writes what is left.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.left.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.left))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.left.drain(..written.min(self.left.len()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_left(cx))?;
        if let Some(explained) = explained(bytes) {
            // It counts as written, and is: before anything else, and before the end.
            self.left = explained;
            let _ = self.poll_left(cx)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_left(cx))?;
        match pieces.iter().find(|piece| !piece.is_empty()) {
            Some(first) if explained(first).is_some() => self.poll_write(cx, first),
            _ => Pin::new(&mut self.inner).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_left(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_left(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The answer with a body, if `bytes` are one of hyper's without.
fn explained(bytes: &[u8]) -> Option<Vec<u8>> {
    let code = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let (status, message) = match code {
        b"400" => (
            StatusCode::BAD_REQUEST,
            "the head of the request is no HTTP/1.1".to_owned(),
        ),
        b"414" => (StatusCode::URI_TOO_LONG, "the address is too long".to_owned()),
        b"431" => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            format!("the head of the request has more than {HEADER_BYTES} bytes or {HEADERS} headers"),
        ),
        _ => return None,
    };
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let is_empty = |line: &str| line.eq_ignore_ascii_case("content-length: 0");
    if !head.split("\r\n").any(is_empty) {
        return None;
    }
    let body = serde_json::to_string(&Failure::new(status, message).body()).ok()?;
    let kept: Vec<&str> = head.split("\r\n").filter(|line| !is_empty(line)).collect();
    let length = body.len();
    let more = format!(
        "content-type: application/json\r\ncontent-length: {length}\r\nx-content-type-options: nosniff\r\n\
         cache-control: no-store"
    );
    Some(format!("{}\r\n{more}\r\n\r\n{body}", kept.join("\r\n")).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_without_a_body_is_explained() {
        let bare = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let told = String::from_utf8(explained(bare).unwrap()).unwrap();
        let (head, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(!head.contains("content-length: 0"), "{head}");
        for other in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "data: HTTP/1.1 400\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 4",
            "",
        ] {
            assert_eq!(explained(other.as_bytes()), None, "{other:?}");
        }
    }
}
