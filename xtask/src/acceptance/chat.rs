//! A conversation: the model's own template makes the prompt, and the answer follows it. And a call of a tool, where the
//! model has to make one.

use anyhow::Result;
use engine::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, ToolCall,
    ToolChoice, ToolDefinition,
};
use providers::template::Variables;
use serde_json::json;

use super::manifest::{Case, Required};
use super::subject::Subject;
use super::{Outcome, Tally, generation, template};

/// What stands before the date in prompts that tell it.
const DATE: &str = "Today Date: ";

/// Renders the messages, which must give `rendered_prompt`, encodes it, and goes on as a completion does.
pub(crate) fn run(case: &Case, subject: &Subject, required: Required, tally: &mut Tally) -> Result<Outcome> {
    let mut further = Variables::new();
    if let Some(date) = date(&case.rendered_prompt) {
        further.insert("date_string".to_owned(), date.into());
    }
    let prompt = subject
        .provider
        .dialect()
        .render_with(&case.messages()?, &further)?;
    if prompt != case.rendered_prompt {
        return Ok(Outcome::Failed(template::first_difference(
            &case.rendered_prompt,
            &prompt,
        )));
    }
    let ids = subject.provider.dialect().encode_rendered(&prompt)?;
    // The contexts of the other small models have no room for the declaration of a tool.
    if case.id.contains("kq-kimi")
        && let Some(fault) = forced_call(case, subject)?
    {
        return Ok(Outcome::Failed(fault));
    }
    generation::answer(case, subject, &ids, required, tally)
}

/// What is wrong with the call that the model makes where it has to make one, if anything is.
fn forced_call(case: &Case, subject: &Subject) -> Result<Option<String>> {
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string", "enum": ["Tim", "Lily"]}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["name", "age"],
        "additionalProperties": false,
    });
    let params = CandleCompletionParams {
        tools: vec![ToolDefinition::new("look_up", schema).with_description("Looks a person up.")],
        tool_choice: ToolChoice::Required,
        max_tokens: Some(200),
        temperature: Some(0.0),
        ..CandleCompletionParams::default()
    };
    let prompt = CandlePrompt::chat(case.messages()?);
    let (mut calls, mut text) = (Vec::new(), String::new());
    for chunk in subject.provider.prompt(prompt, &params).blocking_iter() {
        match chunk? {
            CandleCompletionChunk::ToolCallComplete { call, .. } => calls.push(call),
            CandleCompletionChunk::Text { text: piece, .. } => text += &piece,
            _ => {}
        }
    }
    let well_formed = |call: &ToolCall| {
        call.name == "look_up" && call.parse_arguments().is_ok_and(|arguments| arguments.len() == 2)
    };
    let id = if subject.provider.family().name == "kimi-k2" {
        "functions.look_up:0"
    } else {
        "call_0"
    };
    Ok(match calls.as_slice() {
        [call] if well_formed(call) && call.id == id && text.is_empty() => None,
        _ => Some(format!("a forced call became {calls:?} and the text {text:?}")),
    })
}

/// The date that the reference was rendered at, where the prompt tells it.
fn date(prompt: &str) -> Option<&str> {
    let (_, behind) = prompt.split_once(DATE)?;
    behind.lines().next()
}
