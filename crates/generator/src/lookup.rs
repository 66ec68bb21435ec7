//! Guesses of the next tokens from what stands in the context already (prompt lookup).
//!
//! Where the last four tokens have stood before, what followed them then is the guess; while guesses turn out right, the
//! next one goes on where the last one ended. A pass over several tokens costs far more than one over a single token, and
//! hardly less for few than for many: guesses are long, and become short only where little of them is right. Twice as long
//! after one that was right to its end, four tokens for each that was drawn after another. After guesses that were wrong
//! from the start, steps pass without one, twice as many each time, so that a text that repeats nothing costs next to
//! nothing.
//!
//! Source: Saxena, *Prompt Lookup Decoding*, 2023.

use std::collections::HashMap;

/// Tokens that have to be found again.
const RUN: usize = 4;
/// Tokens of a guess for each token that the one before it gave, if it was not right to its end.
const BOLDNESS: usize = 4;
/// The longest pause.
const PAUSE: usize = 64;

/// What a sequence knows about its own repetitions.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    /// Where each run of tokens was last followed by another token, by the index of that token.
    follows: HashMap<[u32; RUN], usize>,
    /// Tokens of the history that are in the map as followers, all before this index.
    indexed: usize,
    /// The longest guess.
    most: usize,
    /// The next guess is to be so long.
    length: usize,
    /// The index at which the last guess would go on, if it was right to its end.
    next: Option<usize>,
    /// Steps without a guess after the next wrong one.
    pause: usize,
    /// Steps without a guess that are left.
    resting: usize,
}

impl Lookup {
    /// Guesses of at most `most` tokens.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            follows: HashMap::new(),
            indexed: 0,
            most,
            length: most,
            next: None,
            pause: 1,
            resting: 0,
        }
    }

    /// Appends a guess of what follows `history`, of at most `room` tokens, to an empty `guess`; nothing where there is
    /// none.
    ///
    /// `history` only grows between two calls.
    pub(crate) fn guess(&mut self, history: &[u32], room: usize, guess: &mut Vec<u32>) {
        self.learn(history);
        if self.resting > 0 {
            self.resting -= 1;
            return;
        }
        let goes_on = |&next: &usize| history.get(next) == history.last();
        let found = || self.follows.get(history.last_chunk::<RUN>()?).copied();
        let from = self.next.take().filter(goes_on).map(|next| next + 1);
        let Some(from) = from.or_else(found) else {
            return;
        };
        let to = from + self.length.min(room);
        for index in from..to {
            // Behind the history the guess repeats itself.
            let token = history.get(index).or_else(|| guess.get(index - history.len()));
            guess.extend(token.copied());
        }
        self.next = Some(to);
    }

    /// Takes note of how many of the tokens guessed were right.
    pub(crate) fn judge(&mut self, guessed: usize, right: usize) {
        if guessed == 0 {
            return;
        }
        if right == guessed {
            // A guess that room or history cut short says nothing about longer ones.
            if guessed >= self.length {
                self.length = (self.length * 2).min(self.most);
            }
        } else {
            self.next = None;
            self.length = (BOLDNESS * (right + 1)).min(self.most);
        }
        if right > 0 {
            self.pause = 1;
        } else {
            self.resting = self.pause;
            self.pause = (self.pause * 2).min(PAUSE);
        }
    }

    fn learn(&mut self, history: &[u32]) {
        for follower in self.indexed.max(RUN)..history.len() {
            if let Some(run) = history[..follower].last_chunk::<RUN>() {
                self.follows.insert(*run, follower);
            }
        }
        self.indexed = history.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(lookup: &mut Lookup, history: &[u32], room: usize) -> Vec<u32> {
        let mut guess = Vec::new();
        lookup.guess(history, room, &mut guess);
        guess
    }

    #[test]
    fn what_followed_the_last_four_tokens_most_recently_is_guessed() {
        let history = [1, 2, 3, 0, 4, 5, 1, 2, 3, 0, 6, 7, 8, 1, 2, 3, 0];
        assert_eq!(guess(&mut Lookup::new(4), &history, 9), [6, 7, 8, 1]);
        assert_eq!(guess(&mut Lookup::new(8), &history, 2), [6, 7]);
        assert_eq!(guess(&mut Lookup::new(3), &history, 9), [6, 7, 8]);
        assert!(guess(&mut Lookup::new(8), &history, 0).is_empty());
    }

    #[test]
    fn nothing_is_guessed_where_nothing_repeats() {
        for history in [&[][..], &[1], &[1, 2, 3], &[1, 2, 3, 4, 1, 2, 3]] {
            assert!(guess(&mut Lookup::new(8), history, 9).is_empty(), "{history:?}");
        }
    }

    #[test]
    fn a_run_of_one_token_repeats_itself() {
        assert_eq!(guess(&mut Lookup::new(4), &[5, 5, 5, 5, 5], 9), [5; 4]);
        let period = [7, 8, 7, 8, 7, 8];
        assert_eq!(guess(&mut Lookup::new(4), &period, 9), [7, 8, 7, 8]);
    }

    #[test]
    fn guesses_grow_while_they_are_right_and_go_on_where_they_ended() {
        let mut lookup = Lookup::new(16);
        lookup.judge(16, 0);
        lookup.resting = 0;
        let source: Vec<u32> = (0..64).collect();
        let mut history = [&source[..], &[0, 1, 2, 3]].concat();
        for length in [4, 8, 16, 16] {
            let guess = guess(&mut lookup, &history, 99);
            let from = history.len() - source.len();
            assert_eq!(guess, source[from..from + length]);
            lookup.judge(guess.len(), guess.len());
            history.extend(guess);
            // The token drawn after a guess that was right to its end.
            history.push(source[history.len() - source.len()]);
        }
    }

    #[test]
    fn wrong_guesses_become_short_and_rare() {
        let mut lookup = Lookup::new(16);
        let history = [1, 2, 3, 0, 4, 5, 6, 7, 1, 2, 3, 0];
        let mut guessed = Vec::new();
        for step in 0..300 {
            let guess = guess(&mut lookup, &history, 99);
            lookup.judge(guess.len(), 0);
            if !guess.is_empty() {
                guessed.push((step, guess.len()));
            }
        }
        let steps = [
            (0, 16),
            (2, 4),
            (5, 4),
            (10, 4),
            (19, 4),
            (36, 4),
            (69, 4),
            (134, 4),
        ];
        assert_eq!(guessed[..8], steps);
        assert_eq!(guessed.len(), 10);
    }
}
