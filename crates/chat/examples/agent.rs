//! An agent in one file: a role, a tool whose schema is a Rust type, a memory. `docs/guide.md` shows this file.
//!
//! ```sh
//! cargo run -p chat --example agent
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use chat::memory::Archive;
use chat::{AgentRole, AllowAll, Event, MemoryPolicy, ToolOutput, Toolbox, TypedTool};
use engine::CandleCompletionParams;
use futures::StreamExt as _;
use providers::{ProgressHub, demo};

/// What the model fills in when it calls the tool.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Place {
    /// The city's name.
    city: String,
}

async fn weather(place: Place) -> ToolOutput {
    match place.city.as_str() {
        "Paris" => Ok(r#"{"city": "Paris", "temperature": 21, "condition": "sunshine"}"#.into()),
        // The model is told, and may try again.
        other => Err(format!("{other:?} is not known").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Arc::new(demo::load(Default::default(), &ProgressHub::new())?);
    let store = Arc::new(Archive::open(std::env::temp_dir().join("agent.db"))?);
    let tool = TypedTool::new("get_weather", "Tells the weather in a city.", |place, _| {
        weather(place)
    });
    let params = CandleCompletionParams {
        temperature: Some(0.0),
        ..Default::default()
    };
    let mut agent = AgentRole::new("assistant", model)
        .with_params(params)
        .with_tools(Toolbox::new().with(tool)?, AllowAll)
        .with_memory(MemoryPolicy::keeping(store))
        .chat();
    for message in ["Hello! My name is Mira.", "What is the weather in Paris?"] {
        println!("> {message}");
        let mut answer = agent.send(message);
        while let Some(event) = answer.next().await {
            match event? {
                Event::Text(text) => print!("{text}"),
                Event::ToolCall(call) => println!("[{} {}]", call.name, call.arguments),
                Event::Done(summary) => println!("\n[{} tokens]", summary.usage.completion_tokens),
                _ => {}
            }
        }
    }
    Ok(())
}
