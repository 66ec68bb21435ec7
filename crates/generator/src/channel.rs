//! The bounded channel from the worker to one caller.
//!
//! Neither side ever blocks. The sender asks [`Sender::has_room`] before it makes an item; the receiver
//! rings the worker's doorbell when it makes room in a full channel and when it goes away. The last item
//! of a sender ([`Sender::finish`]) is accepted even when the channel is full, so that a failure always
//! reaches the reader. Several senders, all of the worker, may share a channel; it ends with the last of them, or with
//! the first that [aborts](Sender::abort) it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::doorbell::Doorbell;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Makes a channel for `capacity` items besides the last one; its receiver rings `bell`.
pub(crate) fn channel<T>(capacity: usize, bell: Arc<Doorbell>) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity.max(1);
    let state = State {
        items: VecDeque::with_capacity(capacity + 1),
        reader: None,
        senders: 1,
    };
    let link = Arc::new(Link {
        state: Mutex::new(state),
        capacity,
        closed: AtomicBool::new(false),
        bell,
    });
    (
        Sender {
            link: Arc::clone(&link),
            ended: false,
        },
        Receiver { link },
    )
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    link: Arc<Link<T>>,
    /// It has sent its last item.
    ended: bool,
}

/// The caller's end. Dropping it cancels.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    link: Arc<Link<T>>,
}

#[derive(Debug)]
struct Link<T> {
    state: Mutex<State<T>>,
    capacity: usize,
    /// The receiver is gone, or a sender has aborted the stream.
    closed: AtomicBool,
    bell: Arc<Doorbell>,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    reader: Option<Waker>,
    /// Senders that have not sent their last item.
    senders: usize,
}

impl<T> Link<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// One more sender of the same stream.
    pub(crate) fn another(&self) -> Self {
        self.link.state().senders += 1;
        Self {
            link: Arc::clone(&self.link),
            ended: false,
        }
    }

    /// How many items fit without waiting.
    pub(crate) fn room(&self) -> usize {
        self.link.capacity.saturating_sub(self.link.state().items.len())
    }

    /// Whether the reader has taken at least half of what a full channel holds.
    pub(crate) fn is_half_empty(&self) -> bool {
        self.link.state().items.len() <= self.link.capacity / 2
    }

    /// Whether the receiver is gone or the stream was aborted, so that nobody will read anything more.
    pub(crate) fn is_closed(&self) -> bool {
        self.link.closed.load(Ordering::Acquire)
    }

    /// Hands an item over and wakes the reader. The caller has made sure of room; an item for a reader
    /// that is gone is dropped.
    pub(crate) fn send(&self, item: T) {
        self.push(item, |_| ());
    }

    /// Hands this sender's last item over, room or not; the stream ends with it where it is the last sender.
    pub(crate) fn finish(mut self, item: T) {
        self.ended = true;
        self.push(item, |senders| *senders -= 1);
    }

    /// Hands the last item of all senders over, room or not, and ends the stream.
    pub(crate) fn abort(mut self, item: T) {
        self.ended = true;
        self.push(item, |senders| *senders = 0);
        self.link.closed.store(true, Ordering::Release);
    }

    fn push(&self, item: T, count: impl FnOnce(&mut usize)) {
        if self.is_closed() {
            return;
        }
        let reader = {
            let mut state = self.link.state();
            state.items.push_back(item);
            count(&mut state.senders);
            state.reader.take()
        };
        wake(reader);
    }
}

/// Wakes a reader; one that panics when it is woken is no concern of the worker's, which has others to serve.
fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        let _ = catch_unwind(AssertUnwindSafe(|| reader.wake()));
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let reader = {
            let mut state = self.link.state();
            state.senders = state.senders.saturating_sub(1);
            state.reader.take()
        };
        wake(reader);
    }
}

impl<T> Receiver<T> {
    /// The next item, `None` after the last one.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.link.state();
        let was_full = state.items.len() >= self.link.capacity;
        if let Some(item) = state.items.pop_front() {
            // A sequence set aside resumes once its channel is half empty; that edge rings as well.
            let half = state.items.len() == self.link.capacity / 2;
            drop(state);
            if was_full || half {
                self.link.bell.ring();
            }
            return Poll::Ready(Some(item));
        }
        if state.senders == 0 {
            return Poll::Ready(None);
        }
        match &mut state.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            reader => *reader = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.link.closed.store(true, Ordering::Release);
        let unread = {
            let mut state = self.link.state();
            state.reader = None;
            std::mem::take(&mut state.items)
        };
        drop(unread);
        self.link.bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::task::noop_waker_ref;

    fn poll<T>(receiver: &mut Receiver<T>) -> Poll<Option<T>> {
        receiver.poll_next(&mut Context::from_waker(noop_waker_ref()))
    }

    #[test]
    fn items_arrive_in_order_and_then_the_end() {
        let (sender, mut receiver) = channel(2, Arc::default());
        assert_eq!(poll(&mut receiver), Poll::Pending);
        sender.send(1);
        sender.send(2);
        assert_eq!(sender.room(), 0);
        sender.finish(3);
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(1)));
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(2)));
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(3)));
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
    }

    #[test]
    fn taking_from_a_full_channel_rings_the_bell() {
        let bell = Arc::new(Doorbell::default());
        let (sender, mut receiver) = channel(8, Arc::clone(&bell));
        for item in 0..8 {
            assert_eq!(sender.room(), 8 - item);
            sender.send(item);
        }
        assert_eq!(sender.room(), 0);
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(0)));
        bell.wait();
        assert!(sender.room() == 1 && !sender.is_half_empty());
        for _ in 1..4 {
            assert!(poll(&mut receiver).is_ready());
        }
        bell.wait();
        assert!(sender.is_half_empty());
    }

    #[test]
    fn dropping_the_receiver_closes_and_rings() {
        let bell = Arc::new(Doorbell::default());
        let (sender, receiver) = channel(1, Arc::clone(&bell));
        let item = Arc::new(());
        sender.send(Arc::clone(&item));
        drop(receiver);
        bell.wait();
        assert!(sender.is_closed());
        sender.send(Arc::clone(&item));
        assert_eq!(
            Arc::strong_count(&item),
            1,
            "unread items are dropped with the receiver"
        );
    }

    #[test]
    fn a_stream_of_several_senders_ends_with_the_last_of_them() {
        let (first, mut receiver) = channel(1, Arc::default());
        let second = first.another();
        first.finish(1);
        second.send(2);
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(1)));
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(2)));
        assert_eq!(poll(&mut receiver), Poll::Pending);
        second.finish(3);
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(3)));
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
    }

    #[test]
    fn a_stream_that_one_sender_aborts_is_over_for_all() {
        let (first, mut receiver) = channel(1, Arc::default());
        let (second, third) = (first.another(), first.another());
        first.abort(1);
        assert!(second.is_closed());
        second.send(2);
        second.finish(3);
        drop(third);
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(1)));
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
    }

    #[test]
    fn a_sender_dropped_without_a_last_item_ends_the_stream() {
        let (sender, mut receiver) = channel::<u32>(1, Arc::default());
        drop(sender);
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
    }
}
