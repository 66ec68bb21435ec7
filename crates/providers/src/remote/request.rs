//! A request in OpenAI's shape, with what the server's kind understands beyond it.
//!
//! The invariant of this file: every field of the parameters is in the body or refused by name.

use engine::{CandleCompletionParams, CandlePrompt, EngineError, ToolChoice};
use serde_json::{Map, Number, Value, json};

use super::constraint;
use super::dialect::Dialect;
use super::sampling;

/// Tokens of an answer where the request does not say.
const MAX_TOKENS: u32 = 1_000;

/// Chats.
pub(crate) const CHAT: &str = "/v1/chat/completions";
/// Raw prompts.
pub(crate) const PLAIN: &str = "/v1/completions";

/// The path and the body of a completion.
///
/// # Errors
///
/// [`EngineError::InvalidParameter`] for a field that a server of this kind cannot be asked for: `score_prompt` of any,
/// since a stream holds no scores; a `draft` of more than 0, since how a server guesses is its own setting (0 asks for
/// nothing); a seed above what it takes; and what [`Dialect`] tells of the others.
pub(crate) fn build(
    prompt: &CandlePrompt,
    params: &CandleCompletionParams,
    model: &str,
    dialect: Dialect,
    context: usize,
) -> Result<(&'static str, Value), EngineError> {
    if let Some(top) = params.score_prompt {
        return Err(dialect.lacks("score_prompt", top));
    }
    if let Some(draft @ 1..) = params.draft {
        return Err(dialect.lacks("draft", draft));
    }
    let mut body = Map::new();
    let mut put = |field: &str, value: Value| body.insert(field.to_owned(), value);
    put("model", model.into());
    let path = match prompt.messages() {
        Some(messages) => {
            put("messages", json!(messages));
            CHAT
        }
        None => {
            put("prompt", prompt.text().into());
            PLAIN
        }
    };
    put("stream", true.into());
    put("stream_options", json!({"include_usage": true}));
    let fallback = MAX_TOKENS.min(u32::try_from(context).unwrap_or(u32::MAX));
    put("max_tokens", params.max_tokens.unwrap_or(fallback).into());
    if let Some(temperature) = params.temperature {
        put("temperature", written(temperature));
    }
    if let Some(choices) = params.choices {
        put("n", choices.into());
    }
    if !params.stop.is_empty() {
        put("stop", json!(params.stop));
    }
    if let Some(seed) = params.seed {
        put("seed", checked_seed(seed, dialect)?.into());
    }
    sampling::put(&params.sampling, dialect, &mut body)?;
    limits(params, dialect, &mut body)?;
    logprobs(params, path, dialect, &mut body)?;
    template(params, dialect, &mut body)?;
    tools(params, &mut body);
    if let Some(constraint) = &params.constraint {
        constraint::put(constraint, path, dialect, &mut body)?;
    }
    Ok((path, Value::Object(body)))
}

/// The shortest decimal number that is this `f32`; the `f64` next to it would be written with its error.
pub(super) fn written(value: f32) -> Value {
    let shortest = value.to_string().parse().ok().and_then(Number::from_f64);
    shortest.map_or(Value::Null, Value::Number)
}

fn checked_seed(seed: u64, dialect: Dialect) -> Result<u64, EngineError> {
    if seed > dialect.greatest_seed() {
        return Err(EngineError::InvalidParameter {
            field: "seed",
            value: seed.to_string(),
            expected: match dialect {
                Dialect::LlamaCpp => "at most 4,294,967,294, which is what the server takes",
                _ => "at most 9,223,372,036,854,775,807, which is what the server takes",
            },
        });
    }
    Ok(seed)
}

fn limits(
    params: &CandleCompletionParams,
    dialect: Dialect,
    body: &mut Map<String, Value>,
) -> Result<(), EngineError> {
    if let Some(fewest @ 1..) = params.min_tokens {
        if !matches!(dialect, Dialect::Vllm | Dialect::Sglang) {
            return Err(dialect.lacks("min_tokens", fewest));
        }
        body.insert("min_tokens".to_owned(), fewest.into());
    }
    if params.ignore_eos {
        if dialect == Dialect::OpenAi {
            return Err(dialect.lacks("ignore_eos", true));
        }
        body.insert("ignore_eos".to_owned(), true.into());
    }
    Ok(())
}

