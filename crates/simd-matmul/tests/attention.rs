//! Attention and what stands around it, beside naive definitions in f64.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZero;

use half::f16;
use proptest::prelude::*;
use simd_matmul::{BLOCK, Entry, Heads, Level, Pool, Span, attend, write_key, write_value};

/// Keys and values of a sequence, and the queries of its last rows.
#[derive(Clone, Debug)]
struct Sequence {
    past: usize,
    rows: usize,
    /// `(positions, kv_heads, key)`
    keys: Vec<f32>,
    /// `(positions, kv_heads, value)`
    values: Vec<f32>,
    /// `(rows, heads, key)`
    queries: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Case {
    heads: Heads,
    sequences: Vec<Sequence>,
}

fn case() -> impl Strategy<Value = Case> {
    // Some heads are wider than what is converted for many queries.
    let width = |most: usize| prop_oneof![4 => 1..most, 1 => 120usize..150];
    let shape = (1usize..4, 1usize..5, width(40), width(70), prop::bool::ANY);
    shape.prop_flat_map(|(kv_heads, group, key, value, single)| {
        let heads = Heads {
            heads: kv_heads * group,
            kv_heads,
            key,
            value,
            scale: (key as f32).sqrt().recip(),
            entry: if single { Entry::F32 } else { Entry::F16 },
        };
        let sequence = (0usize..150, 1usize..90).prop_flat_map(move |(past, rows)| {
            let positions = past + rows;
            let numbers = |len| prop::collection::vec(-3.0f32..3.0, len);
            (
                numbers(positions * kv_heads * key),
                numbers(positions * kv_heads * value),
                numbers(rows * heads.heads * key),
            )
                .prop_map(move |(keys, values, queries)| Sequence {
                    past,
                    rows,
                    keys,
                    values,
                    queries,
                })
        });
        prop::collection::vec(sequence, 1..4).prop_map(move |sequences| Case { heads, sequences })
    })
}

/// A sequence's cache: for each block, for each head, keys and values.
type Blocks = Vec<Vec<(Vec<u8>, Vec<u8>)>>;

impl Case {
    fn blocks(&self, sequence: &Sequence) -> Blocks {
        let Heads {
            kv_heads, key, value, ..
        } = self.heads;
        let positions = sequence.past + sequence.rows;
        let empty = || {
            // What stands behind the positions may be anything.
            let keys = vec![0xff; self.heads.key_bytes()];
            (keys, vec![0xff; self.heads.value_bytes()])
        };
        let mut blocks: Blocks = (0..positions.div_ceil(BLOCK))
            .map(|_| (0..kv_heads).map(|_| empty()).collect())
            .collect();
        for position in 0..positions {
            for (head, (keys, values)) in blocks[position / BLOCK].iter_mut().enumerate() {
                let at = position * kv_heads + head;
                let (key, value) = (
                    &sequence.keys[at * key..][..key],
                    &sequence.values[at * value..][..value],
                );
                write_key(Level::best(), self.heads.entry, key, position % BLOCK, keys);
                write_value(Level::best(), self.heads.entry, value, position % BLOCK, values);
            }
        }
        blocks
    }

    /// What is gathered for all sequences, one after the other, each with its rows from `skip` on.
    fn gathered(&self, level: Level, threads: usize, sequences: &[Sequence], skip: usize) -> Vec<f32> {
        let blocks: Vec<Blocks> = sequences.iter().map(|sequence| self.blocks(sequence)).collect();
        let mut query = Vec::new();
        let mut spans = Vec::new();
        let mut first = 0;
        for sequence in sequences {
            let skip = skip.min(sequence.rows - 1);
            query.extend_from_slice(&sequence.queries[skip * self.heads.heads * self.heads.key..]);
            spans.push(Span {
                first,
                rows: sequence.rows - skip,
                past: sequence.past + skip,
            });
            first += sequence.rows - skip;
        }
        let mut out = vec![f32::NAN; first * self.heads.heads * self.heads.value];
        let pool = Pool::new(NonZero::new(threads).unwrap()).unwrap();
        let block = |sequence: usize, head: usize, index: usize| {
            let (keys, values): &(Vec<u8>, Vec<u8>) = &blocks[sequence][index][head];
            (&keys[..], &values[..])
        };
        attend(&pool, level, self.heads, &query, &spans, block, &mut out);
        out
    }

    fn stored(&self, x: f32) -> f64 {
        match self.heads.entry {
            Entry::F32 => f64::from(x),
            Entry::F16 => f16::from_f32(x).to_f64(),
        }
    }

    fn naive(&self, sequence: &Sequence) -> Vec<f64> {
        let Heads {
            heads,
            kv_heads,
            key,
            value,
            scale,
            ..
        } = self.heads;
        let mut out = Vec::new();
        for row in 0..sequence.rows {
            for head in 0..heads {
                let query = &sequence.queries[(row * heads + head) * key..][..key];
                let own = head / (heads / kv_heads);
                let at = |position: usize| position * kv_heads + own;
                let scores: Vec<f64> = (0..=sequence.past + row)
                    .map(|position| {
                        let keys = &sequence.keys[at(position) * key..][..key];
                        let dot: f64 = query
                            .iter()
                            .zip(keys)
                            .map(|(q, k)| f64::from(*q) * self.stored(*k))
                            .sum();
                        (dot * f64::from(scale)).exp()
                    })
                    .collect();
                let sum: f64 = scores.iter().sum();
                for i in 0..value {
                    let gathered: f64 = scores
                        .iter()
                        .enumerate()
                        .map(|(position, score)| {
                            score * self.stored(sequence.values[at(position) * value + i])
                        })
                        .sum();
                    out.push(gathered / sum);
                }
            }
        }
        out
    }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_row_gathers_what_it_may_look_at(case in case()) {
        let found = case.gathered(Level::best(), 2, &case.sequences, 0);
        let expected: Vec<f64> = case.sequences.iter().flat_map(|s| case.naive(s)).collect();
        for (found, expected) in found.iter().zip(expected) {
            prop_assert!((f64::from(*found) - expected).abs() < 2e-5, "{found} beside {expected}");
        }
    }

    #[test]
    fn a_row_has_the_same_bits_at_every_level_in_any_company_and_however_rows_were_cut(case in case(), skip in 0usize..90) {
        let expected = case.gathered(Level::scalar(), 1, &case.sequences, 0);
        for level in Level::available() {
            prop_assert_eq!(bits(&case.gathered(level, 3, &case.sequences, 0)), bits(&expected), "{}", level);
            let mut rest = &expected[..];
            for sequence in &case.sequences {
                let width = case.heads.heads * case.heads.value;
                let (own, others) = rest.split_at(sequence.rows * width);
                rest = others;
                let skip = skip.min(sequence.rows - 1);
                let alone = case.gathered(level, 1, std::slice::from_ref(sequence), skip);
                prop_assert_eq!(bits(&alone), bits(&own[skip * width..]), "{}", level);
            }
        }
    }
}
