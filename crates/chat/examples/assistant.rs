//! An assistant with a tool and a memory, on the demo model that is built in.
//!
//! ```sh
//! cargo run --release -p chat --example assistant                # two questions of its own
//! echo "What is 6 * 7?" | cargo run --release -p chat --example assistant -- -
//! ```
//!
//! What is said is kept in `assistant.db` in the folder for temporary files; each run begins a conversation of its own.

#![allow(clippy::print_stdout, reason = "a program of its own")]

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use chat::memory::{Archive, Memory};
use chat::{
    AgentRole, AllowAll, Chat, ContextBudget, Event, MemoryPolicy, Overflow, ToolOutput, Toolbox, TypedTool,
};
use engine::CandleCompletionParams;
use futures::StreamExt as _;
use providers::{ProgressHub, demo};

/// What the model writes when it calls the tool: its schema is made of this type.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Expression {
    /// Two whole numbers with `+`, `-`, `*` or `/` between them.
    expression: String,
}

async fn calculate(Expression { expression }: Expression) -> ToolOutput {
    let words: Vec<&str> = expression.split_whitespace().collect();
    let [left, sign, right] = words.as_slice() else {
        return Err(format!("{expression:?} is not two numbers with a sign between them").into());
    };
    let (left, right): (i64, i64) = (left.parse()?, right.parse()?);
    let result = match *sign {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        // Whatever goes wrong is told to the model, which may try again.
        _ => return Err(format!("there is no sign {sign:?}").into()),
    };
    result
        .map(|result| result.to_string())
        .ok_or_else(|| "the result is no number".into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = Arc::new(demo::load(Default::default(), &ProgressHub::new())?);
    let store: Arc<dyn Memory> = Arc::new(Archive::open(std::env::temp_dir().join("assistant.db"))?);
    let calculator = TypedTool::new("calculator", "Computes an arithmetic expression.", |it, _| {
        calculate(it)
    });

    // The most probable answer: the same in every run.
    let params = CandleCompletionParams {
        temperature: Some(0.0),
        ..Default::default()
    };
    let mut chat = AgentRole::new("assistant", provider)
        .with_params(params)
        // A calculator can do no harm; of other tools, ask: `AskApproval`, or a closure that decides.
        .with_tools(Toolbox::new().with(calculator)?, AllowAll)
        // Turns are kept; `MemoryPolicy::new` also recalls what earlier conversations said.
        .with_memory(MemoryPolicy::keeping(store))
        .with_budget(ContextBudget::overflowing(Overflow::DropOldest))
        .chat();

    if std::env::args().nth(1).as_deref() == Some("-") {
        for line in std::io::stdin().lines() {
            answer(&mut chat, line?.trim()).await?;
        }
    } else {
        answer(&mut chat, "Hello! My name is Mira.").await?;
        answer(&mut chat, "What is 12 + 30?").await?;
    }
    if let Some(id) = chat.id() {
        println!("[kept as conversation {id}, {:?}]", chat.title());
    }
    Ok(())
}

/// Sends one message and shows the answer as it comes.
async fn answer(chat: &mut Chat, message: &str) -> Result<(), Box<dyn Error>> {
    println!("> {message}");
    let mut answer = chat.send(message);
    while let Some(event) = answer.next().await {
        match event? {
            Event::Text(text) => print!("{text}"),
            Event::Recalled(recalled) => println!("{}", recalled.text),
            Event::ToolCall(call) => println!("[calls {} with {}]", call.name, call.arguments),
            Event::ToolResult(result) => println!("[it gave: {}]", result.outcome.shown()),
            // The answer goes on; the turn is stored with the next one.
            Event::MemoryFailed(fault) => println!("[{fault}]"),
            Event::Done(summary) => println!("\n[{} tokens]", summary.usage.completion_tokens),
            _ => {}
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
