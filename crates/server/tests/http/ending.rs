//! Clients that go, queues that are full, servers that end.

use std::time::Duration;

use engine::{EngineConfig, FinishReason};
use serde_json::json;
use server::Settings;

use crate::chats::CHAT;
use crate::client::{Connection, JSON, get, post};
use crate::scripted::{Scripted, complete, finish, text, until};
use crate::served;

fn asked(stream: bool) -> String {
    json!({"model": "scripted", "stream": stream, "messages": [{"role": "user", "content": "?"}]}).to_string()
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let provider = Scripted::new(EngineConfig::default());
    let server = served::scripted(Settings::default(), &provider).await;
    for (stream, cancelled) in [(true, 1), (false, 2)] {
        let sender = provider.script();
        let mut connection = Connection::open(server.address).await;
        connection.ask("POST", CHAT, &[JSON], &asked(stream)).await;
        sender
            .unbounded_send(text("Once upon"))
            .expect("the script is held");
        provider.until(|counts| counts.in_flight == 1).await;
        if stream {
            assert!(connection.until("data: ").await.is_some());
        }
        drop(connection);
        provider
            .until(|counts| counts.in_flight == 0 && counts.cancelled == cancelled)
            .await;
        assert!(sender.is_closed(), "the backend's work is dropped");
    }
}

#[tokio::test]
async fn bytes_behind_a_request_do_not_hide_that_its_client_has_gone() {
    let provider = Scripted::new(EngineConfig::default());
    let server = served::scripted(Settings::default(), &provider).await;
    let sender = provider.script();
    let mut connection = Connection::open(server.address).await;
    connection.ask("POST", CHAT, &[JSON], &asked(false)).await;
    connection
        .send(b"\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .expect("the server reads");
    provider.until(|counts| counts.in_flight == 1).await;
    drop(connection);
    provider.until(|counts| counts.cancelled == 1).await;
    assert!(sender.is_closed());
    tokio::time::timeout(Duration::from_secs(5), server.end())
        .await
        .expect("nothing is left that it waits for")
        .expect("without a panic");
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_models_sequence() {
    let server = served::demo(Settings::default()).await;
    let model = served::demo_model();
    let before = model.engine().statistics();
    let body = json!({"model": "demo", "stream": true, "ignore_eos": true, "max_tokens": 900,
        "messages": [{"role": "user", "content": "Tell me a story."}]});
    let mut connection = Connection::open(server.address).await;
    connection.ask("POST", CHAT, &[JSON], &body.to_string()).await;
    assert!(connection.until("data: ").await.is_some());
    drop(connection);
    until(model.engine(), |counts| counts.cancelled > before.cancelled).await;
}

#[tokio::test]
async fn a_full_queue_is_told_with_when_to_come_again() {
    let config = EngineConfig {
        max_running: 1,
        max_waiting: 1,
        ..EngineConfig::default()
    };
    let provider = Scripted::new(config);
    let server = served::scripted(Settings::default(), &provider).await;
    let (first, second) = (provider.script(), provider.script());
    let mut running = Connection::open(server.address).await;
    running.ask("POST", CHAT, &[JSON], &asked(true)).await;
    provider.until(|counts| counts.in_flight == 1).await;
    let mut waiting = Connection::open(server.address).await;
    waiting.ask("POST", CHAT, &[JSON], &asked(false)).await;
    provider.until(|counts| counts.waiting == 1).await;
    for stream in [true, false] {
        let mut refused = Connection::open(server.address).await;
        refused.ask("POST", CHAT, &[JSON], &asked(stream)).await;
        let reply = refused.reply().await.expect("there is an answer");
        assert_eq!(reply.status, 429, "{reply:?}");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.json()["error"]["code"], "queue_full");
    }
    for sender in [first, second] {
        for chunk in [text("Well."), finish(FinishReason::Stop), complete()] {
            sender.unbounded_send(chunk).expect("the script is held");
        }
    }
    assert_eq!(waiting.reply().await.map(|reply| reply.status), Some(200));
    assert!(running.until("data: [DONE]").await.is_some());
}

#[tokio::test]
async fn an_end_waits_for_what_was_begun_and_refuses_the_rest() {
    let provider = Scripted::new(EngineConfig::default());
    let server = served::scripted(Settings::default(), &provider).await;
    let address = server.address;
    let sender = provider.script();
    let mut connection = Connection::open(address).await;
    connection.ask("POST", CHAT, &[JSON], &asked(true)).await;
    sender.unbounded_send(text("Once")).expect("the script is held");
    assert!(connection.until("data: ").await.is_some());
    let ended = server.end();
    // The address is given up, and the answer goes on.
    let began = std::time::Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!ended.is_finished());
    for chunk in [text(" more"), finish(FinishReason::Stop), complete()] {
        sender.unbounded_send(chunk).expect("the script is held");
    }
    assert!(connection.until("data: [DONE]").await.is_some());
    tokio::time::timeout(Duration::from_secs(5), ended)
        .await
        .expect("it ends")
        .expect("without a panic");
    assert_eq!(provider.engine.statistics().completed, 1);
}

#[tokio::test]
async fn a_server_that_loads_says_so_and_how_far_it_is() {
    let server = served::bare(Settings::default()).await;
    let health = get(server.address, "/health").await;
    assert_eq!(health.status, 503);
    assert_eq!(
        health.json(),
        json!({"status": "loading", "progress": {"stage": "starting"}})
    );
    assert_eq!(get(server.address, "/server_info").await.status, 503);
    let body = json!({"model": "demo", "messages": [{"role": "user", "content": "Hi"}]});
    let refused = post(server.address, CHAT, &body).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.json()["error"]["code"], "loading");
    let progress = providers::ProgressEvent::Load { done: 3, total: 7 };
    server.loading.progress().send(&progress);
    let health = get(server.address, "/health").await.json();
    assert_eq!(
        health["progress"],
        json!({"stage": "loading", "done": 3, "total": 7})
    );
    server.loading.failed();
    assert_eq!(
        get(server.address, "/health").await.json(),
        json!({"status": "failed"})
    );
    server
        .loading
        .ready(server::Model::local("demo", served::demo_model()));
    let health = get(server.address, "/health").await;
    assert_eq!((health.status, &health.json()["model"]), (200, &json!("demo")));
    let info = get(server.address, "/server_info").await.json();
    assert_eq!(info["served_model_name"], "demo");
}
