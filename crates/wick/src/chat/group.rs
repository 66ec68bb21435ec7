//! The programs of tools that run at this moment, and those of servers of tools.
//!
//! **None of them outlives the chat**: each runs in a process group of its own, which is killed with all that it started when
//! its call or its connection ends, and when the chat ends, by itself or by a signal. None of them sees a secret of this
//! program.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chat::mcp::Watch;

use crate::settings;

/// How long programs that were killed are waited for.
const REAPING: Duration = Duration::from_secs(1);

/// Running programs; copies are the same ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    gone: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The numbers of tools, which those of their groups are. None of them was waited for, so that none is another's.
    running: BTreeSet<u32>,
    /// Those of servers of tools, which are waited for by who speaks with them.
    servers: BTreeSet<u32>,
    /// Programs that are being started, or were killed and are waited for.
    pending: usize,
    /// Whether nothing may be started any more.
    ended: bool,
}

/// A program that does not outlive this value.
pub(super) struct Running {
    pub(super) child: Child,
    groups: Groups,
    /// Whether its end was seen, after which its number may be another's.
    reaped: bool,
}

impl Groups {
    /// Starts a program, without this program's secrets.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, or the chat has ended.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<Running> {
        for secret in settings::SECRETS {
            command.env_remove(secret);
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut state = self.state();
        if state.ended {
            return Err(has_ended());
        }
        state.pending += 1;
        // Not held while it starts, which may take for ever.
        drop(state);
        let started = command.spawn();
        let mut state = self.state();
        state.pending -= 1;
        self.0.gone.notify_all();
        let child = started?;
        state.running.insert(child.id());
        let ended = state.ended;
        drop(state);
        let running = Running {
            child,
            groups: self.clone(),
            reaped: false,
        };
        // The end has missed it.
        if ended { Err(has_ended()) } else { Ok(running) }
    }

    /// Kills all that run and waits until the tools are gone, a second at most. Nothing starts afterwards.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        for group in state.running.iter().chain(&state.servers) {
            kill(*group);
        }
        // Their threads wait for them and tell.
        let deadline = Instant::now() + REAPING;
        while !state.running.is_empty() || state.pending > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.gone.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Servers of tools are killed with the chat too, whatever they make of the end of their input.
impl Watch for Groups {
    fn started(&self, process: u32) {
        let mut state = self.state();
        state.servers.insert(process);
        if state.ended {
            kill(process);
        }
    }

    fn ends(&self, process: u32) {
        let mut state = self.state();
        kill(process);
        state.servers.remove(&process);
    }
}

impl Running {
    /// How it ended, if it did; what it started and left behind is killed then.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        // Held, so that nobody kills what has the number after it.
        let mut state = self.groups.state();
        if !is_over(&self.child)? {
            return Ok(None);
        }
        // Its number is its own until it was waited for.
        kill(self.child.id());
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.reaped = true;
            state.running.remove(&self.child.id());
            self.groups.0.gone.notify_all();
        }
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        let mut state = self.groups.state();
        kill(self.child.id());
        let _ = self.child.kill();
        // Nobody kills what has the number after it, and an end waits all the same.
        state.running.remove(&self.child.id());
        state.pending += 1;
        drop(state);
        let _ = self.child.wait();
        self.groups.state().pending -= 1;
        self.groups.0.gone.notify_all();
    }
}

fn has_ended() -> io::Error {
    io::Error::other("the chat has ended")
}

/// Whether a program has ended, which leaves its number its own.
#[cfg(unix)]
fn is_over(child: &Child) -> io::Result<bool> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let number = number.ok_or_else(|| io::Error::other("the program has no number"))?;
    let looking = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(number), looking)?.is_some())
}

/// Elsewhere a number is kept with the program's handle.
#[cfg(not(unix))]
fn is_over(_child: &Child) -> io::Result<bool> {
    Ok(true)
}

/// Kills a group with all that is in it; it may have ended by itself.
#[cfg(unix)]
fn kill(group: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Elsewhere a program is killed by the thread that waits for it.
#[cfg(not(unix))]
fn kill(_group: u32) {}

/// Ends the program by the signals that would end it anyway, after what runs and with the terminal as it is now, unless
/// another program has that by then.
///
/// # Errors
///
/// Where signals cannot be listened for.
#[cfg(unix)]
pub(super) fn end_on_signals(groups: &Groups) -> io::Result<()> {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    use tokio::signal::unix::{SignalKind, signal};

    let before = tcgetattr(io::stdin()).ok();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let groups = groups.clone();
    let (mut terminated, mut hung_up, mut quit) = runtime.block_on(async {
        let unless_ignored = |kind| match is_ignored(kind) {
            true => Ok(None),
            false => signal(kind).map(Some),
        };
        io::Result::Ok((
            Some(signal(SignalKind::terminate())?),
            unless_ignored(SignalKind::hangup())?,
            unless_ignored(SignalKind::quit())?,
        ))
    })?;
    let waiting = move || {
        let kind = runtime.block_on(async {
            tokio::select! {
                () = comes(&mut terminated) => SignalKind::terminate(),
                () = comes(&mut hung_up) => SignalKind::hangup(),
                () = comes(&mut quit) => SignalKind::quit(),
            }
        });
        groups.end();
        // Setting it from the background would stop this program instead, and spoil what another one has set.
        if let (Some(before), true) = (before, has_terminal()) {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        }
        std::process::exit(128 + kind.as_raw_value());
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(waiting)
        .map(drop)
}

/// Whether the terminal that is standard input is this program's, and not another job's.
#[cfg(unix)]
pub(super) fn has_terminal() -> bool {
    use rustix::process::getpgrp;
    use rustix::termios::tcgetpgrp;
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Waits for a signal; one that is not listened for does not come.
#[cfg(unix)]
async fn comes(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this program was started to ignore a signal, as `nohup` does; known where the system tells it in a file.
#[cfg(unix)]
fn is_ignored(kind: tokio::signal::unix::SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(kind.as_raw_value() - 1).unwrap_or_default();
    mask.and_then(|mask| mask.checked_shr(bit))
        .is_some_and(|mask| mask & 1 == 1)
}

/// Elsewhere there are no such signals.
#[cfg(not(unix))]
pub(super) fn end_on_signals(_groups: &Groups) -> io::Result<()> {
    Ok(())
}
