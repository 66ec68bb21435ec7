//! Ctrl-Z while a line is edited.
//!
//! **A chat that goes on in the background does not set up the terminal at once**: that would stop it again, and a signal that
//! came while it stood still has to end it first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_current_process_group};
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, RepeatCount};

use super::group;

/// How long the terminal is waited for, which `fg` gives back before the program goes on.
const WAITING: Duration = Duration::from_secs(1);

/// How often the terminal is looked at.
const STEP: Duration = Duration::from_millis(5);

/// What a line was before and behind the cursor when Ctrl-Z was pressed; copies are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspension(Arc<Mutex<Option<(String, String)>>>);

impl Suspension {
    /// The line, if the end of the editing was a Ctrl-Z.
    pub(super) fn take(&self) -> Option<(String, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ConditionalEventHandler for Suspension {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let (before, behind) = context.line().split_at_checked(context.pos())?;
        let line = (before.to_owned(), behind.to_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        Some(Cmd::Interrupt)
    }
}

/// Stops the program, as the shell's job that it is, until it is told to go on and has the terminal.
pub(super) fn suspend() {
    // A group that is nobody's job is not stopped.
    let _ = kill_current_process_group(Signal::TSTP);
    let deadline = Instant::now() + WAITING;
    while !group::has_terminal() && Instant::now() < deadline {
        std::thread::sleep(STEP);
    }
}
