//! Admission: how many requests run at once, and how many may wait for their turn.
//!
//! First come, first served. A permit that comes free goes straight to the request that has waited
//! longest; it lives until the request's stream ends. While anyone waits, no permit is free.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub(crate) struct Admission {
    max_running: usize,
    max_waiting: usize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Permits given out, those of `granted` included.
    running: usize,
    next_place: u64,
    waiting: VecDeque<(u64, Waker)>,
    /// Places that were given a permit and have not yet come for it.
    granted: Vec<u64>,
}

/// What a request gets that asks to run.
#[derive(Debug)]
pub(crate) enum Entry {
    Admitted(Permit),
    Waiting(Place),
    /// As many as may wait are waiting.
    Full,
}

impl Admission {
    pub(crate) fn new(max_running: usize, max_waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            max_running,
            max_waiting,
            queue: Mutex::default(),
        })
    }

    /// Takes a permit, or a place in the queue whose turn wakes `cx`.
    pub(crate) fn enter(self: &Arc<Self>, cx: &mut Context<'_>) -> Entry {
        // A waker is the caller's code: it is cloned and dropped outside the lock.
        let waker = cx.waker().clone();
        let mut queue = self.lock();
        if queue.running < self.max_running {
            queue.running += 1;
            return Entry::Admitted(Permit {
                admission: Arc::clone(self),
            });
        }
        if queue.waiting.len() >= self.max_waiting {
            return Entry::Full;
        }
        let id = queue.next_place;
        queue.next_place += 1;
        queue.waiting.push_back((id, waker));
        Entry::Waiting(Place {
            admission: Arc::clone(self),
            id,
            left: false,
        })
    }

    /// Hands one permit to whoever has waited longest.
    fn release(&self) {
        let next = {
            let mut queue = self.lock();
            match queue.waiting.pop_front() {
                Some((id, waker)) => {
                    queue.granted.push(id);
                    Some(waker)
                }
                None => {
                    queue.running -= 1;
                    None
                }
            }
        };
        if let Some(waker) = next {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to run; dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.release();
    }
}

/// A place in the queue; dropping it leaves the queue, and hands on a permit not yet come for.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    id: u64,
    left: bool,
}

impl Place {
    /// Waits for this place's turn. Not to be polled again once ready.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Permit> {
        let mut latest = cx.waker().clone();
        let mut queue = self.admission.lock();
        if take(&mut queue.granted, self.id) {
            self.left = true;
            return Poll::Ready(Permit {
                admission: Arc::clone(&self.admission),
            });
        }
        if let Some((_, waker)) = queue.waiting.iter_mut().find(|(id, _)| *id == self.id) {
            std::mem::swap(waker, &mut latest);
        }
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        let (waiting, granted) = {
            let mut queue = self.admission.lock();
            let at = queue.waiting.iter().position(|(id, _)| *id == self.id);
            (
                at.and_then(|at| queue.waiting.remove(at)),
                take(&mut queue.granted, self.id),
            )
        };
        drop(waiting);
        if granted {
            self.admission.release();
        }
    }
}

