//! A tokenizer from a `tokenizer.json` and the files that are published beside it.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokenizers::Tokenizer;

use super::beside::{Beside, parsed};
use super::{Inner, byte_level, ending, spm, vocabulary};
use crate::ModelError;
use crate::mapping::Mapping;

/// Ids may leave gaps, but not so many that the table outgrows the file.
const MOST_GAPS: usize = 1 << 16;

/// Reads the whole tokenizer.
pub(super) fn read(path: &Path) -> Result<Inner, ModelError> {
    let map = Mapping::open(path)?;
    let json = parsed(path, map.bytes())?;
    let model = &json["model"];
    check_merges(model)?;
    let rule = Rule::of(&json["decoder"])?;
    let mut parse = Tokenizer::from_bytes(map.bytes()).map_err(|source| ModelError::TokenizerFile {
        path: path.to_owned(),
        source,
    })?;
    parse.with_truncation(None).map_err(vocabulary)?;
    parse.with_padding(None);
    let beside = Beside::read(path)?;

    let names = names(&parse)?;
    let mut marks = vec![None; names.len()];
    for token in json["added_tokens"].as_array().into_iter().flatten() {
        let id = token["content"]
            .as_str()
            .and_then(|content| parse.token_to_id(content));
        if let Some(mark) = id.and_then(|id| marks.get_mut(id as usize)) {
            *mark = Some(token["special"].as_bool().unwrap_or(false));
        }
    }
    let token = |name: Option<&str>| name.and_then(|name| parse.token_to_id(name));
    let bos = token(beside.special("bos_token"));
    let eos = token(beside.special("eos_token"));
    let adds_bos = match beside.config["add_bos_token"].as_bool() {
        Some(says) => says,
        None => bos.is_some() && template_begins_with(&parse, bos)?,
    };
    let is_special = |id: &u32| marks.get(*id as usize) == Some(&Some(true));
    let ends_at_bos = bos.filter(is_special);
    let marked = (0..).zip(&names).zip(&marks).filter(|(_, mark)| mark.is_some());
    let kind = format!("tokenizer.json/{}", model["type"].as_str().unwrap_or("BPE"));
    Ok(Inner {
        kind,
        literal: OnceLock::new(),
        bytes: names
            .iter()
            .zip(&marks)
            .map(|(name, mark)| rule.bytes(name, *mark))
            .collect(),
        special: marks.iter().map(|mark| *mark == Some(true)).collect(),
        strips_first_space: rule.strips_first_space,
        bos,
        eos,
        adds_bos,
        end_of_generation: ending::ids(
            &[eos, ends_at_bos],
            marked.map(|((id, name), _)| (id, name.as_str())),
        ),
        chat_template: beside.chat_template,
        names: names.iter().collect(),
        parse: Arc::new(parse),
    })
}

/// Name of every id; an id without a token has an empty one.
fn names(parse: &Tokenizer) -> Result<Vec<String>, ModelError> {
    let vocab = parse.get_vocab(true);
    let size = vocab.values().max().map_or(0, |&id| id as usize + 1);
    if size > 2 * vocab.len() + MOST_GAPS {
        let fault = format!("{} tokens have ids up to {}", vocab.len(), size - 1);
        return Err(ModelError::Vocabulary { fault });
    }
    let mut names = vec![String::new(); size];
    for (name, id) in vocab {
        if let Some(place) = names.get_mut(id as usize) {
            *place = name;
        }
    }
    Ok(names)
}

/// Whether the file's template puts BOS before a text.
fn template_begins_with(parse: &Tokenizer, bos: Option<u32>) -> Result<bool, ModelError> {
    let framed = parse
        .encode("", true)
        .map_err(|source| ModelError::Tokenize { source })?;
    Ok(framed.get_ids().first().copied() == bos)
}

/// Checks that each merge makes a token: building the model takes that for granted.
fn check_merges(model: &Value) -> Result<(), ModelError> {
    let (Some(vocab), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array()) else {
        return Ok(());
    };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default();
    for merge in merges {
        let pair = match merge {
            Value::String(line) if line.starts_with("#version") => continue,
            Value::String(line) => line.split_once(' '),
            Value::Array(pair) => match pair.as_slice() {
                [left, right] => left.as_str().zip(right.as_str()),
                _ => None,
            },
            _ => None,
        };
        let whole = pair.and_then(|(left, right)| Some(format!("{left}{}", right.strip_prefix(prefix)?)));
        if !whole.is_some_and(|whole| vocab.contains_key(&whole)) {
            let fault = format!("merge {merge} makes no token of the vocabulary");
            return Err(ModelError::Vocabulary { fault });
        }
    }
    Ok(())
}

/// How tokens become text.
struct Rule {
    bytes: fn(&str) -> Vec<u8>,
    strips_first_space: bool,
}

impl Rule {
    /// The rule that a chain of decoders amounts to.
    fn of(decoder: &Value) -> Result<Self, ModelError> {
        let chain = match decoder["decoders"].as_array() {
            Some(chain) => chain.as_slice(),
            None => std::slice::from_ref(decoder),
        };
        let mut rule = None;
        let mut strips_first_space = false;
        for step in chain {
            let kind = step["type"].as_str().unwrap_or("none");
            match kind {
                "ByteLevel" => rule = Some(byte_level::bytes as fn(&str) -> Vec<u8>),
                "Replace" if step["pattern"]["String"] == spm::SPACE && step["content"] == " " => {
                    rule = Some(spm::bytes);
                }
                "Metaspace" if step["replacement"] == spm::SPACE => {
                    rule = Some(spm::bytes);
                    let never = step["prepend_scheme"] == "never" || step["add_prefix_space"] == false;
                    strips_first_space = !never;
                }
                "ByteFallback" | "Fuse" => {}
                "Strip" if step["content"] == " " && step["start"] == 1 && step["stop"] == 0 => {
                    strips_first_space = true;
                }
                _ => return Err(unknown_decoder(kind)),
            }
        }
        match rule {
            Some(bytes) => Ok(Self {
                bytes,
                strips_first_space,
            }),
            None => Err(unknown_decoder("none")),
        }
    }

    /// Bytes of a token; `mark`: whether it was added to the vocabulary, and if so whether it is special.
    fn bytes(&self, name: &str, mark: Option<bool>) -> Vec<u8> {
        match mark {
            None => (self.bytes)(name),
            Some(false) => name.as_bytes().to_vec(),
            Some(true) => Vec::new(),
        }
    }
}

fn unknown_decoder(name: &str) -> ModelError {
    ModelError::UnknownTokenizer {
        what: "decoder",
        name: name.to_owned(),
        known: "ByteLevel, Metaspace, and Replace, ByteFallback, Fuse, Strip as SentencePiece needs them"
            .to_owned(),
    }
}
