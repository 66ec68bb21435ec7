//! The tokens that a sequence guesses for one step, and what became of them.

use models::KvCache;

use crate::Drafts;
use crate::lookup::Lookup;

/// The guesses of one sequence.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Where tokens are to be guessed.
    lookup: Option<Lookup>,
    /// Tokens guessed for this step, behind the first `from` ones.
    guess: Vec<u32>,
    from: usize,
    /// How many of them turned out right so far.
    right: usize,
    /// The last token and the guess, as they are run; reused.
    run: Vec<u32>,
    counts: Drafts,
}

impl Draft {
    /// Guesses by `lookup`, or none at all.
    pub(crate) fn new(lookup: Option<Lookup>) -> Self {
        Self {
            lookup,
            guess: Vec::new(),
            from: 0,
            right: 0,
            run: Vec::new(),
            counts: Drafts::default(),
        }
    }

    /// Tokens guessed and accepted so far.
    pub(crate) fn counts(&self) -> Drafts {
        self.counts
    }

    /// Guesses at most `room` tokens that follow `history`, for the next step. Says how many.
    pub(crate) fn guess(&mut self, history: &[u32], room: usize) -> usize {
        self.guess.clear();
        self.from = history.len();
        self.right = 0;
        if let Some(lookup) = &mut self.lookup {
            lookup.guess(history, room, &mut self.guess);
        }
        self.counts.guessed += self.guess.len();
        self.guess.len()
    }

    /// The first `tokens` of `pending` and what is guessed behind them; `None` if there are not as many.
    pub(crate) fn run<'a>(&'a mut self, pending: &'a [u32], tokens: usize) -> Option<&'a [u32]> {
        if self.guess.is_empty() {
            return pending.get(..tokens);
        }
        self.run.clear();
        self.run.extend_from_slice(pending);
        self.run.extend_from_slice(&self.guess);
        self.run.get(..tokens)
    }

    /// Which row of this step's logits is that after the last token of `history`, if there is one: every token since the
    /// step was picked is one that was guessed.
    pub(crate) fn next_row(&mut self, history: &[u32]) -> Option<usize> {
        let new = history.get(self.from..)?;
        let right = new
            .iter()
            .zip(&self.guess)
            .take_while(|(new, guessed)| new == guessed)
            .count();
        self.counts.accepted += right - self.right;
        self.right = right;
        (right == new.len()).then_some(right)
    }

    /// Cuts the cache back to what turned out right, and learns from how the guess went; after each step that draws.
    pub(crate) fn settle(&mut self, cache: Option<&mut KvCache>) {
        if self.guess.is_empty() {
            return;
        }
        if let (Some(lookup), Some(cache)) = (&mut self.lookup, cache) {
            lookup.judge(self.guess.len(), self.right);
            cache.truncate(self.from + self.right);
        }
        self.guess.clear();
        self.right = 0;
    }
}
