//! Names and classes of all tokens, and what every tokenizer is finished with, whichever file it came from.

use std::sync::{Arc, OnceLock};

use tokenizers::models::bpe::Vocab;
use tokenizers::{AddedToken, Tokenizer};

use super::{Inner, byte_level, ending, vocabulary};
use crate::ModelError;

/// What kind of token an entry of the vocabulary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Normal,
    Unknown,
    Control,
    /// A mark like [`Class::Control`] that stays in the text when ids are decoded.
    Shown,
    UserDefined,
    Unused,
    Byte,
}

/// Names and classes of all tokens, by id; as many of the one as of the other.
pub(super) struct Vocabulary<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) classes: Vec<Class>,
}

/// Tokens with a part to play, and what else a file says about the use of its vocabulary.
pub(super) struct Roles {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    /// Ends of turns and of messages.
    pub(super) ends: [Option<u32>; 2],
    pub(super) adds_bos: bool,
    pub(super) chat_template: Option<String>,
}

/// How the names of ordinary tokens become text.
pub(super) struct Spelling {
    pub(super) bytes: fn(&str) -> Vec<u8>,
    pub(super) strips_first_space: bool,
}

impl<'a> Vocabulary<'a> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &'a str, Class)> {
        (0..)
            .zip(self.names.iter().zip(&self.classes))
            .map(|(id, (name, class))| (id, *name, *class))
    }

    /// Ids by name, of the tokens that are in use.
    pub(super) fn ids(&self) -> Vocab {
        self.iter()
            .filter(|(.., class)| *class != Class::Unused)
            .map(|(id, name, _)| (name.to_owned(), id))
            .collect()
    }

    /// Adds the marks to `parse`, and to it all that decoding needs.
    pub(super) fn finish(
        &self,
        kind: String,
        mut parse: Tokenizer,
        spelling: &Spelling,
        roles: Roles,
    ) -> Result<Inner, ModelError> {
        let marks = self.iter().filter_map(|(_, name, class)| {
            let special = match class {
                Class::Control | Class::Shown | Class::Unknown => true,
                Class::UserDefined => false,
                Class::Normal | Class::Unused | Class::Byte => return None,
            };
            Some(AddedToken::from(name.to_owned(), special).normalized(false))
        });
        parse.add_tokens(marks).map_err(vocabulary)?;
        let bytes = self.iter().map(|(_, name, class)| match class {
            Class::Normal | Class::Byte => (spelling.bytes)(name),
            Class::UserDefined | Class::Shown => name.as_bytes().to_vec(),
            Class::Control | Class::Unknown | Class::Unused => Vec::new(),
        });
        let special = |class: &Class| matches!(class, Class::Control | Class::Unknown);
        let marks = self
            .iter()
            .filter(|(.., class)| matches!(class, Class::Control | Class::Shown | Class::UserDefined));
        let bos = roles
            .bos
            .filter(|&id| self.classes.get(id as usize).is_some_and(special));
        let [turn, message] = roles.ends;
        let ends = [roles.eos, turn, message, bos];
        Ok(Inner {
            kind,
            literal: OnceLock::new(),
            bytes: bytes.collect(),
            names: self.names.iter().collect(),
            special: self.classes.iter().map(special).collect(),
            strips_first_space: spelling.strips_first_space,
            bos: roles.bos,
            eos: roles.eos,
            adds_bos: roles.adds_bos,
            end_of_generation: ending::ids(&ends, marks.map(|(id, name, _)| (id, name))),
            chat_template: roles.chat_template,
            parse: Arc::new(parse),
        })
    }
}

/// Refuses a vocabulary that would silently lose text: every byte that UTF-8 uses needs a token.
pub(super) fn check_alphabet(ids: &Vocab) -> Result<(), ModelError> {
    let lacking = (0..=0xf4u8)
        .filter(|byte| !matches!(byte, 0xc0 | 0xc1))
        .find(|&byte| !ids.contains_key(byte_level::letter(byte).encode_utf8(&mut [0; 4]) as &str));
    match lacking {
        Some(byte) => Err(ModelError::Vocabulary {
            fault: format!("byte 0x{byte:02x} has no token"),
        }),
        None => Ok(()),
    }
}
