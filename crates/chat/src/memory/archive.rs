//! A memory in one file of SQLite.
//!
//! A writer holds the file for the length of one transaction, and others wait; readers never wait (write-ahead log). A
//! process that is killed leaves transactions whole. Texts are indexed for recall by triggers, so that index and tables
//! cannot part.

mod file;
mod ranking;
mod vectors;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    ConversationId, Fact, FactId, Item, KeptTurn, Memory, MemoryError, Outline, Query, Recalled, Unindexed,
};
use file::At;

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file of conversations and facts.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Archive {
    /// Opens a file, or makes it with its folder.
    ///
    /// # Errors
    ///
    /// * [`MemoryError::Unreadable`] of a file that is damaged or something else; nothing is written to it.
    /// * [`MemoryError::Later`] of a format that is not known yet.
    /// * [`MemoryError::Folder`], [`MemoryError::Store`] of what the system refuses.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, MemoryError> {
        let path = path.into();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| MemoryError::Folder {
                path: path.clone(),
                source,
            })?;
        }
        let at = At(&path);
        let mut connection = Connection::open(&path).map_err(|error| at.failed(error))?;
        connection
            .busy_timeout(PATIENCE)
            .map_err(|error| at.failed(error))?;
        at.prepare(&mut connection)?;
        Ok(Self {
            path,
            connection: Mutex::new(connection),
        })
    }

    /// The archive that waits so long for another writer, instead of 10 s, before it fails.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Store`] of what the system refuses.
    pub fn with_patience(self, patience: Duration) -> Result<Self, MemoryError> {
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
            transaction.execute(
                "INSERT INTO turns_index (turns_index) VALUES ('integrity-check')",
                [],
            )?;
            transaction.execute(
                "INSERT INTO facts_index (facts_index) VALUES ('integrity-check')",
                [],
            )?;
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
        let mut connection = self.connection();
        let result = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let value = write(&transaction)?;
                transaction.commit()?;
                Ok(value)
            });
        result.map_err(|error| At(&self.path).failed(error))
    }

    /// [`Archive::write`] of something about a conversation that has to be there.
    fn write_to<T>(
        &self,
        id: ConversationId,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, MemoryError> {
        let written = self.write(|transaction| {
            if exists(transaction, id)? {
                write(transaction).map(Some)
            } else {
                Ok(None)
            }
        })?;
        written.ok_or(MemoryError::NoConversation { id })
    }
}

fn exists(connection: &Connection, id: ConversationId) -> rusqlite::Result<bool> {
    connection
        .query_row("SELECT 1 FROM conversations WHERE id = ?1", [id.0], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

fn turns_of(connection: &Connection, id: ConversationId) -> rusqlite::Result<usize> {
    connection.query_row(
        "SELECT count(*) FROM turns WHERE conversation = ?1",
        [id.0],
        |row| count(row, 0),
    )
}

fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<usize> {
    let count: i64 = row.get(column)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

fn touch(connection: &Connection, id: ConversationId) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE conversations SET updated = ?2 WHERE id = ?1",
        params![id.0, now()],
    )?;
    Ok(())
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

/// What an [`Outline`] is read from.
const OUTLINES: &str = "SELECT id, title, updated,
    (SELECT count(*) FROM turns WHERE conversation = conversations.id) FROM conversations";

fn outline(row: &rusqlite::Row<'_>) -> rusqlite::Result<Outline> {
    Ok(Outline {
        id: ConversationId(row.get(0)?),
        title: row.get(1)?,
        updated: time(row.get(2)?),
        turns: count(row, 3)?,
    })
}

/// What of a turn has no column of its own.
#[derive(serde::Serialize, serde::Deserialize)]
struct Rest {
    reasoning: String,
    between: Vec<engine::Message>,
    #[serde(default)]
    tool_calls: Vec<engine::ToolCall>,
    interrupted: bool,
}

fn insert_conversation(connection: &Connection, title: &str) -> rusqlite::Result<ConversationId> {
    connection.execute(
        "INSERT INTO conversations (title, updated) VALUES (?1, ?2)",
        params![title, now()],
    )?;
    Ok(ConversationId(connection.last_insert_rowid()))
}

fn forget_turns(connection: &Connection, id: ConversationId, from: usize) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM turns WHERE conversation = ?1 AND number >= ?2",
        params![id.0, from as i64],
    )?;
    Ok(())
}

