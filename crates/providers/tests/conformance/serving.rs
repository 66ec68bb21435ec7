//! A server of a local model, of OpenAI's shape with vLLM's fields: as much of one as the laws need.

use std::time::Duration;

use engine::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, Constraint,
    StopCause, TokenLogprob, TokenLogprobs,
};
use providers::LocalProvider;
use serde_json::{Value, json};

use crate::server::{Asked, Server, Wire};

pub(crate) fn serve(model: LocalProvider) -> Server {
    let models = json!({"object": "list", "data": [
        {"id": model.name(), "owned_by": "vllm", "max_model_len": model.context_length()}]});
    Server::with_models(models, move |asked, _, wire| answer(&model, asked, wire))
}

fn answer(model: &LocalProvider, asked: &Asked, wire: &mut Wire) {
    let prompt = match asked.body.get("messages") {
        Some(messages) => {
            CandlePrompt::Chat(serde_json::from_value(messages.clone()).expect("they are messages"))
        }
        None => CandlePrompt::raw(asked.body["prompt"].as_str().expect("the prompt is text")),
    };
    if asked.path == "/tokenize" {
        return match model.count_tokens(&prompt) {
            Ok(count) => wire.json(200, &json!({"count": count})),
            Err(error) => refuse(&error.to_string(), wire),
        };
    }
    let is_chat = asked.path == "/v1/chat/completions";
    let mut pending: Option<Vec<TokenLogprobs>> = None;
    let mut begun = false;
    for item in model
        .prompt(prompt, &params(&asked.body, is_chat))
        .blocking_iter()
    {
        let chunk = match item {
            Ok(chunk) => chunk,
            Err(error) if !begun => return refuse(&error.to_string(), wire),
            Err(error) => return wire.event(&json!({"error": {"message": error.to_string(), "code": 500}})),
        };
        if !std::mem::replace(&mut begun, true) {
            wire.begin();
        }
        if wire.is_closed_within(Duration::from_millis(1)) {
            return;
        }
        match chunk {
            CandleCompletionChunk::Logprobs { logprobs, .. } => pending = Some(logprobs),
            CandleCompletionChunk::Text { choice, text, tokens } => {
                let mut said = if is_chat {
                    json!({"index": choice, "delta": {"content": text}})
                } else {
                    json!({"index": choice, "text": text})
                };
                said["token_ids"] = json!(tokens);
                if let Some(logprobs) = pending.take() {
                    said["logprobs"] = if is_chat {
                        of_chat(&logprobs)
                    } else {
                        of_text(&logprobs)
                    };
                }
                wire.event(&json!({"choices": [said]}));
            }
            CandleCompletionChunk::Finish { choice, finish, stop } => {
                let stop = match stop {
                    Some(StopCause::Text(text)) => json!(text),
                    Some(StopCause::Token(token)) => json!(token),
                    _ => Value::Null,
                };
                wire.event(&json!({"choices": [
                    {"index": choice, "delta": {}, "finish_reason": finish.as_str(), "stop_reason": stop}]}));
            }
            CandleCompletionChunk::Complete { usage, .. } => {
                wire.event(&json!({"choices": [], "usage": {
                    "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
                    "prompt_tokens_details": {"cached_tokens": usage.cached_tokens}}}));
                wire.piece(b"data: [DONE]\n\n");
                wire.end();
            }
            other => panic!("{other:?}"),
        }
    }
}

fn refuse(words: &str, wire: &mut Wire) {
    wire.json(
        400,
        &json!({"error": {"message": words, "type": "invalid_request_error"}}),
    );
}

fn params(body: &Value, is_chat: bool) -> CandleCompletionParams {
    let number = |field: &str| body[field].as_u64();
    let small = |field: &str| number(field).map(|value| u32::try_from(value).expect("it is small"));
    let outputs = &body["structured_outputs"];
    let constraint = match (&outputs["choice"], &outputs["regex"]) {
        (Value::Array(_), _) => {
            let texts = serde_json::from_value(outputs["choice"].clone()).expect("they are texts");
            Some(Constraint::Choice(texts))
        }
        (_, Value::String(expression)) => Some(Constraint::Regex(expression.clone())),
        _ => None,
    };
    CandleCompletionParams {
        max_tokens: small("max_tokens"),
        min_tokens: small("min_tokens"),
        stop: serde_json::from_value(body["stop"].clone()).unwrap_or_default(),
        ignore_eos: body["ignore_eos"] == true,
        temperature: body["temperature"].as_f64().map(|value| value as f32),
        seed: number("seed"),
        choices: small("n"),
        logprobs: small(if is_chat { "top_logprobs" } else { "logprobs" }),
        constraint,
        ..Default::default()
    }
}

fn name(of: &TokenLogprob) -> String {
    format!("token_id:{}", of.token)
}

fn of_chat(logprobs: &[TokenLogprobs]) -> Value {
    let entry = |of: &TokenLogprob| json!({"token": name(of), "logprob": of.logprob});
    let content = logprobs.iter().map(|of| {
        let mut said = entry(&of.chosen);
        said["top_logprobs"] = of.best.iter().map(entry).collect();
        said
    });
    json!({"content": content.collect::<Vec<_>>()})
}

fn of_text(logprobs: &[TokenLogprobs]) -> Value {
    let best = |of: &TokenLogprobs| -> Value {
        let pairs = of.best.iter().map(|of| (name(of), json!(of.logprob)));
        Value::Object(pairs.collect())
    };
    json!({
        "tokens": logprobs.iter().map(|of| name(&of.chosen)).collect::<Vec<_>>(),
        "token_logprobs": logprobs.iter().map(|of| of.chosen.logprob).collect::<Vec<_>>(),
        "top_logprobs": logprobs.iter().map(best).collect::<Vec<_>>(),
    })
}
