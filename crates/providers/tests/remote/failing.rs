//! Servers that break off, stall, talk nonsense or say no; none of it looks like a finish.

use std::sync::mpsc;
use std::time::Duration;

use engine::{
    BackendErrorKind, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, EngineError,
};
use providers::ProviderError;
use providers::remote::{MAX_MESSAGE, RemoteConfig, RemoteError};
use serde_json::json;

use crate::server::{Server, Wire, chunk};
use crate::{KEY, answered, ask, connect, eventually, failed, once, stream, text};

/// How an answer ends that a server gives like this.
fn end_of(answer: impl Fn(&mut Wire) + Send + Sync + 'static) -> (BackendErrorKind, String, String) {
    let server = Server::start(move |_, _, wire| answer(wire));
    let provider = connect(once(&server.address));
    let chunks = ask(&provider, "Hi");
    let (kind, words) = failed(&chunks);
    assert_eq!(chunks.iter().filter(|chunk| chunk.is_err()).count(), 1);
    assert_eq!(provider.engine().statistics().failed, 1);
    (kind, words, text(&chunks))
}

#[test]
fn a_connection_that_breaks_in_the_middle_is_an_error() {
    let (kind, words, said) = end_of(|wire| {
        wire.begin();
        wire.text("Hel");
    });
    assert_eq!((kind, said.as_str()), (BackendErrorKind::Unavailable, "Hel"));
    assert!(words.contains("broke"), "{words}");
}

#[test]
fn a_stream_that_ends_without_a_finish_is_an_error() {
    for last in ["", "data: [DONE]\n\n"] {
        let (kind, words, said) = end_of(move |wire| {
            wire.begin();
            wire.text("Hel");
            if !last.is_empty() {
                wire.piece(last.as_bytes());
            }
            wire.end();
        });
        assert_eq!((kind, said.as_str()), (BackendErrorKind::Unavailable, "Hel"));
        assert!(words.contains("without a finish"), "{words}");
    }
}

#[test]
fn an_error_in_the_middle_is_told_in_the_servers_words() {
    for (error, kind) in [
        (
            json!({"error": {"message": "out of memory", "code": 500}}),
            BackendErrorKind::Internal,
        ),
        (json!({"error": "out of memory"}), BackendErrorKind::Internal),
        (
            json!({"object": "error", "message": "out of memory", "code": 400}),
            BackendErrorKind::Request,
        ),
        (
            json!({"error": {"message": "out of memory", "code": 429}}),
            BackendErrorKind::Overloaded,
        ),
    ] {
        let (told, words, said) = end_of(move |wire| {
            wire.begin();
            wire.text("Hel");
            wire.event(&error);
            wire.finish("stop");
        });
        assert_eq!((told, said.as_str()), (kind, "Hel"));
        assert!(words.ends_with("out of memory"), "{words}");
    }
}

#[test]
fn nonsense_is_malformed() {
    for nonsense in ["data: {]\n\n", "data: 7\n\n", "data: \u{fffd}\n\n"] {
        let (kind, ..) = end_of(move |wire| {
            wire.begin();
            wire.piece(nonsense.as_bytes());
        });
        assert_eq!(kind, BackendErrorKind::Malformed, "{nonsense}");
    }
    // A parser repeats what it did not expect; the key stays hidden even so.
    let (kind, words, _) = end_of(|wire| {
        wire.begin();
        wire.event(&json!({"choices": KEY}));
    });
    assert_eq!(kind, BackendErrorKind::Malformed);
    assert!(words.contains("[key]"), "{words}");
    let (kind, words, _) = end_of(|wire| {
        wire.begin();
        wire.piece(b"data: \xff\xfe\n\n");
    });
    assert_eq!(kind, BackendErrorKind::Malformed);
    assert!(words.contains("UTF-8"), "{words}");
}

#[test]
fn an_end_for_no_known_reason_is_no_finish() {
    for (reason, kind) in [
        ("whim", BackendErrorKind::Malformed),
        ("content_filter", BackendErrorKind::Request),
        ("abort", BackendErrorKind::Internal),
    ] {
        let (told, _, said) = end_of(move |wire| {
            wire.begin();
            wire.event(&chunk(&json!({"content": "Hel"}), Some(reason)));
            wire.end();
        });
        assert_eq!((told, said.as_str()), (kind, "Hel"), "{reason}");
    }
}

#[test]
fn a_choice_that_nobody_asked_for_is_malformed() {
    let (kind, ..) = end_of(|wire| {
        wire.begin();
        wire.event(&json!({"choices": [{"index": 4_000_000_000_u32, "delta": {"content": "x"}}]}));
    });
    assert_eq!(kind, BackendErrorKind::Malformed);
}

#[test]
fn a_line_without_end_is_not_kept() {
    let (kind, words, _) = end_of(|wire| {
        wire.begin();
        let piece = vec![b'x'; 1 << 20];
        wire.piece(b"data: ");
        for _ in 0..5 {
            wire.piece(&piece);
        }
    });
    assert_eq!(kind, BackendErrorKind::Malformed);
    assert!(words.contains("more than 4194304 bytes"), "{words}");
}

