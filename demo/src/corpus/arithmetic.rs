//! One calculation: a question with two numbers, the call, the result in a sentence.
//!
//! The expression has the numbers in the order in which the question means them: that in which they are named
//! for sums and products, and `10 - 3` for `subtract 3 from 10`.

mod questions;

use super::draw::Draw;
use super::grammar::{dress, one_of, sentence};
use super::names::name;
use super::scene::Scene;
use super::tools::{Served, calculate};
use questions::{GENERAL, MINUS, MINUS_TOLD, OVER, OVER_TOLD, PLUS, PLUS_TOLD, THINGS, TIMES, TIMES_TOLD};

/// One of the four operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Plus,
    Minus,
    Times,
    Over,
}

/// Two numbers and what is done with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calculation {
    pub(super) left: i64,
    pub(super) operation: Operation,
    pub(super) right: i64,
}

impl Calculation {
    /// Any calculation; a division leaves no rest.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        use Operation::{Minus, Over, Plus, Times};
        let operation = *draw.pick(&[Plus, Minus, Times, Over]);
        let (left, right) = match operation {
            Plus => (draw.number(), draw.number()),
            Minus => {
                let (a, b) = (draw.number(), draw.number());
                if draw.chance(85) {
                    (a.max(b), a.min(b))
                } else {
                    (a, b)
                }
            }
            Times => {
                let sizes = draw.pick(&[
                    (1, 1),
                    (1, 2),
                    (2, 1),
                    (2, 2),
                    (2, 2),
                    (1, 3),
                    (3, 1),
                    (3, 2),
                    (2, 3),
                    (1, 4),
                    (4, 1),
                ]);
                (draw.digits(sizes.0), draw.digits(sizes.1))
            }
            Over => {
                let divisor = if draw.chance(60) {
                    draw.within(2, 9)
                } else {
                    draw.within(10, 99)
                };
                (divisor * draw.within(1, 9999 / divisor), divisor)
            }
        };
        Self {
            left,
            operation,
            right,
        }
    }

    /// A step on from a number that is not negative, whose result is not negative either.
    pub(super) fn onward(draw: &mut Draw, left: i64) -> Self {
        use Operation::{Minus, Over, Plus, Times};
        let divisors: Vec<i64> = (2..=12)
            .filter(|divisor| left > 0 && left % divisor == 0)
            .collect();
        let operation = *draw.pick(&[Plus, Minus, Times, Over]);
        let (operation, right) = match operation {
            Plus => (Plus, draw.number()),
            Minus if left >= 10 => (Minus, draw.within(1, left.min(999))),
            Over if !divisors.is_empty() => (Over, *draw.pick(&divisors)),
            _ if left < 10_000 => (Times, draw.within(2, if left < 1000 { 30 } else { 9 })),
            _ => (Plus, draw.number()),
        };
        Self {
            left,
            operation,
            right,
        }
    }

    pub(super) fn result(self) -> i64 {
        match self.operation {
            Operation::Plus => self.left + self.right,
            Operation::Minus => self.left - self.right,
            Operation::Times => self.left * self.right,
            Operation::Over => self.left / self.right,
        }
    }

    pub(super) fn served(self) -> Served {
        let sign = match self.operation {
            Operation::Plus => '+',
            Operation::Minus => '-',
            Operation::Times => '*',
            Operation::Over => '/',
        };
        calculate(&format!("{} {sign} {}", self.left, self.right), self.result())
    }

    /// The calculation in words.
    pub(super) fn words(self) -> String {
        let word = match self.operation {
            Operation::Plus => "plus",
            Operation::Minus => "minus",
            Operation::Times => "times",
            Operation::Over => "divided by",
        };
        format!("{} {word} {}", self.left, self.right)
    }

    /// The question, as yet without politeness.
    pub(super) fn question(self, draw: &mut Draw) -> String {
        let (patterns, told) = match self.operation {
            Operation::Plus => (PLUS, PLUS_TOLD),
            Operation::Minus => (MINUS, MINUS_TOLD),
            Operation::Times => (TIMES, TIMES_TOLD),
            Operation::Over => (OVER, OVER_TOLD),
        };
        // Nobody has 1 apples, or gives away more than there are.
        let countable = self.left > 1 && self.right > 1 && self.result() >= 0;
        match draw.below(100) {
            0..33 => self.fill(draw, GENERAL),
            33..62 if countable => self.fill(draw, told),
            _ => self.fill(draw, patterns),
        }
    }

    fn fill(self, draw: &mut Draw, patterns: &[&str]) -> String {
        let (a, b, words) = (self.left.to_string(), self.right.to_string(), self.words());
        let symbol = match self.operation {
            Operation::Plus => "+",
            Operation::Minus => "-",
            Operation::Times => *draw.pick(&["*", "*", "x"]),
            Operation::Over => "/",
        };
        let formula = format!("{a} {symbol} {b}");
        let which = if draw.chance(55) { &words } else { &formula };
        let who = name(draw);
        let thing = draw.word(THINGS);
        one_of(
            draw,
            patterns,
            &[("a", &a), ("b", &b), ("f", which), ("n", &who), ("t", thing)],
        )
    }

    /// The result in a sentence that stands alone.
    pub(super) fn full_report(self, draw: &mut Draw) -> String {
        let result = self.result().to_string();
        sentence(
            draw,
            &["{w} is {r}.", "{w} is {r}.", "{w} makes {r}.", "{w} equals {r}."],
            &[("w", &self.words()), ("r", &result)],
        )
    }

    /// The result in a sentence.
    pub(super) fn report(self, draw: &mut Draw) -> String {
        if draw.chance(60) {
            return self.full_report(draw);
        }
        short_report(draw, self.result())
    }
}

/// A result in a sentence.
pub(super) fn short_report(draw: &mut Draw, result: i64) -> String {
    let patterns = [
        "that makes {r}.",
        "that is {r}.",
        "the answer is {r}.",
        "the result is {r}.",
        "it is {r}.",
    ];
    sentence(draw, &patterns, &[("r", &result.to_string())])
}

/// Question, call, result, sentence.
pub(super) fn exchange(draw: &mut Draw, scene: &mut Scene) {
    let calculation = Calculation::draw(draw);
    let question = calculation.question(draw);
    scene.ask(dress(draw, &question));
    let report = calculation.report(draw);
    scene.call(calculation.served());
    scene.say(report, &[&calculation.result().to_string()]);
}
