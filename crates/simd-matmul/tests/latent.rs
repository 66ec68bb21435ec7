//! Attention over compressed rows, beside a naive definition in f64.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZero;

use half::f16;
use proptest::prelude::*;
use simd_matmul::{BLOCK, Entry, Latent, LatentScratch, Level, Pool, Span, attend_latent, write_value};

#[derive(Clone, Debug)]
struct Case {
    latent: Latent,
    past: usize,
    rows: usize,
    /// `(positions, width)`
    stored: Vec<f32>,
    /// `(rows, heads, width)`
    queries: Vec<f32>,
}

fn case() -> impl Strategy<Value = Case> {
    let shape = (
        1usize..40,
        1usize..40,
        0usize..20,
        0usize..150,
        1usize..20,
        any::<bool>(),
    );
    shape.prop_flat_map(|(heads, rank, rotated, past, rows, single)| {
        let width = rank + rotated;
        let latent = Latent {
            heads,
            rank,
            width,
            scale: (width as f32).sqrt().recip(),
            entry: if single { Entry::F32 } else { Entry::F16 },
        };
        let numbers = |len| prop::collection::vec(-3.0f32..3.0, len);
        (numbers((past + rows) * width), numbers(rows * heads * width)).prop_map(move |(stored, queries)| {
            Case {
                latent,
                past,
                rows,
                stored,
                queries,
            }
        })
    })
}

impl Case {
    /// What the rows from `skip` on gather.
    fn gathered(&self, level: Level, threads: usize, skip: usize) -> Vec<f32> {
        let Latent {
            heads,
            rank,
            width,
            entry,
            ..
        } = self.latent;
        let positions = self.past + self.rows;
        let mut blocks = vec![vec![0xff; self.latent.block_bytes()]; positions.div_ceil(BLOCK)];
        for (position, row) in self.stored.chunks_exact(width).enumerate() {
            write_value(
                Level::best(),
                entry,
                row,
                position % BLOCK,
                &mut blocks[position / BLOCK],
            );
        }
        let rows = self.rows - skip;
        let span = Span {
            first: 0,
            rows,
            past: self.past + skip,
        };
        let pool = Pool::new(NonZero::new(threads).unwrap()).unwrap();
        let mut out = vec![f32::NAN; rows * heads * rank];
        attend_latent(
            &pool,
            &mut LatentScratch::new(level),
            self.latent,
            &self.queries[skip * heads * width..],
            &[span],
            |_, index| &blocks[index][..],
            &mut out,
        );
        out
    }

    fn naive(&self) -> Vec<f64> {
        let Latent {
            heads,
            rank,
            width,
            scale,
            entry,
        } = self.latent;
        let stored = |x: f32| match entry {
            Entry::F32 => f64::from(x),
            Entry::F16 => f16::from_f32(x).to_f64(),
        };
        let mut out = Vec::new();
        for (n, query) in self.queries.chunks_exact(width).enumerate() {
            let positions = self.past + n / heads + 1;
            let rows = self.stored.chunks_exact(width).take(positions);
            let weights: Vec<f64> = rows
                .clone()
                .map(|row| {
                    let dot: f64 = row
                        .iter()
                        .zip(query)
                        .map(|(x, q)| stored(*x) * f64::from(*q))
                        .sum();
                    (dot * f64::from(scale)).exp()
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            for i in 0..rank {
                let gathered: f64 = rows
                    .clone()
                    .zip(&weights)
                    .map(|(row, weight)| stored(row[i]) * weight)
                    .sum();
                out.push(gathered / sum);
            }
        }
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_row_gathers_what_it_may_look_at(case in case()) {
        let found = case.gathered(Level::best(), 2, 0);
        for (found, expected) in found.iter().zip(case.naive()) {
            prop_assert!((f64::from(*found) - expected).abs() < 2e-5, "{found} beside {expected}");
        }
    }

    #[test]
    fn a_row_has_the_same_bits_at_every_level_and_however_rows_were_cut(case in case(), skip in 0usize..20) {
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let skip = skip.min(case.rows - 1);
        let expected = bits(&case.gathered(Level::scalar(), 1, 0));
        for level in Level::available() {
            prop_assert_eq!(&bits(&case.gathered(level, 3, 0)), &expected, "{}", level);
            let from = skip * case.latent.heads * case.latent.rank;
            prop_assert_eq!(&bits(&case.gathered(level, 2, skip))[..], &expected[from..], "{}", level);
        }
    }
}
