//! Rows of activations in 8 bits, with a scale and sums for each block.
//!
//! Rows stand in groups whose four columns lie side by side, so that a kernel that multiplies a group walks through memory
//! in order: as many rows as the level's registers hold, and smaller groups for what is left.

use std::fmt;
use std::ops::Range;

use simd::{Dot, Level, dispatch};

use crate::pieces::Pieces;
use crate::{MatrixError, Pool};

/// How many columns share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grain {
    /// 32, for weights in blocks of 32.
    Block,
    /// 256, for weights in super-blocks of 256.
    SuperBlock,
    /// None: activations stay the numbers that they are, for weights that are numbers.
    Number,
}

impl Grain {
    /// Columns of a block, which a row has a whole number of.
    #[must_use]
    pub const fn columns(self) -> usize {
        match self {
            Self::Number => 1,
            Self::Block => 32,
            Self::SuperBlock => 256,
        }
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => f.write_str("single numbers"),
            Self::Block | Self::SuperBlock => write!(f, "blocks of {}", self.columns()),
        }
    }
}

/// Largest code; the smallest is its negative.
const MOST: f32 = 127.0;
/// 1.5 * 2^23: adding it rounds a small number to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Activations that are ready to be multiplied, shape `(rows, columns)`.
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
    /// Numbers: `[group][column][row of the group]`.
    values: Vec<f32>,
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
            values: Vec::new(),
        }
    }

    /// Replaces the rows.
    ///
    /// * `x`: shape `(rows, columns)`.
    ///
    /// # Errors
    ///
    /// [`MatrixError::Activations`] if `x` is no whole rows of whole blocks.
    pub fn quantize(
        &mut self,
        pool: &Pool,
        grain: Grain,
        x: &[f32],
        columns: usize,
    ) -> Result<(), MatrixError> {
        let block = grain.columns();
        if columns == 0 || !columns.is_multiple_of(block) || !x.len().is_multiple_of(columns) {
            return Err(MatrixError::Activations {
                found: x.len(),
                columns,
                block,
            });
        }
        self.reshape(grain, x.len() / columns, columns);
        let (level, group, rows) = (self.level, self.group, self.rows);
        let parts = Parts {
            codes: Pieces::new(&mut self.codes),
            scales: Pieces::new(&mut self.scales),
            centres: Pieces::new(&mut self.centres),
            pairs: Pieces::new(&mut self.pairs),
            sums: Pieces::new(&mut self.sums),
            values: Pieces::new(&mut self.values),
        };
        let full = rows / group;
        let last = groups(rows % group, group).map(|(first, size)| (full * group + first, size));
        let write = |first: usize, size: usize| {
            let mut group = parts.group(grain, columns, first, size);
            for row in 0..size {
                let x = &x[(first + row) * columns..][..columns];
                dispatch!(level, v => group.write(v, grain, size, row, x));
            }
        };
        pool.run(full, |number| write(number * group, group));
        last.for_each(|(first, size)| write(first, size));
        Ok(())
    }

    /// Makes room, of which nothing is allocated but what was never needed before.
    fn reshape(&mut self, grain: Grain, rows: usize, columns: usize) {
        (self.grain, self.rows, self.columns) = (grain, rows, columns);
        let len = rows * columns;
        let per = Sizes::of(grain);
        self.codes.resize(per.codes(len), [0; 4]);
        self.scales.resize(per.scales(len), 0.0);
        self.centres.resize(per.centres(len), 0);
        self.pairs.resize(per.pairs(len), [0; 2]);
        self.sums.resize(per.sums(len), 0.0);
        self.values.resize(per.values(len), 0.0);
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

    /// The blocks that the rows are in.
    #[must_use]
    pub const fn grain(&self) -> Grain {
        self.grain
    }

    /// The level that the rows are grouped for.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The rows of one of `parts` parts, of which all but the last have whole groups.
    pub(crate) fn part(&self, part: usize, parts: usize) -> Range<usize> {
        let groups = self.rows.div_ceil(self.group);
        let first = |part: usize| (groups * part / parts * self.group).min(self.rows);
        first(part)..first(part + 1)
    }

    /// First row and number of rows of each group of one of the parts.
    pub(crate) fn groups(&self, part: &Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let start = part.start;
        groups(part.len(), self.group).map(move |(first, rows)| (start + first, rows))
    }

    /// The group of `M` rows that begins with row `first`.
    #[inline(always)]
    pub(crate) fn group<const M: usize>(&self, first: usize) -> Group<'_, M> {
        let per = Sizes::of(self.grain);
        let (at, len) = (first * self.columns, M * self.columns);
        Group {
            codes: part(&self.codes, per.codes(at), per.codes(len)),
            scales: part(&self.scales, per.scales(at), per.scales(len)),
            centres: part(&self.centres, per.centres(at), per.centres(len)),
            pairs: part(&self.pairs, per.pairs(at), per.pairs(len)),
            sums: part(&self.sums, per.sums(at), per.sums(len)),
            values: part(&self.values, per.values(at), per.values(len)),
        }
    }
}

/// What activations leave in each of the vectors.
#[derive(Clone, Copy)]
struct Sizes(Grain);

