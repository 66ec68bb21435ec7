//! The file of an archive: how it is opened, and how it is known.
//!
//! **A path is a path**: nothing in it is an address or an option to SQLite. **A file that is as it should be is read and
//! not written** when it is opened, so that one that may only be read can be.

use std::fs::{DirBuilder, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::LOG_PATIENCE;
use super::format::{self, KNOWN};
use crate::memory::{MemoryError, StoreId};

/// Says in a file's header that it is ours: "wick".
const APPLICATION: i64 = 0x7769_636b;

/// A file that is open.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Whether it may be written.
    pub(super) writable: bool,
    pub(super) store: StoreId,
}

/// Opens a file, or makes it with its folder, and brings it to the format of today.
///
/// * `patience`: how long another writer is waited for.
pub(super) fn open(path: &Path, patience: Duration) -> Result<Opened, MemoryError> {
    let at = At(path);
    let path = std::path::absolute(path).map_err(|source| MemoryError::Path {
        path: path.to_owned(),
        source,
    })?;
    make(&path)?;
    let locked = path.metadata().is_ok_and(|known| known.permissions().readonly());
    let connection = if locked && !has_log(&path) {
        frozen(&path)
    } else if locked {
        Connection::open_with_flags(&path, reading())
    } else {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&path, flags)
    };
    let mut connection = connection.map_err(|error| at.failed(error))?;
    if at.is_frozen(&connection, &path)? {
        connection = frozen(&path).map_err(|error| at.failed(error))?;
    }
    connection
        .busy_timeout(patience)
        .map_err(|error| at.failed(error))?;
    let writable = !connection.is_readonly("main").map_err(|error| at.failed(error))?;
    let name = at.prepare(&mut connection, writable, patience)?;
    // Another file that takes the place of this one is another store, and so is a copy elsewhere.
    let place = path.canonicalize().unwrap_or_else(|_| path.clone());
    Ok(Opened {
        store: StoreId::new(format!("{name} {}", place.display())),
        connection,
        writable,
    })
}

fn reading() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Makes what is missing, for nobody but the user to look into: folders, and a file without contents.
fn make(path: &Path) -> Result<(), MemoryError> {
    let failed = |source| MemoryError::Folder {
        path: path.to_owned(),
        source,
    };
    let mut folders = DirBuilder::new();
    let mut file = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folders.mode(0o700);
        // What SQLite lays beside it is as open as the file is.
        file.mode(0o600);
    }
    if let Some(folder) = path.parent() {
        folders.recursive(true).create(folder).map_err(failed)?;
    }
    match file.write(true).create_new(true).open(path) {
        Err(error) if !path.exists() => Err(failed(error)),
        // It was there, and whether it can be opened is seen then.
        _ => Ok(()),
    }
}

/// Whether something was written that is not in the file itself yet.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|log| log.len() > 0)
}

/// Opens a file that nobody may write, without laying anything beside it.
fn frozen(path: &Path) -> rusqlite::Result<Connection> {
    let mut address = "file:".to_owned();
    if cfg!(windows) {
        address.push_str("///");
    }
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            b'\\' | b':' if cfg!(windows) => address.push(if *byte == b':' { ':' } else { '/' }),
            byte => address.push_str(&format!("%{byte:02x}")),
        }
    }
    address.push_str("?immutable=1");
    Connection::open_with_flags(address, reading() | OpenFlags::SQLITE_OPEN_URI)
}

/// A file that something is done to.
pub(super) struct At<'a>(pub(super) &'a Path);

impl At<'_> {
    /// Whether the file and its folder may only be read, where the usual way to read needs a file beside it.
    fn is_frozen(&self, connection: &Connection, path: &Path) -> Result<bool, MemoryError> {
        let looked = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        match looked {
            Err(error)
                if matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
                ) && !has_log(path) =>
            {
                Ok(true)
            }
            // The first look reads the header: a file that is none of SQLite's is found here.
            Err(error) => Err(self.failed(error)),
            Ok(()) => Ok(false),
        }
    }

    /// Looks at what the file is, and brings it to the format of today. The name that the file has of its own.
    fn prepare(
        &self,
        connection: &mut Connection,
        writable: bool,
        patience: Duration,
    ) -> Result<String, MemoryError> {
        let number = |name: &str| -> Result<i64, MemoryError> {
            connection
                .pragma_query_value(None, name, |row| row.get(0))
                .map_err(|error| self.failed(error))
        };
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(|error| self.failed(error))?;
        if tables > 0 && number("application_id")? != APPLICATION {
            return Err(MemoryError::Unreadable {
                path: self.0.to_owned(),
                reason: "it is a database of another program".to_owned(),
            });
        }
        let (path, found, known) = (self.0.to_owned(), number("user_version")?, KNOWN);
        if found > known {
            return Err(MemoryError::Later { path, found, known });
        }
        if found < known && !writable {
            return Err(MemoryError::Earlier { path, found, known });
        }
        let mut prepared = || -> rusqlite::Result<String> {
            connection.pragma_update(None, "foreign_keys", true)?;
            if writable {
                connection.pragma_update(None, "synchronous", "normal")?;
                // What is deleted is overwritten.
                connection.pragma_update(None, "secure_delete", true)?;
            }
            if found < known {
                upgrade(connection)?;
            }
            if writable {
                close_gaps(connection, patience)?;
            }
            connection.query_row("SELECT name FROM store", [], |row| row.get(0))
        };
        prepared().map_err(|error| self.failed(error))
    }

    pub(super) fn failed(&self, error: rusqlite::Error) -> MemoryError {
        let path = self.0.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => MemoryError::Unreadable {
                path,
                reason: error.to_string(),
            },
            Some(ErrorCode::ReadOnly) => MemoryError::ReadOnly { path },
            _ => MemoryError::Store {
                path,
                cause: error.into(),
            },
        }
    }
}

/// Brings a file to the format of today.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < KNOWN {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        format::migrate(&transaction, found)?;
    }
    transaction.commit()
}

/// Rids a file of what was deleted before deletions overwrote it. Where that cannot be done, for want of room or because
/// somebody else has the file open, the next who opens it tries again.
fn close_gaps(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let has_gaps: bool = connection.query_row("SELECT has_gaps FROM store", [], |row| row.get(0))?;
    if !has_gaps {
        return Ok(());
    }
    connection.busy_timeout(patience.min(LOG_PATIENCE))?;
    if connection.execute_batch("VACUUM").is_ok() {
        let in_use: rusqlite::Result<bool> =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        if let Ok(false) = in_use {
            // What is not noted is done once more.
            let _ = connection.execute("UPDATE store SET has_gaps = 0", []);
        }
    }
    connection.busy_timeout(patience)
}
