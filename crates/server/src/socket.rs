//! The socket of a client, and whether the client still reads.
//!
//! **A client that closes its side counts as gone**, even if bytes that it sent before were not read yet: while an answer is
//! made, nothing reads them, so that the end behind them would not be seen.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that is read and written, and watched by others meanwhile.
#[derive(Debug)]
pub(crate) struct Socket(Arc<TcpStream>);

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }

    /// Completes when the other side has closed. Where the system does not tell that by itself it never does, and the end is
    /// seen when it is read.
    pub(crate) fn left(&self) -> impl Future<Output = ()> + Send + 'static {
        let stream = Arc::clone(&self.0);
        async move {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                // Urgent data is not asked for, so that only the end of what comes is left of this.
                let ended = stream.ready(tokio::io::Interest::PRIORITY).await;
                if ended.is_ok() {
                    return;
                }
            }
            let _held = stream;
            std::future::pending().await
        }
    }

    /// Does `io` once the socket is `ready` for it.
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        ready: impl Fn(&TcpStream, &mut Context<'_>) -> Poll<io::Result<()>>,
        mut io: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(ready(&self.0, cx))?;
            match io(&self.0) {
                // It was not ready after all, and is waited for again.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_io(cx, TcpStream::poll_read_ready, |stream| {
            stream.try_read_buf(buffer)
        })
        .map_ok(drop)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, TcpStream::poll_write_ready, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, TcpStream::poll_write_ready, |stream| {
            stream.try_write_vectored(pieces)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Nothing is held back, and closing the socket ends it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
