//! Every stream ends with exactly one `Complete` or error, whatever the backend does.

use engine::{
    BackendErrorKind, CandleCompletionChunk, Drafts, EngineError, FinishReason, GenerateError, StopCause,
};
use futures::stream;

use crate::scripted::*;

fn generated(script: Vec<Generated>) -> Vec<Completed> {
    items(engine().coordinate_generation(request(), || generation(script)))
}

fn completed(script: Vec<CandleCompletionChunk>) -> Vec<Completed> {
    let script: Vec<Completed> = script.into_iter().map(Ok).collect();
    items(engine().coordinate(request(), || stream::iter(script)))
}

/// Asserts that `items` ends with the only error in it, and gives its message.
#[track_caller]
fn only_error(items: &[Completed]) -> String {
    let (last, before) = items.split_last().unwrap();
    for item in before {
        assert!(
            !matches!(item, Err(_) | Ok(CandleCompletionChunk::Complete { .. })),
            "{item:?}"
        );
    }
    last.as_ref().unwrap_err().to_string()
}

#[test]
fn a_generation_becomes_text_then_its_finish_then_one_complete() {
    let items: Vec<_> = generated(story()).into_iter().map(Result::unwrap).collect();
    let text = |text: &str, token| CandleCompletionChunk::Text {
        choice: 0,
        text: text.to_owned(),
        tokens: vec![token],
    };
    assert_eq!(
        items,
        [
            text("Once", 10),
            text(" upon", 11),
            text("", 2),
            CandleCompletionChunk::Finish {
                choice: 0,
                finish: FinishReason::Stop,
                stop: Some(StopCause::Token(2)),
            },
            CandleCompletionChunk::Complete {
                usage: USAGE,
                timings: timings(),
                seed: Some(7),
                cache_miss: None,
                drafts: Drafts::default(),
            },
        ]
    );
}

#[test]
fn a_chunk_with_neither_text_nor_tokens_is_left_out() {
    let mut empty = piece("", 0);
    empty.as_mut().unwrap().tokens.clear();
    let mut script = story();
    script.insert(1, empty);
    assert_eq!(generated(script).len(), generated(story()).len());
}

#[test]
fn a_generation_without_an_end_is_an_error_with_the_tokens_received() {
    let items = generated(vec![piece("a", 1), piece("b", 2)]);
    assert_eq!(items.len(), 3);
    assert_eq!(
        only_error(&items),
        "the completion broke off after 2 tokens without an end"
    );
}

#[test]
fn an_empty_generation_is_an_error() {
    assert_eq!(
        only_error(&generated(vec![])),
        "the completion broke off after 0 tokens without an end"
    );
}

#[test]
fn a_generators_error_is_the_last_item() {
    let script = vec![
        piece("a", 1),
        Err(GenerateError::WorkerGone),
        piece("b", 2),
        end(),
    ];
    let items = generated(script);
    assert_eq!(items.len(), 2);
    let error = items[1].as_ref().unwrap_err();
    assert!(
        matches!(
            error,
            EngineError::Backend {
                kind: BackendErrorKind::Unavailable,
                ..
            }
        ),
        "{error:?}"
    );
    let source = std::error::Error::source(error).unwrap();
    assert_eq!(source.to_string(), GenerateError::WorkerGone.to_string());
}

#[test]
fn a_callers_error_keeps_its_numbers() {
    let overflow = GenerateError::ContextOverflow {
        prompt_tokens: 600,
        context: 512,
    };
    let items = generated(vec![Err(overflow)]);
    assert!(matches!(
        items[0],
        Err(EngineError::ContextOverflow {
            prompt_tokens: 600,
            context: 512
        })
    ));
}

#[test]
fn items_after_the_end_are_never_seen() {
    let mut script = story();
    script.extend([piece("more", 12), end(), Err(GenerateError::WorkerGone)]);
    assert_eq!(generated(script).len(), 5);
    assert_eq!(
        completed(vec![
            text(0, "a"),
            finish(0),
            complete(),
            text(0, "b"),
            complete()
        ])
        .len(),
        3
    );
}

