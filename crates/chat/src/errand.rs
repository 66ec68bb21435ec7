//! Work that blocks, on a thread of its own, so that whoever polls a chat does not.
//!
//! An errand that was begun is run to its end, whether or not anybody waits for it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use thiserror::Error;

/// The result of work that runs elsewhere.
#[derive(Debug)]
pub(crate) struct Errand<T>(Arc<Shared<T>>);

/// Why an errand has no result.
#[derive(Debug, Error)]
pub(crate) enum ErrandError {
    /// The work panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// No thread could be started.
    #[error("no thread can be started")]
    Thread(#[source] std::io::Error),
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    done: Condvar,
}

#[derive(Debug)]
struct State<T> {
    result: Option<Result<T, ErrandError>>,
    waker: Option<Waker>,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, result: Result<T, ErrandError>) {
        let mut state = self.state();
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        self.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Send + 'static> Errand<T> {
    /// Begins `work` on a thread of this name.
    pub(crate) fn run(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                result: None,
                waker: None,
            }),
            done: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let run = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            theirs.finish(result.map_err(|panic| ErrandError::Panicked(message(&*panic))));
        };
        if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(run) {
            shared.finish(Err(ErrandError::Thread(error)));
        }
        Self(shared)
    }

    /// Blocks until it is done.
    pub(crate) fn wait(&self) -> Result<T, ErrandError> {
        let mut state = self.0.state();
        loop {
            match state.result.take() {
                Some(result) => return result,
                None => state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl<T> Future for Errand<T> {
    type Output = Result<T, ErrandError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "nothing that can be shown".to_owned(),
    }
}
