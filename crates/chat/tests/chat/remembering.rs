//! A chat with a memory: what is stored, what is recalled, and what a store that fails does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat::memory::{Archive, Embedder, KeptTurn, Memory, MemoryError, Origin, Portable, Query, index};
use chat::{
    AgentRole, AllowAll, Chat, ChatError, Ending, Event, MemoryPolicy, MemoryUse, Toolbox, TypedTool,
};
use engine::{BackendErrorKind, EngineError, Message, ToolCall};
use futures::future::BoxFuture;
use generator::FinishReason;

use crate::folder::Folder;
use crate::scripted::*;

fn role(provider: &Arc<Scripted>, store: Arc<dyn Memory>) -> AgentRole {
    AgentRole::new("tester", Arc::clone(provider) as Arc<_>)
        .with_system_prompt("Be xyzzy.")
        .with_memory(MemoryPolicy::new(store))
}

fn answers(answers: &[&str]) -> Arc<Scripted> {
    Scripted::new(answers.iter().map(|said| answer(said)))
}

fn stored(archive: &Archive, chat: &Chat) -> Vec<(String, String)> {
    let turns = archive.turns(chat.id().unwrap()).unwrap();
    turns.into_iter().map(|turn| (turn.user, turn.answer)).collect()
}

fn pairs(turns: &[(&str, &str)]) -> Vec<(String, String)> {
    turns
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[track_caller]
fn said(events: Vec<Result<Event, ChatError>>) {
    assert!(matches!(events.last(), Some(Ok(Event::Done(_)))), "{events:?}");
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Ok(Event::MemoryFailed(_)))),
        "{events:?}"
    );
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

#[test]
fn turns_are_stored_as_they_end_and_a_resumed_chat_shows_the_model_the_same() {
    let folder = Folder::new();
    let archive = folder.archive();
    let mut calls = calling(&ToolCall::new("c", "now", "{}"));
    calls.extend([finish(FinishReason::ToolCalls), complete()]);
    let provider = Scripted::new([
        thoughtful("hm", "hello"),
        calls,
        answer("noon"),
        vec![text("not"), text(" yet")],
        answer("bye"),
    ]);
    let now = TypedTool::new("now", "", |_: Nothing, _| async { Ok("12:00".to_owned()) });
    let role = role(&provider, archive.clone()).with_tools(Toolbox::new().with(now).unwrap(), AllowAll);
    let mut chat = role.clone().chat();
    assert_eq!(chat.id(), None);
    said(wait(chat.send("a long\nfirst message")));
    assert_eq!(
        stored(&archive, &chat),
        pairs(&[("a long\nfirst message", "hello")])
    );
    said(wait(chat.send("time?")));
    // An answer that is dropped is stored as far as it came.
    let mut streaming = chat.send("and now?");
    runtime().block_on(async {
        use futures::StreamExt as _;
        streaming.next().await.unwrap().unwrap();
    });
    drop(streaming);
    let id = chat.id().unwrap();
    assert_eq!(archive.outline(id).unwrap().title, "a long");
    let before: Vec<Message> = chat.conversation().messages().collect();

    let mut resumed = role.resume(id).unwrap();
    assert_eq!(resumed.conversation().messages().collect::<Vec<_>>(), before);
    let endings: Vec<_> = resumed
        .conversation()
        .turns()
        .iter()
        .map(|turn| turn.ending.clone())
        .collect();
    assert_eq!(endings, [Ending::Earlier, Ending::Earlier, Ending::Interrupted]);
    assert_eq!(resumed.conversation().turns()[0].reasoning, "hm");
    assert_eq!(resumed.title(), "a long");
    said(wait(resumed.send("well?")));
    assert_eq!(archive.turns(id).unwrap().len(), 4);
    assert_eq!(archive.turns(id).unwrap()[1].between.len(), 2);
    // The system prompt is no memory.
    archive.check().unwrap();
    assert!(!folder.bytes().windows(5).any(|five| five == b"xyzzy"));
}