#[test]
fn a_panic_while_starting_is_an_error() {
    let items = items(engine().coordinate_generation(request(), || panic!("no {}", "memory")));
    assert_eq!(only_error(&items), "the backend panicked: no memory");
}

#[test]
fn a_panic_in_mid_stream_is_an_error_after_what_came_before() {
    let mut script = vec![Ok(text(0, "a"))].into_iter();
    let backend = stream::poll_fn(move |_| match script.next() {
        Some(item) => std::task::Poll::Ready(Some(item)),
        None => panic!("boom"),
    });
    let items = items(engine().coordinate::<_, _, EngineError>(request(), || backend));
    assert_eq!(items.len(), 2);
    assert_eq!(only_error(&items), "the backend panicked: boom");
}

#[test]
fn a_backend_that_panics_while_it_is_dropped_still_completes() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let engine = engine();
    let fuse = PanicsOnDrop;
    let mut script = vec![Ok::<_, EngineError>(finish(0)), Ok(complete())].into_iter();
    let backend = stream::poll_fn(move |_| {
        let _fuse = &fuse;
        std::task::Poll::Ready(script.next())
    });
    let items = items(engine.coordinate(request(), || backend));
    assert!(
        matches!(items.last(), Some(Ok(CandleCompletionChunk::Complete { .. }))),
        "{items:?}"
    );
    assert_eq!(
        (engine.statistics().completed, engine.statistics().in_flight),
        (1, 0)
    );
}

#[test]
fn a_backend_that_speaks_chunks_passes_unchanged() {
    let script = vec![
        text(0, "a"),
        text(1, "b"),
        finish(1),
        text(0, "c"),
        finish(0),
        complete(),
    ];
    let items: Vec<_> = completed(script.clone())
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(items, script);
}

#[test]
fn a_choice_without_its_finish_cannot_complete() {
    for script in [vec![complete()], vec![text(0, "a"), complete()]] {
        assert_eq!(
            only_error(&completed(script)),
            "the backend's chunks are out of order: choice 0 has no finish before the end"
        );
    }
    assert_eq!(
        only_error(&completed(vec![
            text(0, "a"),
            text(1, "b"),
            finish(0),
            complete()
        ])),
        "the backend's chunks are out of order: choice 1 has no finish before the end"
    );
}

#[test]
fn a_finished_choice_cannot_go_on() {
    assert_eq!(
        only_error(&completed(vec![
            text(0, "a"),
            finish(0),
            text(0, "b"),
            complete()
        ])),
        "the backend's chunks are out of order: choice 0 goes on after its finish"
    );
    assert_eq!(
        only_error(&completed(vec![finish(0), finish(0), complete()])),
        "the backend's chunks are out of order: choice 0 finishes twice"
    );
}

#[test]
fn the_backend_is_dropped_with_its_last_item() {
    let engine = engine();
    let alive = Alive::default();
    for script in [
        vec![finish(0), complete()],
        vec![text(0, "a"), finish(0), finish(0)],
    ] {
        let held = alive.clone();
        let script: Vec<Completed> = script.into_iter().map(Ok).collect();
        let mut script = script.into_iter();
        let backend = stream::poll_fn(move |_| {
            let _held = &held;
            std::task::Poll::Ready(script.next())
        });
        let mut stream = engine.coordinate(request(), || backend);
        while alive.others() > 0 {
            let item = next(&mut stream);
            let terminal = matches!(item, Err(_) | Ok(CandleCompletionChunk::Complete { .. }));
            assert_eq!(terminal, alive.others() == 0, "{item:?}");
        }
    }
}

#[test]
fn a_refused_request_is_one_error() {
    let items = items(engine().refuse(EngineError::EmptyPrompt));
    assert_eq!(items.len(), 1);
    assert_eq!(only_error(&items), "the prompt is empty");
}