fn insert_turn(
    connection: &Connection,
    id: ConversationId,
    number: usize,
    turn: &KeptTurn,
) -> rusqlite::Result<()> {
    let rest = Rest {
        reasoning: turn.reasoning.clone(),
        between: turn.between.clone(),
        tool_calls: turn.tool_calls.clone(),
        interrupted: turn.interrupted,
    };
    let rest = serde_json::to_string(&rest)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection.execute(
        "INSERT INTO turns (conversation, number, said, answered, rest, kept) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id.0, number as i64, turn.user, turn.answer, rest, now()],
    )?;
    Ok(())
}

impl Memory for Archive {
    fn begin(&self, title: &str) -> Result<ConversationId, MemoryError> {
        self.begin_with(title, &[])
    }

    fn begin_with(&self, title: &str, turns: &[KeptTurn]) -> Result<ConversationId, MemoryError> {
        self.write(|transaction| {
            let id = insert_conversation(transaction, title)?;
            for (number, turn) in turns.iter().enumerate() {
                insert_turn(transaction, id, number, turn)?;
            }
            Ok(id)
        })
    }

    fn rewrite(
        &self,
        id: ConversationId,
        from: usize,
        expected: usize,
        turns: &[KeptTurn],
    ) -> Result<(), MemoryError> {
        let fits = |found| found == expected && from <= found;
        let found = self.write_to(id, |transaction| {
            let found = turns_of(transaction, id)?;
            if fits(found) {
                forget_turns(transaction, id, from)?;
                for (number, turn) in (from..).zip(turns) {
                    insert_turn(transaction, id, number, turn)?;
                }
                touch(transaction, id)?;
            }
            Ok(found)
        })?;
        if fits(found) {
            Ok(())
        } else {
            let number = from;
            Err(MemoryError::TurnNumber { id, number, found })
        }
    }

    fn truncate(&self, id: ConversationId, turns: usize) -> Result<(), MemoryError> {
        self.write_to(id, |transaction| {
            forget_turns(transaction, id, turns)?;
            touch(transaction, id)
        })
    }

    fn turns(&self, id: ConversationId) -> Result<Vec<KeptTurn>, MemoryError> {
        let turns = self.read(|connection| {
            if !exists(connection, id)? {
                return Ok(None);
            }
            let mut statement = connection.prepare_cached(
                "SELECT said, answered, rest FROM turns WHERE conversation = ?1 ORDER BY number",
            )?;
            let turns = statement.query_map([id.0], |row| {
                let rest: String = row.get(2)?;
                let rest: Rest = serde_json::from_str(&rest).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
                })?;
                Ok(KeptTurn {
                    user: row.get(0)?,
                    answer: row.get(1)?,
                    reasoning: rest.reasoning,
                    between: rest.between,
                    tool_calls: rest.tool_calls,
                    interrupted: rest.interrupted,
                })
            })?;
            turns.collect::<rusqlite::Result<_>>().map(Some)
        })?;
        turns.ok_or(MemoryError::NoConversation { id })
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
        self.write_to(id, |transaction| {
            transaction.execute(
                "UPDATE conversations SET title = ?2 WHERE id = ?1",
                params![id.0, title],
            )?;
            Ok(())
        })
    }

    fn branch(&self, id: ConversationId, turns: usize, title: &str) -> Result<ConversationId, MemoryError> {
        self.write_to(id, |transaction| {
            let new = insert_conversation(transaction, title)?;
            transaction.execute(
                "INSERT INTO turns (conversation, number, said, answered, rest, kept)
                 SELECT ?1, number, said, answered, rest, kept FROM turns
                 WHERE conversation = ?2 AND number < ?3 ORDER BY number",
                params![new.0, id.0, turns as i64],
            )?;
            Ok(new)
        })
    }

    fn delete(&self, id: ConversationId) -> Result<bool, MemoryError> {
        self.write(|transaction| {
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
                "INSERT INTO facts (fact, kept) VALUES (?1, ?2)
                 ON CONFLICT (fact) DO UPDATE SET kept = excluded.kept RETURNING id",
                params![fact, now()],
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
        self.write(|transaction| Ok(transaction.execute("DELETE FROM facts WHERE id = ?1", [id.0])? > 0))
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
        self.write(|transaction| {
            for table in ["turns", "conversations", "facts", "models"] {
                transaction.execute(&format!("DELETE FROM {table}"), [])?;
            }
            for index in ["turns_index", "facts_index"] {
                transaction.execute(&format!("INSERT INTO {index} ({index}) VALUES ('rebuild')"), [])?;
            }
            Ok(())
        })?;
        // The log and free pages still hold what was deleted.
        self.read(|connection| connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
    }
}
