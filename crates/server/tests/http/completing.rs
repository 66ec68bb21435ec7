//! Plain completions, responses, and messages in Anthropic's shape.

use engine::{CandleCompletionChunk, EngineConfig, EngineError, EngineState, FinishReason, ToolCall};
use serde_json::{Value, json};
use server::Settings;

use crate::client::{Connection, JSON, post};
use crate::scripted::{Scripted, complete, finish, reasoning, text};
use crate::served;

fn joined(events: &[Value], pointer: &str) -> String {
    events
        .iter()
        .filter_map(|event| event.pointer(pointer)?.as_str())
        .collect()
}

#[tokio::test]
async fn texts_are_continued_whole_and_streamed_alike() {
    let server = served::demo(Settings::default()).await;
    let mut asked = json!({"model": "demo", "prompt": ["Once upon a time", "The fox"], "temperature": 0,
        "max_tokens": 12, "logprobs": 2, "n": 2, "seed": 1});
    let whole = post(server.address, "/v1/completions", &asked).await;
    assert_eq!(whole.status, 200, "{whole:?}");
    let whole = whole.json();
    let choices = whole["choices"].as_array().expect("there are choices");
    assert_eq!(choices.len(), 4);
    let logprobs = &choices[0]["logprobs"];
    assert_eq!(logprobs["tokens"].as_array().map(Vec::len), Some(12));
    assert!(
        logprobs["top_logprobs"][0]
            .as_object()
            .is_some_and(|best| best.len() >= 2)
    );
    assert_eq!(logprobs["text_offset"][0], 0);
    asked["stream"] = true.into();
    let events = post(server.address, "/v1/completions", &asked).await.events();
    for (index, choice) in choices.iter().enumerate() {
        let own: Vec<Value> = events
            .iter()
            .filter(|event| event["choices"][0]["index"] == index)
            .cloned()
            .collect();
        assert_eq!(choice["text"], joined(&own, "/choices/0/text"), "choice {index}");
        assert_eq!(choice["finish_reason"], joined(&own, "/choices/0/finish_reason"));
    }
    assert_eq!(events.last(), Some(&json!("[DONE]")));
}

#[tokio::test]
async fn more_texts_than_there_are_places_are_all_continued() {
    let config = EngineConfig {
        max_running: 2,
        max_waiting: 1,
        ..EngineConfig::default()
    };
    let provider = Scripted::new(config);
    let server = served::scripted(Settings::default(), &provider).await;
    let prompts: Vec<String> = (0..40).map(|number| format!("text {number}")).collect();
    for stream in [false, true] {
        // Answers longer than what is held of one that nobody reads.
        let scripts: Vec<_> = prompts.iter().map(|_| provider.script()).collect();
        for sender in scripts {
            for _ in 0..300 {
                sender.unbounded_send(text("x")).expect("the script is held");
            }
            for chunk in [finish(FinishReason::Length), complete()] {
                sender.unbounded_send(chunk).expect("the script is held");
            }
        }
        let asked = json!({"model": "scripted", "prompt": prompts, "stream": stream,
            "stream_options": if stream { json!({"include_usage": true}) } else { Value::Null }});
        let asked = post(server.address, "/v1/completions", &asked);
        let reply = tokio::time::timeout(std::time::Duration::from_secs(20), asked);
        let reply = reply.await.expect("it is answered");
        assert_eq!(reply.status, 200, "{reply:?}");
        let told = if stream {
            reply.events()
        } else {
            vec![reply.json()]
        };
        let choices = || {
            told.iter()
                .filter_map(|told| told["choices"].as_array())
                .flatten()
        };
        for index in 0..prompts.len() {
            let own = choices().filter(|choice| choice["index"] == index);
            let text: String = own.filter_map(|choice| choice["text"].as_str()).collect();
            assert_eq!(text.len(), 300, "choice {index}");
        }
        let ended = choices().filter(|choice| choice["finish_reason"] == "length");
        assert_eq!(ended.count(), prompts.len());
        let used = told.iter().rev().find(|told| told["usage"].is_object());
        assert_eq!(
            used.map(|told| &told["usage"]["completion_tokens"]),
            Some(&json!(80))
        );
    }
    assert_eq!(provider.engine.statistics().completed, 80);
}

