//! What is refused, with its name, and what is accepted without use.

use serde_json::{Value, json};
use server::Settings;

use crate::chats::CHAT;
use crate::client::{JSON, ask, post};
use crate::served;

#[tokio::test]
async fn every_fault_of_a_chat_is_named() {
    let server = served::demo(Settings::default()).await;
    let user = json!([{"role": "user", "content": "Hi"}]);
    let cases: Vec<(Value, &str)> = vec![
        (json!({"frobnicate": 1}), "frobnicate"),
        (json!({"audio": {}}), "audio"),
        (json!({"functions": []}), "functions"),
        (json!({"temperature": -0.5}), "temperature"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"top_p": 1.5}), "top_p"),
        (json!({"top_k": -2}), "top_k"),
        (json!({"min_p": -0.1}), "min_p"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (
            json!({"max_tokens": 3, "max_completion_tokens": 4}),
            "max_completion_tokens",
        ),
        (json!({"min_tokens": 5, "max_tokens": 4}), "min_tokens"),
        (json!({"n": 0}), "n"),
        (json!({"n": 129}), "n"),
        (json!({"seed": -1}), "seed"),
        (json!({"stop": ""}), "stop"),
        (json!({"stop": ["a", 1]}), "stop[1]"),
        (json!({"frequency_penalty": 2.5}), "frequency_penalty"),
        (json!({"repetition_penalty": 0}), "repetition_penalty"),
        (json!({"dry_multiplier": -1}), "dry_multiplier"),
        (json!({"dry_sequence_breakers": [""]}), "dry_sequence_breakers"),
        (json!({"xtc_probability": 2}), "xtc_probability"),
        (json!({"logit_bias": {"5": 101}}), "logit_bias"),
        (json!({"logit_bias": {"99999999": 1}}), "logit_bias.99999999"),
        (json!({"top_logprobs": 3}), "top_logprobs"),
        (json!({"logprobs": true, "top_logprobs": 21}), "top_logprobs"),
        (
            json!({"stream_options": {"include_usage": true}}),
            "stream_options",
        ),
        (json!({"store": true}), "store"),
        (json!({"skip_special_tokens": false}), "skip_special_tokens"),
        (json!({"no_stop_trim": true}), "no_stop_trim"),
        (json!({"return_hidden_states": true}), "return_hidden_states"),
        (json!({"continue_final_message": true}), "continue_final_message"),
        (json!({"separate_reasoning": false}), "separate_reasoning"),
        (json!({"stream_reasoning": false}), "stream_reasoning"),
        (
            json!({"response_format": {"type": "xml"}}),
            "response_format.type",
        ),
        (
            json!({"response_format": {"type": "json_schema"}}),
            "response_format.json_schema.schema",
        ),
        (json!({"structured_outputs": {}}), "structured_outputs"),
        (
            json!({"structured_outputs": {"regex": "(a"}}),
            "structured_outputs",
        ),
        (
            json!({"response_format": {"type": "json_schema",
                "json_schema": {"name": "a", "schema": {"$ref": "#"}}}}),
            "response_format",
        ),
        (
            json!({"tools": [{"type": "custom", "function": {"name": "a"}}]}),
            "tools[0].type",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}),
            "tools",
        ),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"tool_choice": "maybe"}), "tool_choice"),
        (json!({"reasoning_effort": "low"}), "reasoning_effort"),
        (
            json!({"chat_template_kwargs": {"x": 1}}),
            "chat_template_kwargs.x",
        ),
        (
            json!({"chat_template_kwargs": {"assistant": 1}}),
            "chat_template_kwargs.assistant",
        ),
        (
            json!({"chat_template_kwargs": {"function": 1}}),
            "chat_template_kwargs.function",
        ),
        (json!({"logit_bias": {"5": 1, "05": 2}}), "logit_bias"),
        (json!({"messages": []}), "messages"),
        (
            json!({"messages": [{"role": "narrator", "content": "x"}]}),
            "messages[0].role",
        ),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (
            json!({"messages": [{"role": "user", "content": "x", "name": "Bo"}]}),
            "messages[0].name",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0]",
        ),
    ];
    for (more, param) in cases {
        let mut body = json!({"model": "demo", "messages": user, "max_tokens": 4});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let reply = post(server.address, CHAT, &body).await;
        assert_eq!(reply.status, 400, "{more}: {reply:?}");
        let error = &reply.json()["error"];
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["param"], param, "{more}: {error}");
        assert!(!error["message"].as_str().unwrap_or_default().is_empty());
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_named_with_its_path() {
    let server = served::demo(Settings::default()).await;
    let user = json!([{"role": "user", "content": "Hi"}]);
    let cases = [
        (
            CHAT,
            json!({"response_format": {"type": 3}}),
            "response_format.type",
            "3",
        ),
        (
            CHAT,
            json!({"response_format": "json"}),
            "response_format",
            "\"json\"",
        ),
        (
            CHAT,
            json!({"response_format": {"type": {"text": null}}}),
            "response_format.type",
            "{\"text\":null}",
        ),
        (CHAT, json!({"tool_choice": 5}), "tool_choice", "5"),
        (CHAT, json!({"modalities": [7]}), "modalities[0]", "7"),
        (CHAT, json!({"temperature": "hot"}), "temperature", "\"hot\""),
        (
            CHAT,
            json!({"messages": [{"role": 1, "content": "x"}]}),
            "messages[0].role",
            "1",
        ),
        (
            CHAT,
            json!({"messages": [{"role": {"user": null}, "content": "x"}]}),
            "messages[0].role",
            "{\"user\":null}",
        ),
        (
            CHAT,
            json!({"messages": [{"role": "user", "content": [{"type": 9, "text": "x"}]}]}),
            "messages[0].content[0].type",
            "9",
        ),
        (
            CHAT,
            json!({"messages": [{"role": "user", "content": 4}]}),
            "messages[0].content",
            "4",
        ),
        (
            CHAT,
            json!({"messages": [{"role": "user", "content": "x", "audio": "y"}]}),
            "messages[0].audio",
            "\"y\"",
        ),
        (CHAT, json!({"messages": []}), "messages", "[]"),
        ("/v1/completions", json!({"prompt": ["a", 5]}), "prompt[1]", "5"),
        ("/v1/completions", json!({"prompt": 5}), "prompt", "5"),
        ("/v1/responses", json!({"input": 5}), "input", "5"),
        ("/v1/responses", json!({"input": []}), "input", "[]"),
        (
            "/v1/responses",
            json!({"input": [{"role": 2, "content": "x"}]}),
            "input[0].role",
            "2",
        ),
        (
            "/v1/responses",
            json!({"input": "a", "truncation": 2}),
            "truncation",
            "2",
        ),
        (
            "/v1/responses",
            json!({"input": "a", "previous_response_id": "resp_1"}),
            "previous_response_id",
            "\"resp_1\"",
        ),
        (
            "/v1/embeddings",
            json!({"input": "a", "encoding_format": true}),
            "encoding_format",
            "true",
        ),
        ("/tokenize", json!({"messages": []}), "messages", "[]"),
        ("/apply-template", json!({"messages": []}), "messages", "[]"),
    ];
    for (path, more, param, value) in cases {
        let mut body = json!({"model": "demo"});
        if path == CHAT {
            body["messages"] = user.clone();
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let reply = post(server.address, path, &body).await;
        assert_eq!(reply.status, 400, "{more}: {reply:?}");
        let error = &reply.json()["error"];
        assert_eq!(error["param"], param, "{more}: {error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            message.starts_with(&format!("{param} is {value}, expected ")),
            "{message}"
        );
    }
    let messages = json!({"model": "demo", "max_tokens": 1, "system": "x", "messages": []});
    let reply = post(server.address, "/v1/messages", &messages).await;
    assert_eq!(
        reply.json()["error"]["message"],
        "messages is [], expected at least one"
    );
}

#[tokio::test]
async fn another_model_is_none() {
    let server = served::demo(Settings::default()).await;
    let body = json!({"model": "gpt", "messages": [{"role": "user", "content": "Hi"}]});
    let reply = post(server.address, CHAT, &body).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_refused_with_both_counts() {
    let server = served::demo(Settings::default()).await;
    let body = json!({"model": "demo", "messages": [{"role": "user", "content": "word ".repeat(5_000)}]});
    let reply = post(server.address, CHAT, &body).await;
    assert_eq!(reply.status, 400);
    let error = &reply.json()["error"];
    assert_eq!(error["code"], "context_length_exceeded");
    let context = served::demo_model().text_generator().capabilities().context;
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains(&format!("a context of {context}")), "{message}");
}

#[tokio::test]
async fn what_changes_nothing_is_accepted_and_listed() {
    let server = served::demo(Settings::default()).await;
    let body = json!({"model": "demo", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4,
        "user": "me", "metadata": {"a": "b"}, "store": false, "service_tier": "auto", "modalities": ["text"]});
    let reply = post(server.address, CHAT, &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        reply.header("x-unused-fields"),
        Some("user, metadata, service_tier")
    );
}

#[tokio::test]
async fn what_goes_with_something_else_is_listed_without_it() {
    let server = served::demo(Settings::default()).await;
    let chat = json!([{"role": "user", "content": "Hi"}]);
    let tool = json!({"type": "function", "name": "a"});
    let thought = json!([{"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hi", "reasoning_content": "Hm."}, {"role": "user", "content": "Who?"}]);
    for (path, body, unused) in [
        (
            CHAT,
            json!({"messages": chat, "max_tokens": 1, "parallel_tool_calls": false,
                "return_tokens_as_token_ids": true}),
            Some("parallel_tool_calls, return_tokens_as_token_ids"),
        ),
        (
            CHAT,
            json!({"messages": chat, "max_tokens": 1, "parallel_tool_calls": true, "tool_choice": "none",
                "tools": [{"type": "function", "function": {"name": "a"}}], "logprobs": true,
                "return_tokens_as_token_ids": true}),
            Some("parallel_tool_calls"),
        ),
        (
            "/v1/completions",
            json!({"prompt": "a", "max_tokens": 1, "return_tokens_as_token_ids": true}),
            Some("return_tokens_as_token_ids"),
        ),
        (
            "/v1/completions",
            json!({"prompt": "a", "max_tokens": 1, "logprobs": 1, "return_tokens_as_token_ids": true}),
            None,
        ),
        (
            "/v1/responses",
            json!({"input": "a", "max_output_tokens": 1, "parallel_tool_calls": true}),
            Some("parallel_tool_calls"),
        ),
        (
            "/v1/responses",
            json!({"max_output_tokens": 1, "parallel_tool_calls": true, "tools": [tool], "input": [
                {"role": "user", "content": "Hi"},
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {"role": "assistant", "id": "msg_1", "status": "completed", "content": [
                    {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}]},
                {"role": "user", "content": "Who?"}]}),
            Some(
                "input.reasoning, input.id, input.status, input.content.annotations, input.content.logprobs",
            ),
        ),
        (
            "/tokenize",
            json!({"messages": thought}),
            Some("messages.reasoning_content"),
        ),
        (
            "/apply-template",
            json!({"messages": thought}),
            Some("messages.reasoning_content"),
        ),
        ("/tokenize", json!({"messages": chat}), None),
        (
            "/v1/messages",
            json!({"messages": chat, "max_tokens": 1,
                "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
            Some("tool_choice.disable_parallel_tool_use"),
        ),
    ] {
        let mut body = body;
        body["model"] = "demo".into();
        let reply = post(server.address, path, &body).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert_eq!(reply.header("x-unused-fields"), unused, "{path}: {body}");
    }
}

/// What SGLang's router adds to requests, as it sends them.
#[tokio::test]
async fn what_a_router_adds_and_is_so_anyway_is_accepted() {
    let server = served::demo(Settings::default()).await;
    let chat = json!({"model": "demo", "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 4,
        "logprobs": false, "stream": false, "no_stop_trim": false, "ignore_eos": false,
        "continue_final_message": false, "skip_special_tokens": true, "separate_reasoning": true,
        "stream_reasoning": true, "return_hidden_states": false});
    let text = json!({"model": "demo", "prompt": "a", "max_tokens": 4, "stream": false, "echo": false,
        "no_stop_trim": false, "ignore_eos": false, "skip_special_tokens": true, "return_hidden_states": false});
    let response = json!({"model": "demo", "input": "a", "max_output_tokens": 4, "store": false, "stream": null,
        "temperature": 1.0, "top_p": 1.0, "priority": 0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0});
    for (path, body) in [
        (CHAT, chat),
        ("/v1/completions", text),
        ("/v1/responses", response),
    ] {
        let reply = post(server.address, path, &body).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert_eq!(reply.header("x-unused-fields"), None, "{path}");
    }
    let urgent = json!({"model": "demo", "input": "a", "priority": 1});
    let reply = post(server.address, "/v1/responses", &urgent).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["param"]),
        (400, &json!("priority"))
    );
}

#[tokio::test]
async fn addresses_and_ways_that_there_are_none_of_are_refused_in_json() {
    let server = served::demo(Settings::default()).await;
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("GET", CHAT, 405),
        ("DELETE", "/v1/models", 405),
        ("PATCH", "/health", 405),
        ("POST", "/", 405),
        ("TRACE", "/", 405),
    ] {
        let reply = ask(server.address, method, path, &[], "").await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(reply.json()["error"]["message"].is_string());
    }
    let reply = ask(
        server.address,
        "POST",
        CHAT,
        &[("Content-Type", "text/plain")],
        "{}",
    )
    .await;
    assert_eq!(reply.status, 415);
    let packed = [JSON, ("Content-Encoding", "gzip")];
    let reply = ask(server.address, "POST", CHAT, &packed, "{}").await;
    assert_eq!(reply.status, 415);
    let reply = ask(server.address, "POST", CHAT, &[JSON], "{").await;
    assert_eq!(reply.status, 400);
}
