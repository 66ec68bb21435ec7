//! Vectors of texts: kept in eight bits a number, compared one by one.
//!
//! A vector is kept with its direction alone, scaled so that its largest number is 127: what ranks texts is the angle
//! between two, which that moves by less than a hundredth.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::ranking::shown;
use crate::memory::{FactId, Item, Query, Unindexed};

/// Something near a query.
pub(super) struct Near {
    pub(super) item: Item,
    /// Cosine of the angle between the two.
    pub(super) cosine: f64,
}

/// The newest texts without a vector of `model`.
pub(super) fn missing(
    connection: &Connection,
    model: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Unindexed>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT 0, id, fact, kept FROM facts WHERE NOT EXISTS (
             SELECT 1 FROM fact_vectors JOIN models ON models.id = model WHERE item = facts.id AND name = ?1)
         UNION ALL
         SELECT 1, id, said || char(10) || answered, kept FROM turns WHERE NOT EXISTS (
             SELECT 1 FROM turn_vectors JOIN models ON models.id = model WHERE item = turns.id AND name = ?1)
         ORDER BY 4 DESC, 2 DESC LIMIT ?2",
    )?;
    let texts = statement.query_map(params![model, limit], |row| {
        let (kind, id): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Unindexed {
            item: if kind == 0 {
                Item::Fact(FactId(id))
            } else {
                Item::Turn(id)
            },
            text: row.get(2)?,
        })
    })?;
    texts.collect()
}

/// Keeps vectors. Where one has another length than the model's, nothing is kept, and both lengths are returned.
pub(super) fn keep(
    connection: &Connection,
    model: &str,
    vectors: &[(Item, Vec<f32>)],
) -> rusqlite::Result<Option<(usize, usize)>> {
    let Some((_, first)) = vectors.first() else {
        return Ok(None);
    };
    let (id, dimension) = match known(connection, model)? {
        Some(known) => known,
        None => {
            let dimension = i64::try_from(first.len()).unwrap_or(i64::MAX);
            connection.execute(
                "INSERT INTO models (name, dimension) VALUES (?1, ?2)",
                params![model, dimension],
            )?;
            (connection.last_insert_rowid(), first.len())
        }
    };
    if let Some((_, other)) = vectors.iter().find(|(_, vector)| vector.len() != dimension) {
        return Ok(Some((dimension, other.len())));
    }
    for (item, vector) in vectors {
        let (table, of, item) = match item {
            Item::Fact(FactId(item)) => ("fact_vectors", "facts", item),
            Item::Turn(item) => ("turn_vectors", "turns", item),
        };
        let insert = format!(
            "INSERT OR REPLACE INTO {table} (model, item, vector) SELECT ?1, id, ?3 FROM {of} WHERE id = ?2"
        );
        connection
            .prepare_cached(&insert)?
            .execute(params![id, item, packed(vector)])?;
    }
    Ok(None)
}

fn known(connection: &Connection, model: &str) -> rusqlite::Result<Option<(i64, usize)>> {
    connection
        .query_row(
            "SELECT id, dimension FROM models WHERE name = ?1",
            [model],
            |row| Ok((row.get(0)?, super::count(row, 1)?)),
        )
        .optional()
}

/// What is nearest to `vector`, `limit` at most.
pub(super) fn nearest(
    connection: &Connection,
    query: &Query<'_>,
    model: &str,
    vector: &[f32],
    limit: usize,
) -> rusqlite::Result<Vec<Near>> {
    let Some((model, _)) = known(connection, model)?.filter(|(_, dimension)| *dimension == vector.len())
    else {
        return Ok(Vec::new());
    };
    let vector = packed(vector);
    let mut best = Best::new(limit);
    if query.facts {
        scan(connection, "fact_vectors", model, &vector, |item, cosine| {
            best.offer(cosine, Item::Fact(FactId(item)));
        })?;
    }
    if query.turns {
        let (shown, from) = shown(query);
        let mut statement =
            connection.prepare_cached("SELECT id FROM turns WHERE conversation IS ?1 AND number >= ?2")?;
        let left_out = statement.query_map(params![shown, from], |row| row.get(0))?;
        let left_out: HashSet<i64> = left_out.collect::<rusqlite::Result<_>>()?;
        scan(connection, "turn_vectors", model, &vector, |item, cosine| {
            if !left_out.contains(&item) {
                best.offer(cosine, Item::Turn(item));
            }
        })?;
    }
    Ok(best.into_vec())
}

/// Every vector of a model, in the order in which the file has them.
fn scan(
    connection: &Connection,
    table: &str,
    model: i64,
    vector: &[u8],
    mut found: impl FnMut(i64, f64),
) -> rusqlite::Result<()> {
    let select = format!("SELECT item, vector FROM {table} NOT INDEXED WHERE model = ?1");
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query([model])?;
    let (own, _) = products(vector, vector);
    while let Some(row) = rows.next()? {
        let other = row.get_ref(1)?.as_blob().unwrap_or_default();
        let (common, length) = products(vector, other);
        let cosine = f64::from(common) / (f64::from(own) * f64::from(length)).sqrt();
        if cosine.is_finite() {
            found(row.get(0)?, cosine);
        }
    }
    Ok(())
}

/// The direction of a vector, in bytes that are signed numbers; all zero where it has none.
fn packed(vector: &[f32]) -> Vec<u8> {
    let largest = vector
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = if largest.is_finite() && largest > 0.0 {
        127.0 / largest
    } else {
        0.0
    };
    let pack = |value: &f32| ((value * scale).round() as i8).cast_unsigned();
    vector.iter().map(pack).collect()
}

/// The product of two vectors, and that of the second with itself; exact up to 133,000 numbers.
fn products(a: &[u8], b: &[u8]) -> (i32, i32) {
    a.iter().zip(b).fold((0, 0), |(common, length), (a, b)| {
        let (a, b) = (i32::from(a.cast_signed()), i32::from(b.cast_signed()));
        (common.wrapping_add(a * b), length.wrapping_add(b * b))
    })
}

/// The highest of what is offered.
struct Best {
    heap: BinaryHeap<Reverse<(Ordered, i64, bool)>>,
    limit: usize,
}

/// A cosine, which is a number.
#[derive(Clone, Copy, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Best {
    fn new(limit: usize) -> Self {
        let heap = BinaryHeap::new();
        Self { heap, limit }
    }

    fn offer(&mut self, cosine: f64, item: Item) {
        let (id, is_fact) = match item {
            Item::Fact(FactId(id)) => (id, true),
            Item::Turn(id) => (id, false),
        };
        self.heap.push(Reverse((Ordered(cosine), id, is_fact)));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    fn into_vec(self) -> Vec<Near> {
        let near = |Reverse((Ordered(cosine), id, is_fact))| Near {
            item: if is_fact {
                Item::Fact(FactId(id))
            } else {
                Item::Turn(id)
            },
            cosine,
        };
        self.heap.into_iter().map(near).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_vector_keeps_its_direction() {
        assert_eq!(packed(&[0.5, -1.0, 0.0]), [64, 129, 0]);
        for none in [&[0.0, 0.0][..], &[f32::NAN], &[f32::INFINITY, 1.0], &[]] {
            assert!(packed(none).iter().all(|byte| *byte == 0), "{none:?}");
        }
        let (a, b) = (packed(&[0.3, 0.1, -0.2]), packed(&[30.0, 10.0, -20.0]));
        assert_eq!(a, b);
        let (common, length) = products(&packed(&[1.0, -1.0]), &packed(&[-1.0, -1.0]));
        assert_eq!((common, length), (0, 2 * 127 * 127));
    }
}
