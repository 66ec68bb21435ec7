//! Threads that wait for work, spin for a moment between two pieces of it, and sleep when there is none.
//!
//! A forward pass is hundreds of regions of some microseconds: a thread that slept between them would cost more than the
//! work. So a thread that finds nothing to do looks again for [`PATIENCE`], and then parks. Work is handed out in shares:
//! each thread takes those of its own stretch in order, and then, as it comes free, those that others have left. So a thread
//! mostly meets again what it wrote in the region before, and a region waits for no thread that has not begun: one that the
//! system gives to somebody else holds up nobody.
#![allow(
    unsafe_code,
    reason = "work is lent to threads for the time of a call, which waits for them"
)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::hint::spin_loop;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::Lines;

/// How long a thread looks for work before it parks.
const PATIENCE: Duration = Duration::from_micros(200);
/// Looks at the state between two looks at the clock, or two offers of the core to others.
const LOOKS: u32 = 64;

/// Set in the state while threads may enter; below it stands how many are inside, from bit 32 the region's number.
const OPEN: u64 = 1 << 31;
/// What adds one to the region's number.
const REGION: u64 = 1 << 32;

/// Threads that share the work of a region with the one that calls.
///
/// Dropping it ends them.
pub struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// One region at a time.
    region: Mutex<()>,
    /// Memory for whoever works, to be used again.
    rooms: Mutex<Vec<Lines>>,
}

impl Pool {
    /// A pool of this many threads, of which the one that calls is one.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn new(threads: NonZero<usize>) -> io::Result<Self> {
        let count = threads.get() - 1;
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            next: (0..=count).map(|_| Stretch::default()).collect(),
            panic: Mutex::new(None),
            end: AtomicBool::new(false),
            sleeping: (0..count).map(|_| AtomicBool::new(false)).collect(),
        });
        let mut pool = Self {
            shared,
            helpers: Vec::with_capacity(count),
            region: Mutex::new(()),
            rooms: Mutex::new(Vec::new()),
        };
        for number in 0..count {
            let shared = pool.shared.clone();
            let helper = thread::Builder::new()
                .name(format!("simd-matmul {number}"))
                .spawn(move || shared.help(number))?;
            pool.helpers.push(helper);
        }
        Ok(pool)
    }

    /// Threads that work, the caller among them.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Memory of at least so many bytes, with anything in it: what was given back before, if that is as large.
    pub(crate) fn room(&self, bytes: usize) -> Lines {
        let room = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).pop();
        room.filter(|room| room.bytes().len() >= bytes)
            .unwrap_or_else(|| Lines::zeros(bytes))
    }

    /// Keeps memory for the next who wants some.
    pub(crate) fn give_back(&self, room: Lines) {
        self.rooms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(room);
    }

    /// Calls `work(share)` once for each share below `shares`, on any thread and in any order, and returns when all are
    /// done. Neighbours among the shares are mostly one thread's: the first ones the caller's.
    ///
    /// Nothing is allocated. A call from within `work` to the same pool waits for ever; calls from other threads take turns.
    ///
    /// # Panics
    ///
    /// With the first panic of `work`, after all threads have left it; shares that nobody had taken are not done.
    pub fn run(&self, shares: usize, work: impl Fn(usize) + Sync) {
        if self.helpers.is_empty() || shares < 2 {
            (0..shares).for_each(work);
            return;
        }
        let turn = self.region.lock().unwrap_or_else(PoisonError::into_inner);
        let work: &(dyn Fn(usize) + Sync) = &work;
        // SAFETY: the lifetime is left away, and nothing else; the region ends before the call returns or unwinds.
        let work = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static Work>(work) };
        let job = Job { work, shares };
        self.shared.open(job);
        for (helper, sleeping) in self.helpers.iter().zip(&self.shared.sleeping).take(shares - 1) {
            if sleeping.swap(false, SeqCst) {
                Thread::unpark(helper.thread());
            }
        }
        self.shared.take_shares(job, 0);
        self.shared.close();
        let panic = self
            .shared
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(turn);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.end.store(true, SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            // Panics of work were caught: a thread has no other way to end than this one.
            let _ = helper.join();
        }
    }
}

/// What a region's threads call with the number of a share.
type Work = dyn Fn(usize) + Sync;

/// The work of a region.
#[derive(Clone, Copy)]
struct Job {
    work: &'static Work,
    shares: usize,
}

/// A count in a line of the cache of its own: threads seldom look at each other's.
#[derive(Default)]
#[repr(align(128))]
struct Stretch(AtomicUsize);

struct Shared {
    /// Number of the last region, whether it is open, and how many helpers are inside.
    state: AtomicU64,
    /// The open region's work.
    job: UnsafeCell<Option<Job>>,
    /// For each thread, the caller first, how many shares of its stretch are taken.
    next: Vec<Stretch>,
    /// The region's first panic.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    end: AtomicBool,
    /// Whether each helper has parked, or is about to.
    sleeping: Vec<AtomicBool>,
}

// SAFETY: `job` alone is not `Sync`. It is written by the one thread that holds the turn, while the region is closed and
// nobody is inside, and read by those who are inside.
unsafe impl Sync for Shared {}

