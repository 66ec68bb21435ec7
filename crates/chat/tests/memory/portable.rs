//! What is carried out of an archive and into another.

use chat::memory::{Archive, Memory as _, Portable};

use crate::folder::{Folder, keep};

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
        "**User**\n\n2",
        "**Answer**\n\nthree",
    ] {
        assert!(page.contains(part), "{page}");
    }
    let error = Portable::from_json("{\"facts\": [], \"conversations\": [], \"more\": 1}").unwrap_err();
    assert!(format!("{error:?}").contains("more"), "{error:?}");
}
