//! The archive: what is kept, recalled, damaged and fought over.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chat::memory::{
    Archive, ConversationId, KeptTurn, Memory, MemoryError, Origin, Portable, PortableTurn, Query,
};

use crate::folder::{Folder, keep, turn};

#[test]
fn what_was_kept_is_there_after_the_file_is_opened_again() {
    let folder = Folder::new();
    let thought = KeptTurn {
        reasoning: "hm".to_owned(),
        interrupted: true,
        ..turn("and now?", "wait")
    };
    let id = {
        let archive = folder.archive();
        let id = keep(&archive, "weather", &[("rain?", "no")]);
        archive.append(id, 1, &thought).unwrap();
        archive.remember(" The user lives in Oslo. ").unwrap();
        id
    };
    let archive = folder.archive();
    assert_eq!(archive.turns(id).unwrap(), [turn("rain?", "no"), thought]);
    let outlines = archive.conversations().unwrap();
    assert_eq!((outlines[0].title.as_str(), outlines[0].turns), ("weather", 2));
    assert_eq!(archive.facts().unwrap()[0].text, "The user lives in Oslo.");
    archive.check().unwrap();
}

#[test]
fn a_turn_that_does_not_follow_is_refused_by_name() {
    let folder = Folder::new();
    let archive = folder.archive();
    let id = keep(&archive, "", &[("a", "b")]);
    let error = archive.append(id, 0, &turn("c", "d")).unwrap_err();
    assert!(
        matches!(
            error,
            MemoryError::TurnNumber {
                number: 0,
                found: 1,
                ..
            }
        ),
        "{error}"
    );
    // People count from 1.
    assert!(
        error
            .to_string()
            .starts_with("turn 1 does not follow the 1 turns"),
        "{error}"
    );
    let nobody = ConversationId(99);
    for error in [
        archive.append(nobody, 0, &turn("c", "d")).unwrap_err(),
        archive.turns(nobody).unwrap_err(),
        archive.truncate(nobody, 0).unwrap_err(),
        archive.rename(nobody, "x").unwrap_err(),
        archive.branch(nobody, 0, "x").unwrap_err(),
    ] {
        assert!(error.to_string().contains("no conversation 99"), "{error}");
    }
    assert_eq!(archive.conversations().unwrap().len(), 1);
}

#[test]
fn turns_are_undone_branched_and_deleted() {
    let folder = Folder::new();
    let archive = folder.archive();
    let id = keep(&archive, "a", &[("1", "one"), ("2", "two"), ("3", "three")]);
    let branch = archive.branch(id, 2, "b").unwrap();
    archive.truncate(id, 1).unwrap();
    archive.append(branch, 2, &turn("3", "other")).unwrap();
    assert_eq!(archive.turns(id).unwrap(), [turn("1", "one")]);
    assert_eq!(archive.turns(branch).unwrap()[2], turn("3", "other"));
    assert!(archive.delete(id).unwrap());
    assert!(!archive.delete(id).unwrap());
    assert_eq!(archive.conversations().unwrap().len(), 1);
    assert!(archive.recall(&Query::words("three", 5)).unwrap().is_empty());
    archive.check().unwrap();
}

#[test]
fn facts_and_turns_are_recalled_by_their_words_the_recent_ones_first() {
    let folder = Folder::new();
    let archive = folder.archive();
    let id = keep(
        &archive,
        "",
        &[("my cat is called Müsli", "Nice."), ("weather?", "rain")],
    );
    let fact = archive.remember("The user has a cat.").unwrap();
    let found = archive
        .recall(&Query::words("What is my CAT called?", 5))
        .unwrap();
    let origins: Vec<_> = found.iter().map(|found| found.origin).collect();
    assert!(
        origins.contains(&Origin::Fact(fact)) && origins.contains(&Origin::Turn(id, 0)),
        "{found:?}"
    );
    assert!(found.windows(2).all(|two| two[0].score >= two[1].score));
    // Without the marks that a keyboard may lack.
    assert_eq!(archive.recall(&Query::words("musli", 5)).unwrap().len(), 1);
    assert!(
        archive
            .recall(&Query {
                shown: Some((id, 0)),
                ..Query::words("musli", 5)
            })
            .unwrap()
            .is_empty()
    );
    assert_eq!(archive.recall(&Query::words("cat", 1)).unwrap().len(), 1);
    for text in ["", "?!", "\" OR *", "NEAR(", "dog"] {
        assert!(
            archive.recall(&Query::words(text, 5)).unwrap().is_empty(),
            "{text}"
        );
    }
}

