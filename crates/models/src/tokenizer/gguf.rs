//! A tokenizer from the `tokenizer.ggml.*` keys of a GGUF file.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Replace, Sequence};
use tokenizers::{DecoderWrapper, Tokenizer};

use super::pre::Pre;
use super::vocabulary::{Class, Roles, Spelling, Vocabulary};
use super::{Inner, byte_level, merges, spm, vocabulary};
use crate::ModelError;
use crate::gguf::{GgufFile, Metadata};

/// Reads the whole tokenizer.
pub(super) fn read(file: &GgufFile) -> Result<Inner, ModelError> {
    let metadata = file.metadata();
    let tokens = tokens(metadata)?;
    match metadata.str("tokenizer.ggml.model")? {
        "gpt2" => byte_level_bpe(metadata, &tokens),
        "llama" => sentence_piece(metadata, &tokens),
        other => Err(ModelError::UnknownTokenizer {
            what: "model",
            name: other.to_owned(),
            known: "gpt2, llama".to_owned(),
        }),
    }
}

fn byte_level_bpe(metadata: &Metadata, tokens: &Vocabulary<'_>) -> Result<Inner, ModelError> {
    let name = metadata.str("tokenizer.ggml.pre")?;
    let pre = Pre::known(name)?;
    let ids = tokens.ids();
    let merges = listed_merges(metadata)?
        .map(|merge| merge.map(|(left, right)| (left.to_owned(), right.to_owned())))
        .collect::<Result<_, _>>()?;
    // What a merge lacks is looked for where there is something.
    let parse = pre
        .tokenizer(ids, merges)
        .map_err(|error| check_merges(metadata, &tokens.ids()).err().unwrap_or(error))?;
    let spelling = Spelling {
        bytes: byte_level::bytes,
        strips_first_space: false,
    };
    tokens.finish(
        format!("gpt2/{name}"),
        parse,
        &spelling,
        roles(metadata, tokens, pre.adds_bos)?,
    )
}

fn sentence_piece(metadata: &Metadata, tokens: &Vocabulary<'_>) -> Result<Inner, ModelError> {
    let scores = match metadata.array("tokenizer.ggml.scores")?.to_f32s() {
        Some(scores) if scores.len() == tokens.names.len() => scores,
        Some(scores) => {
            return Err(faulty(format!(
                "{} scores for {} tokens",
                scores.len(),
                tokens.names.len()
            )));
        }
        None => return Err(faulty("scores are not numbers".to_owned())),
    };
    let pieces: Vec<(&str, f32)> = (tokens.names.iter().zip(&scores).zip(&tokens.classes))
        .filter(|(_, class)| matches!(class, Class::Normal | Class::UserDefined))
        .map(|((name, score), _)| (*name, *score))
        .collect();
    let mut builder = BPE::builder()
        .vocab_and_merges(tokens.ids(), merges::by_score(&pieces))
        .fuse_unk(true)
        .byte_fallback(true);
    let unknown = id(metadata, tokens, "tokenizer.ggml.unknown_token_id")?.unwrap_or(0);
    if let Some(name) = tokens.names.get(unknown as usize) {
        builder = builder.unk_token((*name).to_owned());
    }
    let mut parse = Tokenizer::new(builder.build().map_err(vocabulary)?);
    let begins_with_space = metadata
        .bool_opt("tokenizer.ggml.add_space_prefix")?
        .unwrap_or(true);
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if begins_with_space {
        steps.push(Prepend::new(spm::SPACE.to_owned()).into());
    }
    steps.push(Replace::new(" ", spm::SPACE).map_err(vocabulary)?.into());
    parse
        .with_normalizer(Some(Sequence::new(steps)))
        .map_err(vocabulary)?;
    parse.with_decoder(None::<DecoderWrapper>);
    let spelling = Spelling {
        bytes: spm::bytes,
        strips_first_space: begins_with_space,
    };
    tokens.finish(
        "llama".to_owned(),
        parse,
        &spelling,
        roles(metadata, tokens, true)?,
    )
}

