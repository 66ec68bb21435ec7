//! A server's process: started with little, listened to, ended with its connection.

use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::{Endpoint, McpError, Watch};

/// Variables of the environment that programs need to run, and that tell no secret.
const PASSED_ON: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TERM",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    // Of Windows.
    "SYSTEMROOT",
    "USERPROFILE",
    "APPDATA",
    "TEMP",
    "COMSPEC",
];
/// Bytes of what a process writes to standard error that are remembered: the last ones.
const SAID: usize = 2048;

/// A running process. Dropping it kills it, after who watches it was told.
pub(super) struct Process {
    child: Child,
    said: Said,
    watch: Option<Arc<dyn Watch>>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process")
            .field("child", &self.child)
            .field("said", &self.said)
            .finish_non_exhaustive()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It was never waited for: its number is still its own.
        if let (Some(watch), Some(number)) = (&self.watch, self.child.id()) {
            watch.ends(number);
        }
    }
}

/// What a process wrote to standard error last.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Arc<Mutex<Vec<u8>>>);

impl Process {
    /// Starts the program of `endpoint`, in a process group of its own where it is watched.
    pub(super) fn start(
        server: &str,
        endpoint: &Endpoint,
        watch: Option<Arc<dyn Watch>>,
    ) -> Result<Self, McpError> {
        let Endpoint::Process {
            program,
            arguments,
            environment,
            folder,
        } = endpoint
        else {
            return Err(McpError::Http {
                server: server.to_owned(),
                reason: "it is no process".to_owned(),
            });
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(
                PASSED_ON
                    .iter()
                    .filter_map(|name| Some((*name, std::env::var_os(name)?))),
            )
            .envs(
                environment
                    .iter()
                    .map(|(name, value)| (name.as_os_str(), value as &OsStr)),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        #[cfg(unix)]
        if watch.is_some() {
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(|cause| McpError::Start {
            server: server.to_owned(),
            tried: endpoint.to_string(),
            cause,
        })?;
        if let (Some(watch), Some(number)) = (&watch, child.id()) {
            watch.started(number);
        }
        let said = Said::default();
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(listen(stderr, said.clone()));
        }
        Ok(Self { child, said, watch })
    }

    /// Its standard output and input, once.
    pub(super) fn take_streams(&mut self) -> Option<(ChildStdout, ChildStdin)> {
        Some((self.child.stdout.take()?, self.child.stdin.take()?))
    }

    pub(super) fn said(&self) -> Said {
        self.said.clone()
    }
}

impl Said {
    /// It, behind a colon; nothing where nothing was said.
    pub(super) fn shown(&self) -> String {
        match self.text().as_str() {
            "" => String::new(),
            text => format!(": {text}"),
        }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).trim().to_owned()
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads all that a process says, so that it never waits for a reader, and remembers the end of it.
async fn listen(mut stderr: ChildStderr, said: Said) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let mut bytes = said.bytes();
        bytes.extend(buffer.iter().take(read));
        let surplus = bytes.len().saturating_sub(SAID);
        bytes.drain(..surplus);
    }
}
