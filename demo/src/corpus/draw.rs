//! Draws: all randomness of a dialogue, a pure function of a seed and an index.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The random numbers of one dialogue.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// Those of the dialogue `index`; `domain` keeps uses of one seed apart.
    pub(super) fn new(seed: u64, domain: u8, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = domain;
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index);
        Self(rng)
    }

    /// A number in `0..end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A number in `first..=last`.
    pub(super) fn within(&mut self, first: i64, last: i64) -> i64 {
        self.0.random_range(first..=last)
    }

    /// True `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// One of a list.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// One of a list, each as often as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, list: &[(u32, T)]) -> T {
        let total: u32 = list.iter().map(|(weight, _)| weight).sum();
        let mut at = self.0.random_range(0..total);
        let mut last = list.len() - 1;
        for (index, (weight, _)) in list.iter().enumerate() {
            if at < *weight {
                last = index;
                break;
            }
            at -= weight;
        }
        list[last].1
    }

    /// One entry of a list that is written as a text with commas.
    pub(super) fn word(&mut self, list: &'static str) -> &'static str {
        let at = self.below(list.split(',').count());
        list.split(',').nth(at).unwrap_or_default().trim()
    }

    /// Puts a list into random order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }

    /// A number of one to four digits, each length as often.
    pub(super) fn number(&mut self) -> i64 {
        let digits = self.below(4);
        self.digits(digits + 1)
    }

    /// A number of so many digits; of one digit, zero too.
    pub(super) fn digits(&mut self, digits: usize) -> i64 {
        match digits {
            0 | 1 => self.within(0, 9),
            2 => self.within(10, 99),
            3 => self.within(100, 999),
            _ => self.within(1000, 9999),
        }
    }
}
