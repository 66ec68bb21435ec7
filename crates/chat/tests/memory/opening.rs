//! Files that an archive opens: new ones, old ones, locked ones.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chat::memory::{Archive, ConversationId, Memory as _, MemoryError, Portable, Query};

use crate::folder::{Folder, keep, turn};

/// A file of the first format, with a conversation and a fact.
const FIRST: &str = "
    CREATE TABLE conversations (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, updated INTEGER NOT NULL);
    CREATE TABLE turns (id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE, number INTEGER NOT NULL,
        said TEXT NOT NULL, answered TEXT NOT NULL, rest TEXT NOT NULL, kept INTEGER NOT NULL,
        UNIQUE (conversation, number));
    CREATE TABLE facts (id INTEGER PRIMARY KEY AUTOINCREMENT, fact TEXT NOT NULL UNIQUE, kept INTEGER NOT NULL);
    CREATE VIRTUAL TABLE turns_index USING fts5 (said, answered, content = 'turns', content_rowid = 'id',
        tokenize = 'unicode61 remove_diacritics 2');
    CREATE VIRTUAL TABLE facts_index USING fts5 (fact, content = 'facts', content_rowid = 'id',
        tokenize = 'unicode61 remove_diacritics 2');
    CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
        INSERT INTO turns_index (rowid, said, answered) VALUES (new.id, new.said, new.answered); END;
    CREATE TRIGGER turns_deleted AFTER DELETE ON turns BEGIN
        INSERT INTO turns_index (turns_index, rowid, said, answered)
        VALUES ('delete', old.id, old.said, old.answered); END;
    CREATE TRIGGER facts_added AFTER INSERT ON facts BEGIN
        INSERT INTO facts_index (rowid, fact) VALUES (new.id, new.fact); END;
    CREATE TRIGGER facts_deleted AFTER DELETE ON facts BEGIN
        INSERT INTO facts_index (facts_index, rowid, fact) VALUES ('delete', old.id, old.fact); END;
    PRAGMA application_id = 2003395435;
    PRAGMA user_version = 1;
    INSERT INTO conversations (id, title, updated) VALUES (1, 'old', 1000);
    INSERT INTO turns (conversation, number, said, answered, rest, kept)
    VALUES (1, 0, 'what?', '東京都', '{\"reasoning\":\"\",\"between\":[],\"interrupted\":false}', 1000);
    INSERT INTO facts (fact, kept) VALUES ('likes tea', 1000), ('owes xyzzy money', 1000);
    DELETE FROM facts WHERE fact LIKE 'owes%';
";

fn first_format(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch(FIRST).unwrap();
}

#[test]
fn a_file_of_the_first_format_is_brought_to_that_of_today() {
    let folder = Folder::new();
    first_format(&folder.file());
    assert!(folder.holds("xyzzy"));
    let archive = folder.archive();
    let id = ConversationId(1);
    assert_eq!(archive.turns(id).unwrap(), [turn("what?", "東京都")]);
    assert_eq!(archive.unindexed("model", 9).unwrap().len(), 2);
    assert_eq!(archive.recall(&Query::words("tea", 9)).unwrap().len(), 1);
    assert_eq!(archive.recall(&Query::words("京都", 9)).unwrap().len(), 1);
    // What was deleted before had left its words behind.
    assert!(!folder.holds("xyzzy"));
    archive.append(id, 1, &turn("more", "words")).unwrap();
    archive.check().unwrap();
    archive.delete(id).unwrap();
    assert!(!folder.holds("words"));
}

#[test]
fn what_cannot_be_closed_while_somebody_reads_is_closed_later() {
    let folder = Folder::new();
    first_format(&folder.file());
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM facts;")
        .unwrap();
    let archive = folder.archive();
    assert_eq!(archive.facts().unwrap().len(), 1);
    assert!(folder.holds("xyzzy"));
    drop(archive);
    reader.execute_batch("COMMIT").unwrap();
    folder.archive();
    assert!(!folder.holds("xyzzy"));
}

#[test]
fn an_export_of_nothing_is_imported_as_nothing() {
    let nothing = Portable::default();
    assert_eq!(Portable::read(&nothing.to_markdown()).unwrap(), nothing);
}

/// Makes a file and its folder ones that may only be read, or the other way round.
fn lock(folder: &Folder, locked: bool) {
    for path in [folder.file(), folder.file().parent().unwrap().to_owned()] {
        let mut permissions = path.metadata().unwrap().permissions();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            permissions.set_mode(match (locked, path.is_dir()) {
                (true, true) => 0o500,
                (true, false) => 0o400,
                (false, true) => 0o700,
                (false, false) => 0o600,
            });
        }
        #[cfg(not(unix))]
        permissions.set_readonly(locked);
        std::fs::set_permissions(path, permissions).unwrap();
    }
}

