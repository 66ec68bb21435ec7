//! Conversations that outgrow their budget: refused, dropped or summarised, and told.

use std::ops::Range;
use std::sync::Arc;

use chat::memory::Memory as _;
use chat::{
    AgentRole, AllowAll, Chat, ChatError, ContextBudget, Event, MemoryPolicy, Overflow, Summarised, Toolbox,
    Trimmed, TypedTool,
};
use engine::ToolCall;
use generator::FinishReason;

use crate::folder::Folder;
use crate::scripted::*;

/// 30 words of prompt, cut to 21; a turn below has 5, the system prompt 2.
fn budget(overflow: Overflow) -> ContextBudget {
    ContextBudget {
        tokens: Some(40),
        reserve: Some(10),
        overflow,
        refill: 0.7,
    }
}

fn chat_with(provider: &Arc<Scripted>, overflow: Overflow) -> Chat {
    AgentRole::new("tester", Arc::clone(provider) as Arc<_>)
        .with_system_prompt("Be brief.")
        .with_budget(budget(overflow))
        .chat()
}

fn ask(chat: &mut Chat, number: usize) -> Vec<Event> {
    let events = wait(chat.send(format!("this is {number}")));
    events.into_iter().map(Result::unwrap).collect()
}

fn words(provider: &Scripted) -> Vec<usize> {
    let count = |messages: &Vec<(String, String)>| {
        let words = messages
            .iter()
            .map(|(_, content)| content.split_whitespace().count());
        words.sum()
    };
    provider.shown().iter().map(count).collect()
}

#[test]
fn a_conversation_over_its_budget_is_refused_with_both_counts_and_loses_nothing() {
    let provider = Scripted::new((0..6).map(|_| answer("so be")));
    let mut chat = chat_with(&provider, Overflow::Error);
    for number in 0..6 {
        ask(&mut chat, number);
    }
    let error = wait(chat.send("one more please")).pop().unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            ChatError::OverBudget {
                prompt_tokens: 35,
                budget: 30
            }
        ),
        "{error}"
    );
    assert_eq!(chat.conversation().turns().len(), 6);
    assert_eq!(chat.unanswered(), Some("one more please"));
}

#[test]
fn the_oldest_turns_are_dropped_in_strides_and_named() {
    let provider = Scripted::new((0..14).map(|_| answer("so be")));
    let mut chat = chat_with(&provider, Overflow::DropOldest);
    let mut trimmed: Vec<(usize, Range<usize>)> = Vec::new();
    for number in 0..14 {
        for event in ask(&mut chat, number) {
            if let Event::Trimmed(Trimmed {
                turns,
                prompt_tokens,
                budget,
            }) = event
            {
                assert_eq!((prompt_tokens, budget), (20, 30));
                trimmed.push((number, turns));
            }
        }
    }
    // Between two cuts, each prompt begins as the one before.
    assert_eq!(trimmed, [(6, 0..3), (9, 3..6), (12, 6..9)]);
    assert_eq!(chat.shown_from(), 9);
    assert!(
        words(&provider).iter().all(|words| *words <= 30),
        "{:?}",
        words(&provider)
    );
    let shown = provider.shown();
    assert_eq!(
        shown[6][..2],
        [
            ("system".into(), "Be brief.".into()),
            ("user".into(), "this is 3".into())
        ]
    );
    for pair in shown[6..9].windows(2) {
        assert!(pair[1].starts_with(&pair[0]));
    }
    assert_eq!(chat.conversation().turns().len(), 14);
}

#[test]
fn a_message_that_is_too_long_by_itself_is_refused_whatever_is_dropped() {
    let provider = Scripted::new([answer("so be"), answer("so be")]);
    let mut chat = chat_with(&provider, Overflow::DropOldest);
    ask(&mut chat, 0);
    let error = wait(chat.send("word ".repeat(29))).pop().unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            ChatError::OverBudget {
                prompt_tokens: 31,
                budget: 30
            }
        ),
        "{error}"
    );
    // And one that fits barely is answered alone.
    let events = wait(chat.send("word ".repeat(28)));
    let Some(Ok(Event::Trimmed(trimmed))) = events.first() else {
        panic!("{events:?}")
    };
    assert_eq!((trimmed.turns.clone(), trimmed.prompt_tokens), (0..1, 30));
}

#[test]
fn the_model_itself_summarises_what_is_dropped() {
    let mut scripts: Vec<_> = (0..6).map(|_| answer("so be")).collect();
    scripts.extend([answer(" notes of it\n"), answer("so be"), answer("so be")]);
    let provider = Scripted::new(scripts);
    let mut chat = chat_with(&provider, Overflow::Summarise);
    for number in 0..6 {
        ask(&mut chat, number);
    }
    let events = ask(&mut chat, 6);
    let Some(Event::Summarised(summarised)) = events.first() else {
        panic!("{events:?}")
    };
    let expected = Summarised {
        turns: 0..4,
        summary: "notes of it".to_owned(),
        usage: USAGE,
        prompt_tokens: 28,
        budget: 30,
    };
    assert_eq!(*summarised, expected);
    assert_eq!(chat.summary(), Some("notes of it"));
    let shown = provider.shown();
    // The question for the summary goes on from what the model has read already.
    assert!(shown[6].starts_with(&shown[3]) && shown[6].last().unwrap().1.contains("Summarise"));
    assert_eq!(provider.params()[6].max_tokens, Some(3));
    let begins = "[Summary of the conversation until here]\nnotes of it\n[End of the summary]\n\nthis is 4";
    assert_eq!(shown[7][1], ("user".to_owned(), begins.to_owned()));
    assert_eq!(chat.conversation().turns()[4].user, "this is 4");
    // Taking turns back as far as the summary begins shows them all again.
    for _ in 0..4 {
        chat.undo().unwrap();
    }
    assert_eq!((chat.shown_from(), chat.summary()), (0, None));
}

