//! `wick memory`: listed, searched, exported, imported and forgotten.

use std::path::Path;

use serde_json::{Value, json};

use crate::files::Files;
use crate::process::{Ended, argument, program, run, wick};

fn memory(file: &Path, arguments: &[&str]) -> Ended {
    wick(&[&["memory", "--memory", argument(file)], arguments].concat())
}

/// Lines of JSON.
#[track_caller]
fn lines(ended: &Ended) -> Vec<Value> {
    let text = ended.text();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    lines.collect()
}

/// A memory of two facts and one conversation.
fn kept(files: &Files) -> std::path::PathBuf {
    let export = json!({
        "facts": ["Mira has a fox", "the well is dry"],
        "conversations": [{"title": "Foxes", "updated": 1, "turns": [
            {"user": "where does the fox sleep", "answer": "in its den"},
            {"user": "thanks", "answer": "not at all"},
        ]}],
    });
    let export = files.bytes("import.json", export.to_string().as_bytes());
    let file = files.path("memory.db");
    let said = memory(&file, &["import", argument(&export)]).text();
    assert!(said.starts_with("2 facts and 1 conversation added to "), "{said}");
    file
}

#[test]
fn a_memory_is_listed_for_people_and_for_programs() {
    let files = Files::new();
    let file = kept(&files);
    let page = memory(&file, &["list"]).text();
    assert_eq!(page.lines().count(), 3, "{page}");
    assert!(
        page.contains("Mira has a fox") && page.contains("2 turns  Foxes"),
        "{page}"
    );
    let listed = lines(&memory(&file, &["list", "--json"]));
    let kinds: Vec<_> = listed.iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["fact", "fact", "conversation"]);
    assert_eq!(listed[0]["text"], "Mira has a fox");
    assert_eq!(
        (&listed[2]["title"], &listed[2]["turns"]),
        (&json!("Foxes"), &json!(2))
    );
    // As it was exported, and a fact as it was added.
    assert_eq!(listed[2]["updated"], 1);
    assert!(
        listed[0]["kept"]
            .as_u64()
            .is_some_and(|seconds| seconds > 1_700_000_000)
    );
}

#[test]
fn what_shares_words_is_found_with_its_place() {
    let files = Files::new();
    let file = kept(&files);
    let found = lines(&memory(&file, &["search", "a fox", "--json"]));
    assert_eq!(found.len(), 2, "{found:?}");
    let turn = found.iter().find(|line| line["kind"] == "turn").expect("a turn");
    assert_eq!((&turn["conversation"], &turn["turn"]), (&json!(1), &json!(1)));
    assert_eq!(turn["text"], "User: where does the fox sleep\nAnswer: in its den");
    let page = memory(&file, &["search", "sleep"]).text();
    assert!(page.starts_with("conversation 1, turn 1 "), "{page}");
    assert_eq!(
        lines(&memory(&file, &["search", "fox", "--json", "--limit", "1"])).len(),
        1
    );
    assert_eq!(memory(&file, &["search", "nowhere"]).text(), "");
}

#[test]
fn an_export_is_imported_as_the_same_again() {
    let files = Files::new();
    let file = kept(&files);
    let (out, other) = (files.path("out.json"), files.path("sub/other.db"));
    let exported = memory(&file, &["export"]).text();
    memory(&file, &["export", "--out", argument(&out)]).text();
    assert_eq!(std::fs::read_to_string(&out).expect("it was written"), exported);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = out.metadata().expect("it was written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    memory(&other, &["import", argument(&out)]).text();
    let without_times = |text: &str| {
        let mut value: Value = serde_json::from_str(text).expect("JSON");
        value["conversations"][0]["updated"] = Value::Null;
        value
    };
    let again = memory(&other, &["export", "--format", "json"]).text();
    assert_eq!(without_times(&again), without_times(&exported));
    let page = memory(&file, &["export", "--format", "markdown"]).text();
    assert!(
        page.contains("- Mira has a fox") && page.contains("**User**"),
        "{page}"
    );
    let itself = memory(&file, &["export", "--out", argument(&file)]);
    assert!(itself.complaint().contains("is the memory itself"), "{itself:?}");
    assert_eq!(memory(&file, &["export"]).text(), exported);
    let left: Vec<_> = std::fs::read_dir(files.path(""))
        .expect("the folder")
        .flatten()
        .collect();
    assert!(
        left.iter()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with("out.json."))
    );
}

