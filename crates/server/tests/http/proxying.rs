//! A server in front of a server: what one answers, the other passes on.

use std::sync::Arc;

use providers::RemoteProvider;
use providers::remote::RemoteConfig;
use serde_json::{Value, json};
use server::{Model, Settings};

use crate::chats::CHAT;
use crate::client::{Connection, JSON, post};
use crate::scripted::until;
use crate::served::{self, Running};

async fn proxy(behind: &Running) -> (Running, RemoteProvider) {
    let url = format!("http://{}", behind.address);
    let connecting = tokio::task::spawn_blocking(|| RemoteProvider::connect(RemoteConfig::new(url)));
    let provider = connecting
        .await
        .expect("it does not panic")
        .expect("the server answers");
    let server = served::bare(Settings::default()).await;
    let model = Model::new("demo", Arc::new(provider.clone())).with_engine(provider.engine().clone());
    server.loading.ready(model);
    (server, provider)
}

#[tokio::test]
async fn a_proxy_answers_as_the_server_behind_it() {
    let behind = served::demo(Settings::default()).await;
    let (front, _provider) = proxy(&behind).await;
    let tools = json!([{"type": "function", "function": {"name": "add", "strict": true, "parameters":
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}}]);
    for more in [
        json!({}),
        json!({"top_k": 3, "min_p": 0.1, "repetition_penalty": 1.1, "logit_bias": {"7": -100}, "temperature": 0.9, "seed": 4}),
        json!({"n": 2, "seed": 3, "temperature": 1.0, "stop": ["."]}),
        json!({"tools": tools, "tool_choice": "required"}),
        json!({"structured_outputs": {"choice": ["yes", "no"]}}),
    ] {
        let mut body = json!({"model": "demo", "temperature": 0, "max_tokens": 60,
            "messages": [{"role": "user", "content": "Who are you?"}]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let here = post(behind.address, CHAT, &body).await.json();
        let there = post(front.address, CHAT, &body).await;
        assert_eq!(there.status, 200, "{more}: {there:?}");
        let there = there.json();
        let said = |answer: &Value| -> Vec<Value> {
            let mut choices = answer["choices"].as_array().cloned().unwrap_or_default();
            // No two answers have the same.
            for call in choices
                .iter_mut()
                .filter_map(|of| of.pointer_mut("/message/tool_calls/0"))
            {
                call["id"] = Value::Null;
            }
            choices
                .iter()
                .map(|of| json!([of["message"], of["finish_reason"]]))
                .collect()
        };
        assert_eq!(said(&here), said(&there), "{more}");
        assert_eq!(
            here["usage"]["completion_tokens"],
            there["usage"]["completion_tokens"]
        );
    }
    let counted = json!({"model": "demo", "messages": [{"role": "user", "content": "Who are you?"}]});
    let here = post(behind.address, "/v1/messages/count_tokens", &counted)
        .await
        .json();
    assert_eq!(
        post(front.address, "/v1/messages/count_tokens", &counted)
            .await
            .json(),
        here
    );
    let texts = json!({"model": "demo", "input": "a fox"});
    let here = post(behind.address, "/v1/embeddings", &texts).await.json();
    assert_eq!(
        post(front.address, "/v1/embeddings", &texts).await.json()["data"],
        here["data"]
    );
}

#[tokio::test]
async fn a_refusal_behind_a_proxy_is_one_before_it() {
    let behind = served::demo(Settings::default()).await;
    let (front, _provider) = proxy(&behind).await;
    let long = json!({"model": "demo", "messages": [{"role": "user", "content": "word ".repeat(5_000)}]});
    let reply = post(front.address, CHAT, &long).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    let message = reply.json()["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(message.contains("leaves no room in a context of"), "{message}");
    assert!(!message.contains("127.0.0.1"), "{message}");
    let dry = json!({"model": "demo", "dry_multiplier": 1, "messages": [{"role": "user", "content": "Hi"}]});
    let reply = post(front.address, CHAT, &dry).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["param"]),
        (400, &json!("dry_multiplier"))
    );
}

#[tokio::test]
async fn a_client_of_a_proxy_that_goes_away_frees_the_sequence_behind_it() {
    let behind = served::demo(Settings::default()).await;
    let (front, provider) = proxy(&behind).await;
    let model = served::demo_model();
    let before = model.engine().statistics().cancelled;
    let body = json!({"model": "demo", "stream": true, "ignore_eos": true, "max_tokens": 900,
        "messages": [{"role": "user", "content": "Tell me a story."}]});
    let mut connection = Connection::open(front.address).await;
    connection.ask("POST", CHAT, &[JSON], &body.to_string()).await;
    assert!(connection.until("data: ").await.is_some());
    drop(connection);
    until(provider.engine(), |counts| counts.in_flight == 0).await;
    until(model.engine(), |counts| counts.cancelled > before).await;
}
