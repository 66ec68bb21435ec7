//! Conversations and turns as rows of an archive.
//!
//! Whatever changes a conversation's turns gives it another revision.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{count, now, time};
use crate::memory::pairs::pairs;
use crate::memory::{ConversationId, KeptTurn, Outline, Revision};

pub(super) fn exists(connection: &Connection, id: ConversationId) -> rusqlite::Result<bool> {
    connection
        .query_row("SELECT 1 FROM conversations WHERE id = ?1", [id.0], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

pub(super) fn turns_of(connection: &Connection, id: ConversationId) -> rusqlite::Result<usize> {
    connection.query_row(
        "SELECT count(*) FROM turns WHERE conversation = ?1",
        [id.0],
        |row| count(row, 0),
    )
}

pub(super) fn touch(connection: &Connection, id: ConversationId) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE conversations SET updated = ?2, revision = revision + 1 WHERE id = ?1",
        params![id.0, now()],
    )?;
    Ok(())
}

/// A conversation without its turns.
pub(super) struct Head {
    pub(super) title: String,
    /// Milliseconds since 1970.
    pub(super) updated: i64,
    pub(super) revision: Revision,
}

pub(super) fn head(connection: &Connection, id: ConversationId) -> rusqlite::Result<Option<Head>> {
    let select = "SELECT title, updated, revision FROM conversations WHERE id = ?1";
    let head = connection.query_row(select, [id.0], |row| {
        Ok(Head {
            title: row.get(0)?,
            updated: row.get(1)?,
            revision: Revision(row.get(2)?),
        })
    });
    head.optional()
}

/// The turns of a conversation, oldest first, each with when it was kept, in milliseconds since 1970.
pub(super) fn turns(connection: &Connection, id: ConversationId) -> rusqlite::Result<Vec<(KeptTurn, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT said, answered, rest, kept FROM turns WHERE conversation = ?1 ORDER BY number",
    )?;
    let turns = statement.query_map([id.0], |row| {
        let rest: String = row.get(2)?;
        let rest: Rest = serde_json::from_str(&rest).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
        })?;
        let turn = KeptTurn {
            user: row.get(0)?,
            answer: row.get(1)?,
            reasoning: rest.reasoning,
            between: rest.between,
            tool_calls: rest.tool_calls,
            interrupted: rest.interrupted,
        };
        Ok((turn, row.get(3)?))
    })?;
    turns.collect()
}

/// What an [`Outline`] is read from.
pub(super) const OUTLINES: &str = "SELECT id, title, updated,
    (SELECT count(*) FROM turns WHERE conversation = conversations.id) FROM conversations";

pub(super) fn outline(row: &rusqlite::Row<'_>) -> rusqlite::Result<Outline> {
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

pub(super) fn insert_conversation(
    connection: &Connection,
    title: &str,
    updated: i64,
) -> rusqlite::Result<ConversationId> {
    connection.execute(
        "INSERT INTO conversations (title, updated) VALUES (?1, ?2)",
        params![title, updated],
    )?;
    Ok(ConversationId(connection.last_insert_rowid()))
}

pub(super) fn forget_turns(connection: &Connection, id: ConversationId, from: usize) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM turns WHERE conversation = ?1 AND number >= ?2",
        params![id.0, from as i64],
    )?;
    Ok(())
}

pub(super) fn insert_turn(
    connection: &Connection,
    id: ConversationId,
    number: usize,
    turn: &KeptTurn,
    kept: i64,
) -> rusqlite::Result<()> {
    let rest = Rest {
        reasoning: turn.reasoning.clone(),
        between: turn.between.clone(),
        tool_calls: turn.tool_calls.clone(),
        interrupted: turn.interrupted,
    };
    let rest = serde_json::to_string(&rest)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let pairs = pairs(&format!("{}\n{}", turn.user, turn.answer));
    connection.execute(
        "INSERT INTO turns (conversation, number, said, answered, pairs, rest, kept)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id.0, number as i64, turn.user, turn.answer, pairs, rest, kept],
    )?;
    Ok(())
}
