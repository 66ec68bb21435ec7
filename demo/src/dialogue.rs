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

impl Check {
    /// Whether a turn of the model passes.
    pub fn holds(&self, turn: &Turn) -> bool {
        match (self, turn) {
            (Self::Call(wanted), Turn::Call(call)) => wanted == call,
            (Self::Says(words), Turn::Assistant(text)) => words.iter().all(|word| says(text, word)),
            (Self::SaysOneOfEach(groups), Turn::Assistant(text)) => groups
                .iter()
                .all(|group| group.iter().any(|word| says(text, word))),
            _ => false,
        }
    }
}

/// Whether the text holds these words, whole and in any case: `4` is not in `42`, `-4`, `4.5` or `14:05`.
fn says(text: &str, words: &str) -> bool {
    let (text, words) = (text.to_ascii_lowercase(), words.to_ascii_lowercase());
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    text.match_indices(&words).any(|(at, _)| {
        let (mut before, mut after) = (text[..at].chars().rev(), text[at + words.len()..].chars());
        let begins = match before.next() {
            Some('-') => !digit(words.chars().next()),
            Some('.' | ':') => !(digit(before.next()) && digit(words.chars().next())),
            Some(letter) => !letter.is_alphanumeric(),
            None => true,
        };
        let ends = match after.next() {
            Some('.' | ':') => !(digit(after.next()) && digit(words.chars().last())),
            Some(letter) => !letter.is_alphanumeric(),
            None => true,
        };
        begins && ends
    })
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