impl Sizes {
    #[inline(always)]
    const fn of(grain: Grain) -> Self {
        Self(grain)
    }
    #[inline(always)]
    const fn codes(self, activations: usize) -> usize {
        match self.0 {
            Grain::Number => 0,
            Grain::Block | Grain::SuperBlock => activations / 4,
        }
    }
    #[inline(always)]
    const fn scales(self, activations: usize) -> usize {
        match self.0 {
            Grain::Number => 0,
            Grain::Block => activations / 32,
            Grain::SuperBlock => activations / 256,
        }
    }
    #[inline(always)]
    const fn centres(self, activations: usize) -> usize {
        match self.0 {
            Grain::Number => 0,
            Grain::Block => activations / 32,
            Grain::SuperBlock => activations / 16,
        }
    }
    #[inline(always)]
    const fn pairs(self, activations: usize) -> usize {
        match self.0 {
            Grain::Number | Grain::Block => 0,
            Grain::SuperBlock => activations / 64,
        }
    }
    #[inline(always)]
    const fn sums(self, activations: usize) -> usize {
        match self.0 {
            Grain::Number | Grain::SuperBlock => 0,
            Grain::Block => activations / 32,
        }
    }
    #[inline(always)]
    const fn values(self, activations: usize) -> usize {
        match self.0 {
            Grain::Number => activations,
            Grain::Block | Grain::SuperBlock => 0,
        }
    }
}

/// The vectors while several threads write groups of their own.
struct Parts<'a> {
    codes: Pieces<'a, [i8; 4]>,
    scales: Pieces<'a, f32>,
    centres: Pieces<'a, i32>,
    pairs: Pieces<'a, [i16; 2]>,
    sums: Pieces<'a, f32>,
    values: Pieces<'a, f32>,
}

impl Parts<'_> {
    /// What belongs to the group of `size` rows from `first` on; each group is one thread's.
    fn group(&self, grain: Grain, columns: usize, first: usize, size: usize) -> Written<'_> {
        let per = Sizes::of(grain);
        let (at, len) = (first * columns, size * columns);
        Written {
            codes: self.codes.piece(per.codes(at), per.codes(len)),
            scales: self.scales.piece(per.scales(at), per.scales(len)),
            centres: self.centres.piece(per.centres(at), per.centres(len)),
            pairs: self.pairs.piece(per.pairs(at), per.pairs(len)),
            sums: self.sums.piece(per.sums(at), per.sums(len)),
            values: self.values.piece(per.values(at), per.values(len)),
        }
    }
}

/// A group that is being written.
struct Written<'a> {
    codes: &'a mut [[i8; 4]],
    scales: &'a mut [f32],
    centres: &'a mut [i32],
    pairs: &'a mut [[i16; 2]],
    sums: &'a mut [f32],
    values: &'a mut [f32],
}

impl Written<'_> {
    /// Writes row `row` of the group's `rows`.
    #[inline(always)]
    fn write<V: Dot>(&mut self, _: V, grain: Grain, rows: usize, row: usize, x: &[f32]) {
        let at = |index: usize| index * rows + row;
        match grain {
            Grain::Number => {
                let to = self.values[row..].iter_mut().step_by(rows);
                to.zip(x).for_each(|(to, x)| *to = *x);
            }
            Grain::Block => {
                for (block, x) in x.as_chunks::<32>().0.iter().enumerate() {
                    let (codes, scale) = quantized(x);
                    let sum = sum(&codes);
                    for (i, codes) in codes.as_chunks::<4>().0.iter().enumerate() {
                        self.codes[at(block * 8 + i)] = *codes;
                    }
                    self.scales[at(block)] = scale;
                    self.centres[at(block)] = -V::OFFSET * sum;
                    self.sums[at(block)] = scale * sum as f32;
                }
            }
            Grain::SuperBlock => {
                for (block, x) in x.as_chunks::<256>().0.iter().enumerate() {
                    let (codes, scale) = quantized(x);
                    for (i, codes) in codes.as_chunks::<4>().0.iter().enumerate() {
                        self.codes[at(block * 64 + i)] = *codes;
                    }
                    self.scales[at(block)] = scale;
                    let mut sums = [0_i32; 16];
                    for (of_part, codes) in sums.iter_mut().zip(codes.as_chunks::<16>().0) {
                        *of_part = sum(codes);
                    }
                    for (i, sum) in sums.iter().enumerate() {
                        self.centres[at(block * 16 + i)] = -32 * sum;
                    }
                    for (i, sums) in sums.as_chunks::<4>().0.iter().enumerate() {
                        let (first, second) = (sums[0] + sums[1], sums[2] + sums[3]);
                        self.pairs[at(block * 4 + i)] = [first as i16, second as i16];
                    }
                }
            }
        }
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
    let mut largest = 0;
    for i in 0..N {
        largest = largest.max(x[i].to_bits() & 0x7fff_ffff);
    }
    let largest = f32::from_bits(largest);
    // Above the reciprocal of what is left when the largest is subnormal lies infinity.
    let inverse = if largest > MOST / f32::MAX {
        MOST / largest
    } else {
        0.0
    };
    let mut codes = [0; N];
    for i in 0..N {
        codes[i] = ((x[i] * inverse + ROUND).to_bits() & 0xff) as i8;
    }
    (codes, largest / MOST)
}

#[inline(always)]
fn sum<const N: usize>(codes: &[i8; N]) -> i32 {
    let mut sum = 0;
    for i in 0..N {
        sum += i32::from(codes[i]);
    }
    sum
}

/// Rows that are multiplied together.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a, const M: usize> {
    pub(crate) codes: &'a [[[i8; 4]; M]],
    pub(crate) scales: &'a [[f32; M]],
    pub(crate) centres: &'a [[i32; M]],
    pub(crate) pairs: &'a [[[i16; 2]; M]],
    pub(crate) sums: &'a [[f32; M]],
    pub(crate) values: &'a [[f32; M]],
}
