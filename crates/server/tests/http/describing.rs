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
