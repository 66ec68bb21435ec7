//! The file of an archive: how it is known, and how it came to the format of today.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::memory::MemoryError;

/// Says in a file's header that it is ours: "wick".
const APPLICATION: i64 = 0x7769_636b;
/// Each brings a file from one format to the next.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL,
        updated INTEGER NOT NULL
    );
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        said TEXT NOT NULL,
        answered TEXT NOT NULL,
        -- What has no place of its own, as JSON.
        rest TEXT NOT NULL,
        kept INTEGER NOT NULL,
        UNIQUE (conversation, number)
    );
    CREATE TABLE facts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        fact TEXT NOT NULL UNIQUE,
        kept INTEGER NOT NULL
    );
    CREATE VIRTUAL TABLE turns_index USING fts5 (
        said, answered, content = 'turns', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE VIRTUAL TABLE facts_index USING fts5 (
        fact, content = 'facts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
        INSERT INTO turns_index (rowid, said, answered) VALUES (new.id, new.said, new.answered);
    END;
    CREATE TRIGGER turns_deleted AFTER DELETE ON turns BEGIN
        INSERT INTO turns_index (turns_index, rowid, said, answered)
        VALUES ('delete', old.id, old.said, old.answered);
    END;
    CREATE TRIGGER facts_added AFTER INSERT ON facts BEGIN
        INSERT INTO facts_index (rowid, fact) VALUES (new.id, new.fact);
    END;
    CREATE TRIGGER facts_deleted AFTER DELETE ON facts BEGIN
        INSERT INTO facts_index (facts_index, rowid, fact) VALUES ('delete', old.id, old.fact);
    END;
",
    "
    -- Embedding models, and what they made of texts: numbers of eight bits.
    CREATE TABLE models (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        dimension INTEGER NOT NULL
    );
    CREATE TABLE turn_vectors (
        model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
        item INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
        vector BLOB NOT NULL,
        UNIQUE (item, model)
    );
    CREATE TABLE fact_vectors (
        model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
        item INTEGER NOT NULL REFERENCES facts (id) ON DELETE CASCADE,
        vector BLOB NOT NULL,
        UNIQUE (item, model)
    );
",
];

/// A file that something is done to.
pub(super) struct At<'a>(pub(super) &'a Path);

impl At<'_> {
    /// Looks at what the file is, and brings it to the format of today.
    pub(super) fn prepare(&self, connection: &mut Connection) -> Result<(), MemoryError> {
        let number = |connection: &Connection, name: &str| -> Result<i64, MemoryError> {
            connection
                .pragma_query_value(None, name, |row| row.get(0))
                .map_err(|error| self.failed(error))
        };
        // The first look reads the header: a file that is none of SQLite's is found here.
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(|error| self.failed(error))?;
        if tables > 0 && number(connection, "application_id")? != APPLICATION {
            return Err(MemoryError::Unreadable {
                path: self.0.to_owned(),
                reason: "it is a database of another program".to_owned(),
            });
        }
        let known = MIGRATIONS.len() as i64;
        let found = number(connection, "user_version")?;
        if found > known {
            let path = self.0.to_owned();
            return Err(MemoryError::Later { path, found, known });
        }
        let mut prepared = || -> rusqlite::Result<()> {
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // What is deleted is overwritten.
            connection.pragma_update(None, "secure_delete", true)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have been faster.
            let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", known)?;
            transaction.commit()
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
            _ => MemoryError::Store {
                path,
                source: error.into(),
            },
        }
    }
}
