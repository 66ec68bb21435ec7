//! Rows of activations in 8 bits, with a scale and sums for each block.
//!
//! Rows stand in groups whose four columns lie side by side, so that a kernel that multiplies a group walks through memory
//! in order: as many rows as the level's registers hold, and smaller groups for what is left.

use std::fmt;

use simd::{Dot, Level, dispatch};

use crate::MatrixError;

/// How many columns share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grain {
    /// 32, for weights in blocks of 32.
    Block,
    /// 256, for weights in super-blocks of 256.
    SuperBlock,
}

impl Grain {
    /// Columns that share a scale.
    #[must_use]
    pub const fn columns(self) -> usize {
        match self {
            Self::Block => 32,
            Self::SuperBlock => 256,
        }
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocks of {}", self.columns())
    }
}

/// Largest code; the smallest is its negative.
const MOST: f32 = 127.0;
/// 1.5 * 2^23: adding it rounds a small number to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Quantized activations, shape `(rows, columns)`.
///
/// A number that is not finite makes every product of its row's block infinite or NaN: nothing is hidden.
#[derive(Clone, Debug)]
pub struct Activations {
    level: Level,
    /// Rows of a full group.
    group: usize,
    grain: Grain,
    rows: usize,
    columns: usize,
    /// `[group][column / 4][row of the group]`.
    codes: Vec<[i8; 4]>,
    /// `[group][block][row of the group]`.
    scales: Vec<f32>,
    /// Where sums of integers begin, so that the weights' offset is taken away.
    ///
    /// Blocks: `-Dot::OFFSET` times the sum of 32 codes, `[group][block][row of the group]`. Super-blocks: -32 times the sum
    /// of 16 codes, `[group][column / 16][row of the group]`.
    centres: Vec<i32>,
    /// Super-blocks: sums of 32 codes in pairs, `[group][column / 64][row of the group]`.
    pairs: Vec<[i16; 2]>,
    /// Blocks: scale times the sum of codes, `[group][block][row of the group]`.
    sums: Vec<f32>,
}

impl Activations {
    /// No rows yet, to be multiplied at `level`.
    #[must_use]
    pub fn new(level: Level) -> Self {
        #[inline(always)]
        fn rows<V: Dot>(_: V) -> usize {
            V::ROWS
        }
        Self {
            level,
            group: dispatch!(level, v => rows(v)),
            grain: Grain::Block,
            rows: 0,
            columns: 0,
            codes: Vec::new(),
            scales: Vec::new(),
            centres: Vec::new(),
            pairs: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Replaces the rows.
    ///
    /// * `x`: shape `(rows, columns)`.
    ///
    /// # Errors
    ///
    /// [`MatrixError::Activations`] if `x` is no whole rows of whole blocks.
    pub fn quantize(&mut self, grain: Grain, x: &[f32], columns: usize) -> Result<(), MatrixError> {
        let block = grain.columns();
        if columns == 0 || !columns.is_multiple_of(block) || !x.len().is_multiple_of(columns) {
            return Err(MatrixError::Activations {
                found: x.len(),
                columns,
                block,
            });
        }
        (self.grain, self.rows, self.columns) = (grain, x.len() / columns, columns);
        self.codes.resize(x.len() / 4, [0; 4]);
        self.scales.resize(x.len() / block, 0.0);
        let (centres, pairs, sums) = match grain {
            Grain::Block => (x.len() / 32, 0, x.len() / 32),
            Grain::SuperBlock => (x.len() / 16, x.len() / 64, 0),
        };
        self.centres.resize(centres, 0);
        self.pairs.resize(pairs, [0; 2]);
        self.sums.resize(sums, 0.0);
        let level = self.level;
        for (first, rows) in groups(self.rows, self.group) {
            for row in 0..rows {
                let from = &x[(first + row) * columns..][..columns];
                let place = Place { first, rows, row };
                dispatch!(level, v => self.row(v, place, from));
            }
        }
        Ok(())
    }

    /// Rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of a row.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Columns that share a scale.
    #[must_use]
    pub const fn grain(&self) -> Grain {
        self.grain
    }

    /// The level that the rows are grouped for.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// First row and number of rows of each group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, usize)> {
        groups(self.rows, self.group)
    }

    /// The group of `M` rows that begins with row `first`.
    #[inline(always)]
    pub(crate) fn group<const M: usize>(&self, first: usize) -> Group<'_, M> {
        Group {
            codes: part(&self.codes, first * self.columns / 4, M * self.columns / 4),
            scales: self.part_by(&self.scales, first, self.grain.columns()),
            centres: match self.grain {
                Grain::Block => self.part_by(&self.centres, first, 32),
                Grain::SuperBlock => self.part_by(&self.centres, first, 16),
            },
            pairs: match self.grain {
                Grain::Block => &[],
                Grain::SuperBlock => self.part_by(&self.pairs, first, 64),
            },
            sums: match self.grain {
                Grain::Block => self.part_by(&self.sums, first, 32),
                Grain::SuperBlock => &[],
            },
        }
    }

