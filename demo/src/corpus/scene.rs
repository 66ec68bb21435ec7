//! A scene: the turns of a dialogue as they are written, each turn of the model with its check.

use super::tools::{Served, Service};
use crate::dialogue::{Check, Turn};

/// The turns up to now.
pub(super) struct Scene {
    /// What is declared, in the order of the declarations.
    pub(super) declared: Vec<Service>,
    /// What was said.
    pub(super) turns: Vec<Turn>,
    /// Which topics of small talk were touched.
    pub(super) topics: Vec<usize>,
    /// One for each turn of the model.
    pub(super) checks: Vec<Option<Check>>,
}

impl Scene {
    /// Before the first word.
    pub(super) fn new(declared: Vec<Service>) -> Self {
        Self {
            declared,
            turns: Vec::new(),
            topics: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// The person says this.
    pub(super) fn ask(&mut self, text: String) {
        self.turns.push(Turn::User(text));
    }

    /// The model says this, and anything will do.
    pub(super) fn chat(&mut self, text: String) {
        self.turns.push(Turn::Assistant(text));
        self.checks.push(None);
    }

    /// The model says this, and each of the words has to be there.
    pub(super) fn say(&mut self, text: String, words: &[&str]) {
        self.turns.push(Turn::Assistant(text));
        self.checks.push(Some(Check::Says(
            words.iter().map(|&word| word.to_owned()).collect(),
        )));
    }

    /// The model says this, and one word of each group has to be there.
    pub(super) fn say_one_of_each(&mut self, text: String, groups: &[&[&str]]) {
        let own = |group: &&[&str]| group.iter().map(|&word| word.to_owned()).collect();
        self.turns.push(Turn::Assistant(text));
        self.checks
            .push(Some(Check::SaysOneOfEach(groups.iter().map(own).collect())));
    }

    /// The model calls a tool, which answers.
    pub(super) fn call(&mut self, served: Served) {
        self.checks.push(Some(Check::Call(served.call.clone())));
        self.turns.push(Turn::Call(served.call));
        self.turns.push(Turn::Result(served.result));
    }
}