#[test]
fn words_that_every_text_has_recall_nothing() {
    let folder = Folder::new();
    let archive = folder.archive();
    let cat = archive.remember("The cat of the user is grey.").unwrap();
    archive
        .remember("The sister is in Oslo, and it is cold.")
        .unwrap();
    let found = archive
        .recall(&Query::words("What is the colour of the cat?", 5))
        .unwrap();
    assert_eq!(
        found.iter().map(|it| it.origin).collect::<Vec<_>>(),
        [Origin::Fact(cat)]
    );
    assert!(
        archive
            .recall(&Query::words("is it in the", 5))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn scripts_without_spaces_are_found_by_any_part_of_them() {
    let folder = Folder::new();
    let archive = folder.archive();
    let id = keep(
        &archive,
        "",
        &[
            ("我住在北京市朝阳区", "好的"),
            ("私は東京2025に住んでいます", "はい"),
        ],
    );
    let fact = archive.remember("민수는서울에산다, 猫が好き").unwrap();
    for (text, origin) in [
        ("北京", Origin::Turn(id, 0)),
        ("你知道朝阳区吗", Origin::Turn(id, 0)),
        ("区", Origin::Turn(id, 0)),
        ("東京に", Origin::Turn(id, 1)),
        ("2025", Origin::Turn(id, 1)),
        ("서울", Origin::Fact(fact)),
        ("猫", Origin::Fact(fact)),
    ] {
        let found = archive.recall(&Query::words(text, 5)).unwrap();
        assert_eq!(
            found.first().map(|it| it.origin),
            Some(origin),
            "{text}: {found:?}"
        );
    }
    assert!(archive.recall(&Query::words("上海", 5)).unwrap().is_empty());
    assert!(archive.delete(id).unwrap());
    assert!(archive.recall(&Query::words("北京", 5)).unwrap().is_empty());
    archive.check().unwrap();
}

#[test]
fn of_what_fits_as_well_the_newer_is_better() {
    let folder = Folder::new();
    let archive = folder.archive();
    let facts = ["likes red tea", "likes green tea"].map(|fact| archive.remember(fact).unwrap());
    for old in facts {
        // As if a year had passed for one of them.
        let connection = rusqlite::Connection::open(folder.file()).unwrap();
        let year: i64 = 365 * 86_400_000;
        connection
            .execute("UPDATE facts SET kept = kept - ?1 WHERE id = ?2", (year, old.0))
            .unwrap();
        let found = archive.recall(&Query::words("tea", 2)).unwrap();
        assert_ne!(found[0].origin, Origin::Fact(old));
        assert!(found[0].score > 1.5 * found[1].score, "{found:?}");
        connection
            .execute("UPDATE facts SET kept = kept + ?1 WHERE id = ?2", (year, old.0))
            .unwrap();
    }
}

#[test]
fn a_fact_stands_once_and_can_be_forgotten() {
    let folder = Folder::new();
    let archive = folder.archive();
    let id = archive.remember("likes tea").unwrap();
    assert_eq!(archive.remember("likes tea").unwrap(), id);
    assert!(matches!(archive.remember(" \n"), Err(MemoryError::EmptyFact)));
    assert!(archive.forget(id).unwrap());
    assert!(!archive.forget(id).unwrap());
    assert!(archive.recall(&Query::words("tea", 5)).unwrap().is_empty());
    assert!(archive.facts().unwrap().is_empty());
}

/// What stands in a file, or nothing.
fn contents(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

#[test]
fn a_file_of_something_else_is_an_error_and_left_alone() {
    let folder = Folder::new();
    let path = folder.0.join("letter.txt");
    std::fs::write(&path, "Dear Ada, this is a letter and no database. ".repeat(50)).unwrap();
    let before = contents(&path);
    let error = Archive::open(&path).unwrap_err();
    assert!(matches!(error, MemoryError::Unreadable { .. }), "{error:?}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(contents(&path), before);

    let path = folder.0.join("other.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE a (b)")
        .unwrap();
    let before = contents(&path);
    let error = Archive::open(&path).unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(contents(&path), before);
}

#[test]
fn a_damaged_file_is_an_error_and_left_alone() {
    let folder = Folder::new();
    {
        let archive = folder.archive();
        for number in 0..200 {
            keep(&archive, &format!("title {number}"), &[("what?", "that")]);
        }
    }
    let mut bytes = contents(&folder.file());
    assert!(bytes.len() > 16_384, "{}", bytes.len());
    bytes[4096..12_288].fill(0x5a);
    std::fs::write(folder.file(), &bytes).unwrap();
    let result = Archive::open(folder.file()).and_then(|archive| {
        archive.check()?;
        archive.conversations().map(drop)
    });
    let error = result.unwrap_err();
    assert!(matches!(error, MemoryError::Unreadable { .. }), "{error:?}");
}

#[test]
fn a_later_format_is_refused_by_its_number() {
    let folder = Folder::new();
    drop(folder.archive());
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    connection.pragma_update(None, "user_version", 77).unwrap();
    drop(connection);
    let error = Archive::open(folder.file()).unwrap_err();
    assert!(matches!(error, MemoryError::Later { found: 77, .. }), "{error:?}");
}

/// The variable that names the file of a writer that is to be killed.
const KILLED: &str = "CHAT_MEMORY_KILLED";

/// No test: what [`killed`] starts. Keeps turns without end, and says how many.
#[test]
fn writer_that_is_killed() {
    let Some(path) = std::env::var_os(KILLED) else {
        return;
    };
    let archive = Archive::open(PathBuf::from(path)).unwrap();
    let id = archive.conversations().unwrap()[0].id;
    let mut number = archive.turns(id).unwrap().len();
    loop {
        archive
            .append(id, number, &turn("what is kept?", &"all of it ".repeat(200)))
            .unwrap();
        number += 1;
        println!("kept {number}");
    }
}

/// Kills a writer so many times, each time in the midst of what it does, and looks at what is left.
fn killed(times: usize) {
    let folder = Folder::new();
    let id = folder.archive().begin("killed").unwrap();
    for round in 0..times {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["archive::writer_that_is_killed", "--exact", "--nocapture"])
            .env(KILLED, folder.file())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut kept = 0;
        for line in said.by_ref().map(|line| line.unwrap()) {
            if let Some(number) = line.strip_prefix("kept ") {
                kept = number.parse().unwrap();
                if kept > round * 3 + round % 4 {
                    break;
                }
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let last = said
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("kept ")?.parse().ok());
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
        assert!(turns.iter().all(|turn| turn.answer.len() == 2000));
    }
}

#[test]
fn a_writer_that_is_killed_loses_the_turn_in_flight_at_most() {
    killed(100);
}

#[test]
fn several_who_write_at_once_lose_nothing() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let archive = folder.archive();
            scope.spawn(move || {
                let id = archive.begin(&format!("writer {writer}")).unwrap();
                for number in 0..25 {
                    archive.append(id, number, &turn("more", "yes")).unwrap();
                }
            });
        }
    });
    let archive = folder.archive();
    let outlines = archive.conversations().unwrap();
    assert_eq!(outlines.len(), 4);
    assert!(outlines.iter().all(|outline| outline.turns == 25));
    archive.check().unwrap();
}

