//! A bell that wakes one sleeping thread: rung by anybody, never blocking, never lost.
//!
//! The bell is sticky: a ring before the wait makes that wait return at once, and several rings before
//! one wait count as one. Whoever waits therefore looks at the world again after each wait and before
//! the next one; what changed in between has rung the bell.

use std::sync::{Arc, PoisonError};
use std::task::Wake;
use std::time::Instant;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex};

/// A sticky wake-up for one waiting thread.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    rung: AtomicBool,
    /// Held from the waiter's look at `rung` until it sleeps, so that a ring cannot fall in between.
    door: Mutex<()>,
    waiter: Condvar,
}

impl Doorbell {
    /// Rings the bell. While it is still rung from before, this is one atomic exchange.
    pub(crate) fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(self.door.lock().unwrap_or_else(PoisonError::into_inner));
        self.waiter.notify_one();
    }

    /// Sleeps until the bell has been rung since the last wait returned.
    pub(crate) fn wait(&self) {
        self.wait_until(None);
    }

    /// [`Self::wait`], at the longest until `alarm`.
    pub(crate) fn wait_until(&self, alarm: Option<Instant>) {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.rung.swap(false, Ordering::AcqRel) {
            door = match alarm.map(|alarm| alarm.saturating_duration_since(Instant::now())) {
                None => self.waiter.wait(door).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return,
                Some(left) => {
                    let woken = self.waiter.wait_timeout(door, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// As a waker, a bell lets a plain thread poll a stream and sleep in between.
impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_ring_before_the_wait_is_kept() {
        let bell = Arc::new(Doorbell::default());
        bell.ring();
        bell.ring();
        let (done, waited) = mpsc::channel();
        let waiter = Arc::clone(&bell);
        std::thread::spawn(move || {
            waiter.wait();
            done.send(()).unwrap();
        });
        waited.recv_timeout(LONG).expect("the early ring was lost");
    }

    #[test]
    fn an_alarm_ends_a_wait_and_takes_no_ring_away() {
        let bell = Doorbell::default();
        let begun = Instant::now();
        let alarm = begun + Duration::from_millis(5);
        bell.wait_until(Some(alarm));
        assert!(Instant::now() >= alarm);
        bell.ring();
        bell.wait_until(Some(alarm));
        bell.wait_until(Some(alarm));
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn two_rings_before_a_wait_wake_it_once() {
        let bell = Arc::new(Doorbell::default());
        bell.ring();
        bell.ring();
        bell.wait();
        let (done, waited) = mpsc::channel();
        let waiter = Arc::clone(&bell);
        std::thread::spawn(move || {
            waiter.wait();
            done.send(()).unwrap();
        });
        assert!(
            waited.recv_timeout(Duration::from_millis(50)).is_err(),
            "woken without a ring"
        );
        bell.ring();
        waited
            .recv_timeout(LONG)
            .expect("the ring did not wake the waiter");
    }

    #[test]
    fn no_ring_is_lost_in_a_long_exchange() {
        let (ping, pong) = (Arc::new(Doorbell::default()), Arc::new(Doorbell::default()));
        let (done, finished) = mpsc::channel();
        let (a, b) = (Arc::clone(&ping), Arc::clone(&pong));
        std::thread::spawn(move || {
            for _ in 0..20_000 {
                a.wait();
                b.ring();
            }
        });
        std::thread::spawn(move || {
            for _ in 0..20_000 {
                ping.ring();
                pong.wait();
            }
            done.send(()).unwrap();
        });
        finished
            .recv_timeout(Duration::from_secs(60))
            .expect("a ring was lost");
    }
}
