//! What outlasts a chat, as its commands reach it: kept conversations, facts, and files.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use chat::memory::{Archive, ConversationId, FactId, Memory, MemoryError, Origin, Outline, Portable};
use chat::{Chat, ChatError, MemoryPolicy};

use super::command::Recollection;
use super::session::Session;
use super::view::short;
use super::{counted, place, say, tell};
use crate::{export, failure};

/// What a search finds at most.
const FOUND: usize = 10;

/// Letters of what is found that are shown.
const SHOWN: usize = 200;

/// What a chat does with its store: it keeps turns, and recalls facts. Turns of other conversations are found by
/// `/memory search` alone.
pub(super) fn policy(store: Arc<dyn Memory>) -> MemoryPolicy {
    MemoryPolicy {
        turns: false,
        ..MemoryPolicy::new(store)
    }
}

fn store(chat: &Chat) -> anyhow::Result<Arc<dyn Memory>> {
    let memory = chat.role().memory.as_ref();
    let memory = memory.context("memory is off; /memory on turns it on")?;
    Ok(Arc::clone(&memory.store))
}

/// Whether anything is kept.
pub(super) fn state(chat: &Chat) -> String {
    let unsaved = match chat.unsaved() {
        0 => String::new(),
        1 => ", 1 turn of it is not".to_owned(),
        turns => format!(", {turns} turns of it are not"),
    };
    match (&chat.role().memory, chat.id()) {
        (None, _) => "memory is off: nothing is kept, nothing is recalled".to_owned(),
        (Some(_), None) => "memory is on: this conversation is kept from its first turn on".to_owned(),
        (Some(_), Some(id)) => format!(
            "memory is on: this is conversation {id}, {:?}{unsaved}",
            chat.title()
        ),
    }
}

/// Turns that nothing keeps: all of them where memory is off, or else those that the store does not have.
pub(super) fn unkept(chat: &Chat) -> usize {
    match chat.role().memory {
        Some(_) => chat.unsaved(),
        None => chat.conversation().turns().len(),
    }
}

/// The titles of all kept conversations, as far as they can be read.
pub(super) fn titles(chat: &Chat) -> Vec<String> {
    let Some(memory) = &chat.role().memory else {
        return Vec::new();
    };
    let found = memory.store.conversations().unwrap_or_default();
    found.into_iter().map(|outline| outline.title).collect()
}

/// Obeys `/memory`.
///
/// # Errors
///
/// What the store reports; memory that is off.
pub(super) fn obey(session: &mut Session<'_>, asked: Recollection<'_>) -> anyhow::Result<()> {
    match asked {
        Recollection::State => say(&state(&session.chat)),
        Recollection::Off => {
            session.chat.role_mut().memory = None;
            say(&state(&session.chat));
        }
        Recollection::On => {
            if session.chat.role().memory.is_none() {
                let file = session
                    .memory
                    .clone()
                    .context("there is no home to keep anything in; name a file with --memory")?;
                place::make_folder(&file)
                    .with_context(|| format!("cannot make the folder of {}", file.display()))?;
                session.chat.role_mut().memory = Some(policy(Arc::new(Archive::open(file)?)));
            }
            say(&state(&session.chat));
        }
        Recollection::Search(text) => {
            let found = store(&session.chat)?.recall(&crate::memory::looking_for(text, FOUND))?;
            let mut lines = String::new();
            for item in &found {
                let origin = match item.origin {
                    Origin::Fact(id) => format!("fact {id}"),
                    Origin::Turn(id, turn) => format!("conversation {id}, turn {}", turn + 1),
                };
                // Writing to a string does not fail.
                let _ = writeln!(lines, "{origin}: {}", short(&item.text, SHOWN));
            }
            if found.is_empty() {
                say("nothing is found");
            }
            tell(&lines);
        }
        Recollection::Facts => {
            let facts = store(&session.chat)?.facts()?;
            let mut lines = String::new();
            for fact in &facts {
                let _ = writeln!(lines, "{:>4}  {}", fact.id, short(&fact.text, SHOWN));
            }
            if facts.is_empty() {
                say("there are no facts");
            }
            tell(&lines);
        }
        Recollection::Remember(text) => {
            let id = store(&session.chat)?.remember(text)?;
            say(&format!("fact {id} is kept"));
        }
        Recollection::Forget(id) => match store(&session.chat)?.forget(FactId(id))? {
            true => say(&format!("fact {id} is gone")),
            false => bail!("there is no fact {id}"),
        },
    }
    Ok(())
}

/// Keeps the conversation under a title; one that was changed elsewhere is kept apart from that.
///
/// # Errors
///
/// What the store reports; an empty conversation.
pub(super) fn save(chat: &mut Chat, title: &str) -> anyhow::Result<()> {
    store(chat)?;
    anyhow::ensure!(!chat.conversation().is_empty(), "there is nothing to save");
    let id = match chat.save() {
        Err(ChatError::Memory(MemoryError::Changed { .. } | MemoryError::TurnNumber { .. })) => {
            say("the conversation was changed elsewhere; this one is kept apart");
            chat.save_apart()?
        }
        Err(ChatError::Memory(MemoryError::NoConversation { .. })) => {
            say("the conversation was deleted elsewhere; this one is kept as another");
            chat.save_apart()?
        }
        saved => saved?,
    };
    chat.set_title(title)?;
    say(&format!("kept as conversation {id}, {title:?}"));
    Ok(())
}

