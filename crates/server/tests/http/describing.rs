//! The description of the interfaces, the figures, and the head of every answer.

use serde_json::{Value, json};
use server::Settings;
use server::metrics::Meters;

use crate::chats::CHAT;
use crate::client::{get, post};
use crate::served;

#[tokio::test]
async fn the_description_names_every_address_and_refuses_other_fields() {
    let server = served::demo(Settings::default()).await;
    let reply = get(server.address, "/openapi.json").await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let api = reply.json();
    for (path, method) in [
        (CHAT, "post"),
        ("/v1/completions", "post"),
        ("/v1/responses", "post"),
        ("/v1/embeddings", "post"),
        ("/v1/messages", "post"),
        ("/v1/messages/count_tokens", "post"),
        ("/v1/models", "get"),
        ("/v1/models/{model}", "get"),
        ("/tokenize", "post"),
        ("/detokenize", "post"),
        ("/apply-template", "post"),
        ("/conversations", "get"),
        ("/conversations", "post"),
        ("/conversations/{id}", "put"),
        ("/conversations/{id}", "delete"),
        ("/health", "get"),
        ("/server_info", "get"),
        ("/metrics", "get"),
        ("/openapi.json", "get"),
        ("/", "get"),
    ] {
        assert!(api["paths"][path][method].is_object(), "{method} {path}");
    }
    let schemas = api["components"]["schemas"]
        .as_object()
        .expect("there are schemas");
    assert_eq!(schemas["ChatRequest"]["additionalProperties"], false);
    // Whatever is referred to is there.
    let text = api.to_string();
    let named = text.split("\"#/components/schemas/").skip(1);
    let named = named.filter_map(|reference| reference.split('"').next());
    let missing: Vec<&str> = named.filter(|name| !schemas.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn bounds_that_are_described_are_those_that_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = Settings {
        conversations: Some(folder.path().to_owned()),
        ..Settings::default()
    };
    let server = served::demo(settings).await;
    let api = get(server.address, "/openapi.json").await.json();
    let bound = |schema: &str, pointer: &str| {
        let found = api.pointer(&format!("/components/schemas/{schema}/properties/{pointer}"));
        found
            .and_then(Value::as_f64)
            .unwrap_or_else(|| panic!("{schema} {pointer}")) as usize
    };
    fn texts(count: usize) -> Value {
        json!(vec!["x"; count])
    }
    let chat = json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1});
    let text = json!({"prompt": "Hi", "max_tokens": 1});
    let turns = json!({"title": "", "turns": []});
    let none = json!({});
    type Case<'a> = (&'a str, &'a Value, &'a str, usize, fn(usize) -> Value);
    let cases: Vec<Case<'_>> = vec![
        (
            CHAT,
            &chat,
            "stop",
            bound("ChatRequest", "stop/oneOf/2/maxItems"),
            texts,
        ),
        (CHAT, &chat, "n", bound("ChatRequest", "n/maximum"), |most| {
            json!(most)
        }),
        (
            CHAT,
            &chat,
            "logit_bias",
            bound("ChatRequest", "logit_bias/additionalProperties/maximum"),
            |most| json!({"5": most}),
        ),
        (
            "/v1/completions",
            &text,
            "logprobs",
            bound("CompletionRequest", "logprobs/maximum"),
            |most| json!(most),
        ),
        (
            "/v1/completions",
            &text,
            "prompt",
            bound("CompletionRequest", "prompt/oneOf/1/maxItems"),
            texts,
        ),
        (
            "/v1/messages",
            &chat,
            "stop_sequences",
            bound("MessagesRequest", "stop_sequences/maxItems"),
            texts,
        ),
        (
            "/v1/embeddings",
            &none,
            "input",
            bound("EmbeddingsRequest", "input/oneOf/1/maxItems"),
            texts,
        ),
        (
            "/conversations",
            &turns,
            "title",
            bound("ConversationRequest", "title/maxLength"),
            |most| json!("x".repeat(most)),
        ),
    ];
    for (path, body, field, most, value) in cases {
        for (size, fits) in [(most, true), (most + 1, false)] {
            let mut body = body.clone();
            if path != "/conversations" {
                body["model"] = "demo".into();
            }
            body[field] = value(size);
            // What fits may ask for more than the demo model takes on.
            let reply = post(server.address, path, &body).await;
            let told = serde_json::from_str::<Value>(&reply.body).unwrap_or_default();
            let message = told["error"]["message"].as_str().unwrap_or_default();
            let refused = message.starts_with(field) && message.contains(&size.to_string());
            assert!(
                fits || (reply.status == 400 && refused),
                "{path} {field} {size}: {reply:?}"
            );
            assert!(
                !fits || !refused || message.contains("run at once"),
                "{path} {field} {size}: {reply:?}"
            );
        }
    }
    let paths = api["paths"].as_object().expect("there are some");
    let operations = paths
        .values()
        .filter_map(Value::as_object)
        .flat_map(|of| of.values());
    let mut names: Vec<_> = operations
        .map(|operation| operation["operationId"].to_string())
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "each operation has a name of its own");
    let answers = &api["paths"][CHAT]["post"]["responses"];
    assert!(answers["200"]["headers"]["x-unused-fields"].is_object());
    assert!(answers["429"]["headers"]["retry-after"].is_object());
}