/// A server that runs one request at a time, asked for `prompts` texts by `ask`.
async fn one_at_a_time(prompts: usize) -> (std::sync::Arc<Scripted>, served::Running, String) {
    let config = EngineConfig {
        max_running: 1,
        ..EngineConfig::default()
    };
    let provider = Scripted::new(config);
    let server = served::scripted(Settings::default(), &provider).await;
    let prompts: Vec<String> = (0..prompts).map(|number| format!("text {number}")).collect();
    let asked = json!({"model": "scripted", "prompt": prompts, "stream": true});
    (provider, server, asked.to_string())
}

#[tokio::test]
async fn an_end_waits_for_every_text_of_a_request() {
    let (provider, server, asked) = one_at_a_time(12).await;
    let scripts: Vec<_> = (0..12).map(|_| provider.script()).collect();
    let mut connection = Connection::open(server.address).await;
    connection.ask("POST", "/v1/completions", &[JSON], &asked).await;
    scripts[0].unbounded_send(text("x")).expect("the script is held");
    assert!(connection.until("data: ").await.is_some());
    let ended = server.end();
    provider.until(|counts| counts.state != EngineState::Ready).await;
    for sender in scripts {
        for chunk in [text("y"), finish(FinishReason::Stop), complete()] {
            sender.unbounded_send(chunk).expect("the script is held");
        }
    }
    assert!(connection.until("data: [DONE]").await.is_some());
    ended.await.expect("without a panic");
    assert_eq!(provider.engine.statistics().completed, 12);
}

#[tokio::test]
async fn a_text_that_fails_ends_the_answer_at_once() {
    let (provider, server, asked) = one_at_a_time(3).await;
    let scripts = [provider.script(), provider.script(), provider.script()];
    let mut connection = Connection::open(server.address).await;
    connection.ask("POST", "/v1/completions", &[JSON], &asked).await;
    scripts[0].unbounded_send(text("x")).expect("the script is held");
    assert!(connection.until("data: ").await.is_some());
    let failure = EngineError::InvalidConfig {
        field: "x",
        value: String::new(),
        expected: "y",
    };
    scripts[0]
        .unbounded_send(Err(failure))
        .expect("the script is held");
    assert!(connection.until("data: {\"error\"").await.is_some());
    // The end of the chunks: nobody else is waited for.
    let end = tokio::time::timeout(std::time::Duration::from_secs(5), connection.until("0"));
    assert!(end.await.expect("it ends").is_some());
    provider
        .until(|counts| counts.in_flight + counts.waiting == 0)
        .await;
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused_before_any_is_continued() {
    let provider = Scripted::new(EngineConfig::default());
    let server = served::scripted(Settings::default(), &provider).await;
    let mut prompts = vec!["short".to_owned(); 20];
    prompts.push("word ".repeat(1_000));
    for stream in [false, true] {
        let asked = json!({"model": "scripted", "prompt": prompts, "stream": stream});
        let reply = post(server.address, "/v1/completions", &asked).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (400, &json!("context_length_exceeded"))
        );
    }
    assert!(provider.asked().is_empty());
}

#[tokio::test]
async fn an_echo_is_scored_where_log_probabilities_are_asked_for() {
    let server = served::demo(Settings::default()).await;
    let asked = json!({"model": "demo", "prompt": "Once upon a time", "temperature": 0, "max_tokens": 1,
        "logprobs": 1, "echo": true});
    let told = post(server.address, "/v1/completions", &asked).await.json();
    let choice = &told["choices"][0];
    assert!(
        choice["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("Once upon a time"))
    );
    let (tokens, scores) = (
        &choice["logprobs"]["tokens"],
        &choice["logprobs"]["token_logprobs"],
    );
    let count = told["usage"]["total_tokens"].as_u64();
    assert_eq!(tokens.as_array().map(|tokens| tokens.len() as u64), count);
    assert_eq!(scores[0], Value::Null);
    assert!(scores[1].as_f64().is_some_and(|score| score < 0.0));
    let text: String = tokens
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert!(text.starts_with("Once upon a time"), "{text}");
    for (more, param) in [
        (json!({"prompt": []}), "prompt"),
        (json!({"prompt": [1, 2]}), "prompt[0]"),
        (json!({"prompt": "word ".repeat(5_000)}), "prompt"),
        (json!({"prompt": ["a", "word ".repeat(5_000)]}), "prompt[1]"),
        (json!({"best_of": 3}), "best_of"),
        (json!({"suffix": "x"}), "suffix"),
        (json!({"echo": true, "logprobs": 1, "stream": true}), "echo"),
    ] {
        let mut body = json!({"model": "demo", "prompt": "x", "max_tokens": 1});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let reply = post(server.address, "/v1/completions", &body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["param"]),
            (400, &json!(param)),
            "{reply:?}"
        );
    }
}

