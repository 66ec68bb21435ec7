//! How many tokens a conversation may take, and what becomes of what is too much.

use engine::EngineError;

use crate::error::ChatError;

/// Bounds of what the model is shown, counted with its own tokenizer: system prompt, turns, what was recalled, calls and
/// results, declarations of tools and the marks of the template, all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContextBudget {
    /// Tokens of prompt and answer together; `None`: the model's context. More than that counts as that.
    pub tokens: Option<usize>,
    /// Tokens of those that are kept free for the answer; `None`: `max_tokens` of the role's parameters or 1,000, and a
    /// quarter of all at most.
    pub reserve: Option<usize>,
    /// What is done where the prompt has more than that.
    pub overflow: Overflow,
    /// Share of the prompt's room that is filled after turns were dropped or summarised, above 0 and up to 1. What is
    /// dropped at once need not be dropped turn by turn, so that most prompts begin as the one before and are not run
    /// anew.
    pub refill: f64,
}

/// What is done with a conversation that has outgrown its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The message is refused, with both counts; nothing is lost. Without a bound in tokens the provider counts, and
    /// refuses.
    #[default]
    Error,
    /// The oldest turns are not shown any more; [`Event::Trimmed`](crate::Event::Trimmed) tells which.
    DropOldest,
    /// The model itself writes a summary of the oldest turns, which is shown in their place;
    /// [`Event::Summarised`](crate::Event::Summarised) tells which, and what it wrote. Where it writes nothing, they are
    /// dropped as by [`Overflow::DropOldest`].
    Summarise,
}

/// The model's whole context, and an error where it is full.
impl Default for ContextBudget {
    fn default() -> Self {
        Self {
            tokens: None,
            reserve: None,
            overflow: Overflow::Error,
            refill: 0.7,
        }
    }
}

/// A budget in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// The most that a prompt may have.
    pub(crate) prompt: usize,
    /// What it is cut to once it has more.
    pub(crate) refill: usize,
    /// The most that a summary may have.
    pub(crate) summary: usize,
}

impl ContextBudget {
    /// The whole context with this answer to its end.
    pub fn overflowing(overflow: Overflow) -> Self {
        Self {
            overflow,
            ..Self::default()
        }
    }

    /// The same with so many tokens.
    #[must_use]
    pub fn with_tokens(self, tokens: usize) -> Self {
        Self {
            tokens: Some(tokens),
            ..self
        }
    }

    /// Whether prompts are counted at all: the provider refuses by itself what exceeds its context.
    pub(crate) fn counts(&self) -> bool {
        self.tokens.is_some() || self.overflow != Overflow::Error
    }

    /// The budget for a model of this context.
    pub(crate) fn room(&self, context: usize, max_tokens: Option<u32>) -> Result<Room, ChatError> {
        let whole = self.tokens.unwrap_or(context).min(context);
        let answer = max_tokens.map_or(1000, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let reserve = self.reserve.unwrap_or(answer.min(whole / 4));
        let invalid = |field, value: String, expected| {
            ChatError::Provider(EngineError::InvalidParameter {
                field,
                value,
                expected,
            })
        };
        if reserve >= whole {
            let value = format!("{reserve} of {whole}");
            return Err(invalid("the budget's reserve", value, "less than all tokens"));
        }
        if !(self.refill > 0.0 && self.refill <= 1.0) {
            let value = self.refill.to_string();
            return Err(invalid("the budget's refill", value, "above 0 and up to 1"));
        }
        let prompt = whole - reserve;
        Ok(Room {
            prompt,
            refill: (prompt as f64 * self.refill) as usize,
            summary: (prompt / 8).max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_of_a_prompt_leaves_that_of_the_answer() {
        let budget = ContextBudget::default();
        let room = budget.room(8000, None).unwrap();
        assert_eq!((room.prompt, room.refill), (7000, 4900));
        assert_eq!(budget.room(800, None).unwrap().prompt, 600);
        assert_eq!(budget.room(8000, Some(100)).unwrap().prompt, 7900);
        assert_eq!(budget.with_tokens(400).room(8000, Some(50)).unwrap().prompt, 350);
        assert_eq!(
            budget.with_tokens(9000).room(8000, Some(50)).unwrap().prompt,
            7950
        );
    }

    #[test]
    fn a_budget_without_room_is_refused_by_its_values() {
        let reserve = |reserve| ContextBudget {
            reserve: Some(reserve),
            ..Default::default()
        };
        let error = reserve(64).room(64, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the budget's reserve is 64 of 64, expected less than all tokens"
        );
        for refill in [0.0, 1.1, f64::NAN] {
            let budget = ContextBudget {
                refill,
                ..Default::default()
            };
            assert!(budget.room(64, None).unwrap_err().to_string().contains("refill"));
        }
    }
}
