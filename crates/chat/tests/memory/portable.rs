//! What is carried out of an archive and into another.

use chat::memory::{
    Archive, KeptTurn, Memory as _, MemoryError, Portable, PortableConversation, PortableTurn,
};
use engine::{Message, ToolCall};

use crate::folder::{Folder, keep, turn};

#[test]
fn an_export_is_read_again_and_is_a_page_for_people() {
    let folder = Folder::new();
    let archive = folder.archive();
    keep(&archive, "first", &[("1", "one")]);
    keep(&archive, "", &[("2", "two"), ("3", "three")]);
    archive.remember("likes tea").unwrap();
    archive.remember("lives in Oslo").unwrap();
    let all = Portable::of(&archive).unwrap();
    let read = Portable::from_json(&all.to_json()).unwrap();
    assert_eq!(read, all);

    let other = Archive::open(folder.0.join("other.db")).unwrap();
    read.add_to(&other).unwrap();
    let copied = Portable::of(&other).unwrap();
    let texts = |portable: &Portable| -> Vec<_> {
        let mut turns: Vec<_> = portable
            .conversations
            .iter()
            .map(|c| (c.title.clone(), c.turns.clone()))
            .collect();
        turns.sort_by(|a, b| a.0.cmp(&b.0));
        turns
    };
    assert_eq!(texts(&copied), texts(&all));
    assert_eq!(copied.facts.len(), 2);
    let page = all.to_markdown();
    for part in [
        "# Facts",
        "- likes tea",
        "# first",
        "**User** 2",
        " UTC\n\n2\n\n**Answer**",
        "**Answer**\n\nthree",
    ] {
        assert!(page.contains(part), "{page}");
    }
    let error = Portable::from_json("{\"facts\": [], \"conversations\": [], \"more\": 1}").unwrap_err();
    assert!(format!("{error:?}").contains("more"), "{error:?}");
}

/// Texts that look like the layout, and other things that are hard to write on lines.
const HOSTILE: &[&str] = &[
    "",
    "\n",
    "\n\n  a\n\n",
    "# Facts\n\n- no fact",
    "# Title\n\n*Last added to 2026-11-29 05:55:20 UTC*\n\n**User**\n\nhi\n\n**Answer**\n\nyes",
    "**User**",
    "\\**User**",
    "\\\\**Answer**\n\\# Title",
    "**Call** \"a\" \"b\"\n\n```json\n{}\n```",
    "**Result** \"b\"",
    "**Answer, interrupted** and so on",
    "**Message**\n\n{}",
    "```\nlet a = 1; # no heading\n```",
    "````json",
    "a\r\nb\r",
    "\u{1b}[2J \u{2028} \0",
    "tail \\",
];

fn hostile() -> Portable {
    let conversation = |n: usize| {
        let text = |k: usize| HOSTILE[(n + k) % HOSTILE.len()].to_owned();
        let call = |k: usize| ToolCall::new(text(k), text(k + 1), text(k + 2));
        let between = vec![
            Message::assistant("").with_tool_calls(vec![call(1), call(2)]),
            Message::tool_result(text(1), text(3)),
            Message::tool_result(text(2), text(4)),
            Message::assistant(text(5)).with_tool_calls(vec![call(3)]),
            Message::assistant("").with_tool_calls(vec![call(4)]),
            Message::assistant("").with_tool_calls(vec![call(5)]),
            Message::assistant(text(6)),
            Message::assistant(""),
            Message::user(text(7)),
            Message::system(text(8)),
            Message::assistant("").with_tool_calls(vec![call(6)]),
        ];
        let full = KeptTurn {
            user: text(0),
            answer: text(9),
            reasoning: text(10),
            between,
            tool_calls: vec![call(7), call(8)],
            interrupted: n.is_multiple_of(2),
        };
        let turns = vec![
            PortableTurn {
                turn: full,
                kept: Some(1_795_931_720 + n as u64),
            },
            PortableTurn::from(turn(&text(1), &text(2))),
        ];
        PortableConversation {
            title: text(0),
            updated: n as u64 * 1_000_000,
            turns: if n % 5 == 4 { Vec::new() } else { turns },
        }
    };
    Portable {
        facts: ["- likes\n- tea", "a\n\n# Facts", "**User**"]
            .map(str::to_owned)
            .to_vec(),
        conversations: (0..HOSTILE.len()).map(conversation).collect(),
    }
}

#[test]
fn a_page_is_read_as_it_was_written_whatever_the_texts_are() {
    let all = hostile();
    assert_eq!(Portable::from_markdown(&all.to_markdown()).unwrap(), all);
    assert_eq!(Portable::read(&all.to_markdown()).unwrap(), all);
    assert_eq!(Portable::read(&all.to_json()).unwrap(), all);
    for conversation in all.conversations {
        let alone = Portable::from(conversation);
        assert_eq!(Portable::from_markdown(&alone.to_markdown()).unwrap(), alone);
    }
    let facts = Portable {
        facts: vec!["likes tea".to_owned()],
        conversations: Vec::new(),
    };
    assert_eq!(Portable::from_markdown(&facts.to_markdown()).unwrap(), facts);
    let none = Portable::default();
    assert_eq!(Portable::from_markdown(&none.to_markdown()).unwrap(), none);
}