#[test]
fn turns_are_dropped_where_the_model_has_no_summary_to_give_and_an_error_is_told() {
    let mut scripts: Vec<_> = (0..6).map(|_| answer("so be")).collect();
    scripts.extend([answer(" "), answer("so be")]);
    let provider = Scripted::new(scripts);
    let mut chat = chat_with(&provider, Overflow::Summarise);
    for number in 0..6 {
        ask(&mut chat, number);
    }
    let events = ask(&mut chat, 6);
    assert!(matches!(events.first(), Some(Event::Trimmed(_))), "{events:?}");

    let mut scripts: Vec<_> = (0..6).map(|_| answer("so be")).collect();
    let fault = engine::EngineError::backend(engine::BackendErrorKind::Internal, "gone");
    scripts.push(vec![text("no"), Err(fault)]);
    let provider = Scripted::new(scripts);
    let mut chat = chat_with(&provider, Overflow::Summarise);
    for number in 0..6 {
        ask(&mut chat, number);
    }
    assert!(wait(chat.send("this is 6")).pop().unwrap().is_err());
    assert_eq!(
        (chat.conversation().turns().len(), chat.unanswered()),
        (6, Some("this is 6"))
    );
}

#[test]
fn results_of_tools_and_declarations_count_too() {
    let mut scripts: Vec<_> = (0..3).map(|_| answer("so be")).collect();
    let mut calls = calling(&ToolCall::new("c", "long", "{}"));
    calls.extend([finish(FinishReason::ToolCalls), complete()]);
    scripts.extend([calls, answer("so be")]);
    let provider = Scripted::new(scripts);
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}
    let long = TypedTool::new("long", "", |_: Nothing, _| async { Ok("word ".repeat(12)) });
    let mut chat = chat_with(&provider, Overflow::DropOldest);
    chat.role_mut().tools = Toolbox::new().with(long).unwrap();
    chat.role_mut().approval = Arc::new(AllowAll);
    for number in 0..3 {
        ask(&mut chat, number);
    }
    let events = ask(&mut chat, 3);
    let trimmed = events.iter().position(|event| matches!(event, Event::Trimmed(_)));
    let result = events
        .iter()
        .position(|event| matches!(event, Event::ToolResult(_)));
    assert!(trimmed > result && result.is_some(), "{events:?}");
    // A declaration without spaces is one word: the count has it, and the messages have not.
    assert!(
        words(&provider).iter().all(|words| *words < 30),
        "{:?}",
        words(&provider)
    );
}

#[test]
fn what_is_dropped_can_be_recalled_and_what_is_shown_is_not() {
    let folder = Folder::new();
    let provider = Scripted::new((0..9).map(|_| answer("so be")));
    let mut chat = chat_with(&provider, Overflow::DropOldest);
    let mut policy = MemoryPolicy::new(folder.archive());
    (policy.most, policy.bytes) = (1, 12);
    chat.role_mut().memory = Some(policy);
    wait(chat.send("my cat Tom"));
    let events = wait(chat.send("the cat again"));
    assert!(!events.iter().any(|event| matches!(event, Ok(Event::Recalled(_)))));
    for number in 2..7 {
        ask(&mut chat, number);
    }
    assert!(chat.shown_from() > 0);
    let events = wait(chat.send("Tom please now"));
    let Some(Ok(Event::Recalled(recalled))) = events.first() else {
        panic!("{events:?}")
    };
    assert!(recalled.text.contains("- User: my cat ..."), "{}", recalled.text);
}

#[test]
fn what_is_recalled_is_left_out_before_a_message_is_refused() {
    for overflow in [Overflow::Error, Overflow::DropOldest] {
        let folder = Folder::new();
        let archive = folder.archive();
        archive.remember("a cat is here").unwrap();
        let provider = Scripted::new([answer("so be"), answer("so be")]);
        let mut chat = chat_with(&provider, overflow);
        let mut policy = MemoryPolicy::new(archive);
        policy.turns = false;
        chat.role_mut().memory = Some(policy);
        let events = wait(chat.send("cat ".repeat(28)));
        assert!(
            matches!(events.as_slice(), [Ok(Event::Text(_)), Ok(Event::Done(_))]),
            "{events:?}"
        );
        assert_eq!(chat.conversation().turns()[0].recalled, None);
        chat.clear();
        let events = wait(chat.send("cat"));
        assert!(
            matches!(events.first(), Some(Ok(Event::Recalled(_)))),
            "{events:?}"
        );
    }
}
