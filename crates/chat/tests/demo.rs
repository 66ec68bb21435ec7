//! The demo model, with tools and a memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use chat::memory::{Archive, Memory as _};
use chat::{
    AgentRole, AllowAll, BlockingTool, ContextBudget, Event, MemoryPolicy, Overflow, ToolOutput, Toolbox,
};
use engine::{CandleCompletionModel, CandleCompletionParams};
use futures::StreamExt as _;
use providers::{ProgressHub, demo};

/// An expression.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Expression {
    /// Two numbers with `+`, `-` or `*` between them.
    expression: String,
}

fn calculate(Expression { expression }: Expression) -> ToolOutput {
    let words: Vec<&str> = expression.split_whitespace().collect();
    let [left, sign, right] = words.as_slice() else {
        return Err(format!("{expression:?} is no expression").into());
    };
    let (left, right): (i64, i64) = (left.parse()?, right.parse()?);
    match *sign {
        "+" => Ok((left + right).to_string()),
        "-" => Ok((left - right).to_string()),
        "*" => Ok((left * right).to_string()),
        _ => Err(format!("no sign {sign:?}").into()),
    }
}

#[test]
fn the_demo_model_calls_a_tool_reports_its_result_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Arc::new(Archive::open(folder.path().join("memory.db")).unwrap());
    let provider: Arc<dyn CandleCompletionModel> =
        Arc::new(demo::load(Default::default(), &ProgressHub::new()).unwrap());
    let calculator = BlockingTool::new("calculator", "Computes an arithmetic expression.", |it, _| {
        calculate(it)
    });
    let params = CandleCompletionParams {
        temperature: Some(0.0),
        ..Default::default()
    };
    let role = AgentRole::new("demo", Arc::clone(&provider))
        .with_params(params)
        .with_tools(Toolbox::new().with(calculator).unwrap(), AllowAll)
        .with_memory(MemoryPolicy::keeping(archive.clone()))
        .with_budget(ContextBudget::overflowing(Overflow::DropOldest).with_tokens(900));
    let mut chat = role.clone().chat();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut prompts = Vec::new();
    for (question, right) in [
        ("What is 12 + 30?", "42"),
        ("What is 7 * 6?", "42"),
        ("What is 50 - 8?", "42"),
    ] {
        let events: Vec<_> = runtime.block_on(chat.send(question).collect());
        let events: Vec<Event> = events.into_iter().map(Result::unwrap).collect();
        let result = events.iter().find_map(|event| match event {
            Event::ToolResult(result) => Some(result.outcome.shown()),
            _ => None,
        });
        assert_eq!(result.as_deref(), Some(right), "{events:?}");
        let Some(Event::Done(summary)) = events.last() else {
            panic!("{events:?}")
        };
        assert_eq!(summary.rounds, 2);
        prompts.push(summary.usage);
        let said = &chat.conversation().turns().last().unwrap().answer;
        assert!(said.contains(right), "{said}");
    }
    // What the model has read it does not read again.
    assert!(
        prompts[2].cached_tokens * 2 > prompts[2].prompt_tokens,
        "{prompts:?}"
    );
    let id = chat.id().unwrap();
    assert_eq!(archive.turns(id).unwrap().len(), 3);
    let mut resumed = role.resume(id).unwrap();
    assert_eq!(resumed.prompt("Thanks!"), chat.prompt("Thanks!"));
    let events: Vec<_> = runtime.block_on(resumed.send("What is 1 + 1?").collect());
    assert!(matches!(events.last(), Some(Ok(Event::Done(_)))), "{events:?}");
}
