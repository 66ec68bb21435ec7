//! What stories are made of: a sentence of plain letters, and one of characters that a tiny vocabulary takes apart.

pub(crate) const LETTERS: &str = "A king had three sons, and none of them would say which road they took. ";
pub(crate) const CHARACTERS: &str = "文字は複数のトークンに分かれる。🦀🦀 Ώρα καλή, ёлка! ";