#[test]
fn what_is_recalled_is_told_exactly_as_it_is_shown_and_stored_nowhere() {
    let folder = Folder::new();
    let archive = folder.archive();
    archive.remember("The user's cat is called Tom.").unwrap();
    let provider = answers(&["Tom.", "As I said."]);
    let mut chat = role(&provider, archive.clone()).chat();
    let events = wait(chat.send("what is my cat called?"));
    let Some(Ok(Event::Recalled(recalled))) = events.first() else {
        panic!("{events:?}")
    };
    assert_eq!(recalled.items.len(), 1);
    assert!(
        recalled.text.contains("- The user's cat is called Tom."),
        "{}",
        recalled.text
    );
    let shown = provider.shown()[0].clone();
    assert_eq!(shown[0].1, "Be xyzzy.");
    assert_eq!(shown[1].1, format!("{}\n\nwhat is my cat called?", recalled.text));
    assert_eq!(
        stored(&archive, &chat),
        pairs(&[("what is my cat called?", "Tom.")])
    );
    assert_eq!(chat.conversation().turns()[0].user, "what is my cat called?");

    // It stays where it was, so that the prompt goes on from the one before, and is not recalled a second time.
    let events = wait(chat.send("my cat, again?"));
    assert!(
        !events.iter().any(|event| matches!(event, Ok(Event::Recalled(_)))),
        "{events:?}"
    );
    assert!(provider.shown()[1].starts_with(&shown));
    assert!(!folder.bytes().windows(8).any(|eight| eight == b"Recalled"));
}

#[test]
fn facts_turns_and_recall_at_all_can_be_put_aside() {
    let folder = Folder::new();
    let archive = folder.archive();
    archive.remember("the cat is grey").unwrap();
    let turn = KeptTurn {
        user: "the cat?".to_owned(),
        answer: "black".to_owned(),
        ..KeptTurn::default()
    };
    archive.begin_with("old", &[turn]).unwrap();
    let recalled = |change: fn(&mut MemoryPolicy)| {
        let provider = answers(&["so"]);
        let mut role = role(&provider, archive.clone());
        change(role.memory.as_mut().unwrap());
        role.memory.as_mut().unwrap().keep = false;
        let mut chat = role.chat();
        let events = wait(chat.send("which cat"));
        assert_eq!((chat.id(), chat.unsaved()), (None, 0));
        match events.into_iter().next() {
            Some(Ok(Event::Recalled(recalled))) => recalled.items.len(),
            _ => 0,
        }
    };
    assert_eq!(recalled(|_| {}), 2);
    assert_eq!(recalled(|policy| policy.facts = false), 1);
    assert_eq!(recalled(|policy| policy.turns = false), 1);
    assert_eq!(
        recalled(|policy| (policy.facts, policy.turns) = (false, false)),
        0
    );
    assert_eq!(recalled(|policy| policy.most = 1), 1);
    assert_eq!(recalled(|policy| policy.most = 0), 0);
    assert_eq!(archive.conversations().unwrap().len(), 1);
}

#[test]
fn turns_are_taken_back_replaced_and_branched_in_the_store_too() {
    let folder = Folder::new();
    let archive = folder.archive();
    let provider = answers(&["one", "two", "three", "two again", "other", "more"]);
    let mut role = role(&provider, archive.clone());
    role.memory.as_mut().unwrap().most = 0;
    let mut chat = role.chat();
    for said_now in ["1", "2", "3"] {
        said(wait(chat.send(said_now)));
    }
    assert_eq!(chat.undo().unwrap().unwrap().user, "3");
    assert_eq!(stored(&archive, &chat), pairs(&[("1", "one"), ("2", "two")]));
    said(wait(chat.regenerate()));
    assert_eq!(
        stored(&archive, &chat),
        pairs(&[("1", "one"), ("2", "two again")])
    );
    let mut branch = chat.branch(1).unwrap();
    assert_ne!(branch.id(), chat.id());
    assert_eq!(branch.title(), "1 (branch)");
    said(wait(branch.edit(0, "one?")));
    assert_eq!(stored(&archive, &branch), pairs(&[("one?", "other")]));
    assert_eq!(
        stored(&archive, &chat),
        pairs(&[("1", "one"), ("2", "two again")])
    );
    // The model is shown what stands before the turn that is edited, and nothing else.
    assert_eq!(provider.shown()[4].len(), 2);
    said(wait(chat.edit(1, "second")));
    assert_eq!(
        stored(&archive, &chat),
        pairs(&[("1", "one"), ("second", "more")])
    );

    chat.set_title("numbers").unwrap();
    let titles: Vec<_> = archive
        .conversations()
        .unwrap()
        .into_iter()
        .map(|it| it.title)
        .collect();
    assert!(titles.contains(&"numbers".to_owned()), "{titles:?}");
    let page = Portable::from(chat.export()).to_markdown();
    assert!(page.starts_with("# numbers") && page.contains("second"), "{page}");
    chat.clear();
    assert_eq!((chat.id(), archive.conversations().unwrap().len()), (None, 2));
    assert_eq!(chat.undo().unwrap(), None);
}