/// A provider that thinks, speaks and calls, twice.
fn calling() -> std::sync::Arc<Scripted> {
    let provider = Scripted::new(Default::default());
    let call = ToolCall::new("call_7", "now", "{\"zone\":1}");
    for _ in 0..2 {
        let sender = provider.script();
        for chunk in [
            reasoning("Hm."),
            text("Let me "),
            text("see."),
            Ok(CandleCompletionChunk::ToolCallStart {
                choice: 0,
                index: 0,
                id: call.id.clone(),
                name: call.name.clone(),
            }),
            Ok(CandleCompletionChunk::ToolCallDelta {
                choice: 0,
                index: 0,
                arguments: call.arguments.clone(),
                tokens: vec![1],
            }),
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
    }
    provider
}

#[tokio::test]
async fn a_response_has_its_items_whole_and_streamed() {
    let provider = calling();
    let server = served::scripted(Settings::default(), &provider).await;
    let mut asked = json!({"model": "scripted", "instructions": "Be brief.", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "When?"}]},
        {"type": "function_call", "call_id": "a", "name": "now", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "noon"}],
        "tools": [{"type": "function", "name": "now", "parameters": {"type": "object"}, "strict": false}],
        "top_k": -1, "min_p": 0.25, "repetition_penalty": 1.5});
    let whole = post(server.address, "/v1/responses", &asked).await;
    assert_eq!(whole.status, 200, "{whole:?}");
    let whole = whole.json();
    assert_eq!(
        (&whole["status"], &whole["object"]),
        (&json!("completed"), &json!("response"))
    );
    let output = whole["output"].as_array().expect("there are items");
    let kinds: Vec<&str> = output.iter().filter_map(|item| item["type"].as_str()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    assert_eq!(output[1]["content"][0]["text"], "Let me see.");
    assert_eq!(output[2]["arguments"], "{\"zone\":1}");
    assert_eq!(whole["usage"]["input_tokens_details"]["cached_tokens"], 1);
    let said: Vec<engine::Message> = provider.asked()[0].0.messages().expect("it is a chat").to_vec();
    let roles: Vec<&str> = said.iter().map(|message| message.role.name()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    let sampling = provider.asked()[0].1.sampling.clone();
    assert_eq!(
        (sampling.top_k, sampling.min_p, sampling.repetition_penalty),
        (Some(0), Some(0.25), Some(1.5))
    );
    asked["stream"] = true.into();
    let events = post(server.address, "/v1/responses", &asked).await.events();
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["sequence_number"].as_u64())
        .collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    let of = |kind: &str| -> Vec<Value> {
        events
            .iter()
            .filter(|event| event["type"] == kind)
            .cloned()
            .collect()
    };
    assert_eq!(joined(&of("response.output_text.delta"), "/delta"), "Let me see.");
    assert_eq!(
        joined(&of("response.function_call_arguments.delta"), "/delta"),
        "{\"zone\":1}"
    );
    assert_eq!(of("response.output_item.done").len(), 3);
    let last = events.last().expect("there are events");
    assert_eq!(last["type"], "response.completed");
    let without_ids = |items: &Value| {
        let mut items = items.clone();
        for item in items.as_array_mut().into_iter().flatten() {
            item["id"] = Value::Null;
        }
        items
    };
    assert_eq!(
        without_ids(&last["response"]["output"]),
        without_ids(&whole["output"])
    );
}

