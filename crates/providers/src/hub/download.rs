//! One file from the hub to its blob: resumed where it broke off, checked, and only then given its name.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::cache::Repository;
use super::http::{Failed, Http, broken};
use super::{Cancel, HubError, HubFile, Plan};
use crate::progress::{ProgressEvent, ProgressHub};

/// Bytes that a file is checked by.
const CHUNK: usize = 1 << 20;
/// Time between two reports of the same file.
const REPORT: Duration = Duration::from_millis(100);

/// Downloads `file`, unless another process does so meanwhile.
pub(super) fn blob(
    http: &Http,
    repository: &Repository,
    plan: &Plan,
    file: &HubFile,
    progress: &ProgressHub,
    cancel: &Cancel,
) -> Result<(), HubError> {
    let _lock = repository.lock(file)?;
    if repository.has(file) {
        return Ok(());
    }
    let path = repository.partial(file);
    let opened = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path);
    let mut partial = opened.map_err(HubError::io(&path))?;
    let mut report = Report::new(file, progress);
    let mut furthest = repository.partial_bytes(file);
    let fetched = http.wait(|| async {
        http.retry(cancel, async |gained: &mut bool| {
            let there = fetch(http, plan, file, &mut partial, &mut report, cancel).await;
            let now = partial.metadata().map_or(0, |told| told.len());
            // What came once before is no gain: a server that always cuts at the same place is given up.
            *gained = now > furthest;
            furthest = furthest.max(now);
            there
        })
        .await
    });
    fetched?;
    let checked = check(file, &mut partial, progress, cancel);
    if let Err(HubError::Checksum { .. } | HubError::Size { .. }) = &checked {
        let _ = fs::remove_file(&path);
    }
    checked?;
    partial.sync_all().map_err(HubError::io(&path))?;
    drop(partial);
    fs::rename(&path, repository.blob(file)).map_err(HubError::io(path))
}

/// One attempt: what is missing behind what is there.
async fn fetch(
    http: &Http,
    plan: &Plan,
    file: &HubFile,
    partial: &mut File,
    report: &mut Report<'_>,
    cancel: &Cancel,
) -> Result<(), Failed> {
    let io = |error| Failed::Final(HubError::io(file.path.as_str())(error));
    let mut there = partial.seek(SeekFrom::End(0)).map_err(io)?;
    if there > file.bytes {
        partial.set_len(0).map_err(io)?;
        there = partial.seek(SeekFrom::Start(0)).map_err(io)?;
    }
    if there == file.bytes {
        return Ok(());
    }
    let mut response = http.file(&plan.model, &plan.commit, file, there).await?;
    if there > 0 && response.status().as_u16() != 206 {
        // It is told whole, or what there is has no place in it.
        partial.set_len(0).map_err(io)?;
        there = partial.seek(SeekFrom::Start(0)).map_err(io)?;
        if !response.status().is_success() {
            response = http.file(&plan.model, &plan.commit, file, 0).await?;
        }
    }
    report.begin(there);
    loop {
        if cancel.is_cancelled() {
            return Err(Failed::Final(HubError::Cancelled));
        }
        let chunk = response
            .chunk()
            .await
            .map_err(|error| broken(&file.path, error))?;
        let Some(chunk) = chunk else { break };
        partial.write_all(&chunk).map_err(io)?;
        there += chunk.len() as u64;
        if there > file.bytes {
            break;
        }
        report.done(there);
    }
    if there < file.bytes && response.content_length().is_none() {
        // A connection without a length that ends early is one that broke.
        let error = HubError::Size {
            file: file.path.clone(),
            expected: file.bytes,
            found: there,
        };
        return Err(Failed::Again(error, None));
    }
    Ok(())
}

/// Holds the file to what the hub said of it.
fn check(
    file: &HubFile,
    partial: &mut File,
    progress: &ProgressHub,
    cancel: &Cancel,
) -> Result<(), HubError> {
    let io = |error| HubError::io(file.path.as_str())(error);
    let found = partial.seek(SeekFrom::End(0)).map_err(io)?;
    if found != file.bytes {
        return Err(HubError::Size {
            file: file.path.clone(),
            expected: file.bytes,
            found,
        });
    }
    if !file.hashed {
        return Ok(());
    }
    partial.seek(SeekFrom::Start(0)).map_err(io)?;
    let (mut hash, mut buffer, mut done) = (Sha256::new(), vec![0; CHUNK], 0);
    loop {
        let read = partial.read(&mut buffer).map_err(io)?;
        let Some(read) = buffer.get(..read).filter(|read| !read.is_empty()) else {
            break;
        };
        hash.update(read);
        done += read.len() as u64;
        progress.send(&ProgressEvent::Verify {
            file: file.path.clone(),
            done,
            total: file.bytes,
        });
        if cancel.is_cancelled() {
            return Err(HubError::Cancelled);
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == file.blob {
        return Ok(());
    }
    Err(HubError::Checksum {
        file: file.path.clone(),
        expected: file.blob.clone(),
        found,
    })
}

/// Tells how far a download is.
struct Report<'a> {
    file: &'a HubFile,
    progress: &'a ProgressHub,
    /// Where and when this attempt began.
    from: (u64, Instant),
    last: Option<Instant>,
}

impl<'a> Report<'a> {
    fn new(file: &'a HubFile, progress: &'a ProgressHub) -> Self {
        Self {
            file,
            progress,
            from: (0, Instant::now()),
            last: None,
        }
    }

    fn begin(&mut self, there: u64) {
        self.from = (there, Instant::now());
        self.last = None;
    }

    fn done(&mut self, done: u64) {
        let now = Instant::now();
        let recent = self.last.is_some_and(|last| now - last < REPORT);
        if recent && done < self.file.bytes {
            return;
        }
        self.last = Some(now);
        let (from, since) = self.from;
        let seconds = (now - since).as_secs_f64();
        let rate = if seconds > 0.0 {
            (done - from) as f64 / seconds
        } else {
            0.0
        };
        self.progress.send(&ProgressEvent::Download {
            file: self.file.path.clone(),
            done,
            total: self.file.bytes,
            bytes_per_second: rate as u64,
        });
    }
}
