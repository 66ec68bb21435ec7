//! A time to wait for, as a future that needs no runtime.
//!
//! Never ready before its time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::clock::{Alarm, Clock};

/// Ready at a time of a clock, or a little later.
///
/// **Cancellation:** dropping it wakes nobody any more.
#[derive(Debug)]
#[must_use = "a delay that is not awaited waits for nothing"]
pub struct Delay {
    clock: Arc<dyn Clock>,
    time: Instant,
    alarm: Alarm,
}

impl Delay {
    /// Ready after `duration` from now; never, where that is more than the clock can count.
    pub fn after(clock: Arc<dyn Clock>, duration: Duration) -> Option<Self> {
        let time = clock.now().checked_add(duration)?;
        Some(Self {
            clock,
            time,
            alarm: Alarm::default(),
        })
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.time {
            self.alarm.clear();
            return Poll::Ready(());
        }
        // An alarm that is still needed is set already.
        if !self.alarm.set(cx.waker()) {
            self.clock.ring_at(self.time, self.alarm.clone());
        }
        Poll::Pending
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.alarm.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::task::{Wake, Waker};

    use super::*;
    use crate::clock::SystemClock;

    struct Sends(std::sync::Mutex<std::sync::mpsc::Sender<()>>);

    impl Wake for Sends {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().send(()).unwrap();
        }
    }

    #[test]
    fn a_delay_wakes_once_and_is_ready_no_earlier_than_its_time() {
        let (sender, woken) = channel();
        let waker = Waker::from(Arc::new(Sends(sender.into())));
        let cx = &mut Context::from_waker(&waker);
        let start = Instant::now();
        let wait = Duration::from_millis(20);
        let mut delay = Delay::after(Arc::new(SystemClock), wait).unwrap();
        while Pin::new(&mut delay).poll(cx).is_pending() {
            woken.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        assert!(start.elapsed() >= wait);
        assert!(Delay::after(Arc::new(SystemClock), Duration::MAX).is_none());
    }

    #[test]
    fn a_delay_that_is_dropped_wakes_nobody() {
        let (sender, woken) = channel();
        let waker = Waker::from(Arc::new(Sends(sender.into())));
        let mut delay = Delay::after(Arc::new(SystemClock), Duration::from_millis(10)).unwrap();
        assert!(
            Pin::new(&mut delay)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(delay);
        assert!(woken.recv_timeout(Duration::from_millis(60)).is_err());
    }
}