#[test]
fn a_turn_is_replaced_only_once_the_new_one_is_there() {
    let fault = || EngineError::backend(BackendErrorKind::Internal, "gone");
    let provider = Scripted::new([answer("one"), vec![text("o"), Err(fault())], answer("uno")]);
    let mut chat = chat(&provider);
    assert!(read(chat.regenerate()).pop().unwrap().is_err());
    assert!(matches!(
        read(chat.edit(0, "x")).pop().unwrap(),
        Err(ChatError::NoTurn { turn: 0, turns: 0 })
    ));
    chat.undo().unwrap();
    // People count from 1.
    let error = chat.branch(3).unwrap_err();
    assert!(
        error.to_string().contains("no turn 3: the conversation has 0"),
        "{error}"
    );
    read(chat.send("1"));
    assert!(read(chat.regenerate()).pop().unwrap().is_err());
    assert_eq!(chat.conversation().turns()[0].answer, "one");
    // The message that got no answer stands where it was sent: in the place of the turn.
    assert_eq!(chat.unanswered(), Some("1"));
    read(chat.regenerate());
    let answers: Vec<_> = chat
        .conversation()
        .turns()
        .iter()
        .map(|turn| turn.answer.as_str())
        .collect();
    assert_eq!(answers, ["uno"]);
}

#[test]
fn a_conversation_that_was_changed_elsewhere_is_told_and_can_be_stored_apart() {
    let folder = Folder::new();
    let archive = folder.archive();
    let provider = answers(&["one", "two", "three"]);
    let mut chat = role(&provider, archive.clone()).chat();
    said(wait(chat.send("1")));
    let id = chat.id().unwrap();
    let elsewhere = KeptTurn {
        user: "x".to_owned(),
        answer: "y".to_owned(),
        ..KeptTurn::default()
    };
    folder.archive().append(id, 1, &elsewhere).unwrap();
    let events = wait(chat.send("2"));
    let [.., Ok(Event::MemoryFailed(fault)), Ok(Event::Done(_))] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(fault.during, MemoryUse::Keep);
    assert!(matches!(*fault.error, MemoryError::Changed { .. }), "{fault}");
    assert_eq!((chat.unsaved(), chat.memory_fault().is_some()), (1, true));
    assert!(matches!(chat.save(), Err(ChatError::Memory(_))));
    let apart = chat.save_apart().unwrap();
    assert_ne!(apart, id);
    assert_eq!(archive.turns(id).unwrap().len(), 2);
    assert_eq!(stored(&archive, &chat), pairs(&[("1", "one"), ("2", "two")]));
    assert_eq!((chat.unsaved(), chat.memory_fault().is_none()), (0, true));
}

#[test]
fn of_two_chats_of_one_conversation_neither_loses_a_turn() {
    let folder = Folder::new();
    let archive = folder.archive();
    let mut first = role(&answers(&["one", "two", "uno"]), archive.clone()).chat();
    said(wait(first.send("1")));
    said(wait(first.send("2")));
    let id = first.id().unwrap();
    // As another process has it: the file is opened again.
    let mut second = role(&answers(&["dos", "tres"]), folder.archive())
        .resume(id)
        .unwrap();
    said(wait(first.edit(1, "second")));
    // There are as many turns as the other chat knows of, but they are others.
    assert_eq!(
        archive.outline(id).unwrap().turns,
        second.conversation().turns().len()
    );
    let events = wait(second.send("3"));
    let [.., Ok(Event::MemoryFailed(fault)), Ok(Event::Done(_))] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(
        matches!(*fault.error, MemoryError::Changed { id: it, .. } if it == id),
        "{fault}"
    );
    assert_eq!(
        stored(&archive, &first),
        pairs(&[("1", "one"), ("second", "uno")])
    );
    assert_eq!(second.unsaved(), 1);
    assert!(matches!(second.undo(), Ok(Some(_))), "what is not stored");
    said_apart(&mut second, &archive);
}

