//! Requests that mean no good.

use std::time::{Duration, Instant};

use serde_json::json;
use server::Settings;

use crate::chats::CHAT;
use crate::client::{Connection, JSON, ask};
use crate::scripted::{Scripted, text};
use crate::served;

#[tokio::test]
async fn a_body_of_a_gigabyte_is_refused_by_its_length() {
    let server = served::demo(Settings::default()).await;
    let mut connection = Connection::open(server.address).await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        1_u64 << 30
    );
    connection.send(head.as_bytes()).await.expect("the server reads");
    let reply = connection.reply().await.expect("there is an answer");
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn a_body_without_a_length_is_counted() {
    let settings = Settings {
        body_bytes: 100_000,
        ..Settings::default()
    };
    let server = served::demo(settings).await;
    let mut connection = Connection::open(server.address).await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    connection.send(head.as_bytes()).await.expect("the server reads");
    let piece = format!("4000\r\n{}\r\n", "[".repeat(0x4000));
    for _ in 0..7 {
        connection.send(piece.as_bytes()).await.expect("the server reads");
    }
    let reply = connection.reply().await.expect("there is an answer");
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn what_is_no_json_of_this_world_is_refused() {
    let server = served::demo(Settings::default()).await;
    let deep = format!("{{\"metadata\":{}}}", "{\"a\":".repeat(100_000));
    let list = "[".repeat(1_000_000);
    let huge = r#"{"model":"demo","messages":[{"role":"user","content":"x"}],"temperature":1e999}"#;
    for body in [
        deep.as_str(),
        &list,
        huge,
        "",
        "null",
        "[]",
        "{\"model\":\"demo\",\"model\":\"demo\"}",
    ] {
        let reply = ask(server.address, "POST", CHAT, &[JSON], body).await;
        assert_eq!(reply.status, 400, "{}", &body[..body.len().min(40)]);
        assert!(reply.json()["error"]["message"].is_string());
    }
    let mut connection = Connection::open(server.address).await;
    let body = b"{\"model\":\"de\xff\xfemo\"}";
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection
        .send(&[head.as_bytes(), body].concat())
        .await
        .expect("the server reads");
    assert_eq!(connection.reply().await.map(|reply| reply.status), Some(400));
}

#[tokio::test]
async fn headers_and_bodies_that_drip_are_not_waited_for() {
    let settings = Settings {
        header_time: Duration::from_millis(200),
        body_time: Duration::from_millis(200),
        ..Settings::default()
    };
    let server = served::demo(settings).await;
    let began = Instant::now();
    let mut slow = Connection::open(server.address).await;
    slow.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc")
        .await
        .expect("the server reads");
    assert!(slow.reply().await.is_none_or(|reply| reply.status == 408));
    let mut slow = Connection::open(server.address).await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    );
    slow.send(head.as_bytes()).await.expect("the server reads");
    assert_eq!(slow.reply().await.map(|reply| reply.status), Some(408));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let server = served::demo(Settings::default()).await;
    let mut connection = Connection::open(server.address).await;
    let head = format!(
        "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    // The server may close before it has read all of it.
    let _ = connection.send(head.as_bytes()).await;
    assert!(connection.reply().await.is_none_or(|reply| reply.status == 431));
    let mut connection = Connection::open(server.address).await;
    let many: String = (0..500).map(|index| format!("X-{index}: 1\r\n")).collect();
    let _ = connection
        .send(format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").as_bytes())
        .await;
    assert!(connection.reply().await.is_none_or(|reply| reply.status == 431));
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_with_what_is_wrong() {
    let server = served::demo(Settings::default()).await;
    let padded = |bytes: usize| {
        let head = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Long: \r\n\r\n";
        head.replace("X-Long: ", &format!("X-Long: {}", "x".repeat(bytes - head.len())))
    };
    let many: String = (0..100).map(|index| format!("X-{index}: 1\r\n")).collect();
    for (head, status) in [
        (padded(64 << 10), 200),
        (padded((64 << 10) + 1), 431),
        (padded(90_000), 431),
        (
            format!("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
            431,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000)),
            431,
        ),
        ("GET / HTTP/9\r\n\r\n".to_owned(), 400),
        ("\u{1}\r\n\r\n".to_owned(), 400),
    ] {
        let mut connection = Connection::open(server.address).await;
        connection.send(head.as_bytes()).await.expect("the server reads");
        let reply = connection.reply().await.expect("there is an answer");
        assert_eq!(reply.status, status, "{} bytes: {reply:?}", head.len());
        if status != 200 {
            let told = reply.json();
            assert_eq!(told["error"]["type"], "invalid_request_error", "{told}");
            assert!(
                told["error"]["message"]
                    .as_str()
                    .is_some_and(|said| said.contains("the head")),
                "{told}"
            );
            assert_eq!(reply.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let provider = Scripted::new(Default::default());
    let settings = Settings {
        write_time: Duration::from_millis(200),
        ..Settings::default()
    };
    let server = served::scripted(settings, &provider).await;
    let sender = provider.script();
    let mut connection = Connection::open(server.address).await;
    let body = json!({"model": "scripted", "stream": true, "messages": [{"role": "user", "content": "?"}]});
    connection.ask("POST", CHAT, &[JSON], &body.to_string()).await;
    let long = "x".repeat(1 << 20);
    for _ in 0..32 {
        if sender.unbounded_send(text(&long)).is_err() {
            break;
        }
    }
    provider.until(|counts| counts.cancelled == 1).await;
    drop(connection);
}
