//! Several endpoints: who is asked first, and who next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{BreakerState, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, Message};
use serde_json::json;

use crate::server::Server;
use crate::{answered, ask, config, connect};

fn named(name: &'static str) -> Server {
    Server::start(move |_, _, wire| wire.say(name))
}

/// A text whose conversation the provider takes to the server that answers `name`.
fn text_for(provider: &providers::RemoteProvider, name: &str) -> String {
    let texts = (0..).map(|n| format!("conversation {n}"));
    texts
        .take(200)
        .find(|text| answered(&ask(provider, text)) == name)
        .expect("conversations spread over both")
}

#[test]
fn a_conversation_stays_where_it_is_and_many_spread() {
    let (a, b) = (named("a"), named("b"));
    let provider = connect(config(&[&a.address, &b.address]));
    let mut counts = [0, 0];
    for n in 0..40 {
        let mut messages = vec![
            Message::system("Be brief."),
            Message::user(format!("conversation {n}")),
        ];
        let answer = |messages: &[Message]| {
            let stream = provider.prompt(CandlePrompt::chat(messages), &CandleCompletionParams::default());
            answered(&stream.blocking_iter().collect())
        };
        let first = answer(&messages);
        messages.extend([Message::assistant(&*first), Message::user("And then?")]);
        assert_eq!(answer(&messages), first);
        counts[usize::from(first == "b")] += 1;
    }
    assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
}

#[test]
fn who_is_busy_hands_on_to_the_next() {
    for status in [429, 503] {
        let busy = std::sync::Arc::new(AtomicUsize::new(0));
        let seen = std::sync::Arc::clone(&busy);
        let a = Server::start(move |_, _, wire| match seen.load(Ordering::Relaxed) {
            0 => wire.say("a"),
            _ => wire.answer(status, "Retry-After: 3600\r\n", "busy"),
        });
        let b = named("b");
        let provider = connect(config(&[&a.address, &b.address]));
        let text = text_for(&provider, "a");
        busy.store(1, Ordering::Relaxed);
        assert_eq!(answered(&ask(&provider, &text)), "b");
        busy.store(0, Ordering::Relaxed);
        assert_eq!(answered(&ask(&provider, &text)), "a");
    }
}

#[test]
fn who_is_gone_is_passed_over_and_then_left_alone() {
    // One that refuses connections; the other tells what is served.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = format!("http://{}", gone.local_addr().expect("it has an address"));
    drop(gone);
    let here = named("b");
    let mut settings = config(&[&address, &here.address]);
    settings.engine.breaker.failures = 2;
    settings.engine.breaker.pause = Duration::from_secs(3600);
    let provider = connect(settings);
    for n in 0..40 {
        assert_eq!(answered(&ask(&provider, &format!("conversation {n}"))), "b");
    }
    let states: Vec<_> = provider
        .endpoints()
        .into_iter()
        .map(|endpoint| endpoint.breaker)
        .collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::Closed]);
}

#[test]
fn after_the_first_token_no_other_is_asked() {
    let broken = || {
        Server::start(|_, _, wire| {
            wire.begin();
            wire.text("Hel");
        })
    };
    let (a, b) = (broken(), broken());
    let provider = connect(config(&[&a.address, &b.address]));
    crate::failed(&ask(&provider, "Hi"));
    assert_eq!(a.asked().len() + b.asked().len(), 1);
}

#[test]
fn a_refusal_is_no_reason_to_ask_another() {
    let refusing = || Server::start(|_, _, wire| wire.json(400, &json!({"error": {"message": "no"}})));
    let (a, b) = (refusing(), refusing());
    let provider = connect(config(&[&a.address, &b.address]));
    crate::failed(&ask(&provider, "Hi"));
    assert_eq!(a.asked().len() + b.asked().len(), 1);
}
