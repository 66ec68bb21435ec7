//! The stream that an engine returns: waits for admission, starts the backend, passes its chunks on.
//!
//! Whatever the backend does, the stream ends with exactly one `Complete` or error, after which it holds
//! nothing of the backend any more. A panic in the backend becomes that error. All work happens inside
//! `poll_next`; a stream never polled has started nothing.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Stream, ready};
use pin_project::pin_project;

use crate::chunk::CandleCompletionChunk;
use crate::error::EngineError;
use crate::lifecycle::Lifecycle;
use crate::order::Order;

/// A backend's completion under an engine's care. `F` starts the backend, `S` is its stream.
#[pin_project]
pub(crate) struct Coordinated<F, S> {
    /// Present until the work begins.
    start: Option<F>,
    /// Present while the work goes on. Stands before `life`: a cancelled backend is dropped before the
    /// next request is let in.
    #[pin]
    backend: Option<S>,
    life: Lifecycle,
    order: Order,
    ended: bool,
}

impl<F, S> Coordinated<F, S> {
    pub(crate) fn new(life: Lifecycle, start: F) -> Self {
        Self {
            start: Some(start),
            backend: None,
            life,
            order: Order::default(),
            ended: false,
        }
    }
}

impl<F, S, E> Coordinated<F, S>
where
    F: FnOnce() -> S,
    S: Stream<Item = Result<CandleCompletionChunk, E>>,
    E: Into<EngineError>,
{
    /// The backend's next chunk, in order; `None` if the backend ended without an end.
    fn poll_backend(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<CandleCompletionChunk>, EngineError>> {
        let mut this = self.project();
        if let Some(start) = this.start.take() {
            let backend = caught(start)?;
            this.backend.set(Some(backend));
        }
        let Some(backend) = this.backend.as_pin_mut() else {
            return Poll::Ready(Ok(None));
        };
        let next = ready!(caught(|| backend.poll_next(cx))?);
        Poll::Ready(match next {
            Some(Ok(chunk)) => this.order.accept(&chunk).map(|()| Some(chunk)),
            Some(Err(error)) => Err(error.into()),
            None => Ok(None),
        })
    }
}

impl<F, S, E> Stream for Coordinated<F, S>
where
    F: FnOnce() -> S,
    S: Stream<Item = Result<CandleCompletionChunk, E>>,
    E: Into<EngineError>,
{
    type Item = Result<CandleCompletionChunk, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let span = self.life.span().clone();
        let _entered = span.enter();
        if let Some(late) = self.life.is_late(false) {
            return Poll::Ready(Some(Err(self.give_up(late))));
        }
        let item = self.as_mut().poll_item(cx);
        if item.is_ready() {
            return item;
        }
        match self.life.is_late(true) {
            Some(late) => Poll::Ready(Some(Err(self.give_up(late)))),
            None => {
                self.project().life.set_alarm(cx);
                Poll::Pending
            }
        }
    }
}

impl<F, S, E> Coordinated<F, S>
where
    F: FnOnce() -> S,
    S: Stream<Item = Result<CandleCompletionChunk, E>>,
    E: Into<EngineError>,
{
    /// Ends a stream whose time is over; its backend goes before the next request is let in.
    fn give_up(self: Pin<&mut Self>, late: EngineError) -> EngineError {
        let mut this = self.project();
        *this.start = None;
        *this.ended = true;
        let _ = caught(|| this.backend.set(None));
        this.life.expire(late)
    }

    /// The next item of a stream that has not ended and whose time is not over.
    fn poll_item(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<CandleCompletionChunk, EngineError>>> {
        if let Err(rejection) = ready!(self.as_mut().project().life.poll_admission(cx)) {
            let this = self.project();
            *this.start = None;
            *this.ended = true;
            return Poll::Ready(Some(Err(rejection)));
        }
        let next = ready!(self.as_mut().poll_backend(cx));
        let mut this = self.project();
        let mut item = match next {
            Ok(Some(chunk)) => Ok(chunk),
            Ok(None) => Err(EngineError::BrokenOff {
                tokens: this.life.tokens(),
            }),
            Err(error) => Err(error),
        };
        match &mut item {
            Ok(CandleCompletionChunk::Complete { .. }) | Err(_) => {
                *this.ended = true;
                // The item is decided: a backend that panics while it is dropped changes nothing.
                let _ = caught(|| this.backend.set(None));
            }
            Ok(CandleCompletionChunk::Finish { finish, .. }) => this.life.finish(*finish),
            Ok(chunk) => this.life.receive(chunk.tokens().len()),
        }
        if let Ok(CandleCompletionChunk::Complete {
            usage,
            timings,
            drafts,
            ..
        }) = &mut item
        {
            this.life.complete(usage, timings, drafts);
        }
        Poll::Ready(Some(item.map_err(|error| this.life.fail(error))))
    }
}

/// Runs `f`; a panic in it becomes an error. Whatever `f` works on is dropped after that.
fn caught<T>(f: impl FnOnce() -> T) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| EngineError::Panicked {
        message: message(&*panic),
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "no message".to_owned()
    }
}