#[test]
fn ten_thousand_turns_are_searched_in_a_moment() {
    let folder = Folder::new();
    let archive = folder.archive();
    let words = [
        "ship", "rain", "bread", "music", "garden", "letter", "winter", "river",
    ];
    let conversations: Vec<_> = (0..100)
        .map(|n| archive.begin(&format!("{n}")).unwrap())
        .collect();
    let mut all = Portable::default();
    for n in 0..100 {
        let turns = (0..100).map(|i| {
            let word = |k: usize| words[(n * 31 + i * 7 + k * 3) % words.len()];
            turn(
                &format!("tell me of the {} and the {} number {i}", word(0), word(1)),
                &format!(
                    "The {} was near the {} in place {}.",
                    word(2),
                    word(3),
                    n * 100 + i
                ),
            )
        });
        all.conversations.push(chat::memory::PortableConversation {
            title: n.to_string(),
            updated: 0,
            turns: turns.map(PortableTurn::from).collect(),
        });
    }
    for id in conversations {
        archive.delete(id).unwrap();
    }
    all.add_to(&archive).unwrap();
    is_quick(&archive, None);
    // The same with a vector of 384 numbers for each, as small embedding models make them.
    let texts = archive.unindexed("model", 20_000).unwrap();
    assert_eq!(texts.len(), 10_000);
    let vector = |seed: usize| -> Vec<f32> {
        let number = |i: usize| ((seed * 7919 + i * 104_729) % 1009) as f32 / 504.5 - 1.0;
        (0..384).map(number).collect()
    };
    let vectors: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| (text.item, vector(n)))
        .collect();
    archive.keep_vectors("model", &vectors).unwrap();
    is_quick(&archive, Some(&vector(77)));
}

/// Searches again and again, with this vector as the meaning if there is one: half of twenty searches take less than 20 ms,
/// at the latest in the thirtieth round, since the machine may be busy with other things.
fn is_quick(archive: &Archive, meaning: Option<&[f32]>) {
    let mut medians = Vec::new();
    while medians.len() < 30 {
        let median = median(archive, meaning);
        medians.push(median);
        if median.as_millis() < 20 {
            println!("recall among 10,000 turns: {medians:?}");
            return;
        }
    }
    panic!("{medians:?}");
}

fn median(archive: &Archive, meaning: Option<&[f32]>) -> Duration {
    let mut times: Vec<_> = (0..20)
        .map(|n| {
            let begun = Instant::now();
            let text = format!("the river in winter, place {}", n * 431);
            let query = Query {
                meaning: meaning.map(|vector| ("model", vector)),
                ..Query::words(&text, 8)
            };
            let found = archive.recall(&query).unwrap();
            assert_eq!(found.len(), 8);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[10]
}