/// Removes `id` from `granted`; false if it is not there.
fn take(granted: &mut Vec<u64>, id: u64) -> bool {
    match granted.iter().position(|granted| *granted == id) {
        Some(at) => {
            granted.swap_remove(at);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Wakes {
        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn enter(admission: &Arc<Admission>, wakes: &Arc<Wakes>) -> Entry {
        let waker = Waker::from(Arc::clone(wakes));
        admission.enter(&mut Context::from_waker(&waker))
    }

    fn permit(admission: &Arc<Admission>) -> Permit {
        match enter(admission, &Arc::default()) {
            Entry::Admitted(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    fn place(admission: &Arc<Admission>, wakes: &Arc<Wakes>) -> Place {
        match enter(admission, wakes) {
            Entry::Waiting(place) => place,
            other => panic!("{other:?}"),
        }
    }

    fn poll(place: &mut Place, wakes: &Arc<Wakes>) -> Poll<Permit> {
        let waker = Waker::from(Arc::clone(wakes));
        place.poll(&mut Context::from_waker(&waker))
    }

    #[test]
    fn as_many_run_and_wait_as_allowed_and_no_more() {
        let admission = Admission::new(2, 1);
        let _running = (permit(&admission), permit(&admission));
        let _waiting = place(&admission, &Arc::default());
        assert!(matches!(enter(&admission, &Arc::default()), Entry::Full));
    }

    #[test]
    fn without_a_queue_nobody_waits() {
        let admission = Admission::new(1, 0);
        let running = permit(&admission);
        assert!(matches!(enter(&admission, &Arc::default()), Entry::Full));
        drop(running);
        let _running = permit(&admission);
    }

    #[test]
    fn a_free_permit_wakes_the_one_who_waited_longest() {
        let admission = Admission::new(1, 8);
        let running = permit(&admission);
        let wakes: [Arc<Wakes>; 2] = Default::default();
        let mut first = place(&admission, &wakes[0]);
        let mut second = place(&admission, &wakes[1]);
        assert!(poll(&mut first, &wakes[0]).is_pending());

        drop(running);
        assert_eq!((wakes[0].count(), wakes[1].count()), (1, 0));
        // The permit is spoken for, whoever asks.
        assert!(poll(&mut second, &wakes[1]).is_pending());
        assert!(matches!(enter(&admission, &Arc::default()), Entry::Waiting(_)));

        let Poll::Ready(permit) = poll(&mut first, &wakes[0]) else {
            panic!("not admitted")
        };
        drop(permit);
        assert_eq!(wakes[1].count(), 1);
        assert!(poll(&mut second, &wakes[1]).is_ready());
    }

    #[test]
    fn the_waker_of_the_latest_poll_is_woken() {
        let admission = Admission::new(1, 1);
        let running = permit(&admission);
        let (old, new) = (Arc::<Wakes>::default(), Arc::<Wakes>::default());
        let mut waiting = place(&admission, &old);
        assert!(poll(&mut waiting, &new).is_pending());
        drop(running);
        assert_eq!((old.count(), new.count()), (0, 1));
    }

    #[test]
    fn a_place_given_up_makes_room() {
        let admission = Admission::new(1, 1);
        let running = permit(&admission);
        drop(place(&admission, &Arc::default()));
        let wakes = Arc::<Wakes>::default();
        let mut next = place(&admission, &wakes);
        drop(running);
        assert_eq!(wakes.count(), 1);
        assert!(poll(&mut next, &wakes).is_ready());
    }

    #[test]
    fn a_permit_not_come_for_is_handed_on() {
        let admission = Admission::new(1, 2);
        let running = permit(&admission);
        let wakes = Arc::<Wakes>::default();
        let first = place(&admission, &Arc::default());
        let mut second = place(&admission, &wakes);
        drop(running);
        drop(first);
        assert_eq!(wakes.count(), 1);
        assert!(poll(&mut second, &wakes).is_ready());
    }

    /// Looks at the queue when it is dropped, as a waker may that holds a stream of the same engine.
    struct Looks(Arc<Admission>);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(self.0.queue.try_lock().is_ok(), "dropped under the lock");
        }
    }

    #[test]
    fn wakers_are_dropped_outside_the_lock() {
        let admission = Admission::new(1, 1);
        let running = permit(&admission);
        let looks = || Waker::from(Arc::new(Looks(Arc::clone(&admission))));
        let Entry::Waiting(mut place) = admission.enter(&mut Context::from_waker(&looks())) else {
            panic!("admitted")
        };
        assert!(place.poll(&mut Context::from_waker(&looks())).is_pending());
        assert!(place.poll(&mut Context::from_waker(&looks())).is_pending());
        drop(place);
        assert!(matches!(
            admission.enter(&mut Context::from_waker(&looks())),
            Entry::Waiting(_)
        ));
        drop(running);
    }

    #[test]
    fn every_permit_comes_back_whatever_is_dropped_when() {
        let admission = Admission::new(2, 3);
        let (a, b) = (permit(&admission), permit(&admission));
        let places = [0; 3].map(|_| place(&admission, &Arc::default()));
        drop(a);
        drop(places);
        drop(b);
        let queue = admission.lock();
        assert_eq!(
            (queue.running, queue.waiting.len(), queue.granted.len()),
            (0, 0, 0)
        );
    }
}
