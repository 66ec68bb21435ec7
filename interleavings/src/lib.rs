//! The protocols by which threads wait for one another, run in many orders of their steps: in all, where a scene is small.
//!
//! The bell that wakes the worker, the channel from the worker to a reader and the permits of an engine are taken as they
//! stand in their crates, over locks and atomics of `shuttle` in the place of the standard library's. A wake-up that is lost
//! is a scene in which all threads wait, which is a failure.
//! Orders that weaker memory would allow are not among them: all that is shared lies behind a lock or is one flag.

#[path = "../../crates/engine/src/admission.rs"]
#[allow(dead_code, reason = "scenes need a part of it")]
mod admission;
#[path = "../../crates/generator/src/channel.rs"]
#[allow(dead_code, reason = "scenes need a part of it")]
mod channel;
#[path = "../../crates/generator/src/doorbell.rs"]
#[allow(dead_code, reason = "scenes need a part of it")]
mod doorbell;
mod scenes;

use shuttle::scheduler::DfsScheduler;
use shuttle::{Config, Runner};

/// What stands in the place of `std::sync`.
mod sync {
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
}

pub use scenes::{cancelled, exclusive, granted_and_gone, handed_over, rung, rung_by_two};

/// Runs a scene in every order of its threads' steps, or in the first `most` of them. Says in how many.
///
/// # Panics
///
/// If the scene does, or comes to a place where every thread waits.
pub fn every_order(most: usize, scene: fn()) -> usize {
    let orders = DfsScheduler::new(Some(most), false);
    Runner::new(orders, Config::default()).run(scene)
}

/// Runs a scene in `orders` orders drawn by chance, with a few changes of thread at places drawn by chance.
///
/// # Panics
///
/// As [`every_order`].
pub fn drawn_orders(orders: usize, scene: fn()) {
    shuttle::check_pct(scene, orders, 3);
}
