//! `wick memory`: what is remembered, looked into, carried elsewhere and forgotten.
//!
//! A file that holds something else or is damaged is left as it is. Only an import makes a file.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use chat::memory::{Archive, ConversationId, Memory as _, Origin, Portable, Query};
use serde_json::json;

use crate::arguments::{
    ExportArguments, ForgetArguments, Format, MemoryArguments, MemoryFile, MemoryRequest, SearchArguments,
};
use crate::{age, confirmation, export, failure, output};

/// Does what `arguments` ask for.
///
/// # Errors
///
/// A memory that cannot be read, and what each request says of itself.
pub(crate) fn memory(arguments: &MemoryArguments) -> anyhow::Result<ExitCode> {
    let file = &arguments.file;
    match &arguments.request {
        MemoryRequest::List { json } => list(file, *json),
        MemoryRequest::Search(search) => find(file, search),
        MemoryRequest::Export(wanted) => carry_out(file, wanted),
        MemoryRequest::Import { file: from } => import(file, from),
        MemoryRequest::Forget(what) => forget(file, what),
    }
}

/// A search for what somebody has typed, whatever words those are.
pub(crate) fn looking_for(text: &str, limit: usize) -> Query<'_> {
    Query {
        common_words: true,
        ..Query::words(text, limit)
    }
}

/// The memory as it is; none where nothing was ever kept in the usual place.
///
/// # Errors
///
/// A file that is named and is not there, or is no memory.
fn existing(file: &MemoryFile) -> anyhow::Result<Option<Archive>> {
    let path = file.path()?;
    if path
        .try_exists()
        .with_context(|| format!("cannot look at {}", path.display()))?
    {
        return Ok(Some(Archive::open(path)?));
    }
    anyhow::ensure!(!file.is_named(), "there is no memory at {}", path.display());
    Ok(None)
}

fn list(file: &MemoryFile, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some(archive) = existing(file)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut page = String::new();
    // Writing into a String cannot fail.
    for fact in archive.facts()? {
        let id = fact.id;
        if as_json {
            let line =
                json!({"kind": "fact", "id": id, "text": fact.text, "kept": age::seconds(fact.created)});
            let _ = writeln!(page, "{line}");
        } else {
            page += &row(&format!("fact {id}"), &age::ago(fact.created), &fact.text);
        }
    }
    for outline in archive.conversations()? {
        let (id, turns) = (outline.id, outline.turns);
        if as_json {
            let line = json!({
                "kind": "conversation", "id": id, "title": outline.title, "turns": turns,
                "updated": age::seconds(outline.updated),
            });
            let _ = writeln!(page, "{line}");
        } else {
            let counted = if turns == 1 { "turn" } else { "turns" };
            let text = format!("{turns} {counted}  {}", outline.title);
            page += &row(&format!("conversation {id}"), &age::ago(outline.updated), &text);
        }
    }
    show(&page, as_json)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints lines of JSON, or a page.
fn show(text: &str, as_json: bool) -> anyhow::Result<()> {
    match as_json {
        true => output::record(text),
        false => output::page(text),
    }
}

fn find(file: &MemoryFile, search: &SearchArguments) -> anyhow::Result<ExitCode> {
    let Some(archive) = existing(file)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut page = String::new();
    for found in archive.recall(&looking_for(&search.text, search.limit.into()))? {
        let kept = age::seconds(found.kept);
        let (line, place) = match found.origin {
            Origin::Fact(id) => (
                json!({"kind": "fact", "id": id, "text": found.text, "kept": kept, "score": found.score}),
                format!("fact {id}"),
            ),
            Origin::Turn(id, index) => {
                // Shown as people count.
                let turn = index + 1;
                let line = json!({
                    "kind": "turn", "conversation": id, "turn": turn, "text": found.text, "kept": kept,
                    "score": found.score,
                });
                (line, format!("conversation {id}, turn {turn}"))
            }
        };
        if search.json {
            let _ = writeln!(page, "{line}");
        } else {
            page += &row(&place, &age::ago(found.kept), &found.text);
        }
    }
    show(&page, search.json)?;
    Ok(ExitCode::SUCCESS)
}

/// A line for a person, with nothing in it that a terminal would obey.
fn row(what: &str, age: &str, text: &str) -> String {
    let row = format!("{what:<24} {age:<15} {}", failure::one_line(text));
    format!("{}\n", row.trim_end())
}

fn carry_out(file: &MemoryFile, wanted: &ExportArguments) -> anyhow::Result<ExitCode> {
    let portable = match existing(file)? {
        Some(archive) => Portable::of(&archive)?,
        None => Portable::default(),
    };
    let text = match wanted.format {
        Format::Json => portable.to_json() + "\n",
        Format::Markdown => portable.to_markdown(),
    };
    match &wanted.out {
        Some(out) => write_whole(out, &text, &file.path()?)?,
        None => show(&text, matches!(wanted.format, Format::Json))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes `text` to `out`, which is not the memory itself.
fn write_whole(out: &Path, text: &str, memory: &Path) -> anyhow::Result<()> {
    let same = |path: &Path| path.canonicalize().ok();
    anyhow::ensure!(
        same(out).is_none() || same(out) != same(memory),
        "{} is the memory itself; export to another file",
        out.display()
    );
    export::replacing(out, text).with_context(|| format!("cannot write {}", out.display()))
}

fn import(file: &MemoryFile, from: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
    let portable = Portable::read(&text).with_context(|| format!("cannot import {}", from.display()))?;
    let archive = Archive::open(file.path()?)?;
    portable.add_to(&archive)?;
    let (facts, conversations) = (portable.facts.len(), portable.conversations.len());
    output::write(&format!(
        "{} and {} added to {}\n",
        counted(facts, "fact"),
        counted(conversations, "conversation"),
        archive.path().display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn forget(file: &MemoryFile, what: &ForgetArguments) -> anyhow::Result<ExitCode> {
    let Some(archive) = existing(file)? else {
        anyhow::bail!("there is nothing to forget: nothing was kept yet");
    };
    let named: Vec<String> = (what.facts.iter().map(|id| format!("fact {id}")))
        .chain(what.conversations.iter().map(|id| format!("conversation {id}")))
        .collect();
    // All of it is known before any of it goes.
    for id in &what.facts {
        anyhow::ensure!(
            archive.facts()?.iter().any(|fact| fact.id == *id),
            "there is no fact {id}"
        );
    }
    for id in &what.conversations {
        anyhow::ensure!(has(&archive, *id)?, "there is no conversation {id}");
    }
    let meant = match what.all {
        true => format!("forgetting all of {}", archive.path().display()),
        false => format!("forgetting {}", named.join(", ")),
    };
    if !confirmation::given(&meant, what.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    if what.all {
        archive.clear()?;
        output::write(&format!("{} is empty\n", archive.path().display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    for id in &what.facts {
        archive.forget(*id)?;
    }
    for id in &what.conversations {
        archive.delete(*id)?;
    }
    output::write(&format!("{} forgotten\n", named.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

fn has(archive: &Archive, id: ConversationId) -> anyhow::Result<bool> {
    Ok(archive.conversations()?.iter().any(|outline| outline.id == id))
}