/// Keeps the turns that a store did not take when they ended; what is lost, if it still takes none.
pub(super) fn keep_rest(chat: &mut Chat) -> Option<String> {
    if chat.unsaved() == 0 {
        return None;
    }
    let fault = chat.save().err()?;
    Some(format!(
        "{} of this conversation could not be kept: {}",
        counted(chat.unsaved()),
        failure::chain(&fault)
    ))
}

/// The kept conversation that a person means.
///
/// # Errors
///
/// None that fits, or several; what the store reports; memory that is off.
pub(super) fn named(chat: &Chat, wanted: &str) -> anyhow::Result<ConversationId> {
    find(&store(chat)?.conversations()?, wanted)
}

/// Goes on with a kept conversation.
///
/// # Errors
///
/// What the store reports; memory that is off.
pub(super) fn load(chat: &mut Chat, id: ConversationId) -> anyhow::Result<()> {
    let loaded = chat.role().clone().resume(id)?;
    *chat = loaded;
    let turns = chat.conversation().turns();
    say(&format!(
        "conversation {id}, {:?}, {}",
        chat.title(),
        counted(turns.len())
    ));
    if let Some(last) = turns.last() {
        tell(&format!(
            "> {}\n{}",
            short(&last.user, SHOWN),
            short(&last.answer, 2 * SHOWN)
        ));
    }
    Ok(())
}

/// The conversation of this number, of this title, or the only one whose title holds the text.
fn find(all: &[Outline], wanted: &str) -> anyhow::Result<ConversationId> {
    let by_id = wanted.parse().ok().map(ConversationId);
    if let Some(found) = all.iter().find(|outline| Some(outline.id) == by_id) {
        return Ok(found.id);
    }
    // The one that was last added to comes first.
    let is_called =
        |outline: &&Outline| outline.title == wanted || failure::one_line(&outline.title) == wanted;
    if let Some(found) = all.iter().find(is_called) {
        return Ok(found.id);
    }
    let holding: Vec<&Outline> = all
        .iter()
        .filter(|outline| outline.title.contains(wanted))
        .collect();
    match holding.as_slice() {
        [only] => Ok(only.id),
        [] => bail!("no conversation is called {wanted:?}; /list shows them"),
        several => bail!(
            "{} conversations are called something with {wanted:?}; /list shows them",
            several.len()
        ),
    }
}

/// All kept conversations, a line each.
///
/// # Errors
///
/// What the store reports; memory that is off.
pub(super) fn list(chat: &Chat) -> anyhow::Result<String> {
    let mut lines = String::new();
    for outline in store(chat)?.conversations()? {
        let here = if Some(outline.id) == chat.id() { "*" } else { " " };
        let turns = counted(outline.turns);
        let _ = writeln!(
            lines,
            "{here}{:>5}  {turns:<12}{:<14}{}",
            outline.id.to_string(),
            ago(outline.updated),
            short(&outline.title, 60)
        );
    }
    if lines.is_empty() {
        lines.push_str("no conversation is kept\n");
    }
    Ok(lines)
}

/// How long ago something was, in one unit.
fn ago(then: SystemTime) -> String {
    let seconds = then.elapsed().map_or(0, |elapsed| elapsed.as_secs());
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// Goes on in a copy.
///
/// # Errors
///
/// What the store reports.
pub(super) fn branch(chat: &mut Chat, title: Option<&str>) -> anyhow::Result<()> {
    let turns = chat.conversation().turns().len();
    let mut copy = match chat.role().memory {
        Some(_) => chat.branch(turns)?,
        None => bail!("a branch is kept beside the conversation, and memory is off; /memory on turns it on"),
    };
    if let Some(title) = title {
        copy.set_title(title)?;
    }
    *chat = copy;
    say(&format!(
        "this is a copy of {}, {:?}",
        counted(turns),
        chat.title()
    ));
    Ok(())
}

/// Writes the conversation to a file that is not there yet.
///
/// # Errors
///
/// An empty conversation; a file that is there, or cannot be written.
pub(super) fn export(chat: &Chat, file: &str) -> anyhow::Result<()> {
    anyhow::ensure!(!chat.conversation().is_empty(), "there is nothing to export");
    let portable = Portable::from(chat.export());
    let text = match file.ends_with(".json") {
        true => portable.to_json(),
        false => portable.to_markdown(),
    };
    export::fresh(Path::new(file), &text).with_context(|| format!("cannot write {file}"))?;
    say(&format!("written to {}", failure::one_line(file)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_found_by_its_number_its_title_or_a_part_of_that() {
        let outline = |id, title: &str| Outline {
            id: ConversationId(id),
            title: title.to_owned(),
            turns: 1,
            updated: SystemTime::now(),
        };
        let all = [
            outline(3, "foxes"),
            outline(1, "red foxes"),
            outline(2, "bears"),
            outline(4, "a\u{1b}b"),
        ];
        // The last as it is completed.
        for (wanted, id) in [("1", 1), ("foxes", 3), ("bear", 2), ("red", 1), ("a\u{fffd}b", 4)] {
            assert_eq!(find(&all, wanted).expect(wanted), ConversationId(id));
        }
        assert!(
            find(&all, "fox")
                .expect_err("two")
                .to_string()
                .starts_with("2 conversations")
        );
        assert!(find(&all, "wolves").is_err());
    }
}
