//! `wick run`: one prompt, one answer.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use engine::{
    AsyncStream, CandleCompletionChunk, CandlePrompt, EngineError, FinishReason, Message, Timings, ToolCall,
    Usage,
};
use futures::StreamExt as _;
use serde::Serialize;

use crate::arguments::RunArguments;
use crate::interrupt::{self, Outcome};
use crate::loading::{self, Model};
use crate::schema::{Schema, SchemaError};
use crate::{failure, input, output};

/// Answers the prompt of `arguments`.
///
/// # Errors
///
/// Whatever keeps the answer from being complete; what had been streamed until then stays printed.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let (params, schema) = arguments.params()?;
    let schema = schema.as_ref();
    let runtime = interrupt::runtime()?;
    let code = runtime.block_on(async {
        let Outcome::Done(text) = input::prompt(arguments).await? else {
            return Ok(failure::INTERRUPTED);
        };
        let prompt = prompt(arguments, text);
        let Outcome::Done(model) = loading::load(&arguments.model).await? else {
            return Ok(failure::INTERRUPTED);
        };
        let stream = model.provider.prompt(prompt, &params);
        let outcome = if arguments.json {
            interrupt::or_interrupt(print_json(stream, &model, schema)).await?
        } else {
            print_text(stream, schema).await?
        };
        // The program ends: the system takes back at once what would be given back in a hundred thousand pieces.
        std::mem::forget(model);
        match outcome {
            Outcome::Done(result) => result.map(|()| 0),
            Outcome::Interrupted => Ok(failure::INTERRUPTED),
        }
    });
    // A load that was interrupted goes on in its thread; waiting for it would be no interruption.
    runtime.shutdown_background();
    code.map(ExitCode::from)
}

/// What the model is asked.
fn prompt(arguments: &RunArguments, text: String) -> CandlePrompt {
    if arguments.raw {
        return CandlePrompt::raw(text);
    }
    let mut messages: Vec<Message> = arguments.system.system.iter().map(Message::system).collect();
    messages.push(Message::user(text));
    CandlePrompt::chat(messages)
}

/// Checks that a whole answer is what a schema asks for; calls of tools are none.
fn check_schema(
    schema: &Schema,
    text: &str,
    called: bool,
    finish: Option<FinishReason>,
    tokens: usize,
) -> Result<(), SchemaError> {
    if called {
        return Ok(());
    }
    if finish == Some(FinishReason::Length) {
        return Err(SchemaError::Cut { tokens });
    }
    schema.check(text)
}

type Completion = AsyncStream<Result<CandleCompletionChunk, EngineError>>;

/// Shows the answer as it comes, until it ends or Ctrl-C is pressed.
///
/// * `schema`: what it has to fit, if anything.
async fn print_text(
    mut stream: Completion,
    schema: Option<&Schema>,
) -> anyhow::Result<Outcome<anyhow::Result<()>>> {
    let mut answer = output::Answer::begin();
    let (mut whole, mut called, mut finish, mut tokens) = (String::new(), false, None, 0);
    let outcome = interrupt::or_interrupt(async {
        while let Some(item) = stream.next().await {
            let chunk = item?;
            tokens += chunk.tokens().len();
            match chunk {
                CandleCompletionChunk::Text { text, .. } => {
                    if schema.is_some() {
                        whole.push_str(&text);
                    }
                    answer.piece(&text)?;
                }
                CandleCompletionChunk::Finish { finish: reason, .. } => finish = Some(reason),
                CandleCompletionChunk::Reasoning { text, .. } => answer.reasoning(&text)?,
                CandleCompletionChunk::ToolCallComplete { call, .. } => {
                    let line = serde_json::to_string(&call).context("the call cannot be written as JSON")?;
                    called = true;
                    answer.line(&line)?;
                }
                _ => {}
            }
        }
        Ok(())
    });
    let outcome = outcome.await?;
    answer.end()?;
    Ok(match (outcome, schema) {
        (Outcome::Done(Ok(())), Some(schema)) => {
            Outcome::Done(check_schema(schema, &whole, called, finish, tokens).map_err(Into::into))
        }
        (outcome, _) => outcome,
    })
}

/// Shows the answer, its tokens and its figures as one line of JSON.
///
/// * `schema`: what it has to fit, if anything.
async fn print_json(stream: Completion, model: &Model, schema: Option<&Schema>) -> anyhow::Result<()> {
    let (record, finish) = collect(stream, model).await?;
    let mut line = serde_json::to_string(&record).context("the answer cannot be written as JSON")?;
    line.push('\n');
    output::record(&line)?;
    if let Some(schema) = schema {
        let (called, tokens) = (!record.tool_calls.is_empty(), record.token_ids.len());
        check_schema(schema, &record.text, called, Some(finish), tokens)?;
    }
    Ok(())
}

/// What `wick run --json` prints.
#[derive(Serialize)]
struct Record {
    text: String,
    /// What the model thought before it answered, where it did.
    #[serde(skip_serializing_if = "String::is_empty")]
    reasoning: String,
    /// The calls of tools that it made, if any, in OpenAI's shape.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
    token_ids: Vec<u32>,
    finish_reason: &'static str,
    usage: UsageRecord,
    timings: TimingsRecord,
}

#[derive(Serialize)]
struct UsageRecord {
    prompt_tokens: usize,
    cached_tokens: usize,
    completion_tokens: usize,
}

/// Milliseconds, and tokens per second; a rate that was not measured is null.
#[derive(Serialize)]
struct TimingsRecord {
    load_ms: f64,
    ttft_ms: f64,
    prefill_tok_s: Option<f64>,
    decode_tok_s: Option<f64>,
}

async fn collect(mut stream: Completion, model: &Model) -> anyhow::Result<(Record, FinishReason)> {
    let (mut text, mut reasoning) = (String::new(), String::new());
    let (mut token_ids, mut tool_calls) = (Vec::new(), Vec::new());
    let mut finish_reason = None;
    let mut figures = None;
    while let Some(item) = stream.next().await {
        let chunk = item?;
        token_ids.extend_from_slice(chunk.tokens());
        match chunk {
            CandleCompletionChunk::Text { text: piece, .. } => text.push_str(&piece),
            CandleCompletionChunk::Reasoning { text: piece, .. } => reasoning.push_str(&piece),
            CandleCompletionChunk::ToolCallComplete { call, .. } => tool_calls.push(call),
            CandleCompletionChunk::Finish { finish, .. } => finish_reason = Some(finish),
            CandleCompletionChunk::Complete { usage, timings, .. } => figures = Some((usage, timings)),
            _ => {}
        }
    }
    match (finish_reason, figures) {
        (Some(finish), Some((usage, timings))) => {
            let record = record(finish, usage, &timings, model);
            let record = Record {
                text,
                reasoning,
                tool_calls,
                token_ids,
                ..record
            };
            Ok((record, finish))
        }
        _ => bail!("the answer has no end"),
    }
}

/// A record of the figures.
fn record(finish: FinishReason, usage: Usage, timings: &Timings, model: &Model) -> Record {
    Record {
        text: String::new(),
        reasoning: String::new(),
        tool_calls: Vec::new(),
        token_ids: Vec::new(),
        finish_reason: finish.as_str(),
        usage: UsageRecord {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            completion_tokens: usage.completion_tokens,
        },
        timings: TimingsRecord {
            load_ms: model.elapsed.as_secs_f64() * 1e3,
            ttft_ms: timings.time_to_first_token.as_secs_f64() * 1e3,
            prefill_tok_s: timings.prefill_tok_s(&usage),
            decode_tok_s: timings.decode_tok_s(&usage),
        },
    }
}
