//! The scenes: few threads, few steps, and what must hold at the end of each.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use crate::admission::{Admission, Entry, Permit};
use crate::channel::{Receiver, Sender, channel};
use crate::doorbell::Doorbell;

/// A thread changes the world and rings; another, which looks at the world and sleeps in between, sees the change.
pub fn rung() {
    rung_by::<1>();
}

/// [`rung`] with two threads that ring.
pub fn rung_by_two() {
    rung_by::<2>();
}

fn rung_by<const RINGERS: usize>() {
    let (bell, world) = (Arc::new(Doorbell::default()), Arc::new(AtomicUsize::new(0)));
    let ringers = [(); RINGERS].map(|()| {
        let (bell, world) = (Arc::clone(&bell), Arc::clone(&world));
        thread::spawn(move || {
            world.fetch_add(1, Ordering::SeqCst);
            bell.ring();
        })
    });
    while world.load(Ordering::SeqCst) < ringers.len() {
        bell.wait();
    }
    join(ringers);
}

/// A worker hands three items over through a channel for one, to a reader that sleeps while there is none: all arrive, in
/// order, and then the end.
pub fn handed_over() {
    let bell = Arc::new(Doorbell::default());
    let (sender, mut receiver) = channel(1, Arc::clone(&bell));
    let worker = thread::spawn(move || work(sender, &bell, 3));
    let mut expected = 0;
    while let Some(item) = next(&mut receiver) {
        assert_eq!(item, expected);
        expected += 1;
    }
    assert_eq!(expected, 3);
    assert!(
        worker.join().is_ok_and(|read| read),
        "the worker saw a reader that was gone"
    );
}

/// A reader goes away after the first item: the worker, wherever it is, comes to its end.
pub fn cancelled() {
    let bell = Arc::new(Doorbell::default());
    let (sender, mut receiver) = channel(1, Arc::clone(&bell));
    let worker = thread::spawn(move || work(sender, &bell, 3));
    assert_eq!(next(&mut receiver), Some(0));
    drop(receiver);
    join([worker]);
}

/// Two requests beside the one that runs, where one may run: never do two of them run, all get their turn, and the permit
/// is free at the end.
pub fn exclusive() {
    let admission = Admission::new(1, 2);
    let running = Arc::new(AtomicUsize::new(0));
    let requests = [(); 2].map(|()| {
        let (admission, running) = (Arc::clone(&admission), Arc::clone(&running));
        thread::spawn(move || run(&admission, &running))
    });
    run(&admission, &running);
    join(requests);
    assert!(is_free(&admission));
}

/// Two wait, and the first of them gives up at any moment, also when it has been given the permit already: the other one
/// gets it.
pub fn granted_and_gone() {
    let admission = Admission::new(1, 2);
    let first = enter(&admission, &Arc::default());
    assert!(matches!(first, Entry::Admitted(_)));
    let impatient = enter(&admission, &Arc::default());
    assert!(matches!(impatient, Entry::Waiting(_)));
    let bell = Arc::new(Doorbell::default());
    let Entry::Waiting(mut patient) = enter(&admission, &bell) else {
        panic!("there is room for all of them");
    };
    let gone = thread::spawn(move || drop(impatient));
    let done = thread::spawn(move || drop(first));
    drop(asleep(|cx| patient.poll(cx)));
    join([gone, done]);
    assert!(is_free(&admission));
}

/// Sends `items` numbers and the end, as a generator's worker does: sleeps while the reader is behind. Whether the reader
/// stayed for all of them.
fn work(sender: Sender<usize>, bell: &Doorbell, items: usize) -> bool {
    for item in 0..items {
        while sender.room() == 0 && !sender.is_closed() {
            bell.wait();
        }
        if sender.is_closed() {
            return false;
        }
        if item + 1 < items {
            sender.send(item);
        } else {
            // The last one takes the sender.
            sender.finish(item);
            return true;
        }
    }
    true
}

/// The next item; sleeps until there is one.
fn next<T>(receiver: &mut Receiver<T>) -> Option<T> {
    asleep(|cx| receiver.poll_next(cx))
}

/// Polls and sleeps in turns until something is ready.
fn asleep<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let bell = Arc::new(Doorbell::default());
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        if let Poll::Ready(ready) = poll(&mut Context::from_waker(&waker)) {
            return ready;
        }
        bell.wait();
    }
}

fn enter(admission: &Arc<Admission>, bell: &Arc<Doorbell>) -> Entry {
    let waker = Waker::from(Arc::clone(bell));
    admission.enter(&mut Context::from_waker(&waker))
}

/// Waits for a permit, holds it for a moment, in which nobody else does, and gives it back.
fn run(admission: &Arc<Admission>, running: &AtomicUsize) {
    let bell = Arc::new(Doorbell::default());
    let permit: Permit = match enter(admission, &bell) {
        Entry::Admitted(permit) => permit,
        Entry::Waiting(mut place) => asleep(|cx| place.poll(cx)),
        Entry::Full => panic!("there is room for all of them"),
    };
    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two run at once");
    running.fetch_sub(1, Ordering::SeqCst);
    drop(permit);
}

fn is_free(admission: &Arc<Admission>) -> bool {
    matches!(enter(admission, &Arc::default()), Entry::Admitted(_))
}

fn join<T>(threads: impl IntoIterator<Item = thread::JoinHandle<T>>) {
    for thread in threads {
        assert!(thread.join().is_ok(), "a thread panicked");
    }
}