#[tokio::test]
async fn a_response_that_cannot_be_given_is_refused_by_name() {
    let server = served::demo(Settings::default()).await;
    for (more, param) in [
        (json!({"store": true}), "store"),
        (json!({"background": true}), "background"),
        (json!({"previous_response_id": "x"}), "previous_response_id"),
        (json!({"truncation": "auto"}), "truncation"),
        (json!({"max_output_tokens": 0}), "max_output_tokens"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"input": [{"type": "computer_call"}]}), "input[0].type"),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (json!({"include": ["file_search_call.results"]}), "include[0]"),
        (json!({"reasoning": {"summary": "auto"}}), "reasoning.summary"),
        (json!({"top_logprobs": 2}), "top_logprobs"),
        (json!({"max_tool_calls": 2}), "max_tool_calls"),
        (json!({"input": []}), "input"),
    ] {
        let mut body = json!({"model": "demo", "input": "Hi"});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let reply = post(server.address, "/v1/responses", &body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["param"]),
            (400, &json!(param)),
            "{reply:?}"
        );
    }
    let cut = json!({"model": "demo", "input": "Tell me a story.", "max_output_tokens": 3});
    let cut = post(server.address, "/v1/responses", &cut).await.json();
    assert_eq!(cut["status"], "incomplete");
    assert_eq!(cut["incomplete_details"]["reason"], "max_output_tokens");
}

#[tokio::test]
async fn a_message_has_its_blocks_whole_and_streamed() {
    let provider = calling();
    let server = served::scripted(Settings::default(), &provider).await;
    let mut asked = json!({"model": "scripted", "max_tokens": 50, "system": [{"type": "text", "text": "Be brief.",
        "cache_control": {"type": "ephemeral"}}], "messages": [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "?", "signature": ""},
            {"type": "tool_use", "id": "a", "name": "now", "input": {"zone": 2}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "noon"},
            {"type": "text", "text": "And now?"}]}],
        "tools": [{"name": "now", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"}});
    let whole = post(server.address, "/v1/messages", &asked).await;
    assert_eq!(whole.status, 200, "{whole:?}");
    assert_eq!(
        whole.header("x-unused-fields"),
        Some("cache_control, messages.thinking")
    );
    let whole = whole.json();
    let content = json!([{"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "call_7", "name": "now", "input": {"zone": 1}}]);
    assert_eq!(
        (&whole["content"], &whole["stop_reason"]),
        (&content, &json!("tool_use"))
    );
    assert_eq!(whole["usage"]["cache_read_input_tokens"], 1);
    let said = provider.asked()[0].0.messages().expect("it is a chat").to_vec();
    let roles: Vec<&str> = said.iter().map(|message| message.role.name()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "user"]);
    // Without tools, which a scripted model cannot count.
    asked["stream"] = true.into();
    let reply = post(server.address, "/v1/messages", &asked).await;
    let names: Vec<&str> = reply
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(names.first(), Some(&"message_start"));
    assert_eq!(names.last(), Some(&"message_stop"));
    let events = reply.events();
    assert_eq!(joined(&events, "/delta/text"), "Let me see.");
    assert_eq!(joined(&events, "/delta/thinking"), "Hm.");
    assert_eq!(joined(&events, "/delta/partial_json"), "{\"zone\":1}");
    assert_eq!(joined(&events, "/delta/stop_reason"), "tool_use");
    let started = names
        .iter()
        .filter(|name| **name == "content_block_start")
        .count();
    let stopped = names.iter().filter(|name| **name == "content_block_stop").count();
    assert_eq!((started, stopped), (3, 3));
}

#[tokio::test]
async fn a_message_that_cannot_be_answered_is_refused_in_its_own_shape() {
    let server = served::demo(Settings::default()).await;
    for (more, status, kind) in [
        (json!({"model": "claude"}), 404, "not_found_error"),
        (json!({"max_tokens": 0}), 400, "invalid_request_error"),
        (json!({"top_p": 3}), 400, "invalid_request_error"),
        (json!({"container": "x"}), 400, "invalid_request_error"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}),
            400,
            "invalid_request_error",
        ),
        (
            json!({"thinking": {"type": "enabled"}}),
            400,
            "invalid_request_error",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image"}]}]}),
            400,
            "invalid_request_error",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            400,
            "invalid_request_error",
        ),
    ] {
        let mut body =
            json!({"model": "demo", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let reply = post(server.address, "/v1/messages", &body).await;
        assert_eq!(reply.status, status, "{more}: {reply:?}");
        let told = reply.json();
        assert_eq!(
            (&told["type"], &told["error"]["type"]),
            (&json!("error"), &json!(kind))
        );
        assert!(told["error"]["message"].is_string());
    }
}
