//! Memory that begins at a line of the cache.
#![allow(unsafe_code, reason = "lines of the cache are read and written as bytes")]

/// A line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes that begin at a line of the cache, so that a vector at a multiple of 64 crosses none.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: Vec<Line>,
    len: usize,
}

impl Lines {
    /// `len` bytes, all zero.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self {
            lines: vec![Line([0; 64]); len.div_ceil(64)],
            len,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a line is 64 bytes and nothing else, and there are lines for `len` bytes.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// The bytes, to be written.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: a line is 64 bytes and nothing else, any bytes are one, and there are lines for `len` bytes.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
