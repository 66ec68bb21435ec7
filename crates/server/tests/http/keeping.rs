//! Conversations that are kept, of each key its own.

use serde_json::{Value, json};
use server::{Keys, Settings};

use crate::client::{JSON, ask, get, post};
use crate::served;

fn settings(folder: &tempfile::TempDir) -> Settings {
    Settings {
        conversations: Some(folder.path().join("kept")),
        ..Settings::default()
    }
}

fn turns() -> Value {
    json!([
        {"user": "Hi", "answer": "Hello.", "reasoning": "Hm.", "interrupted": false},
        {"user": "When?", "answer": "At noon.", "between": [
            {"role": "assistant", "content": "", "tool_calls":
                [{"id": "a", "type": "function", "function": {"name": "now", "arguments": "{}"}}]},
            {"role": "tool", "content": "noon", "tool_call_id": "a"}], "interrupted": true},
    ])
}

#[tokio::test]
async fn what_is_not_kept_of_a_message_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = served::demo(settings(&folder)).await;
    let mut turns = turns();
    turns[1]["between"][0]["reasoning_content"] = "Hm.".into();
    let body = json!({"title": "One", "turns": turns});
    let reply = post(server.address, "/conversations", &body).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["param"]),
        (400, &json!("turns[1].between[0].reasoning_content"))
    );
}

#[tokio::test]
async fn a_conversation_is_kept_replaced_and_deleted() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = served::demo(settings(&folder)).await;
    let added = post(
        server.address,
        "/conversations",
        &json!({"title": "One", "turns": turns()}),
    )
    .await;
    assert_eq!(added.status, 201, "{added:?}");
    let kept = added.json();
    assert_eq!(kept["turns"], turns());
    let path = added.header("location").expect("it has an address").to_owned();
    assert_eq!(path, format!("/conversations/{}", kept["id"]));
    assert_eq!(get(server.address, &path).await.json(), kept);
    let list = get(server.address, "/conversations").await.json();
    assert_eq!(
        (&list["data"][0]["title"], &list["data"][0]["turns"]),
        (&json!("One"), &json!(2))
    );
    let mut changed = turns();
    changed[1] = json!({"user": "Where?", "answer": "Here.", "interrupted": false});
    let body = json!({"title": "Two", "turns": changed}).to_string();
    let put = ask(server.address, "PUT", &path, &[JSON], &body).await;
    assert_eq!(
        (put.status, &put.json()["turns"], &put.json()["title"]),
        (200, &changed, &json!("Two"))
    );
    // Another server on the same folder has it too.
    let other = served::demo(settings(&folder)).await;
    assert_eq!(get(other.address, &path).await.json()["turns"], changed);
    let gone = ask(server.address, "DELETE", &path, &[], "").await;
    assert_eq!(gone.status, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(ask(server.address, method, &path, &[], "").await.status, 404);
    }
    assert_eq!(
        ask(server.address, "PUT", &path, &[JSON], &body).await.status,
        404
    );
}

#[tokio::test]
async fn nobody_undoes_what_somebody_else_has_written_since() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = served::demo(settings(&folder)).await;
    let put = async |path: &str, turns: Value, revision: Value| {
        let mut body = json!({"title": "One", "turns": turns});
        if !revision.is_null() {
            body["revision"] = revision;
        }
        ask(server.address, "PUT", path, &[JSON], &body.to_string()).await
    };
    let turn = |text: &str| json!({"user": text, "answer": text, "interrupted": false});
    let body = json!({"title": "One", "turns": [turn("a")]});
    let added = post(server.address, "/conversations", &body).await;
    let path = added.header("location").expect("it has an address").to_owned();
    let known = added.json()["revision"].clone();
    let first = put(&path, json!([turn("a"), turn("b")]), known.clone()).await;
    assert_eq!(first.status, 200, "{first:?}");
    let stale = put(&path, json!([turn("a"), turn("c")]), known).await;
    assert_eq!(
        (stale.status, &stale.json()["error"]["code"]),
        (409, &json!("changed"))
    );
    let kept = get(server.address, &path).await.json();
    assert_eq!(
        (&kept["turns"][1], &kept["revision"]),
        (&turn("b"), &first.json()["revision"])
    );
    // What is there already undoes nothing, whichever revision it follows.
    let known = kept["revision"].clone();
    let same = put(&path, json!([turn("a"), turn("b")]), json!(0)).await;
    assert_eq!((same.status, &same.json()["revision"]), (200, &known));
    assert_eq!(put(&path, json!([turn("d")]), Value::Null).await.status, 200);
    assert_eq!(
        get(server.address, &path).await.json()["turns"],
        json!([turn("d")])
    );
}

#[tokio::test]
async fn what_is_no_conversation_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = served::demo(settings(&folder)).await;
    for (body, param) in [
        (json!({"turns": []}), "title"),
        (json!({"title": "x".repeat(1_001), "turns": []}), "title"),
        (json!({"title": "", "turns": [{"user": "x"}]}), "turns[0].answer"),
        (
            json!({"title": "", "turns": [{"user": "x", "answer": "y", "more": 1}]}),
            "turns[0].more",
        ),
        (
            json!({"title": "", "turns": [{"user": "x", "answer": "y", "between": [{"role": "user"}]}]}),
            "turns[0].between[0].content",
        ),
    ] {
        let reply = post(server.address, "/conversations", &body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["param"]),
            (400, &json!(param)),
            "{reply:?}"
        );
    }
    assert_eq!(get(server.address, "/conversations/x").await.status, 400);
    let none = served::demo(Settings::default()).await;
    let reply = get(none.address, "/conversations").await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (404, &json!("not_kept"))
    );
}

#[tokio::test]
async fn nobody_sees_the_conversations_of_another_key() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = Settings {
        keys: Some(Keys::new(["key-of-one", "key-of-two"]).expect("they are keys")),
        ..settings(&folder)
    };
    let server = served::demo(settings).await;
    let one = ("Authorization", "Bearer key-of-one");
    let two = ("Authorization", "Bearer key-of-two");
    let body = json!({"title": "Mine", "turns": []}).to_string();
    let added = ask(server.address, "POST", "/conversations", &[JSON, one], &body).await;
    let path = added.header("location").expect("it has an address").to_owned();
    assert_eq!(ask(server.address, "GET", &path, &[one], "").await.status, 200);
    for method in ["GET", "DELETE"] {
        assert_eq!(ask(server.address, method, &path, &[two], "").await.status, 404);
    }
    let list = ask(server.address, "GET", "/conversations", &[two], "")
        .await
        .json();
    assert_eq!(list, json!({"data": []}));
    // No file is named after a key.
    for file in std::fs::read_dir(folder.path().join("kept")).expect("there is a folder") {
        let name = file.expect("it can be read").file_name();
        assert!(!name.to_string_lossy().contains("key"), "{name:?}");
    }
}
