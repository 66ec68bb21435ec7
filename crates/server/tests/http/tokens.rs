//! Tokens, templates, vectors, models.

use serde_json::json;
use server::Settings;

use crate::client::{get, post};
use crate::scripted::Scripted;
use crate::served;

#[tokio::test]
async fn tokens_and_their_text_belong_together() {
    let server = served::demo(Settings::default()).await;
    let text = "Hello <|im_start|> world, naïve café!";
    for (more, marked) in [(json!({}), true), (json!({"parse_special": false}), false)] {
        let mut body = json!({"content": text, "with_pieces": true});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let told = post(server.address, "/tokenize", &body).await.json();
        let pieces = told["pieces"].as_array().expect("there are some");
        assert_eq!(told["count"], pieces.len());
        assert_eq!(pieces.contains(&json!("<|im_start|>")), marked);
        let back = post(server.address, "/detokenize", &json!({"tokens": told["tokens"]}))
            .await
            .json();
        // Marks are left out of texts.
        let expected = if marked {
            text.replace("<|im_start|>", "")
        } else {
            text.to_owned()
        };
        assert_eq!(back["content"], expected);
    }
}

#[tokio::test]
async fn a_chat_has_the_tokens_of_the_prompt_that_it_becomes() {
    let server = served::demo(Settings::default()).await;
    let chat = json!({"messages": [{"role": "user", "content": "Who are you?"}]});
    let rendered = post(server.address, "/apply-template", &chat).await.json();
    let prompt = rendered["prompt"].as_str().expect("it is a text");
    assert!(
        prompt.contains("Who are you?") && prompt.ends_with("<|im_start|>assistant\n"),
        "{prompt}"
    );
    let of_chat = post(server.address, "/tokenize", &chat).await.json();
    let of_prompt = post(server.address, "/tokenize", &json!({"content": prompt}))
        .await
        .json();
    assert_eq!(of_chat["tokens"], of_prompt["tokens"]);
    let counted = json!({"model": "demo", "messages": chat["messages"]});
    let counted = post(server.address, "/v1/messages/count_tokens", &counted)
        .await
        .json();
    assert_eq!(counted["input_tokens"], of_chat["count"]);
}

#[tokio::test]
async fn what_cannot_be_split_or_spelled_is_refused() {
    let server = served::demo(Settings::default()).await;
    for (path, body, param) in [
        ("/tokenize", json!({}), "content"),
        ("/tokenize", json!({"content": "a", "prompt": "b"}), "content"),
        ("/tokenize", json!({"content": "a", "more": 1}), "more"),
        ("/detokenize", json!({"tokens": [1, 99_999_999]}), "tokens[1]"),
        ("/detokenize", json!({"tokens": [-1]}), "tokens[0]"),
        ("/apply-template", json!({"messages": []}), "messages"),
    ] {
        let reply = post(server.address, path, &body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["param"]),
            (400, &json!(param)),
            "{path} {body}"
        );
    }
    let provider = Scripted::new(Default::default());
    let proxy = served::scripted(Settings::default(), &provider).await;
    let reply = post(proxy.address, "/tokenize", &json!({"content": "a"})).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (400, &json!("unsupported"))
    );
    let chat = json!({"model": "scripted", "logprobs": true, "messages": [{"role": "user", "content": "?"}]});
    let reply = post(proxy.address, crate::chats::CHAT, &chat).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (400, &json!("unsupported"))
    );
}

#[tokio::test]
async fn texts_become_vectors_where_the_model_makes_some() {
    let server = served::demo(Settings::default()).await;
    let asked = json!({"model": "demo", "input": ["a fox", "a fox"], "user": "me"});
    let reply = post(server.address, "/v1/embeddings", &asked).await;
    assert_eq!(
        (reply.status, reply.header("x-unused-fields")),
        (200, Some("user")),
        "{reply:?}"
    );
    let told = reply.json();
    let data = told["data"].as_array().expect("there are vectors");
    assert_eq!((data.len(), &data[0]["embedding"]), (2, &data[1]["embedding"]));
    let numbers: Vec<f64> = data[0]["embedding"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|number| number.as_f64())
        .collect();
    assert!((numbers.iter().map(|number| number * number).sum::<f64>() - 1.0).abs() < 1e-3);
    let coded = json!({"model": "demo", "input": "a fox", "encoding_format": "base64"});
    let coded = post(server.address, "/v1/embeddings", &coded).await.json();
    let text = coded["data"][0]["embedding"].as_str().expect("it is a text");
    assert_eq!(text.len(), (numbers.len() * 4).div_ceil(3) * 4);
    for (input, param) in [
        (json!([]), "input"),
        (json!(["a", ""]), "input[1]"),
        (json!([[1, 2]]), "input[0]"),
    ] {
        let reply = post(
            server.address,
            "/v1/embeddings",
            &json!({"model": "demo", "input": input}),
        )
        .await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["param"]),
            (400, &json!(param)),
            "{reply:?}"
        );
    }
    let provider = Scripted::new(Default::default());
    let proxy = served::scripted(Settings::default(), &provider).await;
    let reply = post(
        proxy.address,
        "/v1/embeddings",
        &json!({"model": "scripted", "input": "a"}),
    )
    .await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (400, &json!("unsupported"))
    );
}

#[tokio::test]
async fn the_model_is_listed_with_what_it_can() {
    let server = served::demo(Settings::default()).await;
    let list = get(server.address, "/v1/models").await.json();
    let card = &list["data"][0];
    assert_eq!((&card["id"], &card["owned_by"]), (&json!("demo"), &json!("wick")));
    assert_eq!(card["capabilities"]["tools"], true);
    assert_eq!(get(server.address, "/v1/models/demo").await.json(), *card);
    assert_eq!(get(server.address, "/v1/models/other").await.status, 404);
}
