//! A folder with an archive in it, and what is kept there.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat::memory::{Archive, ConversationId, KeptTurn, Memory as _};

/// A folder that is gone when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("chat-memory-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("below/memory.db")
    }

    pub(crate) fn archive(&self) -> Archive {
        Archive::open(self.file()).unwrap()
    }

    /// Whether any file beside the archive's, or it, has these bytes.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let entries = std::fs::read_dir(self.file().parent().unwrap()).unwrap();
        entries
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn turn(user: &str, answer: &str) -> KeptTurn {
    KeptTurn {
        user: user.to_owned(),
        answer: answer.to_owned(),
        ..KeptTurn::default()
    }
}

pub(crate) fn keep(archive: &Archive, title: &str, turns: &[(&str, &str)]) -> ConversationId {
    let id = archive.begin(title).unwrap();
    for (number, (user, answer)) in turns.iter().enumerate() {
        archive.append(id, number, &turn(user, answer)).unwrap();
    }
    id
}
