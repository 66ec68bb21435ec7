//! The thread that wakes streams for their deadlines: a stream that waits for nothing else is polled by nobody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Instant;

/// Alarms of the whole process.
#[derive(Default)]
struct Timer {
    alarms: Mutex<BinaryHeap<Reverse<Alarm>>>,
    /// An alarm earlier than all others was set.
    earlier: Condvar,
}

struct Alarm {
    time: Instant,
    waker: Waker,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.time == other.time
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.time.cmp(&other.time)
    }
}

/// Wakes `waker` at `time`. Where no thread can be started, at once: its stream looks at the clock, and asks again.
pub(crate) fn wake_at(time: Instant, waker: Waker) {
    static TIMER: OnceLock<Option<&'static Timer>> = OnceLock::new();
    match TIMER.get_or_init(Timer::start) {
        Some(timer) => timer.set(Alarm { time, waker }),
        None => waker.wake(),
    }
}

impl Timer {
    /// A timer with its thread, for as long as the process lives.
    fn start() -> Option<&'static Self> {
        let timer: &'static Self = Box::leak(Box::default());
        let thread = std::thread::Builder::new().name("engine-timer".to_owned());
        thread.spawn(|| timer.run()).ok()?;
        Some(timer)
    }

    fn set(&self, alarm: Alarm) {
        let mut alarms = self.alarms();
        let earlier = alarms.peek().is_none_or(|Reverse(first)| alarm.time < first.time);
        alarms.push(Reverse(alarm));
        drop(alarms);
        if earlier {
            self.earlier.notify_one();
        }
    }

    fn run(&self) {
        let mut alarms = self.alarms();
        loop {
            let now = Instant::now();
            let mut due = Vec::new();
            while alarms.peek().is_some_and(|Reverse(first)| first.time <= now) {
                due.extend(alarms.pop());
            }
            alarms = if due.is_empty() {
                match alarms.peek().map(|Reverse(first)| first.time - now) {
                    Some(left) => {
                        let woken = self.earlier.wait_timeout(alarms, left);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.earlier.wait(alarms).unwrap_or_else(PoisonError::into_inner),
                }
            } else {
                // A waker may do anything, such as setting an alarm.
                drop(alarms);
                due.into_iter().for_each(|Reverse(alarm)| alarm.waker.wake());
                self.alarms()
            };
        }
    }

    fn alarms(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Alarm>>> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    struct Rings(u32, Mutex<Sender<(u32, Instant)>>);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            let sender = self.1.lock().unwrap();
            sender.send((self.0, Instant::now())).unwrap();
        }
    }

    #[test]
    fn alarms_ring_in_the_order_of_their_times_and_never_early() {
        let (sender, rung) = channel();
        let start = Instant::now();
        let times = [30u64, 10, 20, 0].map(|millis| start + Duration::from_millis(millis));
        for (number, time) in (0..).zip(times) {
            let waker = Waker::from(Arc::new(Rings(number, Mutex::new(sender.clone()))));
            wake_at(time, waker);
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            let (number, at) = rung.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(at >= times[number as usize]);
            order.push(number);
        }
        // The one that was due already rings whenever its turn comes.
        assert_eq!(
            order.iter().filter(|number| **number != 3).collect::<Vec<_>>(),
            [&1, &2, &0]
        );
    }
}
