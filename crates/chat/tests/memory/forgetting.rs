//! What is forgotten: no byte of it is left in any file.

use chat::memory::{Memory as _, Query};

use crate::folder::{Folder, keep, turn};

#[test]
fn what_is_deleted_stands_nowhere_in_the_file() {
    let folder = Folder::new();
    let archive = folder.archive();
    keep(&archive, "title-xyzzy", &[("said-xyzzy", "answered-xyzzy")]);
    archive.remember("fact-xyzzy").unwrap();
    archive.clear().unwrap();
    assert!(archive.conversations().unwrap().is_empty() && archive.facts().unwrap().is_empty());
    for entry in std::fs::read_dir(folder.file().parent().unwrap()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(5).any(|five| five == b"xyzzy"));
    }
    keep(&archive, "", &[("again", "yes")]);
    assert_eq!(archive.recall(&Query::words("again", 5)).unwrap().len(), 1);
}

#[test]
fn a_fact_that_is_forgotten_leaves_no_byte() {
    let folder = Folder::new();
    let archive = folder.archive();
    let kept = archive.remember("likes green tea").unwrap();
    let id = archive.remember("owes gertrude-xyzzy money").unwrap();
    assert!(folder.holds("xyzzy"));
    // Another reader has the file open.
    let other = folder.archive();
    assert_eq!(other.facts().unwrap().len(), 2);
    assert!(archive.forget(id).unwrap());
    assert!(!folder.holds("xyzzy") && !folder.holds("gertrude"));
    assert_eq!(other.facts().unwrap()[0].id, kept);
    archive.check().unwrap();
}

#[test]
fn turns_that_are_taken_back_or_replaced_leave_no_byte() {
    let folder = Folder::new();
    let archive = folder.archive();
    let _other = folder.archive();
    let id = keep(
        &archive,
        "title-plugh",
        &[("a", "b"), ("said-xyzzy", "c"), ("d", "answered-xyzzy")],
    );
    archive.truncate(id, 1).unwrap();
    assert!(!folder.holds("xyzzy"));
    archive
        .append(id, 1, &turn("said-xyzzy", "answered-xyzzy"))
        .unwrap();
    assert!(folder.holds("xyzzy"));
    archive.rewrite(id, 1, 2, &[turn("other", "words")]).unwrap();
    assert!(!folder.holds("xyzzy"));
    archive.append(id, 2, &turn("said-xyzzy", "")).unwrap();
    let revision = archive.snapshot(id).unwrap().revision;
    archive
        .replace(id, 2, revision, &[turn("more", "words")])
        .unwrap();
    assert!(!folder.holds("xyzzy"));
    archive.rename(id, "numbers").unwrap();
    assert!(!folder.holds("plugh"));
    archive.delete(id).unwrap();
    assert!(!folder.holds("numbers"));
    archive.check().unwrap();
}

/// Many texts of many lengths, so that pages are split, filled and emptied.
#[test]
fn of_many_conversations_those_that_are_deleted_leave_no_byte() {
    let folder = Folder::new();
    let archive = folder.archive();
    let mut state = 7u32;
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut kept = Vec::new();
    let mut gone = Vec::new();
    for number in 0..200u32 {
        // A word of its own, in front of others, in the midst of them and at their end.
        let word = format!(
            "q{}z",
            (0..8)
                .map(|_| char::from(b'a' + random(26) as u8))
                .collect::<String>()
        );
        let more = "lorem ipsum dolor ".repeat(random(if number % 7 == 0 { 700 } else { 60 }) as usize);
        let said = format!("{word} {more}{word}");
        let id = keep(&archive, &word, &[(&said, "yes"), ("and?", &said)]);
        let fact = archive.remember(&said).unwrap();
        kept.push((id, fact, word));
        if number % 3 > 0 {
            let (id, fact, word) = kept.swap_remove(random(kept.len() as u32) as usize);
            archive.delete(id).unwrap();
            archive.forget(fact).unwrap();
            gone.push(word);
        }
    }
    let bytes = std::fs::read(folder.file()).unwrap();
    let left: Vec<_> = gone
        .iter()
        .filter(|word| bytes.windows(6).any(|part| part == &word.as_bytes()[..6]))
        .collect();
    assert!(left.is_empty(), "{} of {}: {left:?}", left.len(), gone.len());
    archive.check().unwrap();
}
