//! What is kept of a message and its answer, and what the model is shown of it.

use chat::{AgentRole, ChatError, Ending, Event};
use engine::{BackendErrorKind, CandleCompletionParams, EngineError};
use std::sync::Arc;

use crate::scripted::*;

fn pairs(messages: &[(&str, &str)]) -> Vec<(String, String)> {
    messages
        .iter()
        .map(|(role, content)| ((*role).to_owned(), (*content).to_owned()))
        .collect()
}

#[test]
fn the_second_message_is_sent_with_the_first_turn() {
    let provider = Scripted::new([answer("4"), answer("5")]);
    let mut chat = chat(&provider);
    read(chat.send("2+2?"));
    read(chat.send("and 1 more?"));
    assert_eq!(
        provider.shown(),
        [
            pairs(&[("system", " Be brief. "), ("user", "2+2?")]),
            pairs(&[
                ("system", " Be brief. "),
                ("user", "2+2?"),
                ("assistant", "4"),
                ("user", "and 1 more?"),
            ]),
        ]
    );
    let answers: Vec<_> = chat
        .conversation()
        .turns()
        .iter()
        .map(|turn| turn.answer.as_str())
        .collect();
    assert_eq!(answers, ["4", "5"]);
}

#[test]
fn a_role_without_a_system_prompt_sends_none_and_an_empty_one_is_sent() {
    let provider = Scripted::new([answer("a"), answer("b")]);
    let mut chat = AgentRole::new("tester", Arc::clone(&provider) as Arc<_>).chat();
    read(chat.send("hi"));
    chat.clear();
    chat.role_mut().system_prompt = Some(String::new());
    read(chat.send("hi"));
    assert_eq!(
        provider.shown(),
        [pairs(&[("user", "hi")]), pairs(&[("system", ""), ("user", "hi")])]
    );
}

#[test]
fn the_roles_parameters_reach_the_provider() {
    let provider = Scripted::new([answer("a")]);
    let params = CandleCompletionParams {
        max_tokens: Some(9),
        temperature: Some(0.5),
        seed: Some(1),
        ..Default::default()
    };
    let role = AgentRole::new("tester", Arc::clone(&provider) as Arc<_>).with_params(params.clone());
    let mut chat = role.chat();
    read(chat.send("hi"));
    assert_eq!(provider.params(), [params]);
}

#[test]
fn a_turn_is_kept_with_the_done_event_and_how_it_ended() {
    let provider = Scripted::new([thoughtful("hm", "a")]);
    let mut chat = chat(&provider);
    let mut answer = chat.send("hi");
    let summary = loop {
        if let Event::Done(summary) = next(&mut answer).unwrap() {
            break summary;
        }
    };
    drop(answer);
    let [turn] = chat.conversation().turns() else {
        panic!("one turn")
    };
    assert_eq!(
        (turn.user.as_str(), turn.answer.as_str(), turn.reasoning.as_str()),
        ("hi", "a", "hm")
    );
    assert_eq!(turn.ending, Ending::Finished(summary));
    assert_eq!(chat.unanswered(), None);
}

#[test]
fn reasoning_is_not_shown_to_the_model_again() {
    let provider = Scripted::new([thoughtful("secret", "a"), answer("b")]);
    let mut chat = chat(&provider);
    read(chat.send("hi"));
    read(chat.send("go on"));
    assert!(!format!("{:?}", provider.shown()).contains("secret"));
}

#[test]
fn a_cancelled_answer_is_kept_as_interrupted_and_shown_to_the_model() {
    let provider = Scripted::new([vec![text("Once"), text(" upon"), text(" a")], answer("time")]);
    let mut chat = chat(&provider);
    let mut answer = chat.send("tell");
    next(&mut answer).unwrap();
    next(&mut answer).unwrap();
    drop(answer);

    let [turn] = chat.conversation().turns() else {
        panic!("one turn")
    };
    assert_eq!((turn.user.as_str(), turn.answer.as_str()), ("tell", "Once upon"));
    assert_eq!(turn.ending, Ending::Interrupted);
    assert_eq!(provider.engine().statistics().cancelled, 1);

    read(chat.send("go on"));
    assert_eq!(
        provider.shown()[1][2],
        ("assistant".to_owned(), "Once upon".to_owned())
    );
}

#[test]
fn an_answer_cancelled_before_its_first_word_leaves_no_turn() {
    for polls in 0..3 {
        let provider = Scripted::new([vec![reasoning("hm"), reasoning("hm")]]);
        let mut chat = chat(&provider);
        let mut answer = chat.send("hi");
        for _ in 0..polls {
            next(&mut answer).unwrap();
        }
        drop(answer);
        assert!(chat.conversation().is_empty());
        assert_eq!(chat.unanswered(), Some("hi"));
        assert_eq!(provider.engine().statistics().cancelled, 1);
    }
}

#[test]
fn a_failed_answer_leaves_the_conversation_as_it_was() {
    let fault = EngineError::backend(BackendErrorKind::Internal, "gone");
    let provider = Scripted::new([answer("a"), vec![text("par"), Err(fault)], answer("b")]);
    let mut chat = chat(&provider);
    read(chat.send("one"));
    let before = chat.conversation().clone();
    assert!(read(chat.send("two")).pop().unwrap().is_err());
    assert_eq!(*chat.conversation(), before);

    let again = chat.unanswered().unwrap().to_owned();
    assert_eq!(again, "two");
    read(chat.send(again));
    assert_eq!(chat.unanswered(), None);
    assert_eq!(provider.shown()[1], provider.shown()[2]);
    assert_eq!(chat.conversation().turns().len(), 2);
}

#[test]
fn a_message_too_long_is_refused_with_both_counts_and_the_chat_goes_on() {
    let provider = Scripted::new([answer("a"), answer("b")]);
    let mut chat = chat(&provider);
    read(chat.send("one"));
    let before = chat.conversation().clone();

    let mut events = read(chat.send("word ".repeat(CONTEXT)));
    let error = events.pop().unwrap().unwrap_err();
    // Two words of system prompt and two of the first turn stand before it.
    assert!(
        matches!(
            error,
            ChatError::ContextOverflow {
                prompt_tokens: 68,
                context: CONTEXT
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the conversation has 68 tokens with this message and leaves no room in a context of 64"
    );
    assert!(events.is_empty());
    assert_eq!(*chat.conversation(), before);

    read(chat.send("two"));
    assert_eq!(chat.conversation().turns().len(), 2);
}

#[test]
fn undo_takes_back_the_last_turn_and_clear_all_of_them() {
    let provider = Scripted::new([answer("a"), answer("b"), answer("c")]);
    let mut chat = chat(&provider);
    assert_eq!(chat.undo().unwrap(), None);
    read(chat.send("one"));
    read(chat.send("two"));
    assert_eq!(chat.undo().unwrap().unwrap().user, "two");
    read(chat.send("three"));
    assert_eq!(
        provider.shown()[2],
        pairs(&[
            ("system", " Be brief. "),
            ("user", "one"),
            ("assistant", "a"),
            ("user", "three")
        ])
    );
    chat.clear();
    assert!(chat.conversation().is_empty());
    assert_eq!(chat.undo().unwrap(), None);
    assert_eq!(chat.role().system_prompt.as_deref(), Some(" Be brief. "));
}
