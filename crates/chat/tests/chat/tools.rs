//! Calls of tools that a role has no toolbox for are seen and kept, though nothing runs them.

use chat::{Ending, Event};
use engine::{Message, ToolCall};
use generator::FinishReason;

use crate::scripted::*;

fn call() -> ToolCall {
    ToolCall::new("call_0", "now", "{}")
}

#[test]
fn a_call_is_an_event_and_part_of_its_turn() {
    let mut script = calling(&call());
    script.extend([finish(FinishReason::ToolCalls), complete()]);
    let provider = Scripted::new([script, answer("noon")]);
    let mut chat = chat(&provider);
    let events: Vec<Event> = read(chat.send("time?")).into_iter().map(Result::unwrap).collect();
    let [Event::ToolCall(seen), Event::Done(summary)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((seen, summary.finish), (&call(), FinishReason::ToolCalls));
    let messages: Vec<Message> = chat.conversation().messages().collect();
    assert_eq!(
        messages,
        [
            Message::user("time?"),
            Message::assistant("").with_tool_calls([call()])
        ]
    );
    assert!(read(chat.send("well?")).iter().all(Result::is_ok));
}

#[test]
fn an_answer_dropped_after_a_call_is_kept_with_it() {
    let provider = Scripted::new([calling(&call())]);
    let mut chat = chat(&provider);
    let mut answer = chat.send("time?");
    assert_eq!(next(&mut answer).unwrap(), Event::ToolCall(call()));
    drop(answer);
    let turn = &chat.conversation().turns()[0];
    assert_eq!(
        (&turn.ending, &turn.tool_calls),
        (&Ending::Interrupted, &vec![call()])
    );
}