#[test]
fn a_server_that_drips_or_stalls_runs_out_of_time() {
    // Before the first token, and between two.
    for begun in [false, true] {
        let server = Server::start(move |_, _, wire| {
            wire.begin();
            if begun {
                wire.text("Hel");
            }
            // Bytes come, and never an event.
            while !wire.is_closed_within(Duration::from_millis(10)) {
                wire.piece(b"x");
            }
        });
        let mut config = once(&server.address);
        let short = Duration::from_millis(500);
        if begun {
            config.timeouts.between_events = short;
        } else {
            config.timeouts.first_byte = short;
        }
        let (kind, words) = failed(&ask(&connect(config), "Hi"));
        assert_eq!(kind, BackendErrorKind::Timeout);
        assert!(words.contains("more than 500 ms"), "{words}");
    }
}

#[test]
fn a_refusal_is_told_without_the_key_and_not_without_bound() {
    let long = "x".repeat(10 * MAX_MESSAGE);
    let (kind, words, _) = end_of(move |wire| {
        let message = format!("no {KEY}\nfor you {long}");
        wire.json(
            400,
            &json!({"error": {"message": message, "type": "BadRequestError", "code": 400}}),
        );
    });
    assert_eq!(kind, BackendErrorKind::Request);
    assert!(words.contains("status 400: no [key] for you xxx"), "{words}");
    assert!(words.len() < MAX_MESSAGE + 100);
    let (_, words, _) = end_of(|wire| wire.json(422, &json!({"detail": "no such field"})));
    assert!(words.ends_with("no such field"), "{words}");
    let (_, words, _) = end_of(|wire| wire.answer(404, "", "Not Found"));
    assert!(words.ends_with("Not Found"), "{words}");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_, _, wire| wire.say("trap"));
    let location = format!("Location: {}/v1/chat/completions\r\n", elsewhere.address);
    let (kind, words, _) = end_of(move |wire| wire.answer(307, &location, ""));
    assert_eq!(kind, BackendErrorKind::Request);
    assert!(words.contains("307"), "{words}");
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn dropping_the_stream_closes_the_connection() {
    let (closed, seen) = mpsc::channel();
    let server = Server::start(move |_, _, wire| {
        wire.begin();
        wire.text("Hel");
        let _ = closed.send(wire.is_closed_within(Duration::from_secs(10)));
    });
    let provider = connect(once(&server.address));
    let mut chunks = stream(&provider, "Hi", &CandleCompletionParams::default()).blocking_iter();
    assert!(matches!(chunks.next(), Some(Ok(_))));
    drop(chunks);
    assert!(seen.recv().expect("the server tells"));
    assert_eq!(provider.engine().statistics().cancelled, 1);
}

#[test]
fn a_stream_outlives_its_provider() {
    let server = Server::start(|_, _, wire| {
        std::thread::sleep(Duration::from_millis(50));
        wire.say("Hello");
    });
    let provider = connect(once(&server.address));
    let chunks = stream(&provider, "Hi", &CandleCompletionParams::default());
    drop(provider);
    assert_eq!(answered(&chunks.blocking_iter().collect()), "Hello");
}

#[test]
fn what_cannot_be_asked_is_refused_before_the_server_hears_of_it() {
    let server = Server::start(|_, _, wire| wire.say("Hello"));
    let provider = connect(once(&server.address));
    let params = CandleCompletionParams {
        score_prompt: Some(0),
        ..Default::default()
    };
    let mut refused = stream(&provider, "Hi", &params).blocking_iter();
    match refused.next() {
        Some(Err(EngineError::InvalidParameter { field, .. })) => assert_eq!(field, "score_prompt"),
        other => panic!("{other:?}"),
    }
    let empty = provider.prompt(CandlePrompt::from(""), &CandleCompletionParams::default());
    assert!(matches!(
        empty.blocking_iter().next(),
        Some(Err(EngineError::EmptyPrompt))
    ));
    eventually(|| provider.engine().statistics().rejected == 2);
    assert!(server.asked().is_empty());
}

#[test]
fn nobody_there_and_no_model_are_told_when_connecting() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = format!("http://{}", closed.local_addr().expect("it has an address"));
    drop(closed);
    match providers::RemoteProvider::connect(RemoteConfig::new(address)) {
        Err(ProviderError::Remote(error @ RemoteError::Unreachable { .. })) => {
            assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        }
        other => panic!("{other:?}"),
    }
    // Certificates are looked at, or missed, and a server that speaks no TLS is not one to be reached by it.
    let plain = Server::start(|_, _, wire| wire.say("Hello"));
    let address = plain.address.replace("http:", "https:");
    match providers::RemoteProvider::connect(RemoteConfig::new(address)) {
        Err(ProviderError::Remote(RemoteError::Unreachable { .. } | RemoteError::Client(_))) => {}
        other => panic!("{other:?}"),
    }
    let server = Server::with_models(json!({"data": [{"id": "a"}, {"id": "b"}]}), |_, _, _| {});
    match providers::RemoteProvider::connect(RemoteConfig::new(&*server.address)) {
        Err(ProviderError::Remote(RemoteError::NoModel { models, .. })) => assert_eq!(models, ["a", "b"]),
        other => panic!("{other:?}"),
    }
}