/// Sends once more, and stores what cannot be stored where it was.
#[track_caller]
fn said_apart(chat: &mut Chat, archive: &Archive) {
    let before = chat.id().unwrap();
    wait(chat.send("4"));
    assert_eq!(chat.unsaved(), 1);
    assert_ne!(chat.save_apart().unwrap(), before);
    assert_eq!(
        stored(archive, chat),
        pairs(&[("1", "one"), ("2", "two"), ("4", "tres")])
    );
    assert_eq!(chat.unsaved(), 0);
}

#[test]
fn a_conversation_that_was_deleted_elsewhere_is_told_and_never_stored_in_part() {
    let folder = Folder::new();
    let archive = folder.archive();
    let mut chat = role(&answers(&["one", "two", "three"]), archive.clone()).chat();
    said(wait(chat.send("1")));
    let id = chat.id().unwrap();
    assert!(folder.archive().delete(id).unwrap());
    let events = wait(chat.send("2"));
    let [.., Ok(Event::MemoryFailed(fault)), Ok(Event::Done(_))] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(
        matches!(*fault.error, MemoryError::NoConversation { id: gone } if gone == id),
        "{fault}"
    );
    assert_eq!(chat.unsaved(), 2);
    assert!(matches!(
        chat.save(),
        Err(ChatError::Memory(MemoryError::NoConversation { .. }))
    ));
    assert!(archive.conversations().unwrap().is_empty());
    assert_ne!(chat.save_apart().unwrap(), id);
    said(wait(chat.send("3")));
    assert_eq!(
        stored(&archive, &chat),
        pairs(&[("1", "one"), ("2", "two"), ("3", "three")])
    );
}

#[test]
fn memory_that_is_put_aside_and_taken_up_again_keeps_each_turn_once() {
    let folder = Folder::new();
    let archive = folder.archive();
    let mut chat = role(&answers(&["one", "two", "three"]), archive.clone()).chat();
    said(wait(chat.send("1")));
    let id = chat.id();
    chat.role_mut().memory = None;
    assert_eq!(chat.id(), None);
    said(wait(chat.send("2")));
    assert_eq!(archive.conversations().unwrap()[0].turns, 1);
    // The file is opened anew.
    chat.role_mut().memory = Some(MemoryPolicy::new(folder.archive()));
    assert_eq!((chat.id(), chat.unsaved()), (id, 1));
    said(wait(chat.send("3")));
    assert_eq!(chat.id(), id);
    assert_eq!(archive.conversations().unwrap().len(), 1);
    assert_eq!(stored(&archive, &chat).len(), 3);
    // Another file in the same place is another store.
    drop(archive);
    chat.role_mut().memory = None;
    std::fs::remove_file(folder.file()).unwrap();
    chat.role_mut().memory = Some(MemoryPolicy::new(folder.archive()));
    assert_eq!((chat.id(), chat.unsaved()), (None, 3));
}

#[test]
fn what_is_edited_or_taken_back_leaves_no_byte() {
    let folder = Folder::new();
    let archive = folder.archive();
    let provider = answers(&["one", "answered-xyzzz", "uno", "answered-xyzzz"]);
    let mut role = role(&provider, archive.clone());
    role.memory.as_mut().unwrap().most = 0;
    let mut chat = role.chat();
    let holds = || folder.bytes().windows(5).any(|five| five == b"xyzzz");
    said(wait(chat.send("1")));
    said(wait(chat.send("said-xyzzz")));
    assert!(holds());
    said(wait(chat.edit(1, "second")));
    assert!(!holds());
    said(wait(chat.send("said-xyzzz")));
    assert!(holds());
    chat.undo().unwrap().unwrap();
    assert!(!holds());
    assert_eq!(stored(&archive, &chat).len(), 2);
}