fn logprobs(
    params: &CandleCompletionParams,
    path: &str,
    dialect: Dialect,
    body: &mut Map<String, Value>,
) -> Result<(), EngineError> {
    let Some(top) = params.logprobs else {
        return Ok(());
    };
    match dialect {
        // Tokens are named by their ids.
        Dialect::Vllm => body.insert("return_tokens_as_token_ids".to_owned(), true.into()),
        // It always gives the ids.
        Dialect::LlamaCpp => None,
        // They give texts alone, which name no token.
        Dialect::Sglang | Dialect::OpenAi => return Err(dialect.lacks("logprobs", top)),
    };
    if path == CHAT {
        body.insert("logprobs".to_owned(), true.into());
        body.insert("top_logprobs".to_owned(), top.into());
    } else {
        body.insert("logprobs".to_owned(), top.into());
    }
    Ok(())
}

fn template(
    params: &CandleCompletionParams,
    dialect: Dialect,
    body: &mut Map<String, Value>,
) -> Result<(), EngineError> {
    let mut variables = params.template_variables.clone();
    if let Some(effort) = &params.reasoning_effort {
        // llama.cpp hands its template nothing else.
        let place = if dialect == Dialect::LlamaCpp {
            &mut variables
        } else {
            &mut *body
        };
        place.insert("reasoning_effort".to_owned(), effort.as_str().into());
    }
    if let Some(name) = variables.keys().next() {
        if dialect == Dialect::OpenAi {
            return Err(dialect.lacks("template_variables", format!("{name:?}")));
        }
        body.insert("chat_template_kwargs".to_owned(), Value::Object(variables));
    }
    Ok(())
}

