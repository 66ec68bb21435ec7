//! The thread that wakes streams for their deadlines: a stream that waits for nothing else is polled by nobody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::clock::Alarm;

/// Alarms of the whole process.
struct Timer {
    alarms: Mutex<Alarms>,
    /// An alarm earlier than all others was set.
    earlier: Condvar,
}

struct Alarms {
    heap: BinaryHeap<Reverse<Entry>>,
    /// So many entries are looked through for those that nobody needs any more.
    crowded: usize,
    /// The thread runs.
    rings: bool,
}

/// Fewer entries are not worth a look.
const CROWDED: usize = 64;

struct Entry {
    time: Instant,
    alarm: Alarm,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.time == other.time
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.time.cmp(&other.time)
    }
}

static TIMER: Timer = Timer {
    alarms: Mutex::new(Alarms {
        heap: BinaryHeap::new(),
        crowded: CROWDED,
        rings: false,
    }),
    earlier: Condvar::new(),
};

/// Rings `alarm` at `time`. While no thread can be started for that, at once: its stream looks at the clock, and asks
/// again.
pub(crate) fn ring_at(time: Instant, alarm: Alarm) {
    let mut alarms = TIMER.alarms();
    if !alarms.rings {
        let thread = std::thread::Builder::new().name("engine-timer".to_owned());
        alarms.rings = thread.spawn(|| TIMER.run()).is_ok();
        if !alarms.rings {
            drop(alarms);
            return alarm.ring();
        }
    }
    let earlier = alarms.add(Entry { time, alarm });
    drop(alarms);
    if earlier {
        TIMER.earlier.notify_one();
    }
}

impl Alarms {
    /// Adds an entry; says whether it is the first of all.
    fn add(&mut self, entry: Entry) -> bool {
        if self.heap.len() >= self.crowded {
            self.heap.retain(|Reverse(entry)| entry.alarm.is_needed());
            self.crowded = CROWDED.max(2 * self.heap.len());
        }
        let earlier = self
            .heap
            .peek()
            .is_none_or(|Reverse(first)| entry.time < first.time);
        self.heap.push(Reverse(entry));
        earlier
    }

    /// Takes the entries whose time has come.
    fn due(&mut self, now: Instant) -> Vec<Entry> {
        let mut due = Vec::new();
        while self.heap.peek().is_some_and(|Reverse(first)| first.time <= now) {
            due.extend(self.heap.pop().map(|Reverse(entry)| entry));
        }
        due
    }
}

impl Timer {
    fn run(&self) {
        let mut alarms = self.alarms();
        loop {
            let now = Instant::now();
            let due = alarms.due(now);
            alarms = if due.is_empty() {
                match alarms.heap.peek().map(|Reverse(first)| first.time - now) {
                    Some(left) => {
                        let woken = self.earlier.wait_timeout(alarms, left);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.earlier.wait(alarms).unwrap_or_else(PoisonError::into_inner),
                }
            } else {
                drop(alarms);
                for entry in due {
                    // One waker that panics is not to silence all alarms after it.
                    let _ = catch_unwind(AssertUnwindSafe(|| entry.alarm.ring()));
                }
                self.alarms()
            };
        }
    }

    fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use super::*;

    struct Rings(u32, Mutex<Sender<(u32, Instant)>>);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            let sender = self.1.lock().unwrap();
            sender.send((self.0, Instant::now())).unwrap();
            assert!(self.0 != 1, "a waker that panics");
        }
    }

    #[test]
    fn alarms_ring_in_the_order_of_their_times_and_never_early() {
        let (sender, rung) = channel();
        let start = Instant::now();
        let times = [30u64, 10, 20, 0].map(|millis| start + Duration::from_millis(millis));
        let mut unneeded = Vec::new();
        for (number, time) in (0..).zip(times) {
            let waker = Waker::from(Arc::new(Rings(number, Mutex::new(sender.clone()))));
            let (alarm, other) = (Alarm::default(), Alarm::default());
            assert!(!alarm.set(&waker) && !other.set(&waker));
            ring_at(time, alarm);
            ring_at(time, other.clone());
            other.clear();
            unneeded.push(other);
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
        assert!(rung.try_recv().is_err(), "an alarm that was cleared rang");
    }

    #[test]
    fn alarms_that_nobody_needs_are_forgotten() {
        let mut alarms = Alarms {
            heap: BinaryHeap::new(),
            crowded: CROWDED,
            rings: true,
        };
        let needed = Alarm::default();
        needed.set(Waker::noop());
        let time = Instant::now();
        for _ in 0..10 {
            alarms.add(Entry {
                time,
                alarm: needed.clone(),
            });
        }
        for _ in 0..100_000 {
            alarms.add(Entry {
                time,
                alarm: Alarm::default(),
            });
        }
        assert!(alarms.heap.len() <= CROWDED, "{}", alarms.heap.len());
        let left = alarms.due(time);
        assert_eq!(left.iter().filter(|entry| entry.alarm.is_needed()).count(), 10);
    }
}
