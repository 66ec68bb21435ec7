//! Grammars of answers that call tools: what a model may write where a call is forced, held to its schema, or one alone.
//!
//! Every text of such a grammar is read by the parser of the same format, as the calls that it spells. A grammar is made
//! only where one is needed: a model that decides by itself, and whose tools are not strict, writes freely.
//!
//! # Source
//!
//! Lark's syntax as llguidance reads it: `<name>` is a token of that name, which no other terminal holds; a rule with a
//! `suffix` ends where that text first stands.

mod schema;

use engine::{Constraint, EngineError, ToolChoice, ToolDefinition};
use models::Tokenizer;
use serde_json::{Value, json};

use super::OutputFormat;
use super::argument::Types;
use schema::{adopt_definitions, close, inline, of_object};

/// Which calls an answer may hold.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'a> {
    /// The tools that are declared.
    pub tools: &'a [ToolDefinition],
    /// Whether the model decides by itself.
    pub choice: &'a ToolChoice,
    /// Whether there may be several; absent: where the model decides by itself.
    pub parallel: Option<bool>,
    /// Calls that stand in the chat already.
    pub before: usize,
    /// What the answer has to be where it calls nothing.
    pub content: Option<&'a Constraint>,
    /// How the model thinks before it answers.
    pub reasoning: Reasoning,
    /// The model's vocabulary, in which marks of the format are tokens or not.
    pub tokenizer: &'a Tokenizer,
}

/// Whether reasoning stands before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasoning {
    /// None does.
    Never,
    /// Some may, between `<think>` and `</think>`.
    Possible,
    /// The prompt has opened it.
    Opened,
}

impl Calls<'_> {
    /// Whether a model that writes freely would do.
    fn are_free(&self) -> bool {
        let strict = self.tools.iter().any(|tool| tool.strict);
        let single = self.parallel == Some(false);
        self.tools.is_empty() || !(self.choice.is_forced() || strict || single || self.content.is_some())
    }

    fn several(&self) -> bool {
        self.parallel.unwrap_or(!self.choice.is_forced())
    }

    /// What an answer without tools has to be.
    ///
    /// # Errors
    ///
    /// [`EngineError::InvalidParameter`] for a grammar of Lark where the prompt has opened reasoning.
    pub fn content_alone(&self) -> Result<Option<Constraint>, EngineError> {
        match (self.content, self.reasoning) {
            (Some(content), Reasoning::Opened) => {
                let mut grammar = Grammar::new(self.tokenizer);
                let content = grammar.content(content)?;
                Ok(Some(grammar.begin(self.reasoning, &content)))
            }
            (content, _) => Ok(content.cloned()),
        }
    }

    /// The tools that may be called.
    fn callable(&self) -> impl Iterator<Item = &ToolDefinition> {
        self.tools.iter().filter(|tool| match self.choice {
            ToolChoice::Named(name) => tool.name == *name,
            ToolChoice::None => false,
            _ => true,
        })
    }
}

impl OutputFormat {
    /// What an answer with these calls has to be, where it is not free.
    ///
    /// # Errors
    ///
    /// [`EngineError::InvalidParameter`] for a schema that the format cannot be held to, and for a grammar of Lark where
    /// the answer may also be a call.
    pub fn constraint(self, calls: &Calls<'_>) -> Result<Option<Constraint>, EngineError> {
        if calls.are_free() {
            return Ok(None);
        }
        let mut grammar = Grammar::new(calls.tokenizer);
        let answer = self.answer(calls, &mut grammar)?;
        Ok(Some(grammar.begin(calls.reasoning, &answer)))
    }