#[test]
fn a_file_that_may_only_be_read_is_listed_searched_and_exported() {
    let folder = Folder::new();
    let id = keep(&folder.archive(), "a", &[("what?", "that")]);
    folder.archive().remember("likes tea").unwrap();
    lock(&folder, true);
    let before = std::fs::read(folder.file()).unwrap();
    let archive = folder.archive();
    assert_eq!(archive.conversations().unwrap()[0].id, id);
    assert_eq!(archive.recall(&Query::words("tea", 9)).unwrap().len(), 1);
    assert_eq!(Portable::of(&archive).unwrap().conversations[0].turns.len(), 1);
    for error in [
        archive.remember("more").unwrap_err(),
        archive.append(id, 1, &turn("a", "b")).unwrap_err(),
        archive.delete(id).unwrap_err(),
        archive.clear().unwrap_err(),
    ] {
        assert!(matches!(error, MemoryError::ReadOnly { .. }), "{error}");
        assert!(error.to_string().contains("may only be read"), "{error}");
    }
    drop(archive);
    assert_eq!(std::fs::read(folder.file()).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(folder.file().parent().unwrap())
            .unwrap()
            .count(),
        1
    );
    lock(&folder, false);
    folder.archive().remember("more").unwrap();
}

#[test]
fn an_earlier_format_that_may_only_be_read_is_told_by_its_number() {
    let folder = Folder::new();
    first_format(&folder.file());
    lock(&folder, true);
    let error = Archive::open(folder.file()).unwrap_err();
    assert!(
        matches!(error, MemoryError::Earlier { found: 1, .. }),
        "{error:?}"
    );
    lock(&folder, false);
}

#[test]
fn who_reads_does_not_wait_for_who_writes() {
    let folder = Folder::new();
    keep(&folder.archive(), "a", &[("what?", "the tide")]);
    let writer = rusqlite::Connection::open(folder.file()).unwrap();
    writer
        .execute_batch("BEGIN IMMEDIATE; UPDATE conversations SET title = 'b'")
        .unwrap();
    let begun = Instant::now();
    let archive = folder.archive();
    assert_eq!(archive.conversations().unwrap()[0].title, "a");
    assert_eq!(archive.recall(&Query::words("tide", 9)).unwrap().len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look_into_what_is_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let path = folder.0.join("one/two/memory.db");
    let archive = Archive::open(&path).unwrap();
    archive.remember("likes tea").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for (name, wanted) in [
        ("one", 0o700),
        ("one/two", 0o700),
        ("one/two/memory.db", 0o600),
        ("one/two/memory.db-wal", 0o600),
        ("one/two/memory.db-shm", 0o600),
    ] {
        assert_eq!(mode(&folder.0.join(name)), wanted, "{name}");
    }
}

#[test]
fn a_path_is_a_path() {
    let folder = Folder::new();
    let inside = folder.0.join("file:a?mode=memory&cache=private");
    for path in [
        inside.clone(),
        folder.0.join(":memory:"),
        folder.0.join("100%25 #1.db"),
    ] {
        Archive::open(&path).unwrap().remember("likes tea").unwrap();
        assert_eq!(
            Archive::open(&path).unwrap().facts().unwrap().len(),
            1,
            "{path:?}"
        );
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions).unwrap();
        assert_eq!(
            Archive::open(&path).unwrap().facts().unwrap().len(),
            1,
            "{path:?}"
        );
    }
    assert!(matches!(Archive::open(""), Err(MemoryError::Path { .. })));
}

/// The variable that says that a test runs as a process of its own, in a folder of its own.
const RELATIVE: &str = "CHAT_MEMORY_RELATIVE";

/// A path that begins where the process stands: as people write it.
#[test]
fn a_name_that_means_something_to_sqlite_is_a_file_where_the_process_stands() {
    let names = [":memory:", "file:b.db", "file:c?mode=memory"];
    if std::env::var_os(RELATIVE).is_some() {
        for name in names {
            Archive::open(name).unwrap().remember("likes tea").unwrap();
            assert_eq!(Archive::open(name).unwrap().facts().unwrap().len(), 1, "{name}");
        }
        return;
    }
    let folder = Folder::new();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "opening::a_name_that_means_something_to_sqlite_is_a_file_where_the_process_stands",
            "--exact",
        ])
        .env(RELATIVE, "1")
        .current_dir(&folder.0)
        .status()
        .unwrap();
    assert!(status.success());
    for name in names {
        assert!(
            folder.0.join(PathBuf::from(name)).metadata().unwrap().len() > 0,
            "{name}"
        );
    }
}
