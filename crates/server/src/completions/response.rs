//! A whole plain completion, and the pieces of a streamed one.

use engine::{FinishReason, TokenLogprobs};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::several::add;
use crate::answer::{Answer, Choice, End, UsageBody};
use crate::chat_completions::StopReason;
use crate::error::Failure;
use crate::logprobs::{Spelling, written};
use crate::model::{Model, now};
use crate::state::State;

/// What all pieces of one answer have in common.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    pub(crate) fn new(state: &State, model: &Model) -> Self {
        Self {
            id: state.id("cmpl-"),
            created: now(),
            model: model.id().to_owned(),
        }
    }

    /// An answer, or a piece of one.
    pub(crate) fn answer(&self, choices: Vec<CompletionChoice>, end: Option<&End>) -> CompletionAnswer {
        CompletionAnswer {
            id: self.id.clone(),
            object: "text_completion",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage: end.map(UsageBody::from),
            seed: end.and_then(|end| end.seed),
        }
    }
}

/// What follows the texts, or a piece of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompletionAnswer {
    id: String,
    #[schema(example = "text_completion")]
    object: &'static str,
    /// In seconds since 1970.
    created: u64,
    model: String,
    choices: Vec<CompletionChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageBody>,
    /// What the draws of the first choice were made with, where it is known. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

/// One of the answers that were asked for; those to one prompt stand behind one another.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct CompletionChoice {
    pub(crate) index: u32,
    pub(crate) text: String,
    pub(crate) logprobs: Option<CompletionLogprobs>,
    /// `stop` or `length`; null in a piece that is not the last.
    pub(crate) finish_reason: Option<&'static str>,
    /// The stop string or the token that ended the answer, where one did. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_reason: Option<StopReason>,
}

/// Log-probabilities of tokens, each in its place in the four lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct CompletionLogprobs {
    tokens: Vec<String>,
    /// Null for the first token of a prompt.
    token_logprobs: Vec<Option<f32>>,
    /// By the texts of the tokens; null for the first token of a prompt.
    #[schema(value_type = Vec<Option<Object>>)]
    top_logprobs: Vec<Option<Map<String, Value>>>,
    /// Where each token begins in the text, in characters.
    text_offset: Vec<usize>,
}

impl CompletionLogprobs {
    /// Adds a token that nothing is known of.
    fn push_unknown(&mut self, text: String, offset: &mut usize) {
        self.text_offset.push(*offset);
        *offset += text.chars().count();
        self.tokens.push(text);
        self.token_logprobs.push(None);
        self.top_logprobs.push(None);
    }

    /// Adds tokens that begin at `offset`, and moves it behind them.
    pub(crate) fn extend(&mut self, logprobs: &[TokenLogprobs], spelling: &Spelling, offset: &mut usize) {
        for token in logprobs {
            let text = spelling.text(token.chosen.token);
            let best = token.best.iter().chain([&token.chosen]);
            let best = best.map(|of| (spelling.text(of.token), number(of.logprob)));
            self.text_offset.push(*offset);
            *offset += text.chars().count();
            self.tokens.push(text);
            self.token_logprobs.push(Some(written(token.chosen.logprob)));
            self.top_logprobs.push(Some(best.collect()));
        }
    }
}

/// The shortest decimal number that is this `f32`.
fn number(value: f32) -> Value {
    let shortest = written(value).to_string().parse::<f64>();
    shortest
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

impl CompletionAnswer {
    /// * `answers`: one to each prompt.
    /// * `echoed`: the prompts, where the answers begin with them.
    pub(crate) fn new(
        head: Head,
        answers: Vec<Answer>,
        echoed: Option<Vec<String>>,
        spelling: Option<&Spelling>,
        model: &Model,
    ) -> Result<Self, Failure> {
        let mut end: Option<End> = None;
        let mut choices = Vec::new();
        for (number, answer) in answers.into_iter().enumerate() {
            end = Some(end.map_or_else(|| answer.end.clone(), |end| add(&end, &answer.end)));
            let echoed = echoed.as_ref().and_then(|prompts| prompts.get(number));
            let scored = match (echoed, spelling) {
                (Some(prompt), Some(spelling)) => {
                    Some(scores(prompt, &answer.prompt_logprobs, spelling, model)?)
                }
                _ => None,
            };
            for choice in answer.choices {
                let index = u32::try_from(choices.len()).unwrap_or(u32::MAX);
                choices.push(CompletionChoice::new(
                    index,
                    choice,
                    echoed,
                    scored.as_ref(),
                    spelling,
                ));
            }
        }
        Ok(head.answer(choices, end.as_ref()))
    }
}

/// The scores of a prompt's tokens.
fn scores(
    prompt: &str,
    logprobs: &[TokenLogprobs],
    spelling: &Spelling,
    model: &Model,
) -> Result<CompletionLogprobs, Failure> {
    let tokenizer = model.spelling("echo")?;
    let tokens = tokenizer.encode_prompt(prompt).map_err(|_| Failure::internal())?;
    let (mut scores, mut offset) = (CompletionLogprobs::default(), 0);
    if let Some(first) = tokens.first() {
        scores.push_unknown(spelling.text(*first), &mut offset);
    }
    scores.extend(logprobs, spelling, &mut offset);
    Ok(scores)
}

impl CompletionChoice {
    fn new(
        index: u32,
        choice: Choice,
        echoed: Option<&String>,
        scored: Option<&CompletionLogprobs>,
        spelling: Option<&Spelling>,
    ) -> Self {
        let prompt = echoed.map(String::as_str).unwrap_or_default();
        let logprobs = spelling.map(|spelling| {
            let mut logprobs = scored.cloned().unwrap_or_default();
            let mut offset = prompt.chars().count();
            logprobs.extend(&choice.logprobs, spelling, &mut offset);
            logprobs
        });
        Self {
            index,
            text: format!("{prompt}{}", choice.text),
            logprobs,
            finish_reason: Some(choice.finish.unwrap_or(FinishReason::Stop).as_str()),
            stop_reason: StopReason::of(choice.stop),
        }
    }
}
