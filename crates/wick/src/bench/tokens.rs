//! Token ids to run: random, ordinary, and the same in every run of the program.

use models::Tokenizer;
use simd_sampling::random::{Use, uniform};

use super::BenchError;

/// Names the random numbers.
pub(super) const SEED: u64 = 0x5eed;

/// A source of token ids that are no marks of the format.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Never empty.
    ordinary: Vec<u32>,
    drawn: u64,
}

impl Tokens {
    /// Ordinary tokens of `tokenizer` that a model with `vocab` logits a row knows.
    ///
    /// # Errors
    ///
    /// [`BenchError::NoOrdinaryToken`].
    pub(super) fn of(tokenizer: &Tokenizer, vocab: usize) -> Result<Self, BenchError> {
        let ends = tokenizer.end_of_generation();
        let ids = (0..).take(vocab.min(tokenizer.vocab_size()));
        let ordinary: Vec<u32> = ids
            .filter(|id| !tokenizer.is_special(*id) && !ends.contains(id))
            .collect();
        if ordinary.is_empty() {
            return Err(BenchError::NoOrdinaryToken { vocab });
        }
        Ok(Self { ordinary, drawn: 0 })
    }

    /// The next `count` ids.
    pub(super) fn draw(&mut self, count: usize) -> Vec<u32> {
        let first = self.drawn;
        self.drawn += count as u64;
        let at = |step| (uniform(SEED, step, Use::Draw) * self.ordinary.len() as f64) as usize;
        // A uniform number is below 1, so that `at` is below the length.
        (first..self.drawn).map(|step| self.ordinary[at(step)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::GgufFile;
    use models::synth::{self, Shape};

    fn tokenizer() -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        synth::write(Shape::TinyLlama, 7, &path).unwrap();
        Tokenizer::from_gguf(&GgufFile::open(&path).unwrap()).unwrap()
    }

    #[test]
    fn ids_are_ordinary_and_repeatable_and_not_all_the_same() {
        let tokenizer = tokenizer();
        let vocab = tokenizer.vocab_size();
        let mut tokens = Tokens::of(&tokenizer, vocab).unwrap();
        let mut drawn = tokens.draw(300);
        drawn.extend(tokens.draw(200));
        assert!(
            drawn
                .iter()
                .all(|&id| (id as usize) < vocab && !tokenizer.is_special(id))
        );
        assert_eq!(Tokens::of(&tokenizer, vocab).unwrap().draw(500), drawn);
        drawn.sort_unstable();
        drawn.dedup();
        assert!(drawn.len() > 50, "{drawn:?}");
    }

    #[test]
    fn ids_past_the_models_vocabulary_are_not_drawn() {
        let tokenizer = tokenizer();
        let mut tokens = Tokens::of(&tokenizer, 20).unwrap();
        assert!(tokens.draw(200).iter().all(|&id| id < 20));
        assert!(matches!(
            Tokens::of(&tokenizer, 0),
            Err(BenchError::NoOrdinaryToken { vocab: 0 })
        ));
    }
}
