//! Calls of tools in a model's output, against what a reference reads from the same text.
//!
//! Each entry is read whole, split in two at every character, and character by character: all must agree. Text
//! counts without the whitespace at its end, arguments as JSON values.

use std::path::Path;

use anyhow::Context as _;
use engine::{CandleCompletionChunk, CandleStringChunk, Events, OutputParser, ToolCall, ToolDefinition};
use providers::OutputFormat;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Outcome;

/// The file of cases.
#[derive(Deserialize)]
struct Document {
    tools: Map<String, Value>,
    cases: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    format: String,
    input: String,
    /// Whether more output would follow.
    is_partial: bool,
    /// Names of the declared tools.
    tools: Vec<String>,
    expect: Read,
}

/// What is read from an output.
#[derive(Debug, Default, Deserialize)]
struct Read {
    content: String,
    reasoning: String,
    tool_calls: Vec<Called>,
}

#[derive(Debug, Deserialize)]
struct Called {
    name: String,
    arguments: Value,
    /// Absent where the format has none.
    id: Option<String>,
}

/// Runs every entry of a file and hands over how each ended.
pub(crate) fn run(
    fixtures: &Path,
    cases_file: &str,
    count: &mut dyn FnMut(&str, Outcome),
) -> anyhow::Result<()> {
    let path = fixtures.join(cases_file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let document: Document = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    for entry in &document.cases {
        let outcome = check(entry, &document.tools);
        count(
            &entry.id,
            outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}"))),
        );
    }
    Ok(())
}

fn check(entry: &Entry, declared: &Map<String, Value>) -> anyhow::Result<Outcome> {
    let format = match entry.format.as_str() {
        "hermes-json" => OutputFormat::Qwen3,
        "kimi-k2" => OutputFormat::KimiK2,
        "qwen3-coder" => OutputFormat::Qwen3Coder,
        other => return Ok(Outcome::Skipped(format!("no parser for the format `{other}`"))),
    };
    let definition = |name: &String| {
        let tool = declared
            .get(name)
            .with_context(|| format!("no tool `{name}` is defined"))?;
        anyhow::Ok(serde_json::from_value::<ToolDefinition>(tool.clone())?)
    };
    let tools = entry
        .tools
        .iter()
        .map(definition)
        .collect::<anyhow::Result<Vec<_>>>()?;
    for pieces in splits(&entry.input) {
        let read = read(
            format.parser_with_reasoning(&tools, &[], ""),
            &pieces,
            !entry.is_partial,
        );
        if let Some(difference) = difference(&entry.expect, &read) {
            return Ok(Outcome::Failed(format!("{difference}, in pieces {pieces:?}")));
        }
    }
    Ok(Outcome::Passed)
}

/// `text` whole, in two pieces at every place, and in pieces of one character.
fn splits(text: &str) -> Vec<Vec<&str>> {
    let places: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let mut splits = vec![vec![text]];
    splits.extend(
        places
            .iter()
            .map(|at| <[&str; 2]>::from(text.split_at(*at)).to_vec()),
    );
    let letters = places.iter().zip(places.iter().skip(1));
    splits.push(letters.map(|(from, to)| &text[*from..*to]).collect());
    splits
}

fn read(mut parser: impl OutputParser, pieces: &[&str], ends: bool) -> Read {
    let mut events = Events::new();
    for piece in pieces {
        let chunk = CandleStringChunk {
            text: (*piece).to_owned(),
            ..CandleStringChunk::default()
        };
        parser.push(&chunk, &mut events);
    }
    if ends {
        parser.finish(0, &mut events);
    }
    let mut read = Read::default();
    while let Some(event) = events.pop() {
        match event {
            CandleCompletionChunk::Text { text, .. } => read.content += &text,
            CandleCompletionChunk::Reasoning { text, .. } => read.reasoning += &text,
            CandleCompletionChunk::ToolCallComplete { call, .. } => read.tool_calls.push(called(call)),
            _ => {}
        }
    }
    read
}

/// A call with its arguments as a value: their text where they are no object.
fn called(call: ToolCall) -> Called {
    let arguments = call.parse_arguments().map(Value::Object);
    Called {
        arguments: arguments.unwrap_or_else(|_| call.arguments.clone().into()),
        name: call.name,
        id: Some(call.id),
    }
}

fn difference(expected: &Read, read: &Read) -> Option<String> {
    let same_call = |(expected, read): (&Called, &Called)| {
        expected.name == read.name
            && expected.arguments == read.arguments
            && (expected.id.is_none() || expected.id == read.id)
    };
    let same = expected.content.trim_end() == read.content.trim_end()
        && expected.reasoning.trim_end() == read.reasoning.trim_end()
        && expected.tool_calls.len() == read.tool_calls.len()
        && expected.tool_calls.iter().zip(&read.tool_calls).all(same_call);
    (!same).then(|| format!("expected {expected:?}, read {read:?}"))
}