#[tokio::test]
async fn figures_count_what_was_asked() {
    let meters = Meters::install().expect("no other test installs a recorder");
    assert!(Meters::install().is_err());
    let settings = Settings {
        meters: Some(meters),
        ..Settings::default()
    };
    let server = served::demo(settings).await;
    let body = json!({"model": "demo", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(post(server.address, CHAT, &body).await.status, 200);
    let reply = get(server.address, "/metrics").await;
    assert!(
        reply
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4"))
    );
    for series in [
        "http_requests_total{method=\"POST\",route=\"/v1/chat/completions\",status=\"200\"}",
        "http_request_duration_seconds_bucket{",
        "http_requests_in_flight ",
        "engine_requests_total{",
        "engine_time_to_first_token_seconds_count{",
        "engine_inter_token_seconds_sum{",
        "engine_running{",
    ] {
        assert!(
            reply.body.lines().any(|line| line.starts_with(series)),
            "{series} in {}",
            reply.body
        );
    }
    let silent = served::demo(Settings::default()).await;
    assert_eq!(get(silent.address, "/metrics").await.status, 404);
}

#[tokio::test]
async fn no_answer_is_guessed_at_or_kept() {
    let server = served::demo(Settings::default()).await;
    for path in ["/v1/models", "/health", "/nothing"] {
        let reply = get(server.address, path).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert!(reply.json() != Value::Null);
    }
}

#[tokio::test]
async fn streams_are_described_as_the_events_that_come() {
    let server = served::demo(Settings::default()).await;
    let api = get(server.address, "/openapi.json").await.json();
    let schemas = &api["components"]["schemas"];
    for (path, data) in [
        ("/v1/chat/completions", "ChatChunk"),
        ("/v1/completions", "CompletionAnswer"),
        ("/v1/responses", "ResponseEvent"),
        ("/v1/messages", "StreamEvent"),
    ] {
        let told = &api["paths"][path]["post"]["responses"]["200"];
        assert_eq!(
            told["content"]["text/event-stream"]["schema"]["$ref"], "#/components/schemas/ServerSentEvent",
            "{path}"
        );
        assert!(
            told["description"]
                .as_str()
                .is_some_and(|said| said.contains(data)),
            "{path}"
        );
        assert!(schemas[data].is_object(), "{data}");
    }
    assert_eq!(
        schemas["ServerSentEvent"]["required"],
        serde_json::json!(["data"])
    );
}
