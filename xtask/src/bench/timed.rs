//! A program with a limit on its time, watched for the memory that it takes.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How often the program is looked at.
const INTERVAL: Duration = Duration::from_millis(10);
/// Of what a failed program said, so much is quoted.
const QUOTED: usize = 200;

/// What a program left behind.
pub(super) struct Ended {
    pub(super) stdout: String,
    /// The most memory seen, pages of mapped files included.
    pub(super) rss_bytes: Option<u64>,
}

/// Runs `command` to its end.
///
/// # Errors
///
/// Where it cannot start, fails, or takes longer than `limit`, after which it is ended.
pub(super) fn run(mut command: Command, limit: Duration) -> Result<Ended> {
    let name = command.get_program().to_string_lossy().into_owned();
    // The last line that it prints is to be what went wrong, not the end of a backtrace.
    let mut child = command
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let out = reading(child.stdout.take());
    let err = reading(child.stderr.take());
    let (begun, mut rss_bytes) = (Instant::now(), None);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("took longer than {} s", limit.as_secs());
        }
        rss_bytes = rss_bytes.max(peak(&child));
        std::thread::sleep(INTERVAL);
    };
    let stdout = out.join().unwrap_or_default();
    let stderr = err.join().unwrap_or_default();
    let last: String = stderr
        .trim()
        .lines()
        .rfind(|line| !line.starts_with("note: "))
        .unwrap_or_default()
        .chars()
        .take(QUOTED)
        .collect();
    ensure!(status.success(), "{status}: {last}");
    Ok(Ended { stdout, rss_bytes })
}

/// Reads on, so that the program never waits for its reader.
fn reading(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What could be read is quoted; more is not needed.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The high-water mark of a running program, where the system says it.
fn peak(child: &Child) -> Option<u64> {
    let mut text = String::new();
    let mut file = std::fs::File::open(format!("/proc/{}/status", child.id())).ok()?;
    file.read_to_string(&mut text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Ended> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, limit)
    }

    #[test]
    fn output_is_kept_and_failures_are_quoted() {
        let long = Duration::from_secs(20);
        assert_eq!(shell("echo a; echo b", long).unwrap().stdout, "a\nb\n");
        let error = shell("echo first >&2; echo no such tensor >&2; exit 3", long)
            .err()
            .unwrap();
        assert!(error.to_string().contains("no such tensor"), "{error}");
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let begun = Instant::now();
        let error = shell("exec sleep 30", Duration::from_millis(50)).err().unwrap();
        assert!(error.to_string().contains("longer"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
