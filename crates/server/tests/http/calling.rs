//! Calls of tools: what is told of one that is cut off, and under which ids.

use engine::{BackendErrorKind, EngineError};
use serde_json::{Value, json};
use server::Settings;

use crate::chats::CHAT;
use crate::client::post;
use crate::scripted::Scripted;
use crate::served;

fn forced(max_tokens: u32) -> Value {
    json!({"model": "demo", "temperature": 0, "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": "What is 12 + 30?"}],
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}}],
        "tool_choice": {"type": "function", "function": {"name": "add"}}})
}

#[tokio::test]
async fn the_markup_of_a_call_that_is_cut_off_is_no_content() {
    let server = served::demo(Settings::default()).await;
    for max_tokens in [1, 2, 3, 5, 8, 12] {
        let mut asked = forced(max_tokens);
        let whole = post(server.address, CHAT, &asked).await.json();
        let choice = &whole["choices"][0];
        let said = choice["message"]["content"].as_str().unwrap_or_default();
        assert_eq!(said, "", "{max_tokens}: {whole}");
        assert_eq!(choice["finish_reason"], "length", "{max_tokens}: {whole}");
        asked["stream"] = true.into();
        for event in post(server.address, CHAT, &asked).await.events() {
            let said = event["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or_default();
            assert_eq!(said, "", "{max_tokens}: {event}");
        }
    }
}

#[tokio::test]
async fn no_two_answers_call_under_one_id() {
    let server = served::demo(Settings::default()).await;
    let mut asked = forced(200);
    let told = post(server.address, CHAT, &asked).await.json();
    let message = &told["choices"][0]["message"];
    let first = message["tool_calls"][0]["id"]
        .as_str()
        .expect("it calls")
        .to_owned();
    assert!(first.starts_with("call_") && first.len() > 20, "{first}");
    asked["stream"] = true.into();
    let events = post(server.address, CHAT, &asked).await.events();
    let mut ids = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"][0]["id"].as_str());
    let second = ids.next().expect("it calls").to_owned();
    assert_ne!(first, second);
    // What was called is sent back under its id.
    asked["stream"] = false.into();
    let messages = asked["messages"].as_array_mut().expect("it is a chat");
    messages.push(message.clone());
    messages.push(json!({"role": "tool", "tool_call_id": first, "content": "42"}));
    let told = post(server.address, CHAT, &asked).await;
    assert_eq!(told.status, 200, "{told:?}");
    let third = told.json()["choices"][0]["message"]["tool_calls"][0]["id"].clone();
    assert!(third != first.as_str() && third != second.as_str(), "{third}");
}

#[tokio::test]
async fn a_strict_tool_whose_schema_refers_to_nothing_is_refused() {
    let server = served::demo(Settings::default()).await;
    let schema = |target: &str| {
        json!({"type": "object", "properties": {"a": {"$ref": target}, "$ref": {"type": "string"}},
            "$defs": {"whole number": {"type": "integer"}}})
    };
    for (target, strict, status) in [
        ("#/$defs/none", true, 400),
        ("https://example.org/schema", true, 400),
        ("#/$defs/none", false, 200),
        ("#/$defs/whole%20number", true, 200),
    ] {
        let function = json!({"name": "a", "parameters": schema(target), "strict": strict});
        let mut flat = function.clone();
        flat["type"] = "function".into();
        let named = json!({"name": "a", "input_schema": schema(target), "strict": strict});
        let said = json!([{"role": "user", "content": "Hi"}]);
        for (path, body, param) in [
            (
                CHAT,
                json!({"messages": said, "max_tokens": 1, "tools": [{"type": "function", "function": function}]}),
                "tools[0].function.parameters",
            ),
            (
                "/v1/responses",
                json!({"input": "Hi", "max_output_tokens": 1, "tools": [flat]}),
                "tools[0].parameters",
            ),
            (
                "/v1/messages",
                json!({"messages": said, "max_tokens": 1, "tools": [named]}),
                "tools[0].input_schema",
            ),
        ] {
            let mut body = body;
            body["model"] = "demo".into();
            let reply = post(server.address, path, &body).await;
            assert_eq!(reply.status, status, "{path} {target}: {reply:?}");
            if status == 400 {
                let told = reply.json();
                let message = told["error"]["message"].as_str().unwrap_or_default();
                assert!(
                    message.starts_with(param) && message.contains(target),
                    "{message}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_a_backend_refuses_counts_as_refused() {
    let provider = Scripted::new(Default::default());
    let server = served::scripted(Settings::default(), &provider).await;
    let refused = || generator::GenerateError::InvalidConstraint {
        fault: "the grammar has no start".to_owned(),
    };
    let asked = json!({"model": "scripted", "messages": [{"role": "user", "content": "Hi"}],
        "structured_outputs": {"grammar": "x: y"}});
    let sender = provider.script();
    sender
        .unbounded_send(Err(refused().into()))
        .expect("the script is held");
    let reply = post(server.address, CHAT, &asked).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["param"]),
        (400, &json!("structured_outputs"))
    );
    provider
        .until(|counts| (counts.rejected, counts.failed) == (1, 0))
        .await;
    // What fails by itself has failed.
    let sender = provider.script();
    let broken = EngineError::backend(BackendErrorKind::Internal, "it broke");
    sender.unbounded_send(Err(broken)).expect("the script is held");
    assert_eq!(post(server.address, CHAT, &asked).await.status, 500);
    provider
        .until(|counts| (counts.rejected, counts.failed) == (1, 1))
        .await;
}
