//! Keys, names of this machine, and other origins.

use std::sync::{Arc, Mutex};

use serde_json::json;
use server::{Keys, Settings};

use crate::chats::CHAT;
use crate::client::{Connection, JSON, ask, get, post};
use crate::served;

#[tokio::test]
async fn without_a_key_nothing_is_answered_but_whether_it_lives() {
    let settings = Settings {
        keys: Some(Keys::new(["the-right-key"]).expect("it is a key")),
        ..Settings::default()
    };
    let server = served::demo(settings).await;
    let body = json!({"model": "demo", "max_tokens": 3, "messages": [{"role": "user", "content": "Hi"}]})
        .to_string();
    for (name, value, status) in [
        ("X-Nothing", "", 401),
        ("Authorization", "Bearer the-wrong-key", 401),
        ("Authorization", "Bearer the-right-ke", 401),
        ("Authorization", "Basic the-right-key", 401),
        ("Authorization", "the-right-key", 401),
        ("X-Api-Key", "the-wrong-key", 401),
        ("Authorization", "Bearer the-right-key", 200),
        ("X-Api-Key", "the-right-key", 200),
    ] {
        let reply = ask(server.address, "POST", CHAT, &[JSON, (name, value)], &body).await;
        assert_eq!(reply.status, status, "{name}: {value}");
        if status == 401 {
            assert_eq!(reply.json()["error"]["code"], "invalid_api_key");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    for path in ["/v1/models", "/metrics", "/conversations", "/tokenize"] {
        let method = if path == "/tokenize" { "POST" } else { "GET" };
        assert_eq!(
            ask(server.address, method, path, &[], "").await.status,
            401,
            "{path}"
        );
    }
    for path in ["/health", "/server_info"] {
        assert_eq!(get(server.address, path).await.status, 200, "{path}");
    }
    let reply = ask(server.address, "POST", "/v1/messages", &[JSON], &body).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["type"]),
        (401, &json!("authentication_error"))
    );
}

#[cfg(unix)]
#[test]
fn a_file_of_keys_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("keys");
    std::fs::write(&path, "# ours\n\n  first-key-of-ours  \nsecond-key\n").expect("it can be written");
    let allow = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, permissions).expect("permissions can be set");
    };
    for mode in [0o644, 0o640, 0o604] {
        allow(mode);
        let error = Keys::read(&path).expect_err("others can read it").to_string();
        assert!(error.contains("can be read by others"), "{error}");
    }
    allow(0o600);
    assert_eq!(
        format!("{:?}", Keys::read(&path).expect("it is private")),
        "Keys(2)"
    );
    std::fs::write(&path, "# none\n").expect("it can be written");
    assert!(Keys::read(&path).is_err());
}

#[tokio::test]
async fn a_foreign_name_is_refused_where_no_key_protects() {
    let server = served::demo(Settings::default()).await;
    for (at, host, status) in [
        ("", "localhost", 200),
        ("", "127.0.0.1:1", 200),
        ("http://[::1]:1", "localhost", 200),
        ("", "evil.example", 403),
        ("", "localhost\r\nHost: evil.example", 403),
        ("http://evil.example", "localhost", 403),
    ] {
        let mut connection = Connection::open(server.address).await;
        let head = format!("GET {at}/v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n");
        connection.send(head.as_bytes()).await.expect("the server reads");
        let reply = connection.reply().await.expect("there is an answer");
        assert_eq!(reply.status, status, "{at} {host}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn other_origins_read_nothing_unless_they_are_let() {
    let origin = ("Origin", "https://page.example");
    let preflight = [
        origin,
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type,authorization"),
    ];
    let closed = served::demo(Settings::default()).await;
    let reply = ask(closed.address, "GET", "/v1/models", &[origin], "").await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let reply = ask(closed.address, "OPTIONS", CHAT, &preflight, "").await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (405, None)
    );
    let settings = Settings {
        cors_origins: vec!["https://page.example".to_owned()],
        ..Settings::default()
    };
    let open = served::demo(settings).await;
    let reply = ask(open.address, "GET", "/v1/models", &[origin], "").await;
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://page.example")
    );
    let reply = ask(open.address, "OPTIONS", CHAT, &preflight, "").await;
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .header("access-control-allow-headers")
            .is_some_and(|told| told.contains("authorization"))
    );
    let reply = ask(
        open.address,
        "GET",
        "/v1/models",
        &[("Origin", "https://other.example")],
        "",
    )
    .await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    for origin in [
        "page.example",
        "https://page.example/",
        "https://page.example/path",
        "https://page.example?query",
        "https://page.example#part",
        "https://somebody@page.example",
        "https://page.example:443",
        "https://page.example:",
        "HTTPS://page.example",
        "https://Page.example",
        "https://*.page.example",
        "page.example:8080",
        "null",
        "",
    ] {
        let settings = Settings {
            cors_origins: vec![origin.to_owned()],
            ..Settings::default()
        };
        let address = "127.0.0.1:0".parse().expect("it is an address");
        let bound = server::Server::bind(address, settings).await;
        assert!(
            matches!(bound, Err(server::ServerError::Origin { .. })),
            "{origin:?}"
        );
    }
}

#[tokio::test]
async fn a_log_hears_routes_and_no_paths() {
    let heard: Arc<Mutex<Vec<server::Served>>> = Arc::default();
    let log = Arc::clone(&heard);
    let settings = Settings {
        log: Some(Arc::new(move |served: &server::Served| {
            log.lock().expect("no test panics with it").push(served.clone());
        })),
        ..Settings::default()
    };
    let server = served::demo(settings).await;
    get(server.address, "/v1/models/secret?key=secret").await;
    get(server.address, "/secret").await;
    let began = std::time::Instant::now();
    while heard.lock().expect("no test panics with it").len() < 2 {
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let heard = heard.lock().expect("no test panics with it");
    let told: Vec<_> = heard
        .iter()
        .map(|served| (served.route.as_str(), served.status, served.whole))
        .collect();
    assert_eq!(told, [("/v1/models/{model}", 404, true), ("-", 404, true)]);
}

#[tokio::test]
async fn an_answer_without_a_body_is_whole_in_the_log() {
    let heard: Arc<Mutex<Vec<server::Served>>> = Arc::default();
    let log = Arc::clone(&heard);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = Settings {
        conversations: Some(folder.path().to_owned()),
        log: Some(Arc::new(move |served: &server::Served| {
            log.lock().expect("no test panics with it").push(served.clone());
        })),
        ..Settings::default()
    };
    let server = served::demo(settings).await;
    let kept = post(
        server.address,
        "/conversations",
        &json!({"title": "", "turns": []}),
    )
    .await;
    let path = kept.header("location").expect("it is kept").to_owned();
    assert_eq!(ask(server.address, "DELETE", &path, &[], "").await.status, 204);
    // The test's client would wait for the body that a length announces.
    let mut head = Connection::open(server.address).await;
    head.ask("HEAD", "/v1/models", &[], "").await;
    assert_eq!(head.line().await.as_deref(), Some("HTTP/1.1 200 OK"));
    let began = std::time::Instant::now();
    while heard.lock().expect("no test panics with it").len() < 3 {
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let heard = heard.lock().expect("no test panics with it");
    for served in heard.iter() {
        assert!(served.whole, "{served:?}");
    }
}