fn tools(params: &CandleCompletionParams, body: &mut Map<String, Value>) {
    let declared = params.declared_tools();
    if declared.is_empty() {
        return;
    }
    body.insert("tools".to_owned(), json!(declared));
    body.insert("tool_choice".to_owned(), json!(params.tool_choice));
    let one = matches!(params.tool_choice, ToolChoice::Required | ToolChoice::Named(_)).then_some(false);
    if let Some(parallel) = params.parallel_tool_calls.or(one) {
        body.insert("parallel_tool_calls".to_owned(), parallel.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{Constraint, Message, ToolDefinition};

    fn built(params: &CandleCompletionParams, dialect: Dialect) -> Result<Value, String> {
        let prompt = CandlePrompt::chat([Message::user("Hi")]);
        let body = build(&prompt, params, "m", dialect, 4_096).map(|(_, body)| body);
        body.map_err(|error| error.to_string())
    }

    fn params() -> CandleCompletionParams {
        CandleCompletionParams::default()
    }

    #[test]
    fn nothing_set_asks_for_a_stream_with_usage_and_a_thousand_tokens() {
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
            "stream_options": {"include_usage": true}, "max_tokens": 1000,
        });
        for dialect in [Dialect::Vllm, Dialect::Sglang, Dialect::LlamaCpp, Dialect::OpenAi] {
            assert_eq!(built(&params(), dialect).unwrap(), expected);
        }
        let raw = build(&CandlePrompt::raw("Once"), &params(), "m", Dialect::Vllm, 10).unwrap();
        assert_eq!(
            (raw.0, &raw.1["prompt"], &raw.1["max_tokens"]),
            (PLAIN, &json!("Once"), &json!(10))
        );
    }

    #[test]
    fn every_field_is_sent_to_vllm() {
        let mut tool = ToolDefinition::new("now", json!({"type": "object"}));
        tool.strict = true;
        let mut params = CandleCompletionParams {
            max_tokens: Some(7),
            min_tokens: Some(3),
            stop: vec!["END".to_owned()],
            ignore_eos: true,
            temperature: Some(0.7),
            seed: Some(9),
            choices: Some(2),
            logprobs: Some(5),
            draft: Some(0),
            constraint: Some(Constraint::JsonObject),
            tools: vec![tool],
            parallel_tool_calls: Some(true),
            reasoning_effort: Some("low".to_owned()),
            ..params()
        };
        params
            .template_variables
            .insert("enable_thinking".to_owned(), false.into());
        let body = built(&params, Dialect::Vllm).unwrap();
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
            "stream_options": {"include_usage": true}, "max_tokens": 7, "temperature": 0.7, "n": 2,
            "stop": ["END"], "seed": 9, "min_tokens": 3, "ignore_eos": true,
            "return_tokens_as_token_ids": true, "logprobs": true, "top_logprobs": 5,
            "reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": false},
            "tools": [{"type": "function", "function": {
                "name": "now", "parameters": {"type": "object"}, "strict": true}}],
            "tool_choice": "auto", "parallel_tool_calls": true,
            "response_format": {"type": "json_object"},
        });
        assert_eq!(body, expected);
        assert!(body.to_string().contains("\"temperature\":0.7,"), "{body}");
    }

    #[test]
    fn what_a_server_cannot_be_asked_for_is_refused_by_name() {
        let refused = |params: CandleCompletionParams, dialect, name: &str| {
            let message = built(&params, dialect).unwrap_err();
            assert!(message.starts_with(&format!("{name} is ")), "{message}");
        };
        refused(
            CandleCompletionParams {
                score_prompt: Some(1),
                ..params()
            },
            Dialect::Vllm,
            "score_prompt",
        );
        refused(
            CandleCompletionParams {
                draft: Some(4),
                ..params()
            },
            Dialect::Vllm,
            "draft",
        );
        refused(
            CandleCompletionParams {
                seed: Some(1 << 63),
                ..params()
            },
            Dialect::Vllm,
            "seed",
        );
        refused(
            CandleCompletionParams {
                seed: Some(1 << 32),
                ..params()
            },
            Dialect::LlamaCpp,
            "seed",
        );
        refused(
            CandleCompletionParams {
                min_tokens: Some(1),
                ..params()
            },
            Dialect::LlamaCpp,
            "min_tokens",
        );
        refused(
            CandleCompletionParams {
                ignore_eos: true,
                ..params()
            },
            Dialect::OpenAi,
            "ignore_eos",
        );
        refused(
            CandleCompletionParams {
                logprobs: Some(0),
                ..params()
            },
            Dialect::Sglang,
            "logprobs",
        );
        let mut variables = params();
        variables.template_variables.insert("x".to_owned(), 1.into());
        refused(variables, Dialect::OpenAi, "template_variables");
    }

    #[test]
    fn a_forced_call_is_one_unless_said_otherwise_and_no_calls_means_no_tools() {
        let with = |tool_choice| CandleCompletionParams {
            tools: vec![ToolDefinition::new("now", json!({"type": "object"}))],
            tool_choice,
            ..params()
        };
        let body = built(&with(ToolChoice::Named("now".to_owned())), Dialect::Vllm).unwrap();
        assert_eq!(
            body["tool_choice"],
            json!({"type": "function", "function": {"name": "now"}})
        );
        assert_eq!(body["parallel_tool_calls"], false);
        let body = built(&with(ToolChoice::None), Dialect::Vllm).unwrap();
        assert_eq!((body.get("tools"), body.get("tool_choice")), (None, None));
    }

    #[test]
    fn the_effort_is_a_variable_where_there_is_no_field_for_it() {
        let effort = CandleCompletionParams {
            reasoning_effort: Some("low".to_owned()),
            ..params()
        };
        let body = built(&effort, Dialect::LlamaCpp).unwrap();
        assert_eq!(body["chat_template_kwargs"], json!({"reasoning_effort": "low"}));
        assert_eq!(body.get("reasoning_effort"), None);
    }
}
