//! The programs of tools that run at this moment.
//!
//! **None of them outlives the chat**: each runs in a process group of its own, which is killed with all that it started when
//! its call ends without it, and when the chat ends, by itself or by a signal. None of them sees a secret of this program.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    /// Their numbers, which those of their groups are.
    running: BTreeSet<u32>,
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
        // Held while it starts, so that none is missed by an end.
        let mut state = self.state();
        if state.ended {
            return Err(io::Error::other("the chat has ended"));
        }
        let child = command.spawn()?;
        state.running.insert(child.id());
        drop(state);
        Ok(Running {
            child,
            groups: self.clone(),
            reaped: false,
        })
    }

    /// Kills all that run and waits until they are gone, a second at most. Nothing starts afterwards.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        for group in &state.running {
            kill(*group);
        }
        // Their threads wait for them and tell.
        let deadline = Instant::now() + REAPING;
        while !state.running.is_empty() {
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

impl Running {
    /// How it ended, if it did.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        // Held, so that nobody kills what has the number after it.
        let mut state = self.groups.state();
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
        kill(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.groups.state().running.remove(&self.child.id());
        self.groups.0.gone.notify_all();
    }
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

/// Ends the program by the signals that would end it anyway, after what runs and with the terminal as it is now.
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
    let (mut terminated, mut hung_up) = runtime.block_on(async {
        let terminated = signal(SignalKind::terminate())?;
        let hung_up = match is_ignored(SignalKind::hangup()) {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        io::Result::Ok((terminated, hung_up))
    })?;
    let waiting = move || {
        let kind = runtime.block_on(async {
            let hung_up = async {
                match &mut hung_up {
                    Some(hung_up) => hung_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = terminated.recv() => SignalKind::terminate(),
                _ = hung_up => SignalKind::hangup(),
            }
        });
        groups.end();
        if let Some(before) = before {
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
