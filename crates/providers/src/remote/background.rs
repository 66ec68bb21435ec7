//! The thread that the connections live on: a small Tokio runtime that a provider and its streams share.
//!
//! A caller may poll a stream in any runtime or read it in none, and `reqwest` needs Tokio's; so the work happens here,
//! and what the caller holds is the receiving end of a bounded channel. Nothing of the runtime is needed to poll that.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};

use engine::{CandleCompletionChunk, EngineError};
use futures::Stream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc as channel, oneshot};
use tokio::task::AbortHandle;

use super::error::RemoteError;

/// Chunks that may wait for a slow reader; then the server waits.
const WAITING: usize = 64;

/// One item of a completion.
pub(crate) type Item = Result<CandleCompletionChunk, EngineError>;

/// A runtime of one thread. It ends with the last handle, without waiting for anything.
#[derive(Debug)]
pub(crate) struct Background {
    runtime: Option<Runtime>,
}

impl Background {
    pub(crate) fn start() -> Result<Arc<Self>, RemoteError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("remote")
            .enable_all()
            .build()
            .map_err(RemoteError::Thread)?;
        Ok(Arc::new(Self {
            runtime: Some(runtime),
        }))
    }

    /// Runs `work`, which sends a completion.
    pub(crate) fn stream<F>(self: &Arc<Self>, work: impl FnOnce(channel::Sender<Item>) -> F) -> Chunks
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = channel::channel(WAITING);
        let task = self.spawn(work(sender));
        Chunks {
            receiver,
            _task: task,
            _background: Arc::clone(self),
        }
    }

    /// Runs `work`; dropping the future that is returned cancels it.
    pub(crate) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, RemoteError>> + Send + 'static {
        let (sender, receiver) = oneshot::channel();
        let task = self.spawn(async move {
            // Nobody waits any more: nobody is told.
            let _ = sender.send(work.await);
        });
        let background = Arc::clone(self);
        async move {
            let _held = (task, background);
            receiver.await.map_err(|_| RemoteError::ThreadGone)
        }
    }

    /// Runs `work` and blocks until it is done; from any thread but the runtime's own.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, RemoteError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let _task = self.spawn(async move {
            let _ = sender.send(work.await);
        });
        receiver.recv().map_err(|_| RemoteError::ThreadGone)
    }

    /// The task, or nothing where the runtime is on its way out.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Option<Task> {
        let runtime = self.runtime.as_ref()?;
        Some(Task(runtime.spawn(work).abort_handle()))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The plain drop waits, which must not happen inside another runtime.
            runtime.shutdown_background();
        }
    }
}

/// A task that ends when this is dropped, and its connection with it.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The receiving end of a completion.
///
/// **Cancellation:** dropping it ends the work and closes its connection.
#[derive(Debug)]
pub(crate) struct Chunks {
    receiver: channel::Receiver<Item>,
    _task: Option<Task>,
    _background: Arc<Background>,
}

impl Stream for Chunks {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.receiver.poll_recv(cx)
    }
}
