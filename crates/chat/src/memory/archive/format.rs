//! The format of an archive's file, and how a file of an earlier one is brought to it.
//!
//! A migration that has been released is never changed: another one follows it.

use rusqlite::{Connection, params};

use crate::memory::pairs::pairs;

/// Each brings a file from one format to the next.
const MIGRATIONS: [&str; 4] = [
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
    "
    -- How often a conversation's turns have changed.
    ALTER TABLE conversations ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
    -- Pairs of characters of texts that set no spaces between words; filled in by the program.
    ALTER TABLE turns ADD COLUMN pairs TEXT NOT NULL DEFAULT '';
    ALTER TABLE facts ADD COLUMN pairs TEXT NOT NULL DEFAULT '';
    -- What tells this file from every other.
    CREATE TABLE store (
        name TEXT NOT NULL,
        -- Whether gaps of pages may hold what was deleted before deletions overwrote it.
        has_gaps INTEGER NOT NULL
    );
    INSERT INTO store (name, has_gaps)
    VALUES (lower(hex(randomblob(16))), EXISTS (SELECT 1 FROM sqlite_sequence));
    DROP TRIGGER turns_added;
    DROP TRIGGER turns_deleted;
    DROP TRIGGER facts_added;
    DROP TRIGGER facts_deleted;
    DROP TABLE turns_index;
    DROP TABLE facts_index;
",
    "
    CREATE VIRTUAL TABLE turns_index USING fts5 (
        said, answered, pairs, content = 'turns', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE VIRTUAL TABLE facts_index USING fts5 (
        fact, pairs, content = 'facts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    );
    -- Words of what is deleted leave the index at once.
    INSERT INTO turns_index (turns_index, rank) VALUES ('secure-delete', 1);
    INSERT INTO facts_index (facts_index, rank) VALUES ('secure-delete', 1);
    INSERT INTO turns_index (turns_index) VALUES ('rebuild');
    INSERT INTO facts_index (facts_index) VALUES ('rebuild');
    CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
        INSERT INTO turns_index (rowid, said, answered, pairs) VALUES (new.id, new.said, new.answered, new.pairs);
    END;
    CREATE TRIGGER turns_deleted AFTER DELETE ON turns BEGIN
        INSERT INTO turns_index (turns_index, rowid, said, answered, pairs)
        VALUES ('delete', old.id, old.said, old.answered, old.pairs);
    END;
    CREATE TRIGGER facts_added AFTER INSERT ON facts BEGIN
        INSERT INTO facts_index (rowid, fact, pairs) VALUES (new.id, new.fact, new.pairs);
    END;
    CREATE TRIGGER facts_deleted AFTER DELETE ON facts BEGIN
        INSERT INTO facts_index (facts_index, rowid, fact, pairs) VALUES ('delete', old.id, old.fact, old.pairs);
    END;
",
];
/// The format after which what texts hold of pairs is filled in.
const WITH_PAIRS: usize = 3;

/// The format of today.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Brings a file from format `found` to that of today.
pub(super) fn migrate(transaction: &Connection, found: i64) -> rusqlite::Result<()> {
    let found = usize::try_from(found).unwrap_or_default();
    for (format, migration) in (1..).zip(MIGRATIONS).skip(found) {
        transaction.execute_batch(migration)?;
        if format == WITH_PAIRS {
            fill(
                transaction,
                "SELECT id, fact FROM facts",
                "UPDATE facts SET pairs = ?2 WHERE id = ?1",
            )?;
            fill(
                transaction,
                "SELECT id, said || char(10) || answered FROM turns",
                "UPDATE turns SET pairs = ?2 WHERE id = ?1",
            )?;
        }
    }
    transaction.pragma_update(None, "user_version", KNOWN)
}

/// Fills in the pairs of texts.
fn fill(connection: &Connection, select: &str, update: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(select)?;
    let texts = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // All are read before the first is written: a reader of a table that changes may see a row twice.
    let texts: Vec<(i64, String)> = texts
        .map(|text| text.map(|(id, text): (i64, String)| (id, pairs(&text))))
        .filter(|text| !matches!(text, Ok((_, pairs)) if pairs.is_empty()))
        .collect::<rusqlite::Result<_>>()?;
    let mut update = connection.prepare(update)?;
    for (id, pairs) in texts {
        update.execute(params![id, pairs])?;
    }
    Ok(())
}
