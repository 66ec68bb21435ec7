//! A dialogue: what is said in turn, which tools are declared, and which skill it shows.

use serde_json::{Map, Value};

/// What a dialogue teaches, and what a figure of the examination is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skill {
    /// A little story with the asked-for hero, place and mood.
    Story,
    /// Greetings, thanks, how are you, good-bye.
    SmallTalk,
    /// Questions about this project.
    Project,
    /// A question that only an earlier turn answers.
    FollowUp,
    /// One call of the calculator.
    Arithmetic,
    /// One call of the unit converter.
    Conversion,
    /// One call of the clock.
    Time,
    /// One call of the weather service.
    Weather,
    /// Two calls in a row, the second after the first's result.
    TwoCalls,
    /// A question that no declared tool can answer.
    Refusal,
}

impl Skill {
    /// All skills.
    pub const ALL: [Self; 10] = [
        Self::Story,
        Self::SmallTalk,
        Self::Project,
        Self::FollowUp,
        Self::Arithmetic,
        Self::Conversion,
        Self::Time,
        Self::Weather,
        Self::TwoCalls,
        Self::Refusal,
    ];
}

/// A parameter of a tool, always required.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// As the model must write it.
    pub name: &'static str,
    /// `string` or `number`.
    pub kind: &'static str,
}

/// A tool as it is declared to the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// As the model must write it.
    pub name: &'static str,
    /// One short sentence.
    pub description: &'static str,
    /// In the order of their declaration.
    pub parameters: Vec<Parameter>,
}

/// One turn of a dialogue.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// What the person says.
    User(String),
    /// What the model says.
    Assistant(String),
    /// The model calls a tool.
    Call(Call),
    /// What the tool gave back, on one line.
    Result(String),
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Name of the tool.
    pub tool: &'static str,
    /// Name and value of each argument; strings and numbers.
    pub arguments: Map<String, Value>,
}

/// How a turn of the model is judged in an examination.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// A call of this tool with exactly these arguments.
    Call(Call),
    /// A text without a call that holds each of these, letters compared without case.
    Says(Vec<String>),
    /// A text without a call that holds one of each group.
    SaysOneOfEach(Vec<Vec<String>>),
}

/// A whole dialogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialogue {
    /// What it teaches.
    pub skill: Skill,
    /// The system message, if there is one.
    pub system: Option<String>,
    /// The declared tools; may be empty.
    pub tools: Vec<Tool>,
    /// The turns, from the first of the person to the last of the model.
    pub turns: Vec<Turn>,
    /// For each turn of the model ([`Turn::Assistant`] and [`Turn::Call`]), in order, how an examination judges it;
    /// `None` where anything that ends by itself will do.
    pub checks: Vec<Option<Check>>,
}