    /// The expression of an answer behind its reasoning.
    fn answer(self, calls: &Calls<'_>, grammar: &mut Grammar<'_>) -> Result<String, EngineError> {
        let mut each = Vec::new();
        for (number, tool) in calls.callable().enumerate() {
            let call = self.call(number, tool, calls, grammar)?;
            let name = format!("call_{number}");
            grammar.rule(&name, &call);
            each.push(name);
        }
        grammar.rule("call", &each.join(" | "));
        let Shape {
            mark,
            open,
            between,
            close,
        } = self.shape();
        let several = match (calls.several(), between) {
            (true, "") => "call+".to_owned(),
            (true, between) => format!("call ({} call)*", grammar.literal(between)),
            (false, _) => "call".to_owned(),
        };
        let behind = format!("{} {several} {}", grammar.literal(open), grammar.literal(close));
        let section = format!("{} {behind}", grammar.literal(mark));
        if calls.choice.is_forced() {
            return Ok(section);
        }
        if let Some(content) = calls.content {
            let content = grammar.content(content)?;
            return Ok(format!("{content} | {section}"));
        }
        if mark.is_empty() {
            // White space does not keep what follows it from being a call.
            let space = r"[ \t\n\r\f]*";
            grammar.rule("TALK", &format!(r"/{space}([^ \t\n\r\f{{<]|<[^|])(?s:.*)/"));
            return Ok(format!("TALK | {behind}"));
        }
        grammar.rule("TALK", &without("/(?s:.+)/", self.openings()));
        let lead = grammar.up_to("lead", mark, self.openings());
        Ok(format!("TALK | {lead} {behind}"))
    }

    /// What its parser takes for the beginning of calls, however it is spelled.
    fn openings(self) -> &'static [&'static str] {
        match self {
            Self::KimiK2 => &["<|tool_call"],
            Self::Qwen3 => &["<tool_call>"],
            Self::Qwen3Coder => &["<tool_call>", "<function="],
            Self::Llama3 => &[],
        }
    }

    /// What stands around the calls of an answer.
    fn shape(self) -> Shape {
        match self {
            Self::KimiK2 => Shape {
                mark: "<|tool_calls_section_begin|>",
                open: "",
                between: "",
                close: "<|tool_calls_section_end|>",
            },
            // The mark belongs to the first call.
            Self::Qwen3 | Self::Qwen3Coder => Shape {
                mark: "<tool_call>",
                open: "\n",
                between: "\n<tool_call>\n",
                close: "",
            },
            Self::Llama3 => Shape {
                mark: "",
                open: "",
                between: "; ",
                close: "",
            },
        }
    }

    /// The expression of a call behind the mark.
    fn call(
        self,
        number: usize,
        tool: &ToolDefinition,
        calls: &Calls<'_>,
        grammar: &mut Grammar<'_>,
    ) -> Result<String, EngineError> {
        let name = &tool.name;
        Ok(match self {
            Self::KimiK2 => {
                let index = if calls.several() {
                    "/[0-9]{1,3}/".to_owned()
                } else {
                    quoted(&calls.before.to_string())
                };
                let arguments = grammar.arguments(number, tool);
                format!(
                    "{} {index} {} {arguments} {}",
                    grammar.literal(&format!("<|tool_call_begin|>functions.{name}:")),
                    grammar.literal("<|tool_call_argument_begin|>"),
                    grammar.literal("<|tool_call_end|>"),
                )
            }
            Self::Qwen3 => {
                let arguments = grammar.arguments(number, tool);
                let before = format!("{{\"name\": \"{name}\", \"arguments\": ");
                format!(
                    "{} {arguments} {}",
                    quoted(&before),
                    grammar.literal("}\n</tool_call>")
                )
            }
            // JSON as a whole, since the answer may be other JSON.
            Self::Llama3 => {
                let mut schema = json!({
                    "type": "object",
                    "properties": {"name": {"const": name}, "parameters": of_object(tool)},
                    "required": ["name", "parameters"],
                    "additionalProperties": false,
                });
                adopt_definitions(&mut schema, &tool.parameters);
                inline(schema)
            }
            Self::Qwen3Coder => {
                let parameters = grammar.parameters(number, tool)?;
                format!(
                    "{} {parameters} {}",
                    quoted(&format!("<function={name}>\n")),
                    grammar.literal("</function>\n</tool_call>")
                )
            }
        })
    }
}

