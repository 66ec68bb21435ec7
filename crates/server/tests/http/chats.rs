//! Chats: whole, streamed, with reasons, calls, log-probabilities.

use engine::{CandleCompletionChunk, FinishReason, ToolCall};
use serde_json::{Value, json};
use server::Settings;

use crate::client::post;
use crate::scripted::{Scripted, complete, finish, reasoning, text};
use crate::served;

pub(crate) const CHAT: &str = "/v1/chat/completions";

fn chat(more: &Value) -> Value {
    let mut body = json!({
        "model": "demo", "temperature": 0, "max_tokens": 40,
        "messages": [{"role": "user", "content": "Who are you?"}],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// The text, reasons and finish of a streamed choice.
fn joined(events: &[Value], choice: u64) -> (String, String, Option<String>) {
    let (mut said, mut thought, mut finish) = (String::new(), String::new(), None);
    let choices = events.iter().filter_map(|event| event["choices"].get(0));
    for of in choices.filter(|of| of["index"] == choice) {
        said.push_str(of["delta"]["content"].as_str().unwrap_or_default());
        thought.push_str(of["delta"]["reasoning_content"].as_str().unwrap_or_default());
        finish = finish.or(of["finish_reason"].as_str().map(str::to_owned));
    }
    (said, thought, finish)
}

#[tokio::test]
async fn a_stream_says_what_the_whole_answer_says() {
    let server = served::demo(Settings::default()).await;
    let whole = post(
        server.address,
        CHAT,
        &chat(&json!({"logprobs": true, "top_logprobs": 3})),
    )
    .await;
    assert_eq!(whole.status, 200, "{whole:?}");
    let whole = whole.json();
    let asked = json!({
        "logprobs": true, "top_logprobs": 3, "stream": true, "stream_options": {"include_usage": true},
    });
    let streamed = post(server.address, CHAT, &chat(&asked)).await;
    assert_eq!(streamed.header("content-type"), Some("text/event-stream"));
    let events = streamed.events();
    let (said, _, finish) = joined(&events, 0);
    let choice = &whole["choices"][0];
    assert_eq!(choice["message"]["content"], said);
    assert_eq!(choice["finish_reason"].as_str(), finish.as_deref());
    assert!(said.contains("wick") || said.len() > 5, "{said}");
    assert_eq!(events.last(), Some(&json!("[DONE]")));
    let usage = &events[events.len() - 2]["usage"];
    for count in ["prompt_tokens", "completion_tokens", "total_tokens"] {
        assert_eq!(usage[count], whole["usage"][count], "{count}");
    }
    assert!(usage["prompt_tokens_details"]["cached_tokens"].as_u64() > Some(0));
    assert!(usage["timings"]["time_to_first_token_ms"].as_f64() > Some(0.0));
    let tokens: Vec<Value> = events
        .iter()
        .filter_map(|event| event["choices"][0]["logprobs"]["content"].as_array())
        .flatten()
        .cloned()
        .collect();
    assert_eq!(
        tokens.len() as u64,
        usage["completion_tokens"].as_u64().unwrap_or_default()
    );
    let ids = |tokens: &[Value]| tokens.iter().map(|token| token["id"].clone()).collect::<Vec<_>>();
    let content = choice["logprobs"]["content"].as_array().expect("there are some");
    assert_eq!(ids(&tokens), ids(content));
    for token in content {
        assert_eq!(token["top_logprobs"].as_array().map(Vec::len), Some(3));
        assert!(token["logprob"].as_f64() <= Some(0.0));
        // The draw was greedy.
        assert_eq!(token["top_logprobs"][0]["id"], token["id"]);
    }
}

#[tokio::test]
async fn several_choices_come_with_the_seeds_that_follow() {
    let server = served::demo(Settings::default()).await;
    let ask = |more: Value| {
        let body = chat(&more);
        async move { post(server.address, CHAT, &body).await.json() }
    };
    let three = ask(json!({"n": 3, "seed": 7, "temperature": 1.2})).await;
    assert_eq!(three["seed"], 7);
    assert_eq!(three["choices"].as_array().map(Vec::len), Some(3));
    let third = ask(json!({"seed": 9, "temperature": 1.2})).await;
    assert_eq!(three["choices"][2]["message"], third["choices"][0]["message"]);
}

#[tokio::test]
async fn a_stop_string_is_told_and_not_shown() {
    let server = served::demo(Settings::default()).await;
    let all = post(server.address, CHAT, &chat(&json!({}))).await.json();
    let said = all["choices"][0]["message"]["content"]
        .as_str()
        .expect("it says something")
        .to_owned();
    let stop = said.split(' ').nth(2).expect("it says three words");
    let cut = post(server.address, CHAT, &chat(&json!({"stop": stop})))
        .await
        .json();
    assert_eq!(cut["choices"][0]["stop_reason"], stop);
    assert_eq!(cut["choices"][0]["finish_reason"], "stop");
    let cut = cut["choices"][0]["message"]["content"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        said.starts_with(&cut) && !cut.contains(stop),
        "{cut:?} of {said:?}"
    );
}

#[tokio::test]
async fn a_forced_call_is_streamed_as_it_is_told_whole() {
    let server = served::demo(Settings::default()).await;
    let tools = json!([{"type": "function", "function": {"name": "add", "description": "Adds two numbers",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"]}, "strict": true}}]);
    let asked = json!({
        "messages": [{"role": "user", "content": "What is 12 + 30?"}],
        "tools": tools, "tool_choice": {"type": "function", "function": {"name": "add"}}, "max_tokens": 200,
    });
    let whole = post(server.address, CHAT, &chat(&asked)).await.json();
    let choice = &whole["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{whole}");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "add");
    let mut asked = asked;
    asked["stream"] = true.into();
    let events = post(server.address, CHAT, &chat(&asked)).await.events();
    let deltas: Vec<&Value> = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"].get(0))
        .collect();
    assert_eq!(deltas[0]["function"]["name"], "add");
    assert_eq!(deltas[0]["type"], "function");
    let arguments: String = deltas
        .iter()
        .filter_map(|delta| delta["function"]["arguments"].as_str())
        .collect();
    assert_eq!(call["function"]["arguments"], arguments);
    let arguments: Value = serde_json::from_str(&arguments).expect("a strict call has valid arguments");
    assert!(arguments["a"].is_i64() && arguments["b"].is_i64());
}

#[tokio::test]
async fn an_answer_is_held_to_its_schema() {
    let server = served::demo(Settings::default()).await;
    let schema = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["name", "age"],
        "additionalProperties": false, "x-guidance": {"whitespace_flexible": false}});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": true}});
    let asked = json!({"response_format": format, "max_tokens": 300});
    let whole = post(server.address, CHAT, &chat(&asked)).await.json();
    let said = whole["choices"][0]["message"]["content"]
        .as_str()
        .expect("it says something");
    let object: Value = serde_json::from_str(said).expect("it is JSON");
    assert!(object["name"].is_string() && object["age"].is_u64(), "{said}");
}

#[tokio::test]
async fn reasons_and_calls_are_told_apart_from_the_text() {
    let provider = Scripted::new(Default::default());
    let server = served::scripted(Settings::default(), &provider).await;
    let call = ToolCall::new("call_7", "now", "{\"zone\":1}");
    let script = || {
        let sender = provider.script();
        let piece = |arguments: &str| CandleCompletionChunk::ToolCallDelta {
            choice: 0,
            index: 0,
            arguments: arguments.to_owned(),
            tokens: vec![1],
        };
        for chunk in [
            reasoning("Hm. "),
            reasoning("So."),
            text("Let me see."),
            Ok(CandleCompletionChunk::ToolCallStart {
                choice: 0,
                index: 0,
                id: call.id.clone(),
                name: call.name.clone(),
            }),
            Ok(piece("{\"zone\"")),
            Ok(piece(":1}")),
            Ok(CandleCompletionChunk::ToolCallComplete {
                choice: 0,
                index: 0,
                call: call.clone(),
            }),
            finish(FinishReason::ToolCalls),
            complete(),
        ] {
            sender.unbounded_send(chunk).expect("the script is held");
        }
    };
    let mut asked = json!({"model": "scripted", "messages": [{"role": "user", "content": "When?"}]});
    script();
    let whole = post(server.address, CHAT, &asked).await.json();
    let message = json!({"role": "assistant", "content": "Let me see.", "refusal": null,
        "reasoning_content": "Hm. So.", "tool_calls": [{"id": "call_7", "type": "function",
        "function": {"name": "now", "arguments": "{\"zone\":1}"}}]});
    assert_eq!(whole["choices"][0]["message"], message);
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    script();
    asked["stream"] = true.into();
    let events = post(server.address, CHAT, &asked).await.events();
    let (said, thought, finish) = joined(&events, 0);
    assert_eq!((said.as_str(), thought.as_str()), ("Let me see.", "Hm. So."));
    assert_eq!(finish.as_deref(), Some("tool_calls"));
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
}

#[tokio::test]
async fn a_failure_amid_a_stream_is_an_event_and_no_finish() {
    let provider = Scripted::new(Default::default());
    let server = served::scripted(Settings::default(), &provider).await;
    let sender = provider.script();
    sender.unbounded_send(text("Once")).expect("the script is held");
    // The backend goes without an end.
    drop(sender);
    let asked = json!({"model": "scripted", "stream": true, "messages": [{"role": "user", "content": "?"}]});
    let reply = post(server.address, CHAT, &asked).await;
    let events = reply.events();
    assert_eq!(reply.status, 200);
    let last = events.last().expect("there are events");
    assert!(
        last["error"]["message"]
            .as_str()
            .is_some_and(|said| said.contains("broke off")),
        "{last}"
    );
    assert!(!events.contains(&json!("[DONE]")));
}

#[tokio::test]
async fn comments_come_while_nothing_else_does() {
    let provider = Scripted::new(Default::default());
    let settings = Settings {
        keep_alive: std::time::Duration::from_millis(20),
        head_time: std::time::Duration::from_millis(20),
        ..Settings::default()
    };
    let server = served::scripted(settings, &provider).await;
    let sender = provider.script();
    let asked = json!({"model": "scripted", "stream": true, "messages": [{"role": "user", "content": "?"}]});
    let mut connection = crate::client::Connection::open(server.address).await;
    connection
        .ask("POST", CHAT, &[crate::client::JSON], &asked.to_string())
        .await;
    assert!(connection.until(":").await.is_some());
    for chunk in [text("Well."), finish(FinishReason::Stop), complete()] {
        sender.unbounded_send(chunk).expect("the script is held");
    }
    assert!(connection.until("data: [DONE]").await.is_some());
}
