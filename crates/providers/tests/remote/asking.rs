//! What a server is asked besides completions, in the words of each kind.

use engine::{AsyncStream, BackendErrorKind, CandleCompletionModel as _, CandlePrompt, EngineError};
use providers::RemoteProvider;
use providers::remote::RemoteError;
use serde_json::{Value, json};

use crate::server::Server;
use crate::{connect, once};

/// What comes of `future`, waited for in no runtime.
fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let mut items = AsyncStream::from_stream(futures::stream::once(future)).blocking_iter();
    items.next().expect("there is one item")
}

/// A provider in front of a server of this kind that answers each path with this.
fn provider(owner: &str, answers: Value) -> (Server, RemoteProvider) {
    let models = json!({"data": [{"id": "m", "owned_by": owner, "meta": {"n_ctx_train": 100}}]});
    let server = Server::with_models(models, move |asked, _, wire| match answers.get(&asked.path) {
        Some(answer) => wire.json(200, answer),
        None => wire.answer(404, "", "Not Found"),
    });
    let provider = connect(once(&server.address));
    (server, provider)
}

#[test]
fn vllm_counts_chats_and_raw_prompts() {
    let (server, provider) = provider(
        "vllm",
        json!({"/tokenize": {"count": 3, "max_model_len": 9, "tokens": [1, 2, 3]}}),
    );
    assert_eq!(provider.count_tokens(&CandlePrompt::from("Hi")).unwrap(), 3);
    assert_eq!(provider.count_tokens(&CandlePrompt::raw("Hi")).unwrap(), 3);
    let asked = server.asked();
    let messages = json!([{"role": "user", "content": "Hi"}]);
    assert_eq!(
        asked[0].body,
        json!({"model": "m", "messages": messages, "add_generation_prompt": true})
    );
    assert_eq!(asked[1].body, json!({"model": "m", "prompt": "Hi"}));
}

#[test]
fn llama_cpp_renders_a_chat_first() {
    let (server, provider) = provider(
        "llamacpp",
        json!({"/tokenize": {"tokens": [1, 2]}, "/apply-template": {"prompt": "<user>Hi"}}),
    );
    assert_eq!(provider.context_length(), 100);
    assert_eq!(provider.count_tokens(&CandlePrompt::from("Hi")).unwrap(), 2);
    let bodies: Vec<Value> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(
        bodies[1],
        json!({"content": "<user>Hi", "add_special": true, "parse_special": true})
    );
}

#[test]
fn who_cannot_count_says_so() {
    for owner in ["vllm", "sglang", "openai", "llamacpp"] {
        let (_server, provider) = provider(owner, json!({}));
        match provider.count_tokens(&CandlePrompt::from("Hi")) {
            Err(EngineError::Backend { kind, source }) => {
                assert_eq!(kind, BackendErrorKind::Request);
                let error = source.downcast_ref::<RemoteError>();
                assert!(
                    matches!(error, Some(RemoteError::CannotCount { of: "chats", .. })),
                    "{error:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn vectors_come_in_the_order_of_the_texts() {
    let (server, provider) = provider(
        "vllm",
        json!({"/v1/embeddings": {"data": [
        {"index": 1, "embedding": [0.5, 0.0]}, {"index": 0, "embedding": [1.0, -1.0]}],
        "usage": {"prompt_tokens": 5}}}),
    );
    let texts = vec!["a".to_owned(), "b".to_owned()];
    let embeddings = block_on(provider.embed(texts)).unwrap();
    assert_eq!(embeddings.vectors, [[1.0, -1.0], [0.5, 0.0]]);
    assert_eq!(embeddings.prompt_tokens, 5);
    assert_eq!(server.asked()[0].body["input"], json!(["a", "b"]));
    let one = block_on(provider.embed(vec!["a".to_owned()])).unwrap_err();
    assert!(matches!(
        one,
        EngineError::Backend {
            kind: BackendErrorKind::Malformed,
            ..
        }
    ));
    let empty = block_on(provider.embed(vec!["a".to_owned(), String::new()])).unwrap_err();
    assert_eq!(
        empty.to_string(),
        "texts is \"\" at index 1, expected strings that are not empty"
    );
}

#[test]
fn who_makes_no_vectors_says_so() {
    let (_server, provider) = provider("llamacpp", json!({}));
    let error = block_on(provider.embed(vec!["a".to_owned()])).unwrap_err();
    assert!(
        matches!(error, EngineError::EmbeddingsUnsupported { .. }),
        "{error}"
    );
}