/// What stands around the calls of an answer.
struct Shape {
    /// What no other text holds, and every section of calls begins with; nothing where calls stand alone.
    mark: &'static str,
    open: &'static str,
    between: &'static str,
    close: &'static str,
}

/// The rules so far.
struct Grammar<'a> {
    text: String,
    tokenizer: &'a Tokenizer,
}

impl<'a> Grammar<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            text: String::new(),
            tokenizer,
        }
    }

    /// `text` to the letter, its marks as the tokens that they are; nothing for nothing.
    fn literal(&self, text: &str) -> String {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = rest.find('>').map(|end| end + 1).filter(|_| first == '<');
            let mark = end.and_then(|end| rest.get(..end));
            let taken = match mark.filter(|mark| self.tokenizer.mark(mark).is_some()) {
                Some(mark) => {
                    if !plain.is_empty() {
                        parts.push(quoted(&std::mem::take(&mut plain)));
                    }
                    parts.push(mark.to_owned());
                    mark.len()
                }
                None => {
                    plain.push(first);
                    first.len_utf8()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        if !plain.is_empty() {
            parts.push(quoted(&plain));
        }
        parts.join(" ")
    }

    /// The expression of a text without `openings`, however they are spelled, then of `mark`, which is one of them; it may be
    /// the rule `name`.
    fn up_to(&mut self, name: &str, mark: &str, openings: &[&str]) -> String {
        let any = name.to_uppercase();
        if self.tokenizer.mark(mark).is_some() {
            self.rule(&any, &without("/(?s:.+)/", openings));
            return format!("{any}? {mark}");
        }
        let others: Vec<&str> = openings
            .iter()
            .copied()
            .filter(|opening| *opening != mark && !mark.starts_with(opening))
            .collect();
        self.rule(&any, &without("/(?s:.*)/", &others));
        self.rule(&format!("{name}[suffix={}]", quoted(mark)), &any);
        name.to_owned()
    }

    fn rule(&mut self, name: &str, expression: &str) {
        self.text.push_str(name);
        self.text.push_str(": ");
        self.text.push_str(expression);
        self.text.push('\n');
    }

    /// The whole: `answer` behind the reasoning that may stand before it.
    fn begin(mut self, reasoning: Reasoning, answer: &str) -> Constraint {
        let thought = if reasoning == Reasoning::Never {
            String::new()
        } else {
            self.rule("SPACE", "/[ \\n]{1,4}/");
            format!("{} SPACE?", self.up_to("thought", "</think>", &["</think>"]))
        };
        let start = match reasoning {
            Reasoning::Never => answer.to_owned(),
            Reasoning::Possible => format!("({} {thought})? ({answer})", self.literal("<think>")),
            Reasoning::Opened => format!("{thought} ({answer})"),
        };
        self.rule("start", &start);
        Constraint::Lark(self.text)
    }

    /// A rule for the arguments of a tool as one JSON object; its name.
    fn arguments(&mut self, number: usize, tool: &ToolDefinition) -> String {
        let name = format!("arguments_{number}");
        self.rule(&name, &inline(of_object(tool)));
        name
    }

    /// The expression of a tool's arguments as tags around values, in the order in which they are declared.
    fn parameters(&mut self, number: usize, tool: &ToolDefinition) -> Result<String, EngineError> {
        let root = &tool.parameters;
        let required: Vec<&str> = match root.get("required").and_then(Value::as_array) {
            Some(names) => names.iter().filter_map(Value::as_str).collect(),
            None => Vec::new(),
        };
        let mut all = Vec::new();
        let properties = root.get("properties").and_then(Value::as_object);
        for (place, (key, schema)) in properties.into_iter().flatten().enumerate() {
            let name = format!("value_{number}_{place}");
            let value = self.value(&name, tool, key, schema)?;
            let parameter = format!("parameter_{number}_{place}");
            self.rule(
                &parameter,
                &format!("{} {value}", quoted(&format!("<parameter={key}>\n"))),
            );
            let optional = if required.contains(&key.as_str()) { "" } else { "?" };
            all.push(format!("{parameter}{optional}"));
        }
        if let Some(key) = required
            .iter()
            .find(|key| !properties.is_some_and(|known| known.contains_key(**key)))
        {
            return Err(unfit(tool, &format!("requires {key:?} and does not declare it")));
        }
        Ok(all.join(" "))
    }

    /// The expression of one value and the tag that closes it; it may be the rule `name`.
    fn value(
        &mut self,
        name: &str,
        tool: &ToolDefinition,
        key: &str,
        schema: &Value,
    ) -> Result<String, EngineError> {
        const CLOSE: &str = "\n</parameter>\n";
        let types = Types::declared(Some(tool), key);
        if !types.has_string() {
            let mut schema = schema.clone();
            close(&mut schema);
            adopt_definitions(&mut schema, &tool.parameters);
            self.rule(name, &inline(schema));
            return Ok(format!("{name} {}", self.literal(CLOSE)));
        }
        let root = &tool.parameters;
        if let Some(values) = schema::values(schema, root) {
            let spelled = values.iter().map(|value| match value {
                Value::String(text) => quoted(text),
                other => quoted(&other.to_string()),
            });
            let spelled: Vec<String> = spelled.collect();
            return Ok(format!("({}) {}", spelled.join(" | "), self.literal(CLOSE)));
        }
        if let Some(keyword) = schema::narrows(schema, root)
            && tool.strict
        {
            let what = format!("has {keyword} for {key:?}, to which bare text cannot be held");
            return Err(unfit(tool, &what));
        }
        if self.tokenizer.mark(CLOSE.trim()).is_some() {
            // The line end in front of the tag is in the one terminal that could hold it.
            let any = name.to_uppercase();
            self.rule(&any, "/(?s:.*\\n)/");
            return Ok(format!("{any} {}", self.literal(CLOSE.trim_start())));
        }
        self.rule(&format!("{name}[suffix={}]", quoted(CLOSE)), "/(?s:.*)/");
        Ok(name.to_owned())
    }

    /// The expression of an answer that calls nothing.
    fn content(&mut self, content: &Constraint) -> Result<String, EngineError> {
        let expression = match content {
            Constraint::JsonSchema(schema) => inline(schema.clone()),
            Constraint::JsonObject => inline(json!({"type": "object"})),
            Constraint::Regex(expression) if !expression.is_empty() => slashed(expression),
            Constraint::Choice(texts) if !texts.is_empty() && !texts.iter().any(String::is_empty) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                texts.join(" | ")
            }
            _ => {
                return Err(EngineError::InvalidParameter {
                    field: "constraint",
                    value: "empty or a grammar, together with tools or with reasoning".to_owned(),
                    expected: "a schema, a regular expression or a choice of texts, none of them empty",
                });
            }
        };
        self.rule("content", &expression);
        Ok("content".to_owned())
    }
}

fn unfit(tool: &ToolDefinition, what: &str) -> EngineError {
    EngineError::InvalidParameter {
        field: "the schema of a tool's parameters",
        value: format!("one of {:?} that {what}", tool.name),
        expected: "what the model's format of calls can be held to",
    }
}

/// A string of Lark is written as one of JSON.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// An expression in slashes, those in it escaped unless they are.
fn slashed(expression: &str) -> String {
    let (mut text, mut escaped) = ("/".to_owned(), false);
    for c in expression.chars() {
        if c == '/' && !escaped {
            text.push('\\');
        }
        text.push(c);
        escaped = c == '\\' && !escaped;
    }
    text.push('/');
    text
}

/// The terminal `any`, less the texts that hold one of these.
fn without(any: &str, held: &[&str]) -> String {
    let less = held
        .iter()
        .map(|held| format!(" & ~/(?s:.*){}(?s:.*)/", pattern(held)));
    less.fold(any.to_owned(), |terminal, less| terminal + &less)
}

/// A text as a regular expression.
fn pattern(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if !(c.is_ascii_alphanumeric() || matches!(c, '_' | '<' | '>' | ' ')) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests;
