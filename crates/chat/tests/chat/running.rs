//! Tools that run: what the model sees of them, what they may not do, and how they end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chat::{
    AgentRole, AllowAll, Approval, AskApproval, BlockingTool, CallContext, Chat, ChatError, Decision, Ending,
    Event, Outcome, Proposal, ToolFault, ToolLimits, ToolResult, Toolbox, ToolboxError, TypedTool,
};
use engine::{
    BackendErrorKind, CandleCompletionParams, EngineError, Message, ToolCall, ToolChoice, ToolDefinition,
};
use futures::StreamExt as _;
use generator::FinishReason;

use crate::scripted::*;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Sum {
    /// The first.
    a: i64,
    /// The second.
    b: i64,
}

fn add() -> impl chat::Tool {
    TypedTool::new("add", "Adds two numbers.", |Sum { a, b }: Sum, _| async move {
        Ok((a + b).to_string())
    })
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

/// A tool of this name that never returns, and raises `dropped` when it is dropped.
fn endless(name: &str, dropped: &Arc<AtomicUsize>) -> impl chat::Tool + use<> {
    struct Raise(Arc<AtomicUsize>);
    impl Drop for Raise {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::clone(dropped);
    TypedTool::new(name, "Waits.", move |_: Nothing, _| {
        let raise = Raise(Arc::clone(&dropped));
        async move {
            let _raise = raise;
            std::future::pending().await
        }
    })
}

/// A round that calls these, as (id, name, arguments).
fn round(calls: &[(&str, &str, &str)]) -> Vec<Chunk> {
    ended(calls, FinishReason::ToolCalls)
}

fn ended(calls: &[(&str, &str, &str)], reason: FinishReason) -> Vec<Chunk> {
    let mut script = Vec::new();
    for (index, (id, name, arguments)) in (0..).zip(calls) {
        script.extend(calling_at(index, &ToolCall::new(*id, *name, *arguments)));
    }
    script.extend([finish(reason), complete()]);
    script
}

fn role(provider: &Arc<Scripted>, tools: Toolbox) -> AgentRole {
    AgentRole::new("tester", Arc::clone(provider) as Arc<_>).with_tools(tools, AllowAll)
}

fn results(events: &[Result<Event, ChatError>]) -> Vec<ToolResult> {
    let results = events.iter().filter_map(|event| match event {
        Ok(Event::ToolResult(result)) => Some(result.clone()),
        _ => None,
    });
    results.collect()
}

/// The result of the one call that `calls` makes of `tool`, when the model answers after it.
#[track_caller]
fn outcome(tool: impl chat::Tool + 'static, limits: ToolLimits, call: (&str, &str, &str)) -> Outcome {
    let provider = Scripted::new([round(&[call]), answer("so")]);
    let mut chat = role(&provider, Toolbox::new().with(tool).unwrap())
        .with_limits(limits)
        .chat();
    let events = wait(chat.send("go"));
    assert!(matches!(events.last(), Some(Ok(Event::Done(_)))), "{events:?}");
    let [result] = results(&events).try_into().unwrap();
    // What the event says is what the model is shown.
    let shown = provider.shown().pop().unwrap().pop().unwrap();
    assert_eq!(shown, ("tool".to_owned(), result.outcome.shown()));
    result.outcome
}

#[test]
fn results_are_fed_back_until_the_model_answers() {
    let script = [
        round(&[("call_0", "add", r#"{"a":1,"b":2}"#)]),
        round(&[("call_0", "add", r#"{"a":3,"b":4}"#)]),
        answer("It is 7."),
    ];
    let provider = Scripted::new(script);
    let mut chat = role(&provider, Toolbox::new().with(add()).unwrap()).chat();
    let events: Vec<Event> = read(chat.send("1+2+4?"))
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| match event {
            Event::ToolCall(_) => "call",
            Event::Round(_) => "round",
            Event::ToolResult(_) => "result",
            Event::Text(_) => "text",
            Event::Done(_) => "done",
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "call", "round", "result", "call", "round", "result", "text", "done"
        ]
    );
    let Some(Event::Done(summary)) = events.last() else {
        panic!()
    };
    assert_eq!((summary.rounds, summary.usage.completion_tokens), (3, 6));
    assert_eq!(summary.usage.prompt_tokens, 9);

    let turn = &chat.conversation().turns()[0];
    assert_eq!((turn.answer.as_str(), turn.between.len()), ("It is 7.", 4));
    let call = |arguments| ToolCall::new("call_0", "add", arguments);
    let messages: Vec<Message> = chat.conversation().messages().collect();
    assert_eq!(
        messages,
        [
            Message::user("1+2+4?"),
            Message::assistant("").with_tool_calls([call(r#"{"a":1,"b":2}"#)]),
            Message::tool_result("call_0", "3"),
            Message::assistant("").with_tool_calls([call(r#"{"a":3,"b":4}"#)]),
            Message::tool_result("call_0", "7"),
            Message::assistant("It is 7."),
        ]
    );
}

#[test]
fn the_schema_that_the_model_is_shown_is_that_of_the_type() {
    let provider = Scripted::new([answer("hi")]);
    let mut chat = role(&provider, Toolbox::new().with(add()).unwrap()).chat();
    read(chat.send("hi"));
    let [declared] = provider.params()[0].tools.clone().try_into().unwrap();
    assert_eq!(declared.description.as_deref(), Some("Adds two numbers."));
    assert_eq!(
        declared.parameters,
        serde_json::json!({
            "type": "object",
            "properties": {
                "a": {"description": "The first.", "type": "integer", "format": "int64"},
                "b": {"description": "The second.", "type": "integer", "format": "int64"},
            },
            "required": ["a", "b"],
        })
    );
}

#[test]
fn a_call_that_cannot_be_run_is_a_result_that_says_why() {
    let limits = ToolLimits::default();
    let reason = |arguments: &str| match outcome(add(), limits, ("c", "add", arguments)) {
        Outcome::Failed(ToolFault::Arguments { reason }) => reason,
        other => panic!("{other:?}"),
    };
    for (arguments, said) in [
        ("{\"a\": 1", "no JSON object: EOF"),
        ("three", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ("null", "no JSON object"),
        ("{\"a\": 1}", "\"b\" is a required property"),
        ("", "is a required property"),
        (
            "{\"a\": \"one\", \"b\": 2}",
            "/a: \"one\" is not of type \"integer\"",
        ),
    ] {
        let reason = reason(arguments);
        assert!(reason.contains(said), "{arguments}: {reason}");
        assert!(reason.len() < 3000);
    }
    // A number that the schema takes for an integer, and the type does not.
    let huge = outcome(add(), limits, ("c", "add", "{\"a\": 1e300, \"b\": 2}")).shown();
    assert!(huge.contains("1e+300`, expected i64"), "{huge}");
    let unknown = outcome(add(), limits, ("c", "subtract", "{}"));
    assert_eq!(
        unknown.shown(),
        "error: there is no tool \"subtract\"; there are: add"
    );
    let long = format!("{{\"a\": 1, \"b\": 2, \"c\": \"{}\"}}", "x".repeat(300_000));
    let Outcome::Failed(ToolFault::ArgumentsTooLong { bytes, limit }) =
        outcome(add(), limits, ("c", "add", &long))
    else {
        panic!()
    };
    assert!(bytes > 300_000 && limit == 262_144);
    // Huge, and within the limit: what is said of it is short all the same.
    let long = format!("{{\"a\": \"{}\", \"b\": 2}}", "x".repeat(200_000));
    assert!(reason(&long).len() < 3000);
    // So deep that no reader follows.
    assert!(reason(&"{\"a\":".repeat(10_000)).contains("no JSON object"));
}

#[test]
fn a_tool_that_fails_panics_or_never_returns_is_a_result() {
    let failing = TypedTool::new("t", "", |_: Nothing, _| async { Err("the disk is full".into()) });
    let limits = ToolLimits {
        call_time: Duration::from_millis(30),
        ..ToolLimits::default()
    };
    let call = ("c", "t", "{}");
    assert_eq!(outcome(failing, limits, call).shown(), "error: the disk is full");
    let panicking = TypedTool::new("t", "", |_: Nothing, _| async { panic!("at {}", "once") });
    assert_eq!(
        outcome(panicking, limits, call).shown(),
        "error: the tool panicked: at once"
    );
    let dropped = Arc::default();
    let waiting = outcome(endless("t", &dropped), limits, call);
    assert_eq!(waiting.shown(), "error: the tool did not answer within 30 ms");
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    let blocking = BlockingTool::new("t", "", |_: Nothing, _| panic!("on a thread"));
    let shown = outcome(blocking, ToolLimits::default(), call).shown();
    assert!(shown.contains("on a thread"), "{shown}");
}

#[test]
fn a_tool_that_blocks_is_told_that_its_time_is_over() {
    let (told, heard) = std::sync::mpsc::channel();
    let told = Mutex::new(told);
    let tool = BlockingTool::new("t", "", move |_: Nothing, context: CallContext| {
        while !context.cancellation.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        told.lock().unwrap().send(context.id).unwrap();
        Ok(String::new())
    });
    let limits = ToolLimits {
        call_time: Duration::from_millis(20),
        ..ToolLimits::default()
    };
    let ended = outcome(tool, limits, ("call_7", "t", "{}"));
    assert!(
        matches!(ended, Outcome::Failed(ToolFault::TimedOut { .. })),
        "{ended:?}"
    );
    assert_eq!(heard.recv_timeout(Duration::from_secs(20)).unwrap(), "call_7");
}

#[test]
fn a_long_result_is_cut_and_the_model_told_by_how_much() {
    let tool = TypedTool::new("t", "", |_: Nothing, _| async { Ok("é".repeat(100)) });
    let limits = ToolLimits {
        result_bytes: 51,
        ..ToolLimits::default()
    };
    let cut = outcome(tool, limits, ("c", "t", "{}"));
    let expected = format!("{}\n[cut here: 150 more bytes]", "é".repeat(25));
    assert_eq!(cut.shown(), expected);
}

#[test]
fn nothing_runs_without_a_yes() {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = |ran: &Arc<AtomicUsize>| {
        let ran = Arc::clone(ran);
        TypedTool::new("t", "", move |_: Nothing, _| {
            ran.fetch_add(1, Ordering::SeqCst);
            async { Ok("done".to_owned()) }
        })
    };
    let shown_with = |approve: Option<Arc<dyn Approval>>| {
        let provider = Scripted::new([round(&[("c", "t", "{}")]), answer("so")]);
        let mut role = AgentRole::new("tester", Arc::clone(&provider) as Arc<_>);
        role.tools = Toolbox::new().with(counted(&ran)).unwrap();
        if let Some(approval) = approve {
            role.approval = approval;
        }
        let events = read(role.chat().send("go"));
        results(&events)[0].outcome.shown()
    };
    assert!(shown_with(None).starts_with("refused: no tool is allowed"));
    let refuse = |_: &Proposal| Decision::refuse();
    assert_eq!(
        shown_with(Some(Arc::new(refuse))),
        "refused: the user did not allow this call"
    );
    let panics = |_: &Proposal| -> Decision { panic!("no idea") };
    assert!(shown_with(Some(Arc::new(panics))).contains("panicked: no idea"));
    let (ask, questions) = AskApproval::new();
    drop(questions);
    assert!(shown_with(Some(Arc::new(ask))).starts_with("refused"));
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    let named = |proposal: &Proposal| match proposal.tool.name.as_str() {
        "t" => Decision::Allow,
        _ => Decision::refuse(),
    };
    assert_eq!(shown_with(Some(Arc::new(named))), "done");
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn somebody_else_can_be_asked_while_the_answer_streams() {
    let calls = [("a", "add", r#"{"a":1,"b":1}"#), ("b", "add", r#"{"a":2,"b":2}"#)];
    let provider = Scripted::new([round(&calls), answer("so")]);
    let (ask, mut questions) = AskApproval::new();
    let mut role = role(&provider, Toolbox::new().with(add()).unwrap());
    role.approval = Arc::new(ask);
    let mut chat = role.chat();
    let events = runtime().block_on(async {
        let asked = async {
            let first = questions.next().await.unwrap();
            assert_eq!(first.proposal.arguments["a"], 1);
            first.answer(Decision::Allow);
            let second = questions.next().await.unwrap();
            assert_eq!(second.proposal.call.id, "b");
            // Who says nothing has said no.
            drop(second);
        };
        let answered = chat.send("go").collect::<Vec<_>>();
        futures::join!(answered, asked).0
    });
    let outcomes: Vec<String> = results(&events)
        .iter()
        .map(|result| result.outcome.shown())
        .collect();
    assert!(outcomes.contains(&"2".to_owned()), "{outcomes:?}");
    assert!(outcomes.contains(&"refused: the user did not allow this call".to_owned()));
}

#[test]
fn calls_of_a_round_run_side_by_side_and_results_stand_in_the_order_of_the_calls() {
    // Each waits for the other.
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let tool = |name: &str, wait: u64| {
        let barrier = Arc::clone(&barrier);
        BlockingTool::new(name, "", move |_: Nothing, _| {
            barrier.wait();
            std::thread::sleep(Duration::from_millis(wait));
            Ok(wait.to_string())
        })
    };
    let tools = Toolbox::new()
        .with(tool("slow", 60))
        .unwrap()
        .with(tool("fast", 0))
        .unwrap();
    let provider = Scripted::new([round(&[("c", "slow", "{}"), ("c", "fast", "{}")]), answer("so")]);
    let mut chat = role(&provider, tools).chat();
    let events = wait(chat.send("go"));
    let ended: Vec<String> = results(&events).into_iter().map(|result| result.name).collect();
    assert_eq!(ended, ["fast", "slow"]);
    // Both had the same id: each result answers its own call.
    let between = &chat.conversation().turns()[0].between;
    let ids: Vec<&str> = between[0]
        .tool_calls
        .iter()
        .map(|call| call.id.as_str())
        .collect();
    assert_eq!(ids, ["c", "c-2"]);
    assert_eq!(between[1], Message::tool_result("c", "60"));
    assert_eq!(between[2], Message::tool_result("c-2", "0"));
}

#[test]
fn calls_beyond_what_a_round_may_have_are_told_so() {
    let calls: Vec<_> = (0..5).map(|_| ("c", "add", r#"{"a":1,"b":1}"#)).collect();
    let provider = Scripted::new([round(&calls), answer("so")]);
    let limits = ToolLimits {
        calls: 3,
        ..ToolLimits::default()
    };
    let mut chat = role(&provider, Toolbox::new().with(add()).unwrap())
        .with_limits(limits)
        .chat();
    let events = read(chat.send("go"));
    let ran = results(&events)
        .iter()
        .filter(|result| result.outcome.is_content())
        .count();
    assert_eq!((ran, results(&events).len()), (3, 5));
}

#[test]
fn a_model_that_calls_for_ever_comes_to_a_typed_end_and_what_was_done_is_kept() {
    let call = ("c", "add", r#"{"a":1,"b":1}"#);
    let provider = Scripted::new([round(&[call]), round(&[call]), round(&[call]), answer("well")]);
    let limits = ToolLimits {
        rounds: 2,
        ..ToolLimits::default()
    };
    let mut chat = role(&provider, Toolbox::new().with(add()).unwrap())
        .with_limits(limits)
        .chat();
    let mut events = read(chat.send("go"));
    let error = events.pop().unwrap().unwrap_err();
    assert!(matches!(error, ChatError::RoundLimit { limit: 2 }), "{error}");
    assert_eq!(results(&events).len(), 2);
    let turn = &chat.conversation().turns()[0];
    assert_eq!((&turn.ending, turn.between.len()), (&Ending::Interrupted, 4));
    assert!(turn.tool_calls.is_empty() && turn.answer.is_empty());
    // The conversation can go on, and ends with a result rather than with an empty answer.
    assert!(read(chat.send("and?")).iter().all(Result::is_ok));
    let shown = provider.shown().pop().unwrap();
    let roles: Vec<_> = shown.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "tool", "user"]);
}

#[test]
fn a_turn_whose_answer_fails_after_a_tool_ran_is_kept_with_what_the_tool_did() {
    let fault = EngineError::backend(BackendErrorKind::Internal, "gone");
    let script = [
        round(&[("c", "add", r#"{"a":1,"b":1}"#)]),
        vec![text("It is"), Err(fault)],
    ];
    let provider = Scripted::new(script);
    let mut chat = role(&provider, Toolbox::new().with(add()).unwrap()).chat();
    let events = read(chat.send("go"));
    assert!(events.last().unwrap().is_err());
    let turn = &chat.conversation().turns()[0];
    assert_eq!(turn.ending, Ending::Interrupted);
    assert_eq!((turn.between.len(), turn.answer.as_str()), (2, "It is"));
    assert_eq!(chat.unanswered(), None);
}

#[test]
fn an_answer_dropped_while_tools_run_cancels_them_and_keeps_the_turn() {
    let dropped = Arc::default();
    let tools = Toolbox::new()
        .with(endless("wait", &dropped))
        .unwrap()
        .with(add())
        .unwrap();
    let calls = [("a", "wait", "{}"), ("b", "add", r#"{"a":1,"b":1}"#)];
    let provider = Scripted::new([round(&calls), answer("so")]);
    let mut chat = role(&provider, tools).chat();
    let mut streaming = chat.send("go");
    while !matches!(next(&mut streaming).unwrap(), Event::ToolResult(_)) {}
    assert!(poll(&mut streaming).is_pending());
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(streaming);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    let turn = &chat.conversation().turns()[0];
    assert_eq!(turn.ending, Ending::Interrupted);
    assert!(
        turn.between[1].content.contains("cancelled"),
        "{:?}",
        turn.between
    );
    assert_eq!(turn.between[2], Message::tool_result("b", "2"));
    assert!(read(chat.send("go on")).iter().all(Result::is_ok));
}

#[test]
fn calls_of_an_answer_that_is_cut_at_its_length_do_not_run() {
    let calls = [("c", "add", r#"{"a":1,"b":1}"#), ("d", "add", r#"{"a":1,"#)];
    let script = ended(&calls, FinishReason::Length);
    let provider = Scripted::new([script]);
    let mut chat = role(&provider, Toolbox::new().with(add()).unwrap()).chat();
    let events = read(chat.send("go"));
    assert!(matches!(events.last(), Some(Ok(Event::Done(_)))), "{events:?}");
    let cut = results(&events);
    assert!(
        cut.iter()
            .all(|result| result.outcome == Outcome::Failed(ToolFault::CutOff))
    );
    assert_eq!((cut.len(), chat.conversation().turns()[0].between.len()), (2, 3));
}

#[test]
fn a_choice_that_is_forced_is_forced_once() {
    let provider = Scripted::new([round(&[("c", "add", r#"{"a":1,"b":1}"#)]), answer("2")]);
    let mut role = role(&provider, Toolbox::new().with(add()).unwrap());
    role.params.tool_choice = ToolChoice::Required;
    read(role.chat().send("go"));
    let choices: Vec<_> = provider
        .params()
        .into_iter()
        .map(|params| params.tool_choice)
        .collect();
    assert_eq!(choices, [ToolChoice::Required, ToolChoice::Auto]);
}

#[test]
fn what_a_chat_cannot_honour_is_refused_by_name() {
    let tool = ToolDefinition::new("now", serde_json::json!({"type": "object"}));
    for (params, said) in [
        (
            CandleCompletionParams {
                tools: vec![tool],
                ..Default::default()
            },
            "the parameters declare the tool \"now\" beside a toolbox",
        ),
        (
            CandleCompletionParams {
                choices: Some(2),
                ..Default::default()
            },
            "choices is 2, expected 1 in a chat",
        ),
    ] {
        let provider = Scripted::new([]);
        let mut chat = role(&provider, Toolbox::new().with(add()).unwrap())
            .with_params(params)
            .chat();
        let error = read(chat.send("hi")).pop().unwrap().unwrap_err();
        assert_eq!(error.to_string(), said);
        assert_eq!(chat.unanswered(), Some("hi"));
    }
}

#[test]
fn a_toolbox_takes_no_tool_that_cannot_be_called() {
    struct Raw(ToolDefinition);
    impl chat::Tool for Raw {
        fn definition(&self) -> ToolDefinition {
            self.0.clone()
        }
        fn call(
            &self,
            _: serde_json::Map<String, serde_json::Value>,
            _: CallContext,
        ) -> futures::future::BoxFuture<'static, chat::ToolOutput> {
            Box::pin(async { Ok(String::new()) })
        }
    }
    let raw = |name: &str, schema| Raw(ToolDefinition::new(name, schema));
    let object = || serde_json::json!({"type": "object"});
    let tools = || Toolbox::new().with(add()).unwrap();
    let refused = |tool| tools().with(tool).unwrap_err();
    assert!(matches!(
        refused(raw("add", object())),
        ToolboxError::Taken { .. }
    ));
    assert!(matches!(refused(raw("a b", object())), ToolboxError::Name { .. }));
    assert!(matches!(refused(raw("", object())), ToolboxError::Name { .. }));
    for schema in [
        serde_json::json!({"type": "array"}),
        serde_json::json!(true),
        serde_json::json!({"type": "object", "properties": {"a": {"type": "what"}}}),
        serde_json::json!({"type": "object", "properties": {"a": {"$ref": "http://localhost/none"}}}),
    ] {
        let error = refused(raw("t", schema.clone()));
        assert!(matches!(error, ToolboxError::Schema { .. }), "{schema}: {error}");
    }
    let mut tools = tools();
    assert!(tools.remove("add") && !tools.remove("add") && tools.is_empty());
}

#[test]
fn time_limits_hold_without_any_runtime() {
    let dropped = Arc::default();
    let provider = Scripted::new([round(&[("c", "t", "{}")]), answer("so")]);
    let limits = ToolLimits {
        call_time: Duration::from_millis(20),
        ..ToolLimits::default()
    };
    let mut chat: Chat = role(&provider, Toolbox::new().with(endless("t", &dropped)).unwrap())
        .with_limits(limits)
        .chat();
    let begun = Instant::now();
    let mut answer = chat.send("go");
    let mut last = None;
    // Polled by hand, as by a loop of one's own.
    while begun.elapsed() < Duration::from_secs(20) {
        match poll(&mut answer) {
            std::task::Poll::Ready(Some(event)) => last = Some(event.unwrap()),
            std::task::Poll::Ready(None) => break,
            std::task::Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    assert!(matches!(last, Some(Event::Done(_))), "{last:?}");
    assert!(begun.elapsed() >= Duration::from_millis(20));
}