#[test]
fn what_is_forgotten_is_gone_and_nothing_else_is() {
    let files = Files::new();
    let file = kept(&files);
    let unsure = memory(&file, &["forget", "--all"]);
    assert!(unsure.complaint().contains("wants --yes"), "{unsure:?}");
    let absent = memory(&file, &["forget", "--fact", "1", "--conversation", "9", "--yes"]);
    assert!(
        absent.complaint().contains("there is no conversation 9"),
        "{absent:?}"
    );
    assert_eq!(
        lines(&memory(&file, &["list", "--json"])).len(),
        3,
        "all or nothing"
    );
    let facts = lines(&memory(&file, &["list", "--json"]));
    let id = facts[0]["id"].to_string();
    memory(&file, &["forget", "--fact", &id, "--yes"]).text();
    let left = lines(&memory(&file, &["list", "--json"]));
    assert_eq!(left.len(), 2);
    assert_eq!(left[0]["text"], "the well is dry");
    assert_eq!(lines(&memory(&file, &["search", "fox", "--json"])).len(), 1);
    memory(&file, &["forget", "--conversation", "1", "--yes"]).text();
    assert_eq!(memory(&file, &["search", "fox"]).text(), "");
    memory(&file, &["forget", "--all", "--yes"]).text();
    assert_eq!(memory(&file, &["list"]).text(), "");
    for wrong in [
        &["forget"][..],
        &["forget", "--all", "--fact", "1"],
        &["forget", "--fact", "x"],
    ] {
        assert_eq!(memory(&file, wrong).status.code(), Some(2));
    }
}

#[test]
fn a_file_that_is_no_memory_is_left_as_it_is_and_the_way_out_is_told() {
    let files = Files::new();
    let export = files.bytes("export.json", br#"{"facts": ["a"], "conversations": []}"#);
    let bytes = b"something else altogether, and long enough to be looked at".repeat(40);
    let file = files.bytes("broken.db", &bytes);
    for arguments in [
        &["list"][..],
        &["search", "x"],
        &["export"],
        &["import", argument(&export)],
        &["forget", "--all", "--yes"],
    ] {
        let ended = memory(&file, arguments);
        let complaint = ended.complaint();
        assert!(
            complaint.contains("broken.db") && complaint.contains("move it away"),
            "{complaint}"
        );
        assert_eq!(std::fs::read(&file).expect("it is there"), bytes);
    }
}

#[test]
fn an_import_that_is_none_leaves_no_file() {
    let files = Files::new();
    let file = files.path("memory.db");
    for (text, said) in [
        (&b"{"[..], "cannot import"),
        (br#"{"facts": [], "turns": []}"#, "unknown field"),
    ] {
        let export = files.bytes("export.json", text);
        let ended = memory(&file, &["import", argument(&export)]);
        assert!(ended.complaint().contains(said), "{ended:?}");
    }
    assert!(!file.exists());
}

#[test]
fn the_usual_place_may_be_empty_and_a_named_one_may_not() {
    let files = Files::new();
    let home = files.path("home");
    let usual = |arguments: &[&str]| {
        let mut command = program();
        run(command.arg("memory").args(arguments).env("XDG_DATA_HOME", &home))
    };
    assert_eq!(usual(&["list"]).text(), "");
    assert_eq!(usual(&["search", "x"]).text(), "");
    assert!(!home.exists(), "looking makes no file");
    let ended = memory(&files.path("absent.db"), &["list"]);
    assert!(ended.complaint().contains("there is no memory at"), "{ended:?}");
    let export = files.bytes("export.json", br#"{"facts": ["a"], "conversations": []}"#);
    usual(&["import", argument(&export)]).text();
    assert!(home.join("wick/memory.db").is_file());
    assert!(usual(&["list"]).text().ends_with(" a\n"));
}

#[test]
fn what_is_kept_cannot_steer_a_terminal() {
    let files = Files::new();
    let export = files.bytes(
        "export.json",
        br#"{"facts": ["fox\u001b[2Jb"], "conversations": []}"#,
    );
    let file = files.path("memory.db");
    memory(&file, &["import", argument(&export)]).text();
    for arguments in [&["list"][..], &["search", "fox"]] {
        let page = memory(&file, arguments).text();
        assert!(page.contains("[2Jb") && !page.contains('\u{1b}'), "{page:?}");
    }
}

/// What a terminal would obey, in a fact.
#[cfg(unix)]
const STEERING: &str = "fox\u{1b}[2Jb\u{9b}3mc\u{202e}d\u{200f}e";

#[cfg(unix)]
#[test]
fn nothing_of_a_memory_steers_a_terminal_and_json_stays_json() {
    let files = Files::new();
    let export = json!({"facts": [STEERING], "conversations": []}).to_string();
    let export = files.bytes("export.json", export.as_bytes());
    let file = files.path("memory.db");
    memory(&file, &["import", argument(&export)]).text();
    for (arguments, as_json) in [
        (&["export"][..], true),
        (&["export", "--format", "markdown"], false),
        (&["list", "--json"], true),
        (&["search", "fox", "--json"], true),
        (&["list"], false),
    ] {
        let words = [&["memory", "--memory", argument(&file)], arguments].concat();
        let mut screen = crate::screen::Start::at(&files.path("home"))
            .size(24, 300)
            .wick(words);
        assert_eq!(screen.ends(), 0);
        let bytes = screen.bytes();
        for steering in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{200f}'] {
            assert!(!bytes.contains(steering), "{arguments:?}: {bytes:?}");
        }
        if as_json {
            let shown: Value = serde_json::from_str(&bytes).expect("the same JSON");
            let text = shown.pointer("/facts/0").or(shown.get("text"));
            assert_eq!(text, Some(&json!(STEERING)));
        }
        let piped = memory(&file, arguments).text();
        assert!(
            as_json || arguments == ["list"] || piped.contains(STEERING),
            "{piped:?}"
        );
    }
}