#[test]
fn a_locked_file_costs_no_answer_and_the_turn_is_stored_with_the_next() {
    let folder = Folder::new();
    let archive = Archive::open(folder.file())
        .unwrap()
        .with_patience(Duration::from_millis(50));
    let archive = Arc::new(archive.unwrap());
    let provider = Scripted::new([
        answer("one"),
        answer("two"),
        vec![text("thr"), text("ee")],
        answer("four"),
    ]);
    let mut chat = role(&provider, archive.clone()).chat();
    said(wait(chat.send("1")));
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let events = wait(chat.send("2"));
    let [.., Ok(Event::MemoryFailed(_)), Ok(Event::Done(_))] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((chat.unsaved(), chat.conversation().turns().len()), (1, 2));
    // What is not stored can be taken back; what is cannot, since here and there would differ.
    assert_eq!(chat.undo().unwrap().unwrap().user, "2");
    assert!(matches!(chat.undo(), Err(ChatError::Memory(_))));
    assert_eq!(chat.conversation().turns().len(), 1);
    let mut streaming = chat.send("3");
    runtime().block_on(async {
        use futures::StreamExt as _;
        streaming.next().await.unwrap().unwrap();
    });
    drop(streaming);
    // Dropping has no event; the failure can be asked for.
    assert!(chat.memory_fault().is_some());
    assert_eq!(chat.unsaved(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    said(wait(chat.send("4")));
    assert_eq!(chat.unsaved(), 0);
    assert_eq!(
        stored(&archive, &chat),
        pairs(&[("1", "one"), ("3", "thr"), ("4", "four")])
    );
}

#[test]
fn a_file_that_is_damaged_in_mid_conversation_costs_no_answer() {
    let folder = Folder::new();
    let archive = folder.archive();
    let provider = answers(&["one", "two", "three"]);
    let mut chat = role(&provider, archive.clone()).chat();
    said(wait(chat.send("1")));
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other
        .execute_batch("UPDATE conversations SET title = 'x'; PRAGMA wal_checkpoint(TRUNCATE);")
        .unwrap();
    drop(other);
    let mut bytes = std::fs::read(folder.file()).unwrap();
    bytes[4096..].fill(0x5a);
    // In place: it is the file that is open.
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(folder.file())
        .unwrap();
    file.write_all(&bytes).unwrap();
    drop(file);
    let events = wait(chat.send("and 1 more"));
    let faults: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Ok(Event::MemoryFailed(fault)) => Some(fault),
            _ => None,
        })
        .collect();
    assert!(
        faults.iter().any(|fault| fault.during == MemoryUse::Keep),
        "{events:?}"
    );
    assert!(
        faults
            .iter()
            .any(|fault| matches!(*fault.error, MemoryError::Unreadable { .. })),
        "{faults:?}"
    );
    assert!(matches!(events.last(), Some(Ok(Event::Done(_)))));
    // The way out: another file.
    let fresh = Folder::new();
    let store = fresh.archive();
    chat.role_mut().memory = Some(MemoryPolicy::new(store.clone()));
    assert_eq!(chat.unsaved(), 2);
    said(wait(chat.send("3")));
    assert_eq!(stored(&store, &chat).len(), 3);
}