impl Shared {
    /// Lets helpers in. Only for the thread that has the turn.
    fn open(&self, job: Job) {
        // SAFETY: the region before was closed and left by all, and only the thread that has the turn opens one.
        unsafe { *self.job.get() = Some(job) };
        self.next.iter().for_each(|taken| taken.0.store(0, Relaxed));
        let region = (self.state.load(Relaxed) & !(REGION - 1)).wrapping_add(REGION);
        // In one order with what `sleeping` is: either the helper sees the region, or the caller that it sleeps.
        self.state.store(region | OPEN, SeqCst);
    }

    /// Lets nobody in any more, and waits for those who are inside.
    fn close(&self) {
        let mut inside = self.state.fetch_and(!OPEN, AcqRel) & (OPEN - 1);
        let mut looks = 0_u32;
        while inside > 0 {
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS * 16) {
                // Who is inside may need this very core.
                thread::yield_now();
            } else {
                spin_loop();
            }
            inside = self.state.load(Acquire) & (OPEN - 1);
        }
    }

    /// A helper's life.
    fn help(&self, number: usize) {
        let mut last = 0;
        while let Some(region) = self.enter(number, last) {
            last = region;
            // SAFETY: this thread is inside, so that nobody writes the job, and it was written before the region opened.
            if let Some(job) = unsafe { *self.job.get() } {
                self.take_shares(job, number + 1);
            }
            self.state.fetch_sub(1, Release);
        }
    }

    /// Waits for a region other than `last` and enters it; `None` at the pool's end.
    fn enter(&self, number: usize, last: u64) -> Option<u64> {
        let mut waiting = Instant::now();
        let mut looks = 0_u32;
        loop {
            if self.end.load(Relaxed) {
                return None;
            }
            let state = self.state.load(Relaxed);
            let region = state / REGION;
            if state & OPEN != 0 && region != last {
                if self
                    .state
                    .compare_exchange_weak(state, state + 1, Acquire, Relaxed)
                    .is_ok()
                {
                    return Some(region);
                }
                continue;
            }
            spin_loop();
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS) && waiting.elapsed() > PATIENCE {
                self.sleep(number, last);
                waiting = Instant::now();
            }
        }
    }

    /// Parks until somebody says that there is a region, or that all is over.
    fn sleep(&self, number: usize, last: u64) {
        let Some(sleeping) = self.sleeping.get(number) else {
            return;
        };
        sleeping.store(true, SeqCst);
        while sleeping.load(SeqCst) && !self.end.load(SeqCst) {
            let state = self.state.load(SeqCst);
            if state & OPEN != 0 && state / REGION != last {
                break;
            }
            thread::park();
        }
        sleeping.store(false, SeqCst);
    }

    /// Works on shares until there are none: those of the thread's own stretch, then the others'.
    fn take_shares(&self, job: Job, thread: usize) {
        let threads = self.next.len();
        let all = AssertUnwindSafe(|| {
            for stretch in (thread..threads).chain(0..thread) {
                let start = job.shares * stretch / threads;
                let end = job.shares * (stretch + 1) / threads;
                let taken = &self.next[stretch].0;
                // A look first: a stretch that is done is left to those who wait for its line.
                while taken.load(Relaxed) < end - start {
                    let share = start + taken.fetch_add(1, Relaxed);
                    if share < end {
                        (job.work)(share);
                    }
                }
            }
        });
        if let Err(panic) = catch_unwind(all) {
            // Nobody begins another share.
            self.next
                .iter()
                .for_each(|taken| taken.0.store(job.shares, Relaxed));
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(panic);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn pool(threads: usize) -> Pool {
        Pool::new(NonZero::new(threads).unwrap()).unwrap()
    }

    #[test]
    fn every_share_is_done_once() {
        for threads in 1..5 {
            let pool = pool(threads);
            for shares in (0..40).chain([1000]) {
                let done: Vec<AtomicUsize> = (0..shares).map(|_| AtomicUsize::new(0)).collect();
                pool.run(shares, |share| {
                    done[share].fetch_add(1, Relaxed);
                });
                assert!(
                    done.iter().all(|times| times.load(Relaxed) == 1),
                    "{threads} {shares}"
                );
            }
        }
    }

    #[test]
    fn threads_that_fell_asleep_work_again() {
        let pool = pool(3);
        for _ in 0..5 {
            thread::sleep(4 * PATIENCE);
            let barrier = std::sync::Barrier::new(3);
            // Each share waits for the others: three threads have to be there.
            pool.run(3, |_| {
                barrier.wait();
            });
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_pool_working() {
        let pool = pool(2);
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(100, |share| assert_ne!(share, 37, "a share fails"));
            }));
            assert!(result.is_err());
            let done = AtomicUsize::new(0);
            pool.run(10, |_| {
                done.fetch_add(1, Relaxed);
            });
            assert_eq!(done.load(Relaxed), 10);
        }
    }

    #[test]
    fn callers_take_turns() {
        let pool = pool(2);
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(7, |share| {
                            sum.fetch_add(share, Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(sum.load(Relaxed), 4 * 200 * 21);
    }
}
