//! Chats whose process is killed in mid-turn, and chats of several processes at once.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use chat::memory::{ConversationId, Memory as _};
use chat::{AgentRole, AllowAll, Event, MemoryPolicy, Toolbox, TypedTool};
use engine::{
    CandleCompletionModel, CandleCompletionParams, CandlePrompt, Capabilities, EngineError, ToolCall,
};
use futures::stream;
use generator::{AsyncStream, FinishReason};

use crate::folder::Folder;
use crate::scripted::*;

/// The variables that name the file and the conversation of a chat in a process of its own.
const FILE: &str = "CHAT_OF_A_CHILD";
const CONVERSATION: &str = "CHAT_OF_A_CHILD_ID";
/// Words of an answer: many pieces, so that most kills come between two of them.
const WORDS: usize = 40;

/// Calls a tool once for each message, and then talks at length.
struct Talkative;

impl CandleCompletionModel for Talkative {
    fn prompt(&self, prompt: CandlePrompt, _: &CandleCompletionParams) -> AsyncStream<Chunk> {
        let last = prompt.messages().unwrap().last().unwrap();
        let script = match last.role {
            engine::Role::Tool => {
                let words = (0..WORDS).map(|_| text("word "));
                words.chain([finish(FinishReason::Stop), complete()]).collect()
            }
            _ => {
                let mut calls = calling(&ToolCall::new("c", "now", "{}"));
                calls.extend([finish(FinishReason::ToolCalls), complete()]);
                calls
            }
        };
        AsyncStream::from_stream(stream::iter(script))
    }
    fn name(&self) -> &str {
        "talkative"
    }
    fn context_length(&self) -> usize {
        1 << 20
    }
    fn count_tokens(&self, prompt: &CandlePrompt) -> Result<usize, EngineError> {
        Ok(prompt.text().len())
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::local(true).with_tools(true)
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

/// No test: what the others start. Goes on with a conversation without end, and says how many turns it has.
#[test]
fn chat_of_a_child() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let id: i64 = std::env::var(CONVERSATION).unwrap().parse().unwrap();
    let store = Arc::new(chat::memory::Archive::open(file).unwrap());
    let now = TypedTool::new("now", "", |_: Nothing, _| async { Ok("12:00".to_owned()) });
    let mut chat = AgentRole::new("child", Arc::new(Talkative))
        .with_memory(MemoryPolicy::new(store))
        .with_tools(Toolbox::new().with(now).unwrap(), AllowAll)
        .resume(ConversationId(id))
        .unwrap();
    loop {
        let number = chat.conversation().turns().len();
        println!("begins {number}");
        for event in wait(chat.send(format!("message {number}"))) {
            let event = event.unwrap();
            assert!(!matches!(event, Event::MemoryFailed(_)), "{event:?}");
        }
        println!("kept {}", number + 1);
    }
}

fn child(folder: &Folder, id: ConversationId) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["killing::chat_of_a_child", "--exact", "--nocapture"])
        .env(FILE, folder.file())
        .env(CONVERSATION, id.0.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a chat so many times, each time in the midst of a turn, and looks at what is left.
fn killed(times: usize) {
    let folder = Folder::new();
    let id = folder.archive().begin("killed").unwrap();
    let mut before = 0;
    for round in 0..times {
        let mut chat = child(&folder, id);
        let mut said = BufReader::new(chat.stdout.take().unwrap()).lines();
        let mut kept = before;
        for line in said.by_ref().map(|line| line.unwrap()) {
            // The line of the test harness may stand before it.
            if let Some((_, number)) = line.split_once("kept ") {
                kept = number.parse().unwrap();
            }
            if line.contains("begins") && kept > before + round % 3 {
                break;
            }
        }
        std::thread::sleep(std::time::Duration::from_micros(200 * (round as u64 % 10)));
        chat.kill().unwrap();
        chat.wait().unwrap();
        let last = said
            .map_while(Result::ok)
            .filter_map(|line| line.split_once("kept ")?.1.parse().ok());
        let kept = last.last().unwrap_or(kept);
        let archive = folder.archive();
        archive.check().unwrap();
        let turns = archive.turns(id).unwrap();
        // One may have been kept and not been told of any more.
        assert!(
            (kept..=kept + 1).contains(&turns.len()),
            "{kept} told, {} kept",
            turns.len()
        );
        for (number, turn) in turns.iter().enumerate() {
            assert_eq!(turn.user, format!("message {number}"));
            assert_eq!(
                (turn.answer.len(), turn.between.len(), turn.interrupted),
                (5 * WORDS, 2, false)
            );
        }
        before = turns.len();
    }
    assert!(before > times);
}

#[test]
fn a_chat_that_is_killed_loses_the_turn_in_flight_at_most() {
    killed(10);
}

#[test]
#[ignore = "kills a hundred processes; `cargo xtask ci --full` runs it"]
fn a_chat_that_is_killed_a_hundred_times_loses_the_turn_in_flight_at_most() {
    killed(100);
}

#[test]
fn chats_of_two_processes_write_to_one_file_and_lose_nothing() {
    let folder = Folder::new();
    let archive = folder.archive();
    let ids = [archive.begin("one").unwrap(), archive.begin("two").unwrap()];
    let mut children = ids.map(|id| child(&folder, id));
    let mut told = [0; 2];
    for (child, told) in children.iter_mut().zip(&mut told) {
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let kept = said
            .map_while(Result::ok)
            .filter_map(|line| line.split_once("kept ")?.1.parse().ok());
        *told = kept.take_while(|kept: &usize| *kept <= 20).last().unwrap();
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    archive.check().unwrap();
    for (id, told) in ids.into_iter().zip(told) {
        let turns = archive.turns(id).unwrap();
        assert!(
            told == 20 && turns.len() >= told,
            "{told} told, {} kept",
            turns.len()
        );
        assert!(
            turns
                .iter()
                .enumerate()
                .all(|(number, turn)| turn.user == format!("message {number}"))
        );
    }
}