#[test]
fn a_store_that_refuses_to_write_costs_no_answer() {
    let folder = Folder::new();
    let archive = folder.archive();
    let provider = answers(&["one", "two"]);
    let mut chat = role(&provider, archive.clone()).chat();
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON turns BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    other.execute_batch(full).unwrap();
    let events = wait(chat.send("1"));
    let [
        Ok(Event::Text(_)),
        Ok(Event::MemoryFailed(fault)),
        Ok(Event::Done(_)),
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    // What the store says is part of the message.
    assert!(fault.to_string().contains("the disk is full"), "{fault}");
    assert_eq!(chat.unsaved(), 1);
}

/// Knows four things by their words; each is a direction.
struct Meanings {
    fails: AtomicBool,
    read: Mutex<Vec<String>>,
}

impl Meanings {
    fn new() -> Arc<Self> {
        let fails = AtomicBool::new(false);
        let read = Mutex::default();
        Arc::new(Self { fails, read })
    }
}

impl Embedder for Meanings {
    fn name(&self) -> &str {
        "meanings"
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Vec<Vec<f32>>, EngineError>> {
        if self.fails.load(Ordering::SeqCst) {
            let fault = EngineError::backend(BackendErrorKind::Unavailable, "no model");
            return Box::pin(async { Err(fault) });
        }
        self.read.lock().unwrap().extend(texts.iter().cloned());
        let directions = [
            ["cat", "feline"],
            ["rain", "weather"],
            ["bread", "food"],
            ["music", "song"],
        ];
        let vector = |text: &String| {
            let near = |words: &[&str; 2]| {
                if words.iter().any(|word| text.contains(word)) {
                    1.0
                } else {
                    0.1
                }
            };
            directions.iter().map(near).collect()
        };
        let vectors = texts.iter().map(vector).collect();
        Box::pin(async { Ok(vectors) })
    }
}

#[test]
fn what_means_the_same_is_recalled_though_it_shares_no_word() {
    let folder = Folder::new();
    let archive = folder.archive();
    for fact in ["rain is expected", "the cat sleeps", "bread is baked"] {
        archive.remember(fact).unwrap();
    }
    let meanings = Meanings::new();
    let provider = answers(&["so", "so", "so"]);
    let mut role = role(&provider, archive.clone());
    let mut policy = MemoryPolicy::new(archive.clone()).with_embedder(meanings.clone());
    policy.most = 1;
    role.memory = Some(policy);
    let mut chat = role.chat();
    let events = wait(chat.send("my feline"));
    let Some(Ok(Event::Recalled(recalled))) = events.first() else {
        panic!("{events:?}")
    };
    assert_eq!(recalled.items[0].text, "the cat sleeps");
    // Each text is read once, whoever asks.
    said(wait(chat.send("any music?")));
    let read = meanings.read.lock().unwrap().clone();
    assert_eq!(
        read.iter().filter(|text| text.contains("bread")).count(),
        1,
        "{read:?}"
    );

    // Without a model there are words.
    meanings.fails.store(true, Ordering::SeqCst);
    chat.clear();
    let events = wait(chat.send("rain?"));
    let [Ok(Event::MemoryFailed(fault)), Ok(Event::Recalled(recalled)), ..] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(fault.during, MemoryUse::Embed);
    assert_eq!(recalled.items[0].text, "rain is expected");
    assert!(matches!(events.last(), Some(Ok(Event::Done(_)))));
}

#[test]
fn vectors_leave_with_their_texts_and_keep_to_their_model() {
    let folder = Folder::new();
    let archive: Arc<dyn Memory> = folder.archive();
    let cat = archive.remember("a cat").unwrap();
    let turn = KeptTurn {
        user: "rain?".to_owned(),
        answer: "no".to_owned(),
        ..KeptTurn::default()
    };
    let id = archive.begin_with("", &[turn]).unwrap();
    let embedder: Arc<dyn Embedder> = Meanings::new();
    let made = |most| runtime().block_on(index(&archive, &embedder, most)).unwrap();
    assert_eq!((made(1), made(10), made(10)), (1, 1, 0));
    let found = |model: &str, vector: &[f32]| {
        let query = Query {
            meaning: Some((model, vector)),
            ..Query::words("?", 1)
        };
        archive.recall(&query).unwrap().first().map(|found| found.origin)
    };
    assert_eq!(found("meanings", &[1.0, 0.0, 0.0, 0.0]), Some(Origin::Fact(cat)));
    assert_eq!(
        found("meanings", &[0.0, 1.0, 0.0, 0.0]),
        Some(Origin::Turn(id, 0))
    );
    // Another model, another length, or nothing at all: nothing is near.
    assert_eq!(found("others", &[1.0, 0.0, 0.0, 0.0]), None);
    assert_eq!(found("meanings", &[1.0, 0.0]), None);
    assert_eq!(found("meanings", &[0.0; 4]), None);
    let item = archive.unindexed("others", 9).unwrap()[0].item;
    let error = archive
        .keep_vectors("meanings", &[(item, vec![1.0])])
        .unwrap_err();
    assert!(
        matches!(error, MemoryError::Dimension { known: 4, got: 1, .. }),
        "{error}"
    );
    assert!(archive.forget_vectors("meanings").unwrap() && !archive.forget_vectors("meanings").unwrap());
    assert_eq!(made(10), 2);
    archive.forget(cat).unwrap();
    archive.truncate(id, 0).unwrap();
    assert_eq!(found("meanings", &[1.0, 1.0, 1.0, 1.0]), None);
    assert_eq!(made(10), 0);
}
