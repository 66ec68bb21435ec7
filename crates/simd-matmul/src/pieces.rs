//! A slice of which threads write different pieces.
#![allow(
    unsafe_code,
    reason = "the pieces of a slice are lent to several threads, each piece to one"
)]

use std::marker::PhantomData;

use crate::Pool;

/// A slice whose pieces are handed out one by one.
///
/// Only for this crate, whose regions hand each piece to one thread at most: asking for a piece twice, or for two that
/// overlap, while the first is in use, is a mistake that nothing here finds.
pub(crate) struct Pieces<'a, T> {
    start: *mut T,
    len: usize,
    whole: PhantomData<&'a mut [T]>,
}

// SAFETY: threads get different pieces, as they would by splitting the slice.
unsafe impl<T: Send> Sync for Pieces<'_, T> {}

impl<'a, T> Pieces<'a, T> {
    pub(crate) fn new(whole: &'a mut [T]) -> Self {
        Self {
            start: whole.as_mut_ptr(),
            len: whole.len(),
            whole: PhantomData,
        }
    }

    /// Entries of the slice.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// `len` entries from `at` on, which no other thread has.
    ///
    /// # Panics
    ///
    /// If the slice does not have them.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "each piece is handed out once")]
    pub(crate) fn piece(&self, at: usize, len: usize) -> &mut [T] {
        assert!(
            at <= self.len && len <= self.len - at,
            "a piece of a slice of {} entries: {len} from {at} on",
            self.len
        );
        // SAFETY: the entries are within the slice, which is borrowed for `'a`; the regions of this crate hand each of them to
        // one thread.
        unsafe { std::slice::from_raw_parts_mut(self.start.wrapping_add(at), len) }
    }
}

/// Calls `work` with the number and the entries of every chunk of `size` entries, the last of which may be shorter.
pub fn by_chunks<T: Send>(pool: &Pool, whole: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let (size, len) = (size.max(1), whole.len());
    let pieces = Pieces::new(whole);
    pool.run(len.div_ceil(size), |number| {
        let at = number * size;
        work(number, pieces.piece(at, size.min(len - at)));
    });
}
