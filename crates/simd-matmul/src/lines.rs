//! Memory that begins at a line of the cache.
//!
//! Zeros come from the system as they are, so that the threads that fill them are the ones that first touch them.
#![allow(unsafe_code, reason = "numbers are read and written as bytes")]

use std::ops::Range;

/// Numbers that a line of the cache has room for.
const LINE: usize = 64 / size_of::<Unit>();

/// What memory is asked for in. A vector of zeros of it is not written to.
type Unit = u128;

/// Bytes that begin at a line of the cache, so that a vector at a multiple of 64 crosses none.
#[derive(Debug, Default)]
pub struct Lines {
    /// A line more than the bytes need, less one.
    units: Vec<Unit>,
    /// Units before the first line.
    skipped: usize,
    len: usize,
}

impl Lines {
    /// `len` bytes, all zero.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        let units = vec![0; len.div_ceil(size_of::<Unit>()) + LINE - 1];
        let past = units.as_ptr().addr() % 64 / size_of::<Unit>();
        Self {
            units,
            skipped: (LINE - past) % LINE,
            len,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let bytes = size_of_val(self.units.as_slice());
        // SAFETY: the bytes of numbers that live as long as `self` does; any of them is a byte.
        let all = unsafe { std::slice::from_raw_parts(self.units.as_ptr().cast(), bytes) };
        &all[self.range()]
    }

    /// The bytes, to be written.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let range = self.range();
        let bytes = size_of_val(self.units.as_slice());
        // SAFETY: the bytes of numbers that `self` lends to nobody else meanwhile; any bytes are a number.
        let all = unsafe { std::slice::from_raw_parts_mut(self.units.as_mut_ptr().cast(), bytes) };
        &mut all[range]
    }

    const fn range(&self) -> Range<usize> {
        let start = self.skipped * size_of::<Unit>();
        start..start + self.len
    }
}

impl Clone for Lines {
    /// A copy begins at a line too, wherever it lies.
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_their_copies_begin_at_a_line_and_are_as_many_as_asked_for() {
        for len in [0, 1, 15, 16, 63, 64, 65, 1000, 1 << 20] {
            let mut lines = Lines::zeros(len);
            assert!(lines.bytes().iter().all(|byte| *byte == 0));
            assert_eq!(lines.bytes().len(), len);
            for (i, byte) in lines.bytes_mut().iter_mut().enumerate() {
                *byte = i as u8;
            }
            let copy = lines.clone();
            assert_eq!(copy.bytes(), lines.bytes());
            for lines in [lines, copy] {
                assert!(lines.bytes().as_ptr().addr().is_multiple_of(64));
            }
        }
    }
}
