//! Tools of a chat: programs that a file names, run without a shell.
//!
//! A program gets the arguments as one JSON object on its standard input and answers on standard output. It is one of the
//! chat's [`Groups`], and killed when its time is over or its call is not wanted any more.

use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chat::{CallContext, Cancellation, Tool, ToolOutput, Toolbox};
use engine::ToolDefinition;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::group::{Groups, Running};

/// Seconds that a program may take where its file does not say.
const SECONDS: u64 = 60;

/// Most seconds that a program may be given.
const MOST_SECONDS: u64 = 3600;

/// Bytes of each of a program's outputs that are read; what is more is thrown away.
const MOST_OUTPUT: usize = 1 << 20;

/// How long outputs are waited for after a program has ended: another that it started may hold them open.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// How often a program is looked at.
const STEP: Duration = Duration::from_millis(5);

/// One tool of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    name: String,
    #[serde(default)]
    description: Option<String>,
    /// The schema of the arguments.
    #[serde(default = "no_arguments")]
    parameters: Value,
    /// The program and its arguments.
    command: Vec<String>,
    /// Seconds that a call may take.
    #[serde(default = "seconds")]
    seconds: u64,
    /// What it is one of while it runs.
    #[serde(skip)]
    groups: Groups,
}

fn no_arguments() -> Value {
    serde_json::json!({"type": "object", "properties": {}})
}

const fn seconds() -> u64 {
    SECONDS
}

/// The tools of a file, and the longest time that one of them may take.
///
/// * `groups`: what their programs belong to while they run.
///
/// # Errors
///
/// A file that cannot be read or holds something else; a tool without a command; what the toolbox refuses.
pub(super) fn read(file: &Path, groups: &Groups) -> anyhow::Result<(Toolbox, Duration)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let programs: Vec<Program> = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is no JSON array of tools with name, description, parameters, command and seconds",
            file.display()
        )
    })?;
    let mut tools = Toolbox::new();
    let mut longest = Duration::ZERO;
    for program in programs {
        let groups = groups.clone();
        let program = Program { groups, ..program };
        let name = program.name.clone();
        anyhow::ensure!(
            program.command.first().is_some_and(|word| !word.is_empty()),
            "the tool {name:?} in {} has no command",
            file.display()
        );
        anyhow::ensure!(
            (1..=MOST_SECONDS).contains(&program.seconds),
            "seconds of the tool {name:?} in {} is {}, expected 1 to {MOST_SECONDS}",
            file.display(),
            program.seconds
        );
        longest = longest.max(Duration::from_secs(program.seconds));
        tools = tools
            .with(program)
            .with_context(|| format!("the tool {name:?} in {} cannot be used", file.display()))?;
    }
    Ok((tools, longest))
}

impl Tool for Program {
    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            name: self.name.clone(),
            description: self.description.clone(),
            parameters: self.parameters.clone(),
            strict: false,
        }
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, ToolOutput> {
        let program = self.clone();
        // A thread of its own: it ends with the program, and that with the call.
        let running = tokio::task::spawn_blocking(move || run(&program, &arguments, &context.cancellation));
        async move { running.await? }.boxed()
    }
}

/// Runs a program to its end, or kills it.
fn run(program: &Program, arguments: &Map<String, Value>, cancellation: &Cancellation) -> ToolOutput {
    let [name, rest @ ..] = program.command.as_slice() else {
        return Err("there is no command".into());
    };
    let mut command = Command::new(name);
    command
        .args(rest)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = program
        .groups
        .start(&mut command)
        .map_err(|error| format!("cannot run {name:?}: {error}"))?;
    let input = serde_json::to_vec(arguments)?;
    if let Some(mut stdin) = running.child.stdin.take() {
        // A program that does not read its arguments may still answer.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let stdout = Output::of(running.child.stdout.take());
    let stderr = Output::of(running.child.stderr.take());
    let limit = Duration::from_secs(program.seconds);
    let status = wait(&mut running, limit, cancellation)?;
    let out = stdout.text();
    if status.success() {
        // As a shell takes what a program prints.
        return Ok(out.trim_end_matches(['\r', '\n']).to_owned());
    }
    let said = stderr.text();
    let said = if said.trim().is_empty() { out } else { said };
    Err(format!("{status}: {}", said.trim()).into())
}

/// Waits for its end.
///
/// # Errors
///
/// Its time is over, or nobody wants its result any more.
fn wait(running: &mut Running, limit: Duration, cancellation: &Cancellation) -> Result<ExitStatus, String> {
    let begun = Instant::now();
    loop {
        match running.ended() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if cancellation.is_cancelled() => return Err("cancelled".to_owned()),
            Ok(None) if begun.elapsed() > limit => {
                return Err(format!("no answer within {} s", limit.as_secs()));
            }
            Ok(None) => std::thread::sleep(STEP),
            Err(error) => return Err(format!("cannot wait for the program: {error}")),
        }
    }
}

/// What was read of an output so far.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Closed at its end.
    open: mpsc::Receiver<()>,
}

impl Output {
    /// Reads an output on a thread of its own, so that no pipe fills up.
    fn of(from: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (closed, open) = mpsc::sync_channel(0);
        let read = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let _closed = closed;
            let Some(mut from) = from else { return };
            let mut piece = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                let room = MOST_OUTPUT - read.len();
                read.extend_from_slice(piece.get(..count.min(room)).unwrap_or_default());
            }
        });
        Self { bytes, open }
    }

    /// The output as text, once it is at its end or nothing more is waited for.
    fn text(self) -> String {
        let _ = self.open.recv_timeout(LAST_OUTPUT);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
