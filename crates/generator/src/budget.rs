//! How many tokens a request may still generate.
//!
//! Exact: a request generates as many tokens as its budget holds, unless something ends it earlier; prompt
//! and completion together never exceed the context.

use crate::GenerateError;

/// What an absent `max_tokens` means, before the context caps it.
pub(crate) const DEFAULT_MAX_TOKENS: u32 = 1_000;

/// Tokens that may still be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    /// No tokens at all, after a prompt that is scored.
    ///
    /// # Errors
    ///
    /// * [`GenerateError::EmptyPrompt`] if there is nothing to score.
    /// * [`GenerateError::ContextOverflow`] if the prompt does not fit.
    pub(crate) fn none(prompt_tokens: usize, context: usize) -> Result<Self, GenerateError> {
        if prompt_tokens == 0 {
            return Err(GenerateError::EmptyPrompt);
        }
        if prompt_tokens > context {
            return Err(GenerateError::ContextOverflow {
                prompt_tokens,
                context,
            });
        }
        Ok(Self { left: 0 })
    }

    /// The smaller of `max_tokens` (absent: 1,000) and what the context leaves after the prompt.
    ///
    /// # Errors
    ///
    /// * [`GenerateError::InvalidMaxTokens`] if `max_tokens` is 0.
    /// * [`GenerateError::EmptyPrompt`] if there is nothing to continue.
    /// * [`GenerateError::ContextOverflow`] if the prompt leaves no room for one token.
    pub(crate) fn new(
        max_tokens: Option<u32>,
        prompt_tokens: usize,
        context: usize,
    ) -> Result<Self, GenerateError> {
        let wanted = max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
        if wanted == 0 {
            return Err(GenerateError::InvalidMaxTokens { max_tokens: wanted });
        }
        if prompt_tokens == 0 {
            return Err(GenerateError::EmptyPrompt);
        }
        let room = context.saturating_sub(prompt_tokens);
        if room == 0 {
            return Err(GenerateError::ContextOverflow {
                prompt_tokens,
                context,
            });
        }
        Ok(Self {
            left: room.min(usize::try_from(wanted).unwrap_or(usize::MAX)),
        })
    }

    /// Tokens left.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Counts one token as generated and says whether it was the last.
    pub(crate) fn spend(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_maximum_is_a_thousand_capped_by_the_context() {
        assert_eq!(Budget::new(None, 24, 4096).unwrap().left(), 1_000);
        assert_eq!(Budget::new(None, 24, 1_024).unwrap().left(), 1_000);
        assert_eq!(Budget::new(None, 25, 1_024).unwrap().left(), 999);
        assert_eq!(Budget::new(Some(5_000), 24, 4096).unwrap().left(), 4_072);
    }

    #[test]
    fn the_last_token_is_the_one_that_empties_the_budget() {
        let mut budget = Budget::new(Some(2), 1, 8).unwrap();
        assert!(!budget.spend());
        assert!(budget.spend());
    }

    #[test]
    fn a_prompt_that_fills_the_context_overflows_with_both_counts() {
        assert_eq!(Budget::new(Some(1), 7, 8).unwrap().left(), 1);
        for prompt in [8, 9, usize::MAX] {
            match Budget::new(Some(1), prompt, 8) {
                Err(GenerateError::ContextOverflow {
                    prompt_tokens,
                    context,
                }) => {
                    assert_eq!((prompt_tokens, context), (prompt, 8));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn no_tokens_need_no_room() {
        assert_eq!(Budget::none(8, 8).unwrap().left(), 0);
        assert!(matches!(
            Budget::none(9, 8),
            Err(GenerateError::ContextOverflow { .. })
        ));
        assert!(matches!(Budget::none(0, 8), Err(GenerateError::EmptyPrompt)));
    }

    #[test]
    fn zero_tokens_and_an_empty_prompt_are_refused() {
        assert!(matches!(
            Budget::new(Some(0), 1, 8),
            Err(GenerateError::InvalidMaxTokens { max_tokens: 0 })
        ));
        assert!(matches!(
            Budget::new(Some(1), 0, 8),
            Err(GenerateError::EmptyPrompt)
        ));
    }
}
