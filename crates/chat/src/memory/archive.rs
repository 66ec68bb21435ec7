//! A memory in one file of SQLite.
//!
//! A writer holds the file for the length of one transaction, and others wait; readers never wait (write-ahead log). A
//! process that is killed leaves transactions whole. Texts are indexed for recall by triggers, so that index and tables
//! cannot part.

mod file;
mod format;
mod conversation;
mod ranking;
mod vectors;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::pairs::pairs;
use super::{
    ConversationId, Fact, FactId, Item, KeptTurn, Memory, MemoryError, Outline, PortableConversation,
    PortableTurn, Query, Recalled, Revision, Snapshot, StoreId, Unindexed,
};
use conversation::{
    Head, OUTLINES, exists, forget_turns, head, insert_conversation, insert_turn, outline, touch, turns,
    turns_of,
};
use file::{At, Opened};

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what was deleted waits at most, each time, for others to leave the log.
const LOG_PATIENCE: Duration = Duration::from_millis(500);

/// A file of conversations and facts.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    store: StoreId,
    writable: bool,
    patience: Duration,
    /// Whether the log could not be emptied of what was deleted.
    log_holds_deleted: AtomicBool,
    connection: Mutex<Connection>,
}

impl Archive {
    /// Opens a file, or makes it with its folder, neither of which anybody but the user may look into.
    ///
    /// A file that may only be read is opened for that. Nothing in a path is special: `:memory:` and `file:a` are names of
    /// files.
    ///
    /// # Errors
    ///
    /// * [`MemoryError::Unreadable`] of a file that is damaged or something else; nothing is written to it.
    /// * [`MemoryError::Later`] of a format that is not known yet.
    /// * [`MemoryError::Earlier`] of an earlier format in a file that may only be read.
    /// * [`MemoryError::Path`] of an empty path.
    /// * [`MemoryError::Folder`], [`MemoryError::Store`] of what the system refuses.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, MemoryError> {
        let path = path.into();
        let Opened {
            connection,
            writable,
            store,
        } = file::open(&path, PATIENCE)?;
        Ok(Self {
            path,
            store,
            writable,
            patience: PATIENCE,
            log_holds_deleted: AtomicBool::new(false),
            connection: Mutex::new(connection),
        })
    }

    /// The archive that waits so long for another writer, instead of 10 s, before it fails.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Store`] of what the system refuses.
    pub fn with_patience(mut self, patience: Duration) -> Result<Self, MemoryError> {
        self.patience = patience;
        self.read(|connection| connection.busy_timeout(patience))?;
        Ok(self)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole file and compares tables with their indices.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Unreadable`] names what does not fit.
    pub fn check(&self) -> Result<(), MemoryError> {
        let found: String =
            self.read(|connection| connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)))?;
        let indices = self.write(|transaction| {
            for index in ["turns_index", "facts_index"] {
                // 1: with the texts that they are of.
                let check = format!("INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)");
                transaction.execute(&check, [])?;
            }
            Ok(())
        });
        match (found.as_str(), indices) {
            ("ok", result) => result,
            (reason, _) => Err(MemoryError::Unreadable {
                path: self.path.clone(),
                reason: reason.to_owned(),
            }),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic amid a transaction rolled it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, MemoryError> {
        read(&self.connection()).map_err(|error| At(&self.path).failed(error))
    }

    fn write<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, MemoryError> {
        if !self.writable {
            let path = self.path.clone();
            return Err(MemoryError::ReadOnly { path });
        }
        let mut connection = self.connection();
        let result = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let value = write(&transaction)?;
                transaction.commit()?;
                Ok(value)
            })
            .inspect(|_| {
                // What is written is written: a log that cannot be emptied is tried again.
                let _ = self.empty_log(&connection);
            });
        result.map_err(|error| At(&self.path).failed(error))
    }

    /// [`Archive::write`] of something that deletes texts, of which nothing is left in any file then.
    fn erase<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, MemoryError> {
        self.log_holds_deleted.store(true, Ordering::Relaxed);
        self.write(write)
    }

    /// Brings what the log has into the file, where it holds something that was deleted. Where somebody reads it for too
    /// long, the next write does so, or the end of the archive.
    fn empty_log(&self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.log_holds_deleted.load(Ordering::Relaxed) {
            return Ok(());
        }
        connection.busy_timeout(self.patience.min(LOG_PATIENCE))?;
        let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        connection.busy_timeout(self.patience)?;
        let in_use: bool = emptied?;
        self.log_holds_deleted.store(in_use, Ordering::Relaxed);
        Ok(())
    }

    fn at_one_moment(&self, id: ConversationId) -> Result<(Head, Vec<(KeptTurn, i64)>), MemoryError> {
        let found = self.read(|connection| {
            // What is read within a transaction is of one moment.
            let moment = connection.unchecked_transaction()?;
            let Some(head) = head(&moment, id)? else {
                return Ok(None);
            };
            Ok(Some((head, turns(&moment, id)?)))
        })?;
        found.ok_or(MemoryError::NoConversation { id })
    }

    /// [`Archive::erase`] of something of a conversation that has to be there.
    fn erase_of<T>(
        &self,
        id: ConversationId,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, MemoryError> {
        self.erase(|transaction| if_there(transaction, id, write))?
            .ok_or(MemoryError::NoConversation { id })
    }

    /// Puts turns in the place of those from number `from` on, where `fits` says so of the revision and the number of
    /// turns before; both, and whether they fit.
    fn put(
        &self,
        id: ConversationId,
        from: usize,
        turns: &[KeptTurn],
        fits: impl Fn(Revision, usize) -> bool,
    ) -> Result<(bool, Revision, usize), MemoryError> {
        let written = self.write(|transaction| {
            let Some(Head { revision: known, .. }) = head(transaction, id)? else {
                return Ok(None);
            };
            let found = turns_of(transaction, id)?;
            let fits = fits(known, found) && from <= found;
            if fits {
                if from < found {
                    self.log_holds_deleted.store(true, Ordering::Relaxed);
                    forget_turns(transaction, id, from)?;
                }
                for (number, turn) in (from..).zip(turns) {
                    insert_turn(transaction, id, number, turn, now())?;
                }
                touch(transaction, id)?;
            }
            Ok(Some((fits, known, found)))
        })?;
        written.ok_or(MemoryError::NoConversation { id })
    }
}

/// What `write` does, if there is such a conversation.
fn if_there<T>(
    transaction: &Transaction<'_>,
    id: ConversationId,
    write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    match exists(transaction, id)? {
        true => write(transaction).map(Some),
        false => Ok(None),
    }
}

/// Empties the log, where others kept it from that before.
impl Drop for Archive {
    fn drop(&mut self) {
        // Nobody is left to be told; what has the file open still empties the log when it ends.
        let _ = self.empty_log(&self.connection());
    }
}

fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<usize> {
    let count: i64 = row.get(column)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or_default() / 1000
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

fn time(milliseconds: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

impl Memory for Archive {
    fn store(&self) -> StoreId {
        self.store.clone()
    }

    fn begin(&self, title: &str) -> Result<ConversationId, MemoryError> {
        self.begin_with(title, &[])
    }

    fn begin_with(&self, title: &str, turns: &[KeptTurn]) -> Result<ConversationId, MemoryError> {
        self.write(|transaction| {
            let id = insert_conversation(transaction, title, now())?;
            for (number, turn) in turns.iter().enumerate() {
                insert_turn(transaction, id, number, turn, now())?;
            }
            Ok(id)
        })
    }

    fn replace(
        &self,
        id: ConversationId,
        from: usize,
        known: Revision,
        turns: &[KeptTurn],
    ) -> Result<Revision, MemoryError> {
        match self.put(id, from, turns, |revision, _| revision == known)? {
            (true, Revision(before), _) => Ok(Revision(before + 1)),
            (false, revision, found) if revision == known => {
                let number = from;
                Err(MemoryError::TurnNumber { id, number, found })
            }
            (false, found, _) => Err(MemoryError::Changed { id, known, found }),
        }
    }

    fn rewrite(
        &self,
        id: ConversationId,
        from: usize,
        expected: usize,
        turns: &[KeptTurn],
    ) -> Result<(), MemoryError> {
        match self.put(id, from, turns, |_, found| found == expected)? {
            (true, ..) => Ok(()),
            (false, _, found) => {
                let number = from;
                Err(MemoryError::TurnNumber { id, number, found })
            }
        }
    }

    fn truncate(&self, id: ConversationId, turns: usize) -> Result<(), MemoryError> {
        self.erase_of(id, |transaction| {
            forget_turns(transaction, id, turns)?;
            touch(transaction, id)
        })
    }

    fn turns(&self, id: ConversationId) -> Result<Vec<KeptTurn>, MemoryError> {
        self.snapshot(id).map(|snapshot| snapshot.turns)
    }

    fn snapshot(&self, id: ConversationId) -> Result<Snapshot, MemoryError> {
        let (head, turns) = self.at_one_moment(id)?;
        Ok(Snapshot {
            title: head.title,
            turns: turns.into_iter().map(|(turn, _)| turn).collect(),
            revision: head.revision,
        })
    }

    fn export(&self, id: ConversationId) -> Result<PortableConversation, MemoryError> {
        let (head, turns) = self.at_one_moment(id)?;
        let turns = turns.into_iter().map(|(turn, kept)| PortableTurn {
            turn,
            kept: Some(seconds(kept)),
        });
        Ok(PortableConversation {
            title: head.title,
            updated: seconds(head.updated),
            turns: turns.collect(),
        })
    }

    fn import(&self, conversation: &PortableConversation) -> Result<ConversationId, MemoryError> {
        let updated = milliseconds(conversation.updated);
        self.write(|transaction| {
            let id = insert_conversation(transaction, &conversation.title, updated)?;
            for (number, PortableTurn { turn, kept }) in conversation.turns.iter().enumerate() {
                let kept = kept.map_or(updated, milliseconds);
                insert_turn(transaction, id, number, turn, kept)?;
            }
            Ok(id)
        })
    }

    fn outline(&self, id: ConversationId) -> Result<Outline, MemoryError> {
        let found = self.read(|connection| {
            let query = format!("{OUTLINES} WHERE id = ?1");
            connection.query_row(&query, [id.0], outline).optional()
        })?;
        found.ok_or(MemoryError::NoConversation { id })
    }

    fn conversations(&self) -> Result<Vec<Outline>, MemoryError> {
        self.read(|connection| {
            let query = format!("{OUTLINES} ORDER BY updated DESC, id DESC");
            let mut statement = connection.prepare_cached(&query)?;
            statement.query_map([], outline)?.collect()
        })
    }

    fn rename(&self, id: ConversationId, title: &str) -> Result<(), MemoryError> {
        self.erase_of(id, |transaction| {
            transaction.execute(
                "UPDATE conversations SET title = ?2 WHERE id = ?1",
                params![id.0, title],
            )?;
            Ok(())
        })
    }

    fn branch(&self, id: ConversationId, turns: usize, title: &str) -> Result<ConversationId, MemoryError> {
        let branched = self.write(|transaction| {
            if_there(transaction, id, |transaction| {
                let new = insert_conversation(transaction, title, now())?;
                transaction.execute(
                    "INSERT INTO turns (conversation, number, said, answered, pairs, rest, kept)
                     SELECT ?1, number, said, answered, pairs, rest, kept FROM turns
                     WHERE conversation = ?2 AND number < ?3 ORDER BY number",
                    params![new.0, id.0, turns as i64],
                )?;
                Ok(new)
            })
        })?;
        branched.ok_or(MemoryError::NoConversation { id })
    }

    fn delete(&self, id: ConversationId) -> Result<bool, MemoryError> {
        self.erase(|transaction| {
            // Cascades run no triggers for each row unless the rows are deleted by name.
            transaction.execute("DELETE FROM turns WHERE conversation = ?1", [id.0])?;
            Ok(transaction.execute("DELETE FROM conversations WHERE id = ?1", [id.0])? > 0)
        })
    }

    fn remember(&self, fact: &str) -> Result<FactId, MemoryError> {
        let fact = fact.trim();
        if fact.is_empty() {
            return Err(MemoryError::EmptyFact);
        }
        self.write(|transaction| {
            transaction.query_row(
                "INSERT INTO facts (fact, pairs, kept) VALUES (?1, ?2, ?3)
                 ON CONFLICT (fact) DO UPDATE SET kept = excluded.kept RETURNING id",
                params![fact, pairs(fact), now()],
                |row| row.get(0).map(FactId),
            )
        })
    }

    fn facts(&self) -> Result<Vec<Fact>, MemoryError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, fact, kept FROM facts ORDER BY kept DESC, id DESC")?;
            let facts = statement.query_map([], |row| {
                Ok(Fact {
                    id: FactId(row.get(0)?),
                    text: row.get(1)?,
                    created: time(row.get(2)?),
                })
            })?;
            facts.collect()
        })
    }

    fn forget(&self, id: FactId) -> Result<bool, MemoryError> {
        self.erase(|transaction| Ok(transaction.execute("DELETE FROM facts WHERE id = ?1", [id.0])? > 0))
    }

    fn recall(&self, query: &Query<'_>) -> Result<Vec<Recalled>, MemoryError> {
        self.read(|connection| ranking::recall(connection, query, now()))
    }

    fn unindexed(&self, model: &str, limit: usize) -> Result<Vec<Unindexed>, MemoryError> {
        self.read(|connection| vectors::missing(connection, model, limit))
    }

    fn keep_vectors(&self, model: &str, vectors: &[(Item, Vec<f32>)]) -> Result<(), MemoryError> {
        let refused = self.write(|transaction| vectors::keep(transaction, model, vectors))?;
        match refused {
            None => Ok(()),
            Some((known, got)) => Err(MemoryError::Dimension {
                model: model.to_owned(),
                known,
                got,
            }),
        }
    }

    fn forget_vectors(&self, model: &str) -> Result<bool, MemoryError> {
        self.write(|transaction| Ok(transaction.execute("DELETE FROM models WHERE name = ?1", [model])? > 0))
    }

    fn clear(&self) -> Result<(), MemoryError> {
        self.erase(|transaction| {
            for table in ["turns", "conversations", "facts", "models"] {
                transaction.execute(&format!("DELETE FROM {table}"), [])?;
            }
            for index in ["turns_index", "facts_index"] {
                transaction.execute(&format!("INSERT INTO {index} ({index}) VALUES ('rebuild')"), [])?;
            }
            Ok(())
        })?;
        self.read(|connection| connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
    }
}
