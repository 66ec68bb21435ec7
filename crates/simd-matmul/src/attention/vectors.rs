//! Vectors of sixteen numbers as a cache stores them, or converted.

use std::marker::PhantomData;

use simd::{AHEAD, Dot, LANES};

/// Sixteen stored numbers.
pub(crate) trait Stored {
    const BYTES: usize;
    fn load<V: Dot>(v: V, from: &[u8]) -> V::F32;
}

/// Four bytes each.
pub(crate) struct Floats;
/// Two bytes each.
pub(crate) struct Halves;

impl Stored for Floats {
    const BYTES: usize = 4;
    #[inline(always)]
    fn load<V: Dot>(v: V, from: &[u8]) -> V::F32 {
        let Some(numbers) = from.first_chunk() else {
            unreachable!("a block has whole vectors")
        };
        v.floats(numbers)
    }
}

impl Stored for Halves {
    const BYTES: usize = 2;
    #[inline(always)]
    fn load<V: Dot>(v: V, from: &[u8]) -> V::F32 {
        let Some(halves) = from.first_chunk() else {
            unreachable!("a block has whole vectors")
        };
        v.halves(halves)
    }
}

/// Vectors of sixteen numbers, stored or converted.
pub(super) trait Vectors: Copy {
    /// `T` vectors from number `at` on. A loop: what the standard library does with arrays is compiled for the baseline.
    fn load<V: Dot, const T: usize>(self, v: V, at: usize) -> [V::F32; T];

    /// Asks for the memory that lies ahead of `T` vectors, if it is not near already.
    fn ask<V: Dot, const T: usize>(self, v: V, at: usize);
}

/// Numbers in a block, which memory has to be asked for if few queries meet it.
pub(super) struct Block<'a, S> {
    bytes: &'a [u8],
    ask: bool,
    stored: PhantomData<S>,
}

impl<'a, S> Block<'a, S> {
    #[inline(always)]
    pub(super) const fn new(bytes: &'a [u8], ask: bool) -> Self {
        Self {
            bytes,
            ask,
            stored: PhantomData,
        }
    }
}

impl<S> Clone for Block<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Block<'_, S> {}

impl<S: Stored> Vectors for Block<'_, S> {
    #[inline(always)]
    fn load<V: Dot, const T: usize>(self, v: V, at: usize) -> [V::F32; T] {
        let from = &self.bytes[at * LANES * S::BYTES..][..T * LANES * S::BYTES];
        let mut all = [v.splat(0.0); T];
        for t in 0..T {
            all[t] = S::load(v, &from[t * LANES * S::BYTES..]);
        }
        all
    }

    #[inline(always)]
    fn ask<V: Dot, const T: usize>(self, v: V, at: usize) {
        if self.ask {
            let from = &self.bytes[at * LANES * S::BYTES..][..T * LANES * S::BYTES];
            let (lines, rest) = from.as_chunks();
            for line in 0..lines.len() {
                v.ask_ahead(&lines[line]);
            }
            if !rest.is_empty() {
                v.prefetch(rest.as_ptr().wrapping_add(AHEAD));
            }
        }
    }
}

impl Vectors for &[[f32; LANES]] {
    #[inline(always)]
    fn load<V: Dot, const T: usize>(self, v: V, at: usize) -> [V::F32; T] {
        let from = &self[at..][..T];
        let mut all = [v.splat(0.0); T];
        for t in 0..T {
            all[t] = v.load(&from[t]);
        }
        all
    }

    #[inline(always)]
    fn ask<V: Dot, const T: usize>(self, _: V, _: usize) {}
}

/// Converts a block once for many queries.
#[inline(always)]
pub(super) fn convert<V: Dot, K: Vectors>(v: V, from: K, to: &mut [[f32; LANES]]) -> &[[f32; LANES]] {
    for (at, to) in to.iter_mut().enumerate() {
        let [x] = from.load::<V, 1>(v, at);
        v.store(x, to);
    }
    to
}
