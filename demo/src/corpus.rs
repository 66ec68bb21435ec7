//! The corpus: dialogues drawn from a grammar and word lists.