/// The merges, each as its two parts.
fn listed_merges(
    metadata: &Metadata,
) -> Result<impl Iterator<Item = Result<(&str, &str), ModelError>>, ModelError> {
    let lines = metadata.array("tokenizer.ggml.merges")?.strings();
    let lines = lines.ok_or_else(|| faulty("merges are not strings".to_owned()))?;
    Ok(lines.map(|line| {
        // The left part is not empty, and neither part holds a space.
        let at = line.bytes().skip(1).position(|byte| byte == b' ');
        let (left, right) = at
            .map(|at| line.split_at(at + 1))
            .ok_or_else(|| faulty(format!("merge {line:?} has no two parts")))?;
        Ok((left, right.trim_start_matches(' ')))
    }))
}

/// Finds the first merge of which the vocabulary lacks something.
fn check_merges(metadata: &Metadata, vocab: &Vocab) -> Result<(), ModelError> {
    for merge in listed_merges(metadata)? {
        let (left, right) = merge?;
        let merged = [left, right].concat();
        if let Some(lacking) = [left, right, &merged]
            .into_iter()
            .find(|part| !vocab.contains_key(*part))
        {
            return Err(faulty(format!(
                "merge \"{left} {right}\" needs the token {lacking:?}"
            )));
        }
    }
    Ok(())
}

/// Names and classes of all tokens.
fn tokens(metadata: &Metadata) -> Result<Vocabulary<'_>, ModelError> {
    let names = metadata.array("tokenizer.ggml.tokens")?.strings();
    let names: Vec<&str> = names
        .ok_or_else(|| faulty("tokens are not strings".to_owned()))?
        .collect();
    if names.is_empty() {
        return Err(faulty("there are no tokens".to_owned()));
    }
    let classes = match metadata.array_opt("tokenizer.ggml.token_type")? {
        Some(types) => types
            .to_i64s()
            .ok_or_else(|| faulty("token types are not numbers".to_owned()))?,
        None => vec![1; names.len()],
    };
    if classes.len() != names.len() {
        return Err(faulty(format!(
            "{} token types for {} tokens",
            classes.len(),
            names.len()
        )));
    }
    let classes = classes.into_iter().map(|class| match class {
        1 => Ok(Class::Normal),
        2 => Ok(Class::Unknown),
        3 => Ok(Class::Control),
        4 => Ok(Class::UserDefined),
        0 | 5 => Ok(Class::Unused),
        6 => Ok(Class::Byte),
        other => Err(faulty(format!("token type {other} is not 0 to 6"))),
    });
    Ok(Vocabulary {
        classes: classes.collect::<Result<_, _>>()?,
        names,
    })
}

/// What the file says about the use of its vocabulary; `adds_bos` where it does not say.
fn roles(metadata: &Metadata, tokens: &Vocabulary<'_>, adds_bos: bool) -> Result<Roles, ModelError> {
    Ok(Roles {
        bos: id(metadata, tokens, "tokenizer.ggml.bos_token_id")?,
        eos: id(metadata, tokens, "tokenizer.ggml.eos_token_id")?,
        ends: [
            id(metadata, tokens, "tokenizer.ggml.eot_token_id")?,
            id(metadata, tokens, "tokenizer.ggml.eom_token_id")?,
        ],
        adds_bos: metadata
            .bool_opt("tokenizer.ggml.add_bos_token")?
            .unwrap_or(adds_bos),
        chat_template: metadata.str_opt("tokenizer.chat_template")?.map(str::to_owned),
    })
}

/// The id that `key` holds.
fn id(metadata: &Metadata, tokens: &Vocabulary<'_>, key: &str) -> Result<Option<u32>, ModelError> {
    match metadata.u32_opt(key)? {
        Some(id) if id as usize >= tokens.names.len() => Err(faulty(format!(
            "`{key}` is {id}, but there are {} tokens",
            tokens.names.len()
        ))),
        id => Ok(id),
    }
}

fn faulty(fault: String) -> ModelError {
    ModelError::Vocabulary { fault }
}