    #[inline(always)]
    fn part_by<'a, T, const M: usize>(&self, from: &'a [T], first: usize, columns: usize) -> &'a [[T; M]] {
        part(from, first * self.columns / columns, M * self.columns / columns)
    }

    #[inline(always)]
    fn row<V: Dot>(&mut self, _: V, place: Place, x: &[f32]) {
        match self.grain {
            Grain::Block => {
                for (block, x) in x.as_chunks::<32>().0.iter().enumerate() {
                    let at = place.at(self.columns / 32, block);
                    let (codes, scale) = quantized(x);
                    let sum: i32 = codes.iter().map(|&code| i32::from(code)).sum();
                    self.write(place, block * 8, &codes);
                    self.scales[at] = scale;
                    self.centres[at] = -V::OFFSET * sum;
                    self.sums[at] = scale * sum as f32;
                }
            }
            Grain::SuperBlock => {
                for (block, x) in x.as_chunks::<256>().0.iter().enumerate() {
                    let (codes, scale) = quantized(x);
                    self.write(place, block * 64, &codes);
                    self.scales[place.at(self.columns / 256, block)] = scale;
                    let mut sums = [0_i32; 16];
                    for (sum, codes) in sums.iter_mut().zip(codes.as_chunks::<16>().0) {
                        *sum = codes.iter().map(|&code| i32::from(code)).sum();
                    }
                    for (i, sum) in sums.iter().enumerate() {
                        self.centres[place.at(self.columns / 16, block * 16 + i)] = -32 * sum;
                    }
                    for (i, sums) in sums.as_chunks::<4>().0.iter().enumerate() {
                        let pair = [sums[0] + sums[1], sums[2] + sums[3]].map(|sum| sum as i16);
                        self.pairs[place.at(self.columns / 64, block * 4 + i)] = pair;
                    }
                }
            }
        }
    }

    /// Writes codes that begin at four times the column `quad`.
    #[inline(always)]
    fn write(&mut self, place: Place, quad: usize, codes: &[i8]) {
        let at = place.at(self.columns / 4, quad);
        let to = self.codes[at..].iter_mut().step_by(place.rows);
        for (to, codes) in to.zip(codes.as_chunks::<4>().0) {
            *to = *codes;
        }
    }
}

/// A row in its group.
#[derive(Clone, Copy)]
struct Place {
    first: usize,
    rows: usize,
    row: usize,
}

impl Place {
    /// Index of what the row has `index`-th, where each row of the matrix has `of`.
    #[inline(always)]
    const fn at(self, of: usize, index: usize) -> usize {
        self.first * of + index * self.rows + self.row
    }
}

/// Full groups, and then ever smaller powers of two.
fn groups(rows: usize, group: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let left = rows - first;
        let size = if left >= group {
            group
        } else {
            1 << left.checked_ilog2()?
        };
        first += size;
        Some((first - size, size))
    })
}

/// `len` entries as arrays of `M`.
#[inline(always)]
fn part<T, const M: usize>(from: &[T], at: usize, len: usize) -> &[[T; M]] {
    from[at..][..len].as_chunks().0
}

/// Codes of numbers, and what a code of 1 means.
#[inline(always)]
fn quantized<const N: usize>(x: &[f32; N]) -> ([i8; N], f32) {
    // As integers, magnitudes are in order, infinity and NaN above them.
    let largest = x
        .iter()
        .fold(0, |largest: u32, x| largest.max(x.to_bits() & 0x7fff_ffff));
    let largest = f32::from_bits(largest);
    // Above the reciprocal of what is left when the largest is subnormal lies infinity.
    let inverse = if largest > MOST / f32::MAX {
        MOST / largest
    } else {
        0.0
    };
    let codes = x.map(|x| ((x * inverse + ROUND).to_bits() & 0xff) as i8);
    (codes, largest / MOST)
}

/// Rows that are multiplied together.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a, const M: usize> {
    pub(crate) codes: &'a [[[i8; 4]; M]],
    pub(crate) scales: &'a [[f32; M]],
    pub(crate) centres: &'a [[i32; M]],
    pub(crate) pairs: &'a [[[i16; 2]; M]],
    pub(crate) sums: &'a [[f32; M]],
}
