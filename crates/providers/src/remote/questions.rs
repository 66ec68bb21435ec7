//! What a server is asked besides completions: how many tokens a prompt has, and vectors of texts.

use engine::{CandlePrompt, Embeddings, EngineError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attempts::{Endpoints, Failure};
use super::catalogue::Served;
use super::dialect::Dialect;
use super::endpoint::{Endpoint, conversation, fnv};
use super::error::RemoteError;
use super::http::Http;

/// Statuses by which a server says that it has no such thing.
const ABSENT: [u16; 3] = [404, 405, 501];

/// The tokens of `prompt` as the server counts them.
pub(crate) async fn count(
    http: &Http,
    endpoints: &Endpoints,
    served: &Served,
    prompt: &CandlePrompt,
) -> Result<usize, EngineError> {
    let asked = endpoints.run(conversation(prompt), None, async |endpoint, pass| {
        let counted = count_at(http, &endpoint, served, prompt).await;
        (pass, counted.map_err(Failure::from))
    });
    asked.await
}

async fn count_at(
    http: &Http,
    endpoint: &Endpoint,
    served: &Served,
    prompt: &CandlePrompt,
) -> Result<usize, RemoteError> {
    let of = match prompt {
        CandlePrompt::Raw(_) => "raw prompts",
        _ => "chats",
    };
    let cannot = || RemoteError::CannotCount {
        endpoint: endpoint.base.clone(),
        of,
    };
    let absent = |error: RemoteError| match error.status() {
        Some(status) if ABSENT.contains(&status) => cannot(),
        _ => error,
    };
    let model = &served.name;
    let body = match (prompt.messages(), served.dialect) {
        (_, Dialect::OpenAi) | (Some(_), Dialect::Sglang) => return Err(cannot()),
        (None, Dialect::Vllm | Dialect::Sglang) => json!({"model": model, "prompt": prompt.text()}),
        (Some(messages), Dialect::Vllm) => {
            json!({"model": model, "messages": messages, "add_generation_prompt": true})
        }
        (None, Dialect::LlamaCpp) => content(&prompt.text()),
        (Some(messages), Dialect::LlamaCpp) => {
            let body = json!({"messages": messages});
            let rendered = http
                .json(endpoint, "/apply-template", Some(&body))
                .await
                .map_err(absent)?;
            content(rendered.get("prompt").and_then(Value::as_str).unwrap_or_default())
        }
    };
    let counted = http
        .json(endpoint, "/tokenize", Some(&body))
        .await
        .map_err(absent)?;
    let told = counted
        .get("count")
        .and_then(Value::as_u64)
        .and_then(|count| usize::try_from(count).ok());
    let listed = counted.get("tokens").and_then(Value::as_array).map(Vec::len);
    told.or(listed).ok_or_else(|| RemoteError::Malformed {
        endpoint: endpoint.base.clone(),
        fault: "tells no count of tokens".to_owned(),
    })
}

/// As llama.cpp reads the prompt of a completion.
fn content(text: &str) -> Value {
    json!({"content": text, "add_special": true, "parse_special": true})
}

#[derive(Debug, Deserialize)]
struct Vectors {
    data: Vec<Vector>,
    usage: Option<PromptTokens>,
}

#[derive(Debug, Deserialize)]
struct Vector {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Debug, Deserialize)]
struct PromptTokens {
    prompt_tokens: Option<usize>,
}

/// A vector of each text.
pub(crate) async fn embed(
    http: &Http,
    endpoints: &Endpoints,
    served: &Served,
    texts: &[String],
) -> Result<Embeddings, EngineError> {
    if let Some(index) = texts.iter().position(String::is_empty) {
        return Err(EngineError::InvalidParameter {
            field: "texts",
            value: format!("\"\" at index {index}"),
            expected: "strings that are not empty",
        });
    }
    let Some(first) = texts.first() else {
        return Ok(Embeddings::default());
    };
    let body = json!({"model": served.name, "input": texts, "encoding_format": "float"});
    let asked = endpoints.run(fnv(first.as_bytes()), None, async |endpoint, pass| {
        let vectors = embed_at(http, &endpoint, &body, texts.len()).await;
        (pass, vectors.map_err(Failure::from))
    });
    match asked.await? {
        Some(embeddings) => Ok(embeddings),
        None => Err(EngineError::EmbeddingsUnsupported {
            provider: served.name.clone(),
        }),
    }
}

/// The vectors; nothing where the server makes none.
async fn embed_at(
    http: &Http,
    endpoint: &Endpoint,
    body: &Value,
    count: usize,
) -> Result<Option<Embeddings>, RemoteError> {
    let answer = match http.json(endpoint, "/v1/embeddings", Some(body)).await {
        Err(error) if error.status().is_some_and(|status| ABSENT.contains(&status)) => return Ok(None),
        answer => answer?,
    };
    let mut told: Vectors =
        serde_json::from_value(answer).map_err(|error| http.unreadable(&endpoint.base, &error))?;
    told.data.sort_by_key(|vector| vector.index);
    if told.data.len() != count
        || told
            .data
            .iter()
            .zip(0..)
            .any(|(vector, index)| vector.index != index)
    {
        return Err(RemoteError::Malformed {
            endpoint: endpoint.base.clone(),
            fault: format!("holds {} vectors for {count} texts", told.data.len()),
        });
    }
    Ok(Some(Embeddings {
        vectors: told.data.into_iter().map(|vector| vector.embedding).collect(),
        prompt_tokens: told
            .usage
            .and_then(|usage| usage.prompt_tokens)
            .unwrap_or_default(),
    }))
}
