//! Answers as servers give them, and what is made of them.

use std::time::Duration;

use engine::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, FinishReason,
    StopCause, TokenLogprob, Usage,
};
use futures::StreamExt as _;
use providers::remote::Dialect;
use serde_json::json;

use crate::server::{Server, chunk};
use crate::{Chunks, KEY, answered, ask, ask_with, config, connect, once, stream};

fn usage(chunks: &Chunks) -> Usage {
    match chunks.last() {
        Some(Ok(CandleCompletionChunk::Complete { usage, .. })) => *usage,
        other => panic!("{other:?}"),
    }
}

fn finishes(chunks: &Chunks) -> Vec<(u32, FinishReason, Option<StopCause>)> {
    let chunks = chunks.iter().flatten();
    chunks
        .filter_map(|chunk| match chunk {
            CandleCompletionChunk::Finish { choice, finish, stop } => Some((*choice, *finish, stop.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn an_answer_is_text_a_finish_and_its_figures() {
    let server = Server::start(|_, _, wire| wire.say("Hello"));
    let provider = connect(config(&[&server.address]));
    assert_eq!(provider.name(), "synthetic");
    assert_eq!(provider.context_length(), 4_096);
    assert_eq!(provider.dialect(), Dialect::Vllm);
    let chunks = ask(&provider, "Hi");
    assert_eq!(answered(&chunks), "Hello");
    assert_eq!(chunks.len(), 3);
    assert_eq!(finishes(&chunks), [(0, FinishReason::Stop, None)]);
    let expected = Usage {
        prompt_tokens: 11,
        cached_tokens: 8,
        completion_tokens: 2,
    };
    assert_eq!(usage(&chunks), expected);
    let statistics = provider.engine().statistics();
    assert_eq!((statistics.completed, statistics.cached_tokens), (1, 8));
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v1/chat/completions");
    assert_eq!(
        asked[0].body["messages"],
        json!([{"role": "user", "content": "Hi"}])
    );
    assert_eq!(asked[0].body["model"], "synthetic");
}

#[test]
fn the_key_is_sent_and_shown_nowhere() {
    let server = Server::start(|_, _, wire| wire.say("Hello"));
    let settings = config(&[&server.address]);
    assert!(!format!("{settings:?}").contains(KEY));
    let provider = connect(settings);
    assert!(!format!("{provider:?}").contains(KEY));
    answered(&ask(&provider, "Hi"));
    assert_eq!(
        server.asked()[0].authorization.as_deref(),
        Some("Bearer sk-very-secret")
    );
}

#[test]
fn a_raw_prompt_is_a_plain_completion() {
    let server = Server::start(|_, _, wire| {
        wire.begin();
        wire.event(&json!({"choices": [{"index": 0, "text": " upon", "finish_reason": null}]}));
        wire.event(
            &json!({"choices": [{"index": 0, "text": " a", "finish_reason": "stop", "stop_reason": "time"}]}),
        );
        wire.piece(b"data: [DONE]\n\n");
        wire.end();
    });
    let provider = connect(config(&[&server.address]));
    let stream = provider.prompt(CandlePrompt::raw("Once"), &CandleCompletionParams::default());
    let chunks: Chunks = stream.blocking_iter().collect();
    assert_eq!(answered(&chunks), " upon a");
    let cause = StopCause::Text("time".to_owned());
    assert_eq!(finishes(&chunks), [(0, FinishReason::Stop, Some(cause))]);
    // The server told no usage: pieces are counted.
    let expected = Usage {
        prompt_tokens: 0,
        cached_tokens: 0,
        completion_tokens: 2,
    };
    assert_eq!(usage(&chunks), expected);
    let asked = server.asked();
    assert_eq!(
        (asked[0].path.as_str(), &asked[0].body["prompt"]),
        ("/v1/completions", &json!("Once"))
    );
}

#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let said = chunk(&json!({"content": "naïve 🦀"}), None).to_string();
    let whole = format!(
        ": hello\r\n\r\ndata: {said}\r\n\r\ndata: {}\n\ndata: [DONE]\n\n",
        chunk(&json!({}), Some("stop"))
    );
    let length = whole.len();
    let server = Server::start(move |_, at, wire| {
        wire.begin();
        let (first, second) = whole.as_bytes().split_at(at);
        // An empty piece would be the end.
        for piece in [first, second].into_iter().filter(|piece| !piece.is_empty()) {
            wire.piece(piece);
        }
        wire.end();
    });
    let provider = connect(once(&server.address));
    for at in 0..length {
        assert_eq!(answered(&ask(&provider, "Hi")), "naïve 🦀", "{at}");
    }
}

#[test]
fn reasoning_is_read_under_both_its_names() {
    let server = Server::start(|_, number, wire| {
        wire.begin();
        let said = match number {
            0 => json!({"reasoning_content": "Hm."}),
            1 => json!({"reasoning": "Hm."}),
            _ => json!({"reasoning": "Hm.", "reasoning_content": "Hm."}),
        };
        wire.event(&chunk(&said, None));
        wire.text("Yes");
        wire.finish("stop");
    });
    let provider = connect(config(&[&server.address]));
    for _ in 0..3 {
        let chunks = ask(&provider, "Hi");
        assert_eq!(answered(&chunks), "Yes");
        match &chunks[0] {
            Ok(CandleCompletionChunk::Reasoning { text, .. }) => assert_eq!(text, "Hm."),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_that_is_not_streamed_is_read_all_the_same() {
    let server = Server::start(|_, _, wire| {
        wire.json(200, &json!({"object": "chat.completion", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello", "tool_calls": null}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": null}}));
    });
    let provider = connect(config(&[&server.address]));
    let chunks = ask(&provider, "Hi");
    assert_eq!(answered(&chunks), "Hello");
    assert_eq!(finishes(&chunks), [(0, FinishReason::Length, None)]);
    assert_eq!(usage(&chunks).total_tokens(), 4);
}

#[test]
fn a_stream_without_its_last_word_has_ended_if_its_choices_have() {
    let server = Server::start(|_, _, wire| {
        wire.begin();
        wire.text("Hello");
        // An empty reason is none.
        wire.event(&chunk(&json!({"content": " there"}), Some("")));
        wire.event(&chunk(&json!({"content": "!"}), Some("stop")));
        wire.end();
    });
    let provider = connect(config(&[&server.address]));
    assert_eq!(answered(&ask(&provider, "Hi")), "Hello there!");
}

#[test]
fn choices_come_mixed_and_each_has_its_end() {
    let server = Server::start(|_, _, wire| {
        wire.begin();
        let piece = |index: u32, text: &str, finish: Option<&str>| json!({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]});
        for (index, text, finish) in [(1, "b", None), (0, "a", Some("stop")), (1, "c", Some("length"))] {
            wire.event(&piece(index, text, finish));
        }
        wire.piece(b"data: [DONE]\n\n");
        wire.end();
    });
    let provider = connect(config(&[&server.address]));
    let params = CandleCompletionParams {
        choices: Some(2),
        ..Default::default()
    };
    let chunks = ask_with(&provider, "Hi", &params);
    answered(&chunks);
    assert_eq!(
        finishes(&chunks),
        [(0, FinishReason::Stop, None), (1, FinishReason::Length, None)]
    );
    assert_eq!(server.asked()[0].body["n"], 2);
}

#[test]
fn log_probabilities_and_ids_of_tokens_come_with_their_text() {
    let server = Server::start(|_, _, wire| {
        wire.begin();
        wire.event(&json!({"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [
            {"token": "token_id:7", "logprob": -0.5, "top_logprobs": [{"token": "token_id:7", "logprob": -0.5}]}]}}]}));
        wire.event(
            &json!({"choices": [{"index": 0, "delta": {}, "token_ids": [2], "finish_reason": "stop",
            "stop_reason": 2}]}),
        );
        wire.piece(b"data: [DONE]\n\n");
        wire.end();
    });
    let provider = connect(config(&[&server.address]));
    let params = CandleCompletionParams {
        logprobs: Some(1),
        seed: Some(3),
        ..Default::default()
    };
    let chunks = ask_with(&provider, "Hi", &params);
    answered(&chunks);
    let pair = TokenLogprob {
        token: 7,
        logprob: -0.5,
    };
    match &chunks[0] {
        Ok(CandleCompletionChunk::Logprobs { logprobs, .. }) => {
            assert_eq!(
                (logprobs[0].chosen, logprobs[0].best.as_slice()),
                (pair, &[pair][..])
            );
        }
        other => panic!("{other:?}"),
    }
    let tokens: Vec<u32> = chunks
        .iter()
        .flatten()
        .flat_map(|chunk| chunk.tokens().to_vec())
        .collect();
    assert_eq!(tokens, [7, 2]);
    assert_eq!(
        finishes(&chunks),
        [(0, FinishReason::Stop, Some(StopCause::Token(2)))]
    );
    assert!(matches!(
        chunks.last(),
        Some(Ok(CandleCompletionChunk::Complete { seed: Some(3), .. }))
    ));
}

#[test]
fn a_slow_reader_is_not_the_servers_fault() {
    let server = Server::start(|_, _, wire| {
        wire.begin();
        for _ in 0..500 {
            wire.text("word ");
        }
        wire.finish("stop");
    });
    let mut settings = once(&server.address);
    settings.timeouts.between_events = Duration::from_millis(500);
    let provider = connect(settings);
    let mut chunks = stream(&provider, "Hi", &CandleCompletionParams::default()).blocking_iter();
    let first = chunks.next().expect("there is a first chunk");
    std::thread::sleep(Duration::from_millis(1_500));
    let all: Chunks = std::iter::once(first).chain(chunks).collect();
    assert_eq!(answered(&all), "word ".repeat(500));
}

#[test]
fn any_runtime_may_read_an_answer_and_drop_the_provider() {
    let server = Server::start(|_, _, wire| wire.say("Hello"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime starts");
    let chunks: Chunks = runtime.block_on(async {
        let provider = connect(once(&server.address));
        let stream = stream(&provider, "Hi", &CandleCompletionParams::default());
        drop(provider);
        stream.collect().await
    });
    assert_eq!(answered(&chunks), "Hello");
}