#[test]
fn an_import_keeps_times_calls_and_results_in_either_form() {
    let folder = Folder::new();
    let archive = folder.archive();
    let call = ToolCall::new("c", "now", "{\"zone\": \"Oslo\"}");
    let asked = KeptTurn {
        between: vec![
            Message::assistant("").with_tool_calls(vec![call]),
            Message::tool_result("c", "12:00"),
        ],
        ..turn("time?", "noon")
    };
    let long_ago = PortableConversation {
        title: "clock".to_owned(),
        updated: 1_000_000_000,
        turns: vec![PortableTurn {
            turn: asked,
            kept: Some(999_999_999),
        }],
    };
    archive.import(&long_ago).unwrap();
    keep(&archive, "today", &[("a", "b")]);
    let all = Portable::of(&archive).unwrap();
    assert_eq!(all.conversations[1], long_ago);
    let page = all.to_markdown();
    for part in [
        "*Last added to 2001-09-09 01:46:40 UTC*",
        "**Call** \"now\" \"c\"\n\n```json\n{\"zone\": \"Oslo\"}\n```",
        "**Result** \"c\"\n\n12:00",
    ] {
        assert!(page.contains(part), "{page}");
    }
    for (name, text) in [("a.db", page), ("b.db", all.to_json())] {
        let other = Archive::open(folder.0.join(name)).unwrap();
        Portable::read(&text).unwrap().add_to(&other).unwrap();
        assert_eq!(Portable::of(&other).unwrap(), all, "{name}");
    }
    // Line ends of another system.
    let page = all.to_markdown().replace('\n', "\r\n");
    assert_eq!(Portable::from_markdown(&page).unwrap(), all);
}

#[test]
fn a_page_that_is_none_is_told_by_its_line() {
    let head = "# a\n\n*Last added to 2026-11-29 05:55:20 UTC*\n";
    for (page, line, reason) in [
        ("# only a title\n".to_owned(), 1, "belongs to no conversation"),
        (
            "letter\n\n# a\n\n*Last added to 2026-11-29 05:55:20 UTC*\n".to_owned(),
            1,
            "belongs",
        ),
        (
            "# a\n\n*Last added to yesterday*\n".to_owned(),
            3,
            "tells no time",
        ),
        (
            "a\n\n*Last added to 2026-11-29 05:55:20 UTC*\n".to_owned(),
            1,
            "is no title",
        ),
        (
            "*Last added to 2026-11-29 05:55:20 UTC*\n".to_owned(),
            1,
            "no title two lines before",
        ),
        (
            format!("{head}\n**Answer**\n\nb\n"),
            5,
            "stands before any **User**",
        ),
        (format!("{head}\n**User**\n\nb\n"), 5, "has no **Answer**"),
        (format!("{head}\nmore\n\n**User**\n\nb\n"), 5, "is not **User**"),
        (
            format!("{head}\n**User**\nb\n\n**Answer**\n\nc\n"),
            5,
            "no empty lines",
        ),
        (
            format!("{head}\n**User**\n\nb\n**Answer**\n\nc\n"),
            5,
            "no empty lines",
        ),
        (
            format!("{head}\n**User** x\n\nb\n\n**Answer**\n\nc\n"),
            5,
            "tells no time",
        ),
        (
            format!("{head}\n**User**\n\nb\n\n**Call** now\n\nc\n"),
            9,
            "is no label here",
        ),
        (
            format!("{head}\n**User**\n\nb\n\n**Call** \"a\" \"b\"\n\nc\n"),
            9,
            "no text in a fence",
        ),
        (
            format!("{head}\n**User**\n\nb\n\n**Message**\n\n```json\n{{}}\n```\n"),
            9,
            "is no message",
        ),
        (
            format!("{head}\n**User**\n\nb\n\n**Answer**\n\nc\n\n**Thought**\n\nd\n"),
            13,
            "stands behind **Answer**",
        ),
    ] {
        let error = Portable::from_markdown(&page).unwrap_err();
        let MemoryError::Markdown { line: found, .. } = error else {
            panic!("{error}")
        };
        assert!(
            found == line && error.to_string().contains(reason),
            "{error}: {page}"
        );
    }
    // No page makes it panic: every end of one is read or refused.
    let page = hostile().to_markdown();
    for (end, _) in page.char_indices() {
        let _ = Portable::from_markdown(&page[..end]);
        let _ = Portable::from_markdown(&page[end..]);
        if end > 4000 {
            break;
        }
    }
    let far =
        "{\"facts\": [], \"conversations\": [{\"title\": \"\", \"updated\": 99999999999999, \"turns\": []}]}";
    assert!(Portable::from_json(far).is_err());
}
