//! What fits a query, ranked: by words, by meaning, or by both.
//!
//! What is newer counts for more, up to twice as much as what is ancient, and never decides alone.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{count, time, vectors};
use crate::memory::query::any_word;
use crate::memory::{ConversationId, FactId, Item, Origin, Query, Recalled};

/// After so many days, what is recalled counts for half as much more than what is ancient.
const HALF_LIFE_DAYS: f64 = 30.0;
/// Candidates that are looked at for each that is asked for.
const CANDIDATES: usize = 8;
/// How little the first place counts for more than the second in a fusion of two rankings; the usual value.
const FUSION: f64 = 60.0;

/// The best `limit` of what fits, the best first.
///
/// * `now`: milliseconds since 1970.
pub(super) fn recall(
    connection: &Connection,
    query: &Query<'_>,
    now: i64,
) -> rusqlite::Result<Vec<Recalled>> {
    let mut found = by_words(connection, query, now)?;
    if let Some((model, vector)) = query.meaning {
        let near = by_meaning(connection, query, model, vector, now)?;
        found = fused([found, near]);
    }
    found.truncate(query.limit);
    Ok(found)
}

fn candidates(query: &Query<'_>) -> usize {
    query.limit.saturating_mul(CANDIDATES)
}

fn by_words(connection: &Connection, query: &Query<'_>, now: i64) -> rusqlite::Result<Vec<Recalled>> {
    let mut found = Vec::new();
    let Some(words) = any_word(query.text, query.common_words) else {
        return Ok(found);
    };
    let limit = i64::try_from(candidates(query)).unwrap_or(i64::MAX);
    // The rank of the index is below zero: the better, the lower.
    if query.facts {
        let mut statement = connection.prepare_cached(
            "SELECT facts.id, facts.fact, facts.kept, facts_index.rank
             FROM facts_index JOIN facts ON facts.id = facts_index.rowid
             WHERE facts_index MATCH ?1 ORDER BY facts_index.rank LIMIT ?2",
        )?;
        let facts = statement.query_map(params![words, limit], |row| {
            let rank: f64 = row.get(3)?;
            fact(row, -rank, now)
        })?;
        for fact in facts {
            found.push(fact?);
        }
    }
    if query.turns {
        let (shown, from) = shown(query);
        let mut statement = connection.prepare_cached(
            "SELECT turns.conversation, turns.number, turns.said, turns.answered, turns.kept, turns_index.rank
             FROM turns_index JOIN turns ON turns.id = turns_index.rowid
             WHERE turns_index MATCH ?1 AND NOT (turns.conversation IS ?3 AND turns.number >= ?4)
             ORDER BY turns_index.rank LIMIT ?2",
        )?;
        let turns = statement.query_map(params![words, limit, shown, from], |row| {
            let rank: f64 = row.get(5)?;
            turn(row, -rank, now)
        })?;
        for turn in turns {
            found.push(turn?);
        }
    }
    sort(&mut found);
    Ok(found)
}

fn by_meaning(
    connection: &Connection,
    query: &Query<'_>,
    model: &str,
    vector: &[f32],
    now: i64,
) -> rusqlite::Result<Vec<Recalled>> {
    let mut found = Vec::new();
    for near in vectors::nearest(connection, query, model, vector, candidates(query))? {
        // What points away from the query is not near it, however new it is.
        if near.cosine <= 0.0 {
            continue;
        }
        let item = match near.item {
            Item::Fact(id) => connection
                .prepare_cached("SELECT id, fact, kept FROM facts WHERE id = ?1")?
                .query_row([id.0], |row| fact(row, near.cosine, now))?,
            Item::Turn(id) => connection
                .prepare_cached("SELECT conversation, number, said, answered, kept FROM turns WHERE id = ?1")?
                .query_row([id], |row| turn(row, near.cosine, now))?,
        };
        found.push(item);
    }
    sort(&mut found);
    Ok(found)
}

/// The conversation whose turns are left out, and from which on.
pub(super) fn shown(query: &Query<'_>) -> (Option<i64>, i64) {
    let (id, from) = query.shown.map_or((None, 0), |(id, from)| (Some(id.0), from));
    (id, i64::try_from(from).unwrap_or(i64::MAX))
}

/// Rankings as one: each gives an item `1 / (60 + place)`.
fn fused(rankings: [Vec<Recalled>; 2]) -> Vec<Recalled> {
    let mut found: Vec<Recalled> = Vec::new();
    let mut places: HashMap<Origin, usize> = HashMap::new();
    for ranking in rankings {
        for (place, mut item) in (1u32..).zip(ranking) {
            let score = 1.0 / (FUSION + f64::from(place));
            let at = *places.entry(item.origin).or_insert(found.len());
            match found.get_mut(at) {
                Some(known) => known.score += score,
                None => {
                    item.score = score;
                    found.push(item);
                }
            }
        }
    }
    sort(&mut found);
    found
}

fn sort(found: &mut [Recalled]) {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
}

fn fact(row: &rusqlite::Row<'_>, fit: f64, now: i64) -> rusqlite::Result<Recalled> {
    let origin = Origin::Fact(FactId(row.get(0)?));
    Ok(recalled(origin, row.get(1)?, row.get(2)?, fit, now))
}

fn turn(row: &rusqlite::Row<'_>, fit: f64, now: i64) -> rusqlite::Result<Recalled> {
    let origin = Origin::Turn(ConversationId(row.get(0)?), count(row, 1)?);
    let (said, answered): (String, String) = (row.get(2)?, row.get(3)?);
    let text = format!("User: {said}\nAnswer: {answered}");
    Ok(recalled(origin, text, row.get(4)?, fit, now))
}

/// * `fit`: more is better.
fn recalled(origin: Origin, text: String, kept: i64, fit: f64, now: i64) -> Recalled {
    let days = (now - kept).max(0) as f64 / 86_400_000.0;
    let recent = 0.5 + 0.5 * (-days / HALF_LIFE_DAYS).exp2();
    Recalled {
        origin,
        text,
        kept: time(kept),
        score: fit * recent,
    }
}
