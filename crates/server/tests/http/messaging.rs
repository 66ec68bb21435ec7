//! Messages in Anthropic's shape: answers that are begun for the model, budgets, bounds, faults.

use serde_json::{Value, json};
use server::Settings;

use crate::client::{ask, get, post};
use crate::scripted::{Scripted, complete, finish, text};
use crate::served;

const MESSAGES: &str = "/v1/messages";

#[tokio::test]
async fn an_answer_that_is_begun_is_continued() {
    let server = served::demo(Settings::default()).await;
    let asked = |begun: Option<&str>, stream: bool| {
        let mut messages = vec![json!({"role": "user", "content": "Who are you?"})];
        messages.extend(begun.map(|text| json!({"role": "assistant", "content": text})));
        json!({"model": "demo", "max_tokens": 40, "temperature": 0, "messages": messages, "stream": stream})
    };
    let whole = post(server.address, MESSAGES, &asked(None, false)).await.json();
    let whole = whole["content"][0]["text"].as_str().expect("it says something");
    let (end, _) = whole.match_indices(' ').nth(1).expect("it says three words");
    let (begun, rest) = whole.split_at(end);
    let continued = post(server.address, MESSAGES, &asked(Some(begun), false))
        .await
        .json();
    assert_eq!(continued["content"][0]["text"], rest);
    let events = post(server.address, MESSAGES, &asked(Some(begun), true))
        .await
        .events();
    let pieces = events.iter().filter_map(|event| event["delta"]["text"].as_str());
    assert_eq!(pieces.collect::<String>(), rest);
    let count = async |begun: Option<&str>| {
        let mut body = asked(begun, false);
        for field in ["max_tokens", "temperature", "stream"] {
            body.as_object_mut().expect("it is an object").remove(field);
        }
        let counted = post(server.address, "/v1/messages/count_tokens", &body)
            .await
            .json();
        counted["input_tokens"].as_u64().expect("it is counted")
    };
    assert!(count(Some(begun)).await > count(None).await);
}

#[tokio::test]
async fn an_answer_that_cannot_be_continued_is_refused_by_name() {
    let server = served::demo(Settings::default()).await;
    let other = served::scripted(Settings::default(), &Scripted::new(Default::default())).await;
    let user = json!({"role": "user", "content": "Hi"});
    let begun = json!({"role": "assistant", "content": "I"});
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "now", "input": {}}]});
    for (address, model, messages, named) in [
        (
            server.address,
            "demo",
            json!([user, call]),
            "messages[1] calls tools",
        ),
        (
            server.address,
            "demo",
            json!([begun]),
            "messages[0] is the assistant's",
        ),
        (
            other.address,
            "scripted",
            json!([user, begun]),
            "messages[1] is the assistant's",
        ),
    ] {
        let body = json!({"model": model, "max_tokens": 4, "messages": messages});
        let reply = post(address, MESSAGES, &body).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        let told = reply.json();
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(named), "{message}");
    }
}

#[tokio::test]
async fn a_budget_of_thoughts_is_accepted_and_listed() {
    let provider = Scripted::new(Default::default());
    let server = served::scripted(Settings::default(), &provider).await;
    let sender = provider.script();
    for chunk in [text("Hi."), finish(engine::FinishReason::Stop), complete()] {
        sender.unbounded_send(chunk).expect("the script is held");
    }
    let mut body = json!({"model": "scripted", "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [{"role": "user", "content": "Hi"}]});
    let reply = post(server.address, MESSAGES, &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("x-unused-fields"), Some("thinking.budget_tokens"));
    let variables = &provider.asked()[0].1.template_variables;
    assert_eq!(variables.get("enable_thinking"), Some(&Value::Bool(true)));
    for (thinking, named) in [
        (
            json!({"type": "disabled", "budget_tokens": 2000}),
            "thinking.budget_tokens is 2000",
        ),
        (
            json!({"type": "enabled", "budget_tokens": 0}),
            "thinking.budget_tokens is 0",
        ),
    ] {
        body["thinking"] = thinking;
        let reply = post(server.address, MESSAGES, &body).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        let told = reply.json();
        assert!(
            told["error"]["message"]
                .as_str()
                .is_some_and(|said| said.starts_with(named)),
            "{told}"
        );
    }
}

#[tokio::test]
async fn texts_that_end_a_message_are_bounded_as_those_of_a_chat() {
    let server = served::demo(Settings::default()).await;
    for (stops, named) in [
        (vec!["x".to_owned(); 65], "stop_sequences has 65 texts"),
        (vec!["x".to_owned(), String::new()], "stop_sequences[1] is empty"),
    ] {
        let body = json!({"model": "demo", "max_tokens": 1, "stop_sequences": stops,
            "messages": [{"role": "user", "content": "Hi"}]});
        let reply = post(server.address, MESSAGES, &body).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        let told = reply.json();
        assert!(
            told["error"]["message"]
                .as_str()
                .is_some_and(|said| said.starts_with(named)),
            "{told}"
        );
    }
}

#[tokio::test]
async fn addresses_that_there_are_none_of_are_refused_in_the_shape_of_those_beside_them() {
    let server = served::demo(Settings::default()).await;
    for (method, path, status, kind) in [
        ("GET", MESSAGES, 405, "invalid_request_error"),
        ("GET", "/v1/messages/batches", 404, "not_found_error"),
        (
            "DELETE",
            "/v1/messages/count_tokens",
            405,
            "invalid_request_error",
        ),
    ] {
        let reply = ask(server.address, method, path, &[], "").await;
        assert_eq!(reply.status, status, "{method} {path}");
        let told = reply.json();
        assert_eq!(
            (&told["type"], &told["error"]["type"]),
            (&json!("error"), &json!(kind)),
            "{method} {path}"
        );
    }
    // Another address that begins alike is none of theirs.
    let told = get(server.address, "/v1/messagesx").await.json();
    assert_eq!(told["type"], Value::Null);
    assert_eq!(told["error"]["type"], "not_found_error");
}
