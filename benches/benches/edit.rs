//! A recorded edit of code, as tokens: a file with an instruction, and the file as it is written anew.
//!
//! A model with random weights writes no code; it is given the recorded tokens instead of its own.

use std::collections::HashMap;

const BEFORE: &str = include_str!("edit/before.rs.txt");
const AFTER: &str = include_str!("edit/after.rs.txt");
const INSTRUCTION: &str = "\nLet mean and max give None without samples, count the samples that are dropped, derive Clone \
                           and Debug, and do not panic where time goes backwards. Write the whole file.\n";
/// The id of the first piece of text; those before it are likely to be special.
const FIRST: u32 = 1000;

/// Prompt and completion of the edit.
pub(crate) fn tokens() -> (Vec<u32>, Vec<u32>) {
    let mut ids = HashMap::new();
    let mut encode = |text: &str| -> Vec<u32> {
        let id = |piece: &str| {
            let next = FIRST + ids.len() as u32;
            *ids.entry(piece.to_owned()).or_insert(next)
        };
        pieces(text).into_iter().map(id).collect()
    };
    let prompt = [encode(BEFORE), encode(INSTRUCTION)].concat();
    (prompt, encode(AFTER))
}

/// Pieces like those of a large vocabulary: words with the space before them, single digits, runs of other spaces, and
/// other characters one by one.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let word = rest.strip_prefix(' ').unwrap_or(rest);
        let letters = run(word, char::is_alphabetic);
        let length = match (letters, run(rest, char::is_whitespace)) {
            (1.., _) => rest.len() - word.len() + letters,
            // The last space of a run belongs to the word behind it.
            (0, spaces @ 2..) if run(&rest[spaces..], char::is_alphabetic) > 0 => spaces - 1,
            (0, spaces @ 1..) => spaces,
            (0, 0) => first.len_utf8(),
        };
        let (piece, left) = rest.split_at(length);
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// Bytes of the characters that `text` begins with.
fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !is(c)).unwrap_or(text.len())
}
