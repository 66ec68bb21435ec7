//! A bound on the threads that compute.
//!
//! The libraries beneath the forward pass read their number of threads from the environment, once, and a process
//! cannot safely change its own environment. So the program starts itself again with an environment that says it: on
//! Unix the new program takes this one's place, elsewhere this one waits for it. It has to be asked for before anything
//! is read from standard input.

use std::process::{Command, ExitCode};

use models::Device;

/// Where the bound holds.
pub(crate) enum Bounded {
    /// In this process.
    Here,
    /// In one that was started for it and has ended so.
    #[cfg_attr(
        unix,
        allow(dead_code, reason = "there the new program takes this one's place")
    )]
    Elsewhere(ExitCode),
}

/// Why the threads cannot be bounded.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the program again with {threads} threads")]
pub(crate) struct ThreadsError {
    threads: usize,
    #[source]
    source: std::io::Error,
}

/// Bounds the threads of this process, or starts one in which they are bound.
///
/// # Errors
///
/// Where the program cannot be started again.
pub(crate) fn bound(threads: usize) -> Result<Bounded, ThreadsError> {
    let wanted = threads.to_string();
    let says = |name| std::env::var_os(name).is_some_and(|value| value == *wanted);
    if Device::THREADS.into_iter().all(says) {
        return Ok(Bounded::Here);
    }
    let mut again = match std::env::current_exe() {
        Ok(program) => Command::new(program),
        Err(source) => return Err(ThreadsError { threads, source }),
    };
    again.args(std::env::args_os().skip(1));
    again.envs(Device::THREADS.map(|name| (name, &wanted)));
    start(again).map_err(|source| ThreadsError { threads, source })
}

#[cfg(unix)]
fn start(mut again: Command) -> Result<Bounded, std::io::Error> {
    use std::os::unix::process::CommandExt as _;
    // Returns only where it fails.
    Err(again.exec())
}

#[cfg(not(unix))]
fn start(mut again: Command) -> Result<Bounded, std::io::Error> {
    let status = again.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Bounded::Elsewhere(code.map_or(ExitCode::FAILURE, ExitCode::from)))
}
